"""Convolution, transposed convolution, upsampling and pooling, each in the form that its platform runs fastest.

Images are NHWC, kernels HWIO, the geometry is PyTorch's. The form is chosen where a program is lowered: one that is
exported, or that runs on a CPU beside an accelerator, gets the right one too. On GPU and TPU the forms are XLA's own
operations, without holes in the image (`plain_forms`). On CPU, XLA brings convolutions into its fast form only at the
top level of a program: those that autodiff leaves in the body of a `scan` run up to 25 times slower. So there each
operation has its gradients written down, in terms of `correlate`, `spread` and `kernel_gradient` of `cpu_forms`, which
need nothing but convolutions of the fast form (stride, but no reversal and no holes in the image); `pooling` does the
same for maxima.

Differentiable once and in reverse (`jax.grad`, not `jax.jvp`); vmap, scan, map and shard_map are fine, meshes of
explicit axes aren't.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import jaxae.models.cpu_forms as cpu_forms
import jaxae.models.output as output
import jaxae.models.plain_forms as plain_forms
import jaxae.models.pooling as pooling
from jaxae.errors import UsageError

LARGE = 2**26  # bytes of an array that isn't kept for longer than must be; of smaller ones waiting costs more time
TRACED = 64  # geometries of an operation: JAX traces the same function of the same shapes once


def conv(x: jax.Array, kernel: jax.Array, *, stride: int = 1, padding: int = 0) -> jax.Array:
    """Convolve x (b, h, w, i) with kernel (k, l, i, o) to (b, h', w', o), as torch.nn.functional.conv2d.

    h' = (h + 2 padding - k) // stride + 1, and w' alike. Raises UsageError for arrays of other shapes or of whole
    numbers, if nothing is left of the image, for a stride under 1 and for a padding under 0.
    """
    output.refuse_arrays(x, kernel)
    _refuse_geometry(stride, padding)
    size = _checked(x, kernel, [(n + 2 * padding - k) // stride + 1 for n, k in _sides(x, kernel)])
    return _conv((stride, (padding, padding), size), *_vary_alike(x, kernel))


def conv_transpose(
    x: jax.Array, kernel: jax.Array, *, stride: int = 1, padding: int = 0, output_padding: int = 0
) -> jax.Array:
    """Spread x (b, h, w, i) by kernel (k, l, i, o) to (b, h', w', o), as torch.nn.functional.conv_transpose2d.

    h' = (h - 1) stride - 2 padding + k + output_padding, and w' alike; the kernel is torch's with its axes moved,
    not reversed. Raises UsageError as `conv` does, and for an output padding that isn't smaller than the stride.
    """
    output.refuse_arrays(x, kernel)
    _refuse_geometry(stride, padding)
    if not 0 <= output_padding < stride:
        raise UsageError(f"output_padding is {output_padding}; give one from 0 to {stride - 1}, less than the stride")
    size = [(n - 1) * stride - 2 * padding + k + output_padding for n, k in _sides(x, kernel)]
    return _conv_transpose((stride, (padding, padding), _checked(x, kernel, size)), *_vary_alike(x, kernel))


def upsample(x: jax.Array) -> jax.Array:
    """Repeat every pixel in a 2x2 square, nearest-neighbour upsampling: (b, h, w, c) -> (b, 2h, 2w, c), of any dtype.

    Raises UsageError for an image of another number of axes.
    """
    output.refuse_arrays(x, floating=False)
    b, h, w, c = x.shape
    return jnp.broadcast_to(x[:, :, None, :, None], (b, h, 2, w, 2, c)).reshape(b, 2 * h, 2 * w, c)


def upsample_conv(x: jax.Array, kernel: jax.Array, *, padding: int = 1) -> jax.Array:
    """`conv(upsample(x), kernel, padding=padding)`: (b, h, w, i) -> (b, 2h + 2 padding - k + 1, ..., o).

    Raises UsageError as `conv` does.
    """
    output.refuse_arrays(x, kernel)
    _refuse_geometry(1, padding)
    size = _checked(x, kernel, [2 * n + 2 * padding - k + 1 for n, k in _sides(x, kernel)])
    return _upsample_conv((padding, size), *_vary_alike(x, kernel))


def max_pool(x: jax.Array, size: int = 2, *, stride: int = 0, padding: int = 0) -> jax.Array:
    """Take the largest of every size x size window: (b, h, w, c) -> (b, h', w', c), as torch's max_pool2d.

    h' = (h + 2 padding - size) // stride + 1, and w' alike; the stride is the size unless given. Of equal maxima the
    first in reading order gets the gradient, as in PyTorch. Raises UsageError as `conv` does, and for a size under 1 or
    a padding of more than half the size, with which windows would see nothing.
    """
    output.refuse_arrays(x)
    stride = stride or size
    _refuse_geometry(min(size, stride), padding)
    if padding > size // 2:
        raise UsageError(f"padding is {padding}; give at most {size // 2}, half of the windows' {size}")
    sides = tuple((n + 2 * padding - size) // stride + 1 for n in x.shape[1:3])
    if min(sides) < 1:
        raise UsageError(f"windows of {size}x{size} leave nothing of images {x.shape}: use larger images")
    return _max_pool((size, stride, padding, sides), x)


def _refuse_geometry(stride, padding):
    if stride < 1 or padding < 0:
        raise UsageError(f"stride is {stride} and padding {padding}; give a stride from 1 and a padding from 0 up")


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


class Form(NamedTuple):
    """An operation as some platforms run it fastest."""

    operation: Callable[..., Any]
    """of arrays, and then of its geometry"""
    gradients: Callable[..., tuple[Any, ...]]
    """for the arrays: of these, of the geometry and of the gradient for the result"""


def _by_autodiff(operation):
    def gradients(arrays, geometry, g):
        return jax.vjp(lambda *arrays: operation(*arrays, *geometry), *arrays)[1](g)

    return Form(operation, gradients)


def _by_platform(cpu: Form, default: Form):
    """The operation of a geometry (a tuple) and of arrays, in the form of the platform that it is lowered for."""

    @functools.lru_cache(TRACED)
    def operations(geometry):
        return [lambda *arrays, form=form: form.operation(*arrays, *geometry) for form in (cpu, default)]

    @functools.lru_cache(TRACED)
    def slopes(geometry):
        return [lambda g, *arrays, form=form: tuple(form.gradients(arrays, geometry, g)) for form in (cpu, default)]

    @functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
    def operation(geometry, *arrays):
        here, elsewhere = operations(geometry)
        return lax.platform_dependent(*arrays, cpu=here, default=elsewhere)

    def gradients(geometry, arrays, g):
        here, elsewhere = slopes(geometry)
        return lax.platform_dependent(g, *arrays, cpu=here, default=elsewhere)

    operation.defvjp(lambda geometry, *arrays: (operation(geometry, *arrays), arrays), gradients)
    return operation


# A convolution and a transposed convolution are each other's adjoints.


def _conv_gradients(arrays, geometry, g):
    (x, kernel), (stride, low, _) = arrays, geometry
    dx = cpu_forms.spread(g, kernel.swapaxes(2, 3), stride, low, x.shape[1:3])
    return dx, cpu_forms.kernel_gradient(x, g, stride, low, kernel.shape[:2])


def _conv_transpose_gradients(arrays, geometry, g):
    (x, kernel), (stride, low, _) = arrays, geometry
    large = max(map(cpu_forms.known_bytes, (x, g))) >= LARGE
    x = _after(g, x) if large else x
    dkernel = cpu_forms.kernel_gradient(g, x, stride, low, kernel.shape[:2]).swapaxes(2, 3)
    kernel = _after(dkernel, kernel) if large else kernel
    return cpu_forms.correlate(g, kernel.swapaxes(2, 3), stride, low, x.shape[1:3]), dkernel


@jax.custom_vjp
def in_turn(first: jax.Array, second: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both as they are, (b, h, w, c), but what is made of `first` waits for `second`; backwards, the other way.

    Of two branches that would keep their large images side by side, one is done before the other begins.
    """
    return _after(second, first), second


def _in_turn_gradients(_, gradients):
    first, second = gradients
    return first, _after(first, second)


in_turn.defvjp(lambda first, second: (in_turn(first, second), None), _in_turn_gradients)


def _after(first, then):
    """The array `then`, which XLA has only once it has `first`.

    Else it makes patches of large images long before they are needed, leaves kernels' gradients for the end of the
    step, and keeps what they are made of until then.
    """
    return jnp.where(cpu_forms.always(first), then, jnp.nan)


_conv = _by_platform(Form(cpu_forms.correlate, _conv_gradients), _by_autodiff(plain_forms.correlate))
_conv_transpose = _by_platform(Form(cpu_forms.spread, _conv_transpose_gradients), _by_autodiff(plain_forms.spread))


def _fused_upsample_conv(x, kernel, padding, size):
    """Upsampling is a transposed convolution by a 2x2 kernel of ones. In one with the convolution, it is a transposed
    convolution by the kernel summed over 2x2 shifts: less than half the work, and no large image in between."""
    shifts = [((i, 1 - i), (j, 1 - j), (0, 0), (0, 0)) for i in (0, 1) for j in (0, 1)]
    summed = sum(jnp.pad(kernel[::-1, ::-1], shift) for shift in shifts)
    return _conv_transpose((2, tuple(k - 1 - padding for k in kernel.shape[:2]), size), x, summed)


def _plain_upsample_conv(x, kernel, padding, size):
    return plain_forms.correlate(upsample(x), kernel, 1, (padding, padding), size)


def _windows(x, size, stride, padding, sides):
    lowest = np.array(-np.inf, x.dtype)  # of numpy, or autodiff doesn't recognise the maximum
    edges = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    return lax.reduce_window(x, lowest, lax.max, (1, size, size, 1), (1, stride, stride, 1), edges)


_upsample_conv = _by_platform(_by_autodiff(_fused_upsample_conv), _by_autodiff(_plain_upsample_conv))
_max_pool = _by_platform(Form(pooling.max_pool, pooling.max_pool_gradients), _by_autodiff(_windows))
