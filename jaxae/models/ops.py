"""Convolution, transposed convolution, upsampling and pooling, each in the form that its backend runs fastest.

Images are NHWC, kernels HWIO, the geometry is PyTorch's. On GPU and TPU these are the plain XLA operations. On CPU,
XLA brings convolutions into its fast form only at the top level of a program: those that autodiff leaves in the body
of a `scan` run up to 25 times slower. So there each operation has its gradients written down, in terms of `correlate`,
`spread` and `kernel_gradient` of `cpu_forms`, which need nothing but convolutions of the fast form (stride, but no
reversal and no holes in the image); `pooling` does the same for maxima.

Differentiable once and in reverse there (`jax.grad`, not `jax.jvp`); vmap, scan, map and shard_map are fine.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxae.errors import UsageError
from jaxae.models.cpu_forms import LAYOUT, correlate, kernel_gradient, spread
from jaxae.models.pooling import max_pool_by_twos, max_windows


def on_cpu() -> bool:
    """Whether to use the forms for CPU: asked whenever an operation is traced. Tests replace it."""
    return jax.default_backend() == "cpu"


def conv(x: jax.Array, kernel: jax.Array, *, stride: int = 1, padding: int = 0) -> jax.Array:
    """Convolve x (b, h, w, i) with kernel (k, l, i, o) to (b, h', w', o), as torch.nn.functional.conv2d.

    h' = (h + 2 padding - k) // stride + 1, and w' alike. Raises UsageError if nothing is left of the image.
    """
    size = _checked(x, kernel, [(n + 2 * padding - k) // stride + 1 for n, k in _sides(x, kernel)])
    if on_cpu():
        return _conv(*_vary_alike(x, kernel), stride, (padding, padding), size)
    edges = ((padding, padding), (padding, padding))
    return lax.conv_general_dilated(x, kernel, (stride, stride), edges, dimension_numbers=LAYOUT)


def conv_transpose(
    x: jax.Array, kernel: jax.Array, *, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> jax.Array:
    """Spread x (b, h, w, i) by kernel (k, l, i, o) to (b, h', w', o), as torch.nn.functional.conv_transpose2d.

    h' = (h - 1) stride - 2 padding + k + output_padding, and w' alike; the kernel is torch's with its axes moved,
    not reversed. Raises UsageError if nothing is left of the image.
    """
    size = [(n - 1) * stride - 2 * padding + k + output_padding for n, k in _sides(x, kernel)]
    size = _checked(x, kernel, size)
    if on_cpu():
        return _conv_transpose(*_vary_alike(x, kernel), stride, (padding, padding), size)
    edges = tuple((k - 1 - padding, k - 1 - padding + output_padding) for k in kernel.shape[:2])
    kernel, holes = kernel[::-1, ::-1], (stride, stride)
    return lax.conv_general_dilated(x, kernel, (1, 1), edges, lhs_dilation=holes, dimension_numbers=LAYOUT)


def upsample(x: jax.Array) -> jax.Array:
    """Repeat every pixel in a 2x2 square, nearest-neighbour upsampling: (b, h, w, c) -> (b, 2h, 2w, c)."""
    b, h, w, c = x.shape
    return jnp.broadcast_to(x[:, :, None, :, None], (b, h, 2, w, 2, c)).reshape(b, 2 * h, 2 * w, c)


def upsample_conv(x: jax.Array, kernel: jax.Array, *, padding: int = 1) -> jax.Array:
    """`conv(upsample(x), kernel, padding=padding)`: (b, h, w, i) -> (b, 2h + 2 padding - k + 1, ..., o)."""
    if not on_cpu():
        return conv(upsample(x), kernel, padding=padding)
    # Upsampling is a transposed convolution by a 2x2 kernel of ones. In one with the convolution, it is a transposed
    # convolution by the kernel summed over 2x2 shifts: less than half the work, and no large image in between.
    shifts = [((i, 1 - i), (j, 1 - j), (0, 0), (0, 0)) for i in (0, 1) for j in (0, 1)]
    summed = sum(jnp.pad(kernel[::-1, ::-1], shift) for shift in shifts)
    size = _checked(x, kernel, [2 * n + 2 * padding - k + 1 for n, k in _sides(x, kernel)])
    low = tuple(k - 1 - padding for k in kernel.shape[:2])
    return _conv_transpose(*_vary_alike(x, summed), 2, low, size)


def max_pool(x: jax.Array, size: int = 2, *, stride: int = 0, padding: int = 0) -> jax.Array:
    """Take the largest of every size x size window: (b, h, w, c) -> (b, h', w', c), as torch's max_pool2d.

    h' = (h + 2 padding - size) // stride + 1, and w' alike; the stride is the size unless given. Of equal maxima the
    first in reading order gets the gradient, as in PyTorch. Raises UsageError if nothing is left of the image.
    """
    stride = stride or size
    sides = tuple((n + 2 * padding - size) // stride + 1 for n in x.shape[1:3])
    if min(sides) < 1:
        raise UsageError(f"windows of {size}x{size} leave nothing of images {x.shape}: use larger images")
    if on_cpu():
        by_twos = (size, stride, padding) == (2, 2, 0)
        return max_pool_by_twos(x) if by_twos else max_windows(x, size, stride, padding, sides)
    lowest = np.array(-np.inf, x.dtype)  # of numpy, or autodiff doesn't recognise the maximum
    edges = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return lax.reduce_window(x, lowest, lax.max, (1, size, size, 1), (1, stride, stride, 1), edges)


def _sides(x, kernel):
    """(height of x, height of kernel), (width of x, width of kernel)."""
    return list(zip(x.shape[1:3], kernel.shape[:2], strict=True))


def _checked(x, kernel, size):
    if min(size) < 1:
        raise UsageError(f"a kernel of shape {kernel.shape} leaves nothing of images {x.shape}: use larger images")
    return tuple(size)


def _vary_alike(x, kernel):
    """Give both the mesh axes over which either varies under shard_map, as gradients written by hand must have."""
    return x + lax.full_like(kernel, 0, shape=()), kernel + lax.full_like(x, 0, shape=())


# Gradients. A convolution and a transposed convolution are each other's adjoints.


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _conv(x, kernel, stride, low, size):
    return correlate(x, kernel, stride, low, size)


def _conv_gradient(stride, low, _, inputs, g):
    x, kernel = inputs
    dx = spread(g, kernel.swapaxes(2, 3), stride, low, x.shape[1:3])
    return dx, kernel_gradient(x, g, stride, low, kernel.shape[:2])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _conv_transpose(x, kernel, stride, low, size):
    return spread(x, kernel, stride, low, size)


def _conv_transpose_gradient(stride, low, _, inputs, g):
    x, kernel = inputs
    dx = correlate(g, kernel.swapaxes(2, 3), stride, low, x.shape[1:3])
    return dx, kernel_gradient(g, x, stride, low, kernel.shape[:2]).swapaxes(2, 3)


def _keep_inputs(operation):
    return lambda x, kernel, *geometry: (operation(x, kernel, *geometry), (x, kernel))


_conv.defvjp(_keep_inputs(_conv), _conv_gradient)
_conv_transpose.defvjp(_keep_inputs(_conv_transpose), _conv_transpose_gradient)
