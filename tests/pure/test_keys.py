"""Named streams: the same values for ever, whatever else is drawn."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae import draws, keys
from jaxae.errors import UsageError


def data(key: jax.Array) -> list[int]:
    return jax.random.key_data(key).tolist()


def test_pinned_values():
    """A change here changes every published number."""
    root = keys.root(0)
    assert str(jax.random.key_impl(root)) == keys.IMPLEMENTATION == "threefry2x32"
    assert data(root) == [0, 0]
    assert data(keys.root(2**32 - 1)) == [0, 4294967295]
    assert data(keys.root(np.uint32(7))) == [0, 7]
    assert data(keys.stream(root, "noise")) == [3684177633, 1287765441]
    assert data(keys.stream(root, "noise", 3)) == [3539817890, 2731218736]
    assert data(keys.stream(root, "noise", 3, 4)) == [783654247, 4033813974]
    assert jax.random.bits(keys.stream(root, "noise", 3), (2,)).tolist() == [3422369863, 2092278595]


def test_streams_differ_by_seed_name_step_and_number_of_steps():
    roots = [keys.root(seed) for seed in (0, 1)]
    steps = [(), (0,), (1,), (0, 0), (0, 1), (1, 0)]
    streams = [tuple(data(keys.stream(root, name, *at))) for root in roots for name in ("a", "a/1") for at in steps]
    assert len(set(streams)) == 2 * 2 * 6


def test_traced_steps_are_python_integers():
    root = keys.root(3)
    expected = [data(keys.stream(root, "epoch", step, 5)) for step in range(4)]
    _, scanned = jax.lax.scan(lambda _, step: (None, keys.stream(root, "epoch", step, 5)), None, jnp.arange(4))
    mapped = jax.jit(jax.vmap(lambda step: keys.stream(root, "epoch", step, 5)))(jnp.arange(4))
    assert data(scanned) == data(mapped) == expected


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, True, "0", None])
def test_seeds_that_are_not_32_bit_integers_are_refused(seed):
    with pytest.raises(UsageError, match=r"the seed .* choose one"):
        keys.root(seed)


@pytest.mark.parametrize(
    ("name", "steps", "words"),
    [
        ("a", (1.5,), "the step 1.5 of the stream 'a' is none"),
        ("a", (-1,), "the step -1"),
        (3, (), "the stream 3 has no"),
    ],
)
def test_streams_have_a_text_for_a_name_and_integers_for_steps(name, steps, words):
    with pytest.raises(UsageError, match=words):
        keys.stream(keys.root(0), name, *steps)


@pytest.mark.parametrize("key", [0, None, "key", jnp.zeros(2), jnp.zeros(2, jnp.int32)])
def test_what_is_no_key_is_a_sentence(key: Any):
    for call in (lambda: keys.stream(key, "noise"), lambda: draws.normal(key, (3,))):
        with pytest.raises(UsageError, match="is no key; give one, such as ae"):
            call()


@pytest.mark.parametrize("several", [jnp.stack([keys.root(0), keys.root(1)]), jnp.zeros((3, 2), jnp.uint32)])
def test_several_keys_are_no_single_one(several):
    with pytest.raises(UsageError, match=r"is no single key; give one of them, or jax\.vmap"):
        keys.stream(several, "noise")
    assert keys.stream(jax.random.PRNGKey(0), "noise").shape == (2,)  # JAX's old keys are keys
