"""Pairs of two image sets."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxae.data.dataset import Dataset
from jaxae.errors import UsageError
from jaxae.keys import stream


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Two image sets of any lengths, of which pairs are drawn: a JAX pytree whose leaves are the sets' arrays."""

    first: Dataset
    second: Dataset
    count: int  # pairs in one pass
    aligned: bool

    def __len__(self) -> int:
        return self.count

    def draw(self, key: jax.Array) -> jax.Array:
        """The pairs of one pass, i32[count, 2]: numbers of an image in the first set and of one in the second.

        Each column runs through its whole set in random order, then again in another, so that in a pass every image is
        taken as often as any other, or once more. `aligned` pairs have the same number, modulo the sets' lengths.
        """
        sizes = len(self.first), len(self.second)
        if self.aligned:
            columns = [jnp.arange(self.count) % size for size in sizes]
        else:
            columns = [_passes(stream(key, "pairs", place), size, self.count) for place, size in enumerate(sizes)]
        return jnp.stack(columns, axis=1).astype(jnp.int32)


jax.tree_util.register_dataclass(Pairs, data_fields=["first", "second"], meta_fields=["count", "aligned"])


def pairs(first: Dataset, second: Dataset, *, count: int | None = None, aligned: bool = False) -> Pairs:
    """Pairs of an image of each set, `count` in a pass (as many as the shorter set has), drawn by `Pairs.draw`.

    With `aligned`, image i goes with image i, as in a loader over both sets. For a study give
    `index=lambda key, data: data.draw(key), examples=len`: pairs are then drawn anew every epoch, and its `batch` gets
    index i32[b, 2]. Raises UsageError for a count under 1.
    """
    count = min(len(first), len(second)) if count is None else count
    if count < 1:
        raise UsageError(f"{count} pairs were asked for; ask for at least 1")
    return Pairs(first, second, count, aligned)


def _passes(key: jax.Array, size: int, count: int) -> jax.Array:
    def once(number):
        return jax.random.permutation(stream(key, "pass", number), size)

    return jax.vmap(once)(jnp.arange(-(-count // size))).reshape(-1)[:count]
