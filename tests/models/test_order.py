"""What XLA is made to compute one after another, and once: the same values, shown by not a number and by counts."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.models import cpu_forms, ops


@pytest.fixture
def waiting(monkeypatch):
    """What waits for an image that begins with not a number becomes that."""
    monkeypatch.setattr(cpu_forms, "always", lambda x: x[0, 0, 0, 0] <= jnp.inf)


def normal(*shape):
    return jnp.asarray(np.random.default_rng(len(shape)).normal(size=shape), jnp.float32)


def begins_unknown(x):
    return x.at[0, 0, 0, 0].set(jnp.nan)


@pytest.mark.usefixtures("waiting")
def test_branches_in_turn_wait_with_the_values_and_gradients_of_branches_side_by_side():
    def branches(x, turn):
        first, second = turn(x, jnp.sin(x))
        return (second + jnp.cos(first) ** 2).sum()

    x = normal(2, 3, 4, 5)
    one, other = (jax.value_and_grad(branches)(x, turn) for turn in (ops.in_turn, lambda *both: both))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6), one, other)
    assert jnp.isnan(ops.in_turn(x, begins_unknown(x))[0]).all()
    first, second = jax.vjp(ops.in_turn, x, x)[1]((begins_unknown(x), x))
    assert jnp.isnan(second).all() and jnp.isnan(first).sum() == 1  # backwards, the other way
    first, second = jax.vjp(ops.in_turn, x, x)[1]((x, begins_unknown(x)))
    assert not jnp.isnan(first).any() and jnp.isnan(second).sum() == 1


@pytest.mark.usefixtures("waiting")
def test_large_images_wait_for_the_gradient_of_the_kernel_and_change_no_bit(monkeypatch):
    inputs, g, geometry = (normal(3, 6, 5, 16), normal(4, 4, 16, 12)), normal(3, 12, 10, 12), (2, (1, 1), (12, 10))

    def gradients():
        compiled = jax.jit(lambda g: ops._conv_transpose_gradients(inputs, geometry, g))
        return [np.asarray(one) for one in (*compiled(g), *compiled(begins_unknown(g)))]

    usual = gradients()
    monkeypatch.setattr(ops, "LARGE", 0)
    late = gradients()
    assert [one.tobytes() for one in late[:2]] == [one.tobytes() for one in usual[:2]]
    assert np.isnan(late[2]).all() and not np.isnan(usual[2]).all()


def test_what_waits_holds_whatever_it_waits_for():
    x = normal(2, 3, 4, 5)
    for first in (jnp.nan, jnp.inf, -jnp.inf):
        np.testing.assert_array_equal(ops.in_turn(x, x.at[0, 0, 0, 0].set(first))[0], x)


def test_no_images_wait_for_nothing_and_have_none():
    x = normal(0, 6, 5, 64)
    assert ops.in_turn(x, x)[0].shape == x.shape
    assert ops.conv(x, normal(3, 3, 64, 3), padding=1).shape == (0, 6, 5, 3)


def test_sums_of_few_outputs_are_computed_once_and_change_no_bit(monkeypatch):
    inputs = normal(2, 8, 8, 64), normal(3, 3, 64, 3)

    def compiled():
        def gradient(x, kernel):  # of half the sum of squares, for the kernel: by nine patches of the result
            y = cpu_forms.spread(x, kernel, 1, (1, 1), (8, 8))
            # chosen as in_turn chooses, without which XLA fuses the sum once by itself
            return cpu_forms.kernel_gradient(jnp.where(x[0, 0, 0, 0] < jnp.inf, y, 0), x, 1, (1, 1), (3, 3))

        return jax.jit(gradient).lower(*inputs).compile()

    once = compiled()
    monkeypatch.setattr(cpu_forms, "always", lambda x: True)
    often = compiled()
    assert np.asarray(once(*inputs)).tobytes() == np.asarray(often(*inputs)).tobytes()
    counts: list[Any] = [program.cost_analysis() for program in (once, often)]
    assert counts[0]["flops"] < counts[1]["flops"]
