"""Decoded arrays on disk: only the first run of a machine pays for decoding.

    <cache>/arrays/<12 hex digits of the source folder>/<name>/<version>/
        train.image.npy  train.label.npy  test.image.npy ...  arrays.json

Below the hex digits it is a data folder like any other: `load(name, split, data_dir=<cache>/arrays/<hex>)` reads it on
any machine, with or without TFDS. `arrays.json` is a stable format: name, version, source, classes, and for each split
n and sha256 (the Dataset's fingerprint).
"""

import contextlib
import hashlib
import json
import math
import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxae.data.dataset import Dataset, create
from jaxae.data.folders import ARRAYS, Prepared, unreadable
from jaxae.data.mapped import refuse_rewritten
from jaxae.errors import UsageError
from jaxae.files import draft_of

LARGE = 2**30  # bytes of images, which are decoded into a file, and stay there: sets may be larger than the memory


def room(shape: tuple[int, ...]) -> np.ndarray:
    """Room for images, uint8 of this shape: in memory, or, where they are large, in a file that ends with the array.

    It has no name, and lies in the cache folder; where there isn't enough on that disk, memory has to do.
    """
    size = math.prod(shape)
    if size >= LARGE:
        with contextlib.suppress(OSError, AttributeError):  # a system without posix_fallocate
            root().mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=root()) as file:
                os.posix_fallocate(file.fileno(), 0, size)  # a disk that is full later would end the process
                return np.memmap(file, np.uint8, "r+", shape=shape)
    return np.empty(shape, np.uint8)


def root() -> Path:
    """The cache folder: JAXAE_CACHE, else $XDG_CACHE_HOME/jaxae, else ~/.cache/jaxae."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "jaxae")
    named = Path(os.environ.get("JAXAE_CACHE") or default)
    try:
        return named.expanduser()
    except RuntimeError:
        raise UsageError(f"there is no home for {named}; name a cache folder in the variable JAXAE_CACHE") from None


def home(found: Prepared) -> Path:
    """Where the arrays of a prepared set are kept; elsewhere as soon as one of its files changes size or date."""
    try:
        files = sorted(_state(file) for file in found.path.iterdir())
    except OSError as error:
        raise UsageError(unreadable(found.path, error)) from None
    key = hashlib.sha256(repr((str(found.path.resolve()), files)).encode()).hexdigest()[:12]
    return root() / "arrays" / key / found.name / found.version


def _state(file: Path) -> tuple[str, int, int]:
    """A file's name, size and date; the name alone of what the system tells nothing of, such as a link to nowhere."""
    try:
        return file.name, file.stat().st_size, file.stat().st_mtime_ns
    except OSError:
        return file.name, -1, -1


def through(folder: Path, split: str, decode: Callable[[], Dataset]) -> Dataset:
    """The whole `split` kept in `folder`; if it isn't there or is damaged, what `decode` gives, kept from now on.

    A folder that can't be written is no error: the next run decodes again.
    """
    kept = cached(folder, split)
    if kept is not None:
        return kept
    dataset = decode()
    with contextlib.suppress(OSError):
        _write(folder, dataset)
    return dataset


def cached(folder: Path, split: str) -> Dataset | None:
    """The whole `split` kept in `folder`, in memory or, where it is large, mapped; None if it isn't there, its SHA-256
    has changed, or what is said of it can't be."""
    try:
        about = json.loads((folder / ARRAYS).read_text())
        recorded = about["splits"][split]["sha256"]
        image, label = (_read(folder / f"{split}.{field}.npy") for field in ("image", "label"))
        facts = {key: about[key] for key in ("name", "source", "classes", "version")}
        dataset = create(image, label, split=split, **facts)
        _refuse_impossible(dataset, about["splits"][split]["n"])
    except (OSError, ValueError, LookupError, TypeError, EOFError):
        return None
    return dataset if dataset.fingerprint == recorded else None


def _read(path: Path) -> np.ndarray:
    """The array of a file, mapped where it is large. In memory nobody can cut it, and CPUs have it where it is, as what
    is mapped. Raises EOFError for a file that ends before its array."""
    mapped = np.load(path, mmap_mode="r")
    if mapped.nbytes >= LARGE:
        refuse_rewritten(mapped)  # from its fingerprint on
        return mapped
    memory = mmap.mmap(-1, max(mapped.nbytes, 1))
    with path.open("rb") as file:
        file.seek(mapped.offset)
        if file.readinto(memory) < mapped.nbytes:
            raise EOFError(f"{path} ends before its array")
    return np.frombuffer(memory, mapped.dtype, mapped.size).reshape(mapped.shape)


def _refuse_impossible(dataset: Dataset, count: int) -> None:
    """Raise ValueError unless images, labels, classes and their number fit together."""
    image, label, names = dataset.image, dataset.label, dataset.classes
    if image.dtype != np.uint8 or image.ndim != 4 or label.dtype != np.int32 or label.shape != image.shape[:1]:
        raise ValueError("other arrays than images and their labels")
    if len(image) != count or not all(isinstance(name, str) for name in (*names, dataset.name, dataset.version)):
        raise ValueError("other images or names than are described")
    if label.min(initial=0) < 0 or label.max(initial=0) >= len(names):
        raise ValueError("labels outside of the classes")


def _write(folder: Path, dataset: Dataset) -> None:
    """The arrays first and `arrays.json` last, so that whatever it names is whole.

    Of two processes that add different splits at the same moment, one may drop the other's line: then that split is
    decoded once more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / f"{dataset.split}.image.npy", lambda file: np.save(file, dataset.image))
    _replace(folder / f"{dataset.split}.label.npy", lambda file: np.save(file, dataset.label))
    facts = {"name": dataset.name, "version": dataset.version, "source": dataset.source, "classes": dataset.classes}
    entry = {dataset.split: {"n": len(dataset), "sha256": dataset.fingerprint}}
    text = json.dumps(facts | {"splits": _recorded(folder) | entry}, indent=2)
    _replace(folder / ARRAYS, lambda file: file.write(text.encode()))


def _recorded(folder: Path) -> dict:
    try:
        return dict(json.loads((folder / ARRAYS).read_text())["splits"])
    except (OSError, ValueError, LookupError, TypeError):
        return {}


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Put a file in its place whole, whoever reads or writes it at the same time."""
    with draft_of(path) as draft:
        with draft.open("xb") as file:
            write(file)
        draft.replace(path)
