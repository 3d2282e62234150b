"""The leaves of a pytree by their paths: shapes, dtypes and fingerprints, for what is read back to be held against."""

import hashlib
from typing import Any

import jax
import numpy as np


def described(tree: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    """{path: (shape, dtype)} of arrays, or of what describes arrays."""
    return {path: (tuple(leaf.shape), np.dtype(leaf.dtype).name) for path, leaf in by_path(tree).items()}


def digests(tree: Any) -> dict[str, str]:
    """{path: SHA-256, in hex, over dtype, shape and bytes}."""
    return {path: digest(np.asarray(leaf)) for path, leaf in by_path(tree).items()}


def digest(array: np.ndarray) -> str:
    """SHA-256, in hex, over dtype, shape and bytes."""
    found = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
    found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def by_path(tree: Any) -> dict[str, Any]:
    """{path: leaf}, the same path for a NamedTuple's field and a dictionary's key."""
    return {_path(path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]}


def _path(path: Any) -> str:
    return "/".join(str(getattr(entry, "name", getattr(entry, "key", getattr(entry, "idx", entry)))) for entry in path)
