"""Draws of many numbers: the values that `jax.random` gives, several times as fast on a CPU.

There JAX computes the bits of a draw round by round, every round through memory for all numbers, so that it can compile
them quickly. Here each number's twenty rounds are one operation, which XLA makes one with what follows.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import random as implementations

from jaxae.keys import IMPLEMENTATION, check_key
from jaxae.settled import settled

_ROTATIONS = (13, 15, 26, 6), (17, 29, 16, 24)
_PARITY = np.uint32(0x1BD11BDA)


def normal(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """`jax.random.normal(key, shape, dtype)`, to the bit. Raises UsageError for what is no key."""
    check_key(key)

    def at_once(data):
        # in a row, since a loop over few channels isn't made of vectors; settled, since each use would draw anew
        row = jax.random.normal(jax.random.wrap_key_data(data, impl=_AT_ONCE), (math.prod(shape),), dtype)
        return settled(row).reshape(shape)

    def as_usual(data):
        return jax.random.normal(jax.random.wrap_key_data(data, impl=IMPLEMENTATION), shape, dtype)

    if not _known(key, shape, dtype):
        return jax.random.normal(key, shape, dtype)
    return lax.platform_dependent(jax.random.key_data(key), cpu=at_once, default=as_usual)


def _known(key: jax.Array, shape: tuple[int, ...], dtype: Any) -> bool:
    """Whether the bits are those of `_bits`: so many of this width, counted as JAX does unless it is told otherwise."""
    ours = jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and jax.random.key_impl(key) == IMPLEMENTATION
    counted = jax.config.values.get("jax_threefry_partitionable", True)
    return ours and counted and dtype == jnp.float32 and 0 < math.prod(shape) < 2**32


def _bits(key: jax.Array, _width: int, shape: tuple[int, ...]) -> jax.Array:
    """Random bits, u32[shape], of the key u32[2]: of each number's place, in two halves, the upper one 0."""
    place = lax.iota(jnp.uint32, math.prod(shape)).reshape(shape)
    upper, lower = _threefry(key, jnp.zeros_like(place), place)
    return upper ^ lower


def _threefry(key: jax.Array, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Threefry-2x32 of 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011)."""
    keys = key[0], key[1], key[0] ^ key[1] ^ _PARITY
    x, y = x + keys[0], y + keys[1]
    for group in range(5):
        for by in _ROTATIONS[group % 2]:
            x = x + y
            y = x ^ ((y << np.uint32(by)) | (y >> np.uint32(32 - by)))
        x, y = x + keys[(group + 1) % 3], y + keys[(group + 2) % 3] + np.uint32(group + 1)
    return x, y


def _one_draw(*_: Any) -> Any:
    raise NotImplementedError("this key is for one draw: split, and fold numbers into, the key that it is made of")


_AT_ONCE = implementations.define_prng_impl(
    key_shape=(2,), seed=_one_draw, split=_one_draw, fold_in=_one_draw, random_bits=_bits, name="threefry at once",
    tag="at_once",
)  # fmt: skip
