"""Max-pooling on CPU, with its gradient written down: it goes to the first maximum of a window, as torch's does."""

import functools

import jax.numpy as jnp
from jax import lax

from jaxae.models.cpu_forms import cut_out, weave


def max_pool(x, size, stride, padding, sides):
    """The maximum of windows `size` wide, `stride` apart, padded around: (b, h, w, c) -> (b, *sides, c)."""
    if _by_twos(size, stride, padding):
        return functools.reduce(jnp.maximum, _quarters(x))
    return functools.reduce(jnp.maximum, [view for _, view in _views(x, size, stride, padding, sides)])


def max_pool_gradients(arrays, geometry, g):
    """The gradient for x, as a tuple."""
    (x,), (size, stride, padding, sides) = arrays, geometry
    y = max_pool(x, *geometry)
    if _by_twos(size, stride, padding):
        return (_of_squares(x, y, g),)
    return (_of_windows(x, y, g, size, stride, padding, sides),)


def _by_twos(size, stride, padding):
    return (size, stride, padding) == (2, 2, 0)


def _of_squares(x, y, g):
    taken, parts = jnp.full(y.shape, False), []
    for quarter in _quarters(x):
        here = (quarter == y) & ~taken
        taken = taken | here
        parts.append(jnp.where(here, g, 0))
    return cut_out(weave([parts[:2], parts[2:]]), (0, 0), x.shape[1:3])


def _of_windows(x, y, g, size, stride, padding, sides):
    taken, dx = jnp.full(y.shape, False), jnp.zeros(x.shape, x.dtype)
    for start, view in _views(x, size, stride, padding, sides):
        here = (view == y) & ~taken
        taken = taken | here
        edges = [
            (i - padding, n - (stride * (m - 1) + 1 + i - padding), stride - 1)
            for i, n, m in zip(start, x.shape[1:3], sides, strict=True)
        ]
        dx = dx + lax.pad(jnp.where(here, g, 0), jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    return dx


def _views(x, size, stride, padding, sides):
    """For every place (i, j) of a window, what stands there in all windows: (b, h', w', c)."""
    edges = [
        (padding, max(0, stride * (m - 1) + size - n - padding), 0) for n, m in zip(x.shape[1:3], sides, strict=True)
    ]
    x = lax.pad(x, jnp.full((), -jnp.inf, x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    h, w = (stride * (m - 1) + 1 for m in sides)
    return [((i, j), x[:, i : i + h : stride, j : j + w : stride]) for i in range(size) for j in range(size)]


def _quarters(x):
    """The pixels at the top left, top right, bottom left and bottom right of every 2x2 square."""
    h, w = (n // 2 * 2 for n in x.shape[1:3])
    return [x[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1)]
