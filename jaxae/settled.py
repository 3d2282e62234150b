"""Arrays as they are in memory, where XLA would compute them anew wherever they are used."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def settled(tree: Any) -> Any:
    """On a CPU, the same arrays, computed once: what is computed of them has the roundings of a program that begins
    with them. XLA forgets barriers there before it fuses operations, but not a loop."""
    nothing = jax.tree.map(lambda leaf: lax.full_like(leaf, 0), tree)  # varies over a mesh as the leaf does
    return lax.fori_loop(0, turns(1), lambda *_: tree, nothing)


def turns(count: int) -> jax.Array:
    """A loop's length that XLA doesn't know: it would take a loop of one turn apart, and compute it with other
    roundings."""
    return lax.optimization_barrier(jnp.int32(count))
