"""Draws that are several times as fast: the same values as `jax.random`'s."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae import draws, keys

KEY = keys.stream(keys.root(3), "noise", 5)
SHAPES = [(), (3,), (0, 3), (5, 7), (6, 32, 32, 3)]


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_has_its_authors_known_answers(key, counter, expected):
    """Of Random123, `kat_vectors`."""
    assert tuple(map(int, draws._threefry(jnp.uint32(key), *map(jnp.uint32, counter)))) == expected


@pytest.mark.usefixtures("optimised")
@pytest.mark.parametrize("shape", SHAPES)
def test_normal_numbers_are_jaxs_to_the_bit(shape):
    expected = jax.jit(lambda key: jax.random.normal(key, shape))(KEY)
    np.testing.assert_array_equal(jax.jit(lambda key: draws.normal(key, shape))(KEY), expected)
    np.testing.assert_array_equal(draws.normal(KEY, shape), expected)


def test_keys_of_streams_are_drawn_from_at_once_unless_jax_counts_otherwise():
    assert draws._known(KEY, (3,), jnp.float32)
    with jax.threefry_partitionable(False):
        assert not draws._known(KEY, (3,), jnp.float32)
        np.testing.assert_array_equal(draws.normal(KEY, (5,)), jax.random.normal(KEY, (5,)))


def test_lanes_have_their_own():
    lanes = jax.random.split(KEY, 3)
    alone = jnp.stack([draws.normal(key, (4, 5)) for key in lanes])
    np.testing.assert_array_equal(jax.vmap(lambda key: draws.normal(key, (4, 5)))(lanes), alone)
    np.testing.assert_array_equal(jax.lax.map(lambda key: draws.normal(key, (4, 5)), lanes), alone)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("key", [jax.random.key(2, impl="rbg"), jax.random.PRNGKey(2), KEY])
def test_other_keys_and_types_are_left_to_jax(key, dtype):
    np.testing.assert_array_equal(draws.normal(key, (4, 5), dtype), jax.random.normal(key, (4, 5), dtype))
