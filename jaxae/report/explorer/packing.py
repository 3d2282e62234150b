"""Networks as JSON and bytes: kernels rounded to fewer bits, so that a page stays small; biases as they are.

The bytes are, for every layer that has a kernel, one after another: its bias, float32; with int8 a scale for each
output, float32; its kernel, in the order of its axes. All little-endian.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxae.report.explorer.networks import Layer, Networks

Precision = Literal["float16", "int8"]
BYTES = {"float16": 2, "int8": 1}  # of a number


class Stored(NamedTuple):
    """A kernel as it is kept: numbers, and with int8 a scale f32[outputs] that they are multiplied by."""

    values: np.ndarray
    scale: np.ndarray | None


def stored(kernel: Any, precision: Precision) -> Stored:
    """A kernel (..., outputs) rounded."""
    kernel = np.asarray(kernel, np.float32)
    if precision == "float16":
        most = np.finfo(np.float16).max
        return Stored(kernel.clip(-most, most).astype("<f2"), None)
    largest = np.abs(kernel).max(tuple(range(kernel.ndim - 1)))
    scale = np.where(largest > 0, largest / 127, 1).astype("<f4")
    return Stored(np.round(kernel / scale).astype(np.int8), scale)


def kernel_of(kept: Stored) -> np.ndarray:
    """The kernel that is computed with, f32."""
    values = kept.values.astype(np.float32)
    return values if kept.scale is None else values * kept.scale


def as_packed(variables: Any, precision: Precision) -> Any:
    """A model's variables with every kernel as the page has it."""
    return jax.tree.map(
        lambda leaf: kernel_of(stored(leaf, precision)) if leaf.ndim > 1 else np.asarray(leaf), variables
    )


def packed(networks: Networks, precision: Precision) -> tuple[dict[str, list[dict[str, Any]]], bytes]:
    """The layers as JSON values, each with its kind, its geometry and the shape of its kernel; and the bytes."""
    words = {name: [_words(layer) for layer in layers] for name, layers in networks.items()}
    parts = [_content(layer, precision) for layers in networks.values() for layer in layers if layer.kernel is not None]
    return words, b"".join(parts)


def packed_size(networks: Networks, precision: Precision) -> int:
    """How many bytes `packed` would give."""
    weights = [layer for layers in networks.values() for layer in layers if layer.kernel is not None]
    scaled = 2 if precision == "int8" else 1
    return sum(layer.kernel.size * BYTES[precision] + 4 * scaled * layer.bias.size for layer in weights)


def _words(layer: Layer) -> dict[str, Any]:
    geometry: Mapping[str, Any] = layer.geometry
    shape = {} if layer.kernel is None else {"shape": list(layer.kernel.shape)}
    return {"kind": layer.kind, **geometry, **shape}


def _content(layer: Layer, precision: Precision) -> bytes:
    kept = stored(layer.kernel, precision)
    scale = b"" if kept.scale is None else kept.scale.tobytes()
    return np.asarray(layer.bias, "<f4").tobytes() + scale + kept.values.tobytes()
