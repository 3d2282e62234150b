"""The convolutions of `ops` as accelerators run them fastest: XLA's own, but never with holes in the image.

What goes back through a stride, a transposed convolution or a convolution's gradient, XLA would compute from an image
spread out with zeros (`lhs_dilation`), which others saw take 25 times as long as it should on CUDA (jax issues 31662
and 23783). The sub-pixel form is one convolution of the small image, which gives every pixel of a stride's square
channels of its own.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxae.models.cpu_forms import LAYOUT, cut_out


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def correlate(x, kernel, stride, low, size) -> Any:
    """y[i] = sum over k of x[s i + k - low] w[k] for i < size: a convolution."""
    return _xla(x, kernel, stride, low, size)


def _xla(x, kernel, stride, low, size):
    ends = [stride * (m - 1) + k for m, k in zip(size, kernel.shape[:2], strict=True)]
    edges = [(b, end - b - n) for b, end, n in zip(low, ends, x.shape[1:3], strict=True)]
    return lax.conv_general_dilated(x, kernel, (stride, stride), edges, dimension_numbers=LAYOUT)


def _correlate_gradient(stride, low, size, inputs, g):
    x, kernel = inputs
    (taps,) = jax.linear_transpose(lambda kernel: _xla(x, kernel, stride, low, size), kernel)(g)
    return spread(g, kernel.swapaxes(2, 3), stride, low, x.shape[1:3]), taps


correlate.defvjp(lambda x, kernel, *form: (correlate(x, kernel, *form), (x, kernel)), _correlate_gradient)


def spread(x, kernel, stride, low, size):
    """y[s i + k - low] = sum over i, k of x[i] w[k] for places < size: a transposed convolution."""
    if stride == 1:
        low = tuple(k - 1 - b for k, b in zip(kernel.shape[:2], low, strict=True))
        return correlate(x, kernel[::-1, ::-1], 1, low, size)
    taps = _by_phase(_by_phase(kernel, 0, stride, low[0]), 2, stride, low[1]).transpose(0, 2, 4, 1, 3, 5)
    before = tuple((k - 1 - b) // stride for k, b in zip(kernel.shape[:2], low, strict=True))
    h, w = (-(-n // stride) for n in size)
    y: Any = correlate(x, taps.reshape(*taps.shape[:3], -1), 1, before, (h, w))
    y = y.reshape(-1, h, w, stride, stride, kernel.shape[3]).swapaxes(2, 3)
    return cut_out(y.reshape(-1, stride * h, stride * w, kernel.shape[3]), (0, 0), size)


def _by_phase(kernel, axis, stride, low):
    """The taps of an axis as (taps of a phase, phases): the phase a of the rows s m + a of y takes every s-th tap."""
    after = -(-low // stride)
    turns = (kernel.shape[axis] - 1 - low) // stride + after + 1
    front = stride * after - low
    edges = [(0, 0, 0)] * kernel.ndim
    edges[axis] = (front, stride * turns - kernel.shape[axis] - front, 0)
    padded = lax.pad(kernel, jnp.zeros((), kernel.dtype), edges)
    shape = (*kernel.shape[:axis], turns, stride, *kernel.shape[axis + 1 :])
    return jnp.flip(padded.reshape(shape), axis)
