"""Walks between codes against trigonometry and by their defining properties."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.errors import UsageError
from jaxae.latent import lerp, plane, slerp, traversal

X, Y = jnp.array([2.0, 0.0]), jnp.array([0.0, 1.0])
WEIGHTS = jnp.array([0.0, 1 / 3, 0.5, 1.0])


def test_lerp():
    np.testing.assert_allclose(lerp(X, Y, WEIGHTS), [[2, 0], [4 / 3, 1 / 3], [1, 0.5], [0, 1]], rtol=1e-6)
    np.testing.assert_allclose(lerp(X, Y, 0.25), [1.5, 0.25])
    np.testing.assert_allclose(lerp(X, Y, 2.0), [-2, 2])


def test_slerp():
    # 30 and 45 degrees of the right angle; a third and half of the way from length 2 to 1 are 5/3 and 1.5
    expected = [[2, 0], [5 / 3 * 3**0.5 / 2, 5 / 6], [1.5 * 0.5**0.5, 1.5 * 0.5**0.5], [0, 1]]
    np.testing.assert_allclose(slerp(X, Y, WEIGHTS), expected, atol=1e-6)


def test_slerp_keeps_a_common_length_and_turns_evenly():
    codes = np.random.RandomState(0).normal(size=(2, 50, 8))
    start, end = jnp.asarray(codes / np.linalg.norm(codes, axis=-1, keepdims=True), jnp.float32)
    way = slerp(start, end, jnp.linspace(0, 1, 6))
    assert way.shape == (6, 50, 8)
    np.testing.assert_allclose(jnp.linalg.norm(way, axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(way[jnp.array([0, -1])], jnp.stack([start, end]), atol=1e-6)
    turns = np.arccos(jnp.sum(way[1:] * way[:-1], axis=-1))
    np.testing.assert_allclose(turns, np.broadcast_to(turns[:1], turns.shape), rtol=1e-3)


def test_slerp_of_long_half_precision_codes_is_an_arc():
    long = jnp.array([[400.0, 0.0], [0.0, 400.0]], jnp.float16)
    halfway = slerp(long[0], long[1], 0.5)
    assert halfway.dtype == jnp.float16
    np.testing.assert_allclose(halfway, 400 * 0.5**0.5, rtol=1e-3)


@pytest.mark.parametrize("end", [X, 3 * X, -X, 0 * X], ids=["same", "parallel", "opposite", "zero"])
def test_slerp_is_the_line_where_there_is_no_arc(end):
    np.testing.assert_allclose(slerp(X, end, WEIGHTS), lerp(X, end, WEIGHTS), rtol=1e-6)
    for start in (X, 0 * X):
        gradient = jax.grad(lambda code: slerp(code, end, 0.3).sum())(start)
        assert np.isfinite(gradient).all()


def test_traversal():
    code, values = jnp.array([1.0, 2.0, 3.0]), jnp.array([-1.0, 0.0])
    grid = traversal(code, values)
    np.testing.assert_array_equal(grid, [[[-1, 2, 3], [0, 2, 3]], [[1, -1, 3], [1, 0, 3]], [[1, 2, -1], [1, 2, 0]]])
    own = jnp.arange(6.0).reshape(3, 2)
    np.testing.assert_array_equal(jnp.diagonal(traversal(code, own), axis1=0, axis2=2).T, own)


def test_plane_has_its_first_dimension_to_the_right_and_its_second_upwards():
    grid = plane(jnp.array([0.0, 1.0, 2.0]), jnp.array([5.0, 6.0]))
    np.testing.assert_array_equal(grid, [[[0, 6], [1, 6], [2, 6]], [[0, 5], [1, 5], [2, 5]]])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lerp(X, jnp.ones(3), 0.5), r"\(2,\) and \(3,\) have no path"),
        (lambda: slerp(jnp.array([1, 2]), jnp.array([1, 2]), 0.5), "int32 and int32 are not floating"),
        (lambda: lerp(X, Y, jnp.ones((2, 2))), r"\(2, 2\) are not one number or \[n\]"),
        (lambda: traversal(jnp.ones((2, 3)), WEIGHTS), "is undefined"),
        (lambda: traversal(X, jnp.ones((3, 4))), "is undefined"),
    ],
)
def test_what_has_no_path_is_refused(call, words):
    with pytest.raises(UsageError, match=words):
        call()
