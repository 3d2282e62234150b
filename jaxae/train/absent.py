"""Stored images that aren't on the device, as a study's batch sees them.

A batch takes images by `data.image[index]`. Where they are in a file, it is traced with images that note which rows it
takes; these rows are read; and it is computed with images that give them. So whatever it finds its rows by (the order
of the epoch, other arrays, draws), it gets the bits that it would get with all images on the device.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Rows = Any  # of each of the absent images, for each time that a batch takes some: an array. None: nothing is absent


@jax.tree_util.register_static
@dataclass(frozen=True)
class Absent:
    """In the place of stored images, uint8[n, h, w, c], in what is on the device: nothing but their shape."""

    shape: tuple[int, ...]
    dtype: Any

    def __len__(self) -> int:
        return self.shape[0]


class _Images:
    """In their place within a batch: `take` says what comes of `[index]`, uint8[..., h, w, c]."""

    __iter__ = None  # with `[index]` alone there would be no end of rows

    def __init__(self, absent: Absent, take: Callable[[jax.Array], jax.Array]):
        self.shape, self.dtype, self.ndim, self._take = absent.shape, absent.dtype, len(absent.shape), take

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> jax.Array:
        return self._take(jnp.asarray(index))


def stored_images(data: Any) -> list[np.ndarray]:
    """The arrays of numpy's, uint8[n, h, w, c], in `data`."""
    return [leaf for leaf in jax.tree.leaves(data) if _is_stored(leaf)]


def without_images(data: Any) -> Any:
    """`data` with Absent in the place of stored images."""
    return jax.tree.map(lambda leaf: Absent(leaf.shape, leaf.dtype) if _is_stored(leaf) else leaf, data)


def taken(function: Callable[[Any], Any], data: Any, fill: Any = 0) -> list[list[jax.Array]]:
    """The rows, i32[b], that `function(data)` takes of each of the absent images, in the order in which it does.

    What it takes is full of `fill`. Rows beyond either end are the last and the first, as in arrays of JAX's.
    """
    found: list[list[jax.Array]] = []

    def noting(absent: Absent) -> _Images:
        notes: list[jax.Array] = []
        found.append(notes)

        def take(index):
            notes.append(jnp.clip(index.astype(jnp.int32), -len(absent), len(absent) - 1))
            return jnp.full((*index.shape, *absent.shape[1:]), fill, absent.dtype)

        return _Images(absent, take)

    function(_replaced(data, noting))
    return found


def filled(data: Any, rows: Rows) -> Any:
    """`data` whose absent images give these rows, in the order in which they are taken; as it is where rows is None."""
    if rows is None:
        return data
    answers = iter(rows)

    def giving(absent: Absent) -> _Images:
        mine = iter(next(answers))
        return _Images(absent, lambda index: next(mine))

    return _replaced(data, giving)


def blank(data: Any) -> Any:
    """`data` whose absent images are black, for what needs their shapes alone."""

    def black(absent: Absent) -> _Images:
        return _Images(absent, lambda index: jnp.zeros((*index.shape, *absent.shape[1:]), absent.dtype))

    return _replaced(data, black)


def _is_stored(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and leaf.dtype == np.uint8 and leaf.ndim == 4


def _replaced(data: Any, make: Callable[[Absent], Any]) -> Any:
    def is_absent(leaf):
        return isinstance(leaf, Absent)

    return jax.tree.map(lambda leaf: make(leaf) if is_absent(leaf) else leaf, data, is_leaf=is_absent)
