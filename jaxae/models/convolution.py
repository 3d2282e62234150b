"""Convolution, transposed convolution, upsampling and pooling, each in the form that its backend runs fastest.

Images are NHWC, kernels HWIO, the geometry is PyTorch's. On GPU and TPU these are the plain XLA operations. On CPU,
XLA brings convolutions into its fast form only at the top level of a program: those that autodiff leaves in the body
of a `scan` run up to 25 times slower. So there each operation has its gradients written down, in terms of three
functions that need nothing but convolutions of the fast form (stride, but no reversal and no holes in the image):

    _correlate   y[i] = sum over k of x[s i + k - low] w[k]             a convolution
    _spread      y[s i + k - low] = sum over i, k of x[i] w[k]          its adjoint, a transposed convolution
    _taps        w[k] = sum over i of large[s i + k - low] small[i]     the gradient of either for its kernel

Differentiable once and in reverse there (`jax.grad`, not `jax.jvp`); vmap, scan, map and shard_map are fine.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxae.errors import UsageError

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_FEW_OUTPUTS = 4  # up to here _spread computes all the taps in one matrix product and adds them up
_FEW_CHANNELS = 8  # up to here _correlate computes neighbouring columns at once
_MANY_CHANNELS = 64  # from here on a product over the other side's patches is faster than a convolution in _taps
_WIDE = 256  # from here on a stride is one matrix product of blocks, in _correlate and in _taps
_CACHED = 2**18  # about as many bytes of `small` as _taps sums over at once; up to twice that isn't worth a loop


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
    return lax.conv_general_dilated(x, kernel, (stride, stride), edges, dimension_numbers=_LAYOUT)


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
    return lax.conv_general_dilated(x, kernel, (1, 1), edges, lhs_dilation=holes, dimension_numbers=_LAYOUT)


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
        return _max_pool(x) if (size, stride, padding) == (2, 2, 0) else _max_windows(x, size, stride, padding, sides)
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
    return _correlate(x, kernel, stride, low, size)


def _conv_gradient(stride, low, _, inputs, g):
    x, kernel = inputs
    dx = _spread(g, kernel.swapaxes(2, 3), stride, low, x.shape[1:3])
    return dx, _taps(x, g, stride, low, kernel.shape[:2])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _conv_transpose(x, kernel, stride, low, size):
    return _spread(x, kernel, stride, low, size)


def _conv_transpose_gradient(stride, low, _, inputs, g):
    x, kernel = inputs
    dx = _correlate(g, kernel.swapaxes(2, 3), stride, low, x.shape[1:3])
    return dx, _taps(g, x, stride, low, kernel.shape[:2]).swapaxes(2, 3)


def _keep_inputs(operation):
    return lambda x, kernel, *geometry: (operation(x, kernel, *geometry), (x, kernel))


_conv.defvjp(_keep_inputs(_conv), _conv_gradient)
_conv_transpose.defvjp(_keep_inputs(_conv_transpose), _conv_transpose_gradient)


@jax.custom_vjp
def _max_pool(x):
    return functools.reduce(jnp.maximum, _quarters(x))


def _max_pool_gradient(inputs, g):
    x, y = inputs
    taken, parts = jnp.full(y.shape, False), []
    for quarter in _quarters(x):
        here = (quarter == y) & ~taken
        taken = taken | here
        parts.append(jnp.where(here, g, 0))
    return (_window(_weave([parts[:2], parts[2:]]), (0, 0), x.shape[1:3]),)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def _max_windows(x, size, stride, padding, sides):
    return functools.reduce(jnp.maximum, [view for _, view in _views(x, size, stride, padding, sides)])


def _max_windows_gradient(size, stride, padding, sides, inputs, g):
    x, y = inputs
    taken, dx = jnp.full(y.shape, False), jnp.zeros(x.shape, x.dtype)
    for start, view in _views(x, size, stride, padding, sides):
        here = (view == y) & ~taken
        taken = taken | here
        edges = [
            (i - padding, n - (stride * (m - 1) + 1 + i - padding), stride - 1)
            for i, n, m in zip(start, x.shape[1:3], sides, strict=True)
        ]
        dx = dx + lax.pad(jnp.where(here, g, 0), jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    return (dx,)


def _views(x, size, stride, padding, sides):
    """For every place (i, j) of a window, what stands there in all windows: (b, h', w', c)."""
    edges = [
        (padding, max(0, stride * (m - 1) + size - n - padding), 0) for n, m in zip(x.shape[1:3], sides, strict=True)
    ]
    x = lax.pad(x, jnp.full((), -jnp.inf, x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    h, w = (stride * (m - 1) + 1 for m in sides)
    return [((i, j), x[:, i : i + h : stride, j : j + w : stride]) for i in range(size) for j in range(size)]


_max_windows.defvjp(lambda x, *form: (y := _max_windows(x, *form), (x, y)), _max_windows_gradient)


def _quarters(x):
    """The pixels at the top left, top right, bottom left and bottom right of every 2x2 square."""
    h, w = (n // 2 * 2 for n in x.shape[1:3])
    return [x[:, i:h:2, j:w:2] for i in (0, 1) for j in (0, 1)]


_max_pool.defvjp(lambda x: (y := _max_pool(x), (x, y)), _max_pool_gradient)


# The three functions, on CPU.


def _correlate(x, kernel, stride, low, size):
    """In the form that the numbers of channels ask for: products shorter than a vector register waste most of it."""
    kernel, low = _meeting(kernel, x.shape[1:3], stride, low, size)
    if not kernel.size:
        return jnp.zeros((x.shape[0], *size, kernel.shape[3]), x.dtype)
    if stride == 1 and _few_outputs(kernel):
        low = tuple(k - 1 - b for k, b in zip(kernel.shape[:2], low, strict=True))
        return _spread(x, kernel[::-1, ::-1], 1, low, size)
    if stride == 1 and max(kernel.shape[2:]) <= _FEW_CHANNELS:
        return _correlate_folded(x, kernel, low, size)
    if _blocky(stride, kernel.shape[:2], x.shape[3]):
        return _correlate_blocks(x, kernel, stride, low, size)
    return _xla(x, kernel, low, size, stride=stride)


def _meeting(kernel, image, stride, low, size):
    """The taps that meet the image and not only its padding, and `low` for them: of 1x1 images, the middle one."""
    first = [max(0, b - stride * (m - 1)) for b, m in zip(low, size, strict=True)]
    last = [max(0, b + n) for b, n in zip(low, image, strict=True)]
    return kernel[first[0] : last[0], first[1] : last[1]], tuple(b - a for a, b in zip(first, low, strict=True))


def _correlate_folded(x, kernel, low, size):
    """View neighbouring columns as channels of one: with few channels the larger product is faster."""
    (kh, kw, i, o), (h, w) = kernel.shape, size
    fold = 4 if i <= _FEW_CHANNELS // 2 else 2
    before, rest = divmod(low[1], fold)
    blocks, overlap = -(-w // fold), -(-(kw - 1) // fold)
    # a copy of the kernel for each of the columns that are computed at once, each one further to the right
    shifts = [((0, 0), (j, (1 + overlap) * fold - kw - j), (0, 0), (0, 0)) for j in range(fold)]
    kernel = jnp.stack([jnp.pad(kernel, shift) for shift in shifts], 3).reshape(kh, 1 + overlap, fold * i, fold * o)
    x = _window(x, (0, rest), (x.shape[1], -(-(x.shape[2] + rest) // fold) * fold))  # whole blocks
    y = _xla(x.reshape(*x.shape[:2], -1, fold * i), kernel, (low[0], before), (h, blocks))
    return y.reshape(*y.shape[:2], blocks * fold, o)[:, :, :w]


def _correlate_blocks(x, kernel, stride, low, size):
    """One matrix product of blocks with all the taps, added up where they meet."""
    blocks, (kh, kw, i, o), (h, w) = _blocks(x, stride, low, kernel.shape[:2], size), kernel.shape, size
    kh, kw = kh // stride, kw // stride
    taps = kernel.reshape(kh, stride, kw, stride, i, o).transpose(1, 3, 4, 0, 2, 5).reshape(-1, kh * kw * o)
    parts = (blocks @ taps).reshape(*blocks.shape[:3], kh, kw, o)
    return sum(parts[:, a : a + h, b : b + w, a, b] for a in range(kh) for b in range(kw))


def _spread(x, kernel, stride, low, size):
    """The rows s m + a of y, for one phase a, are a convolution of x with every s-th tap of the kernel."""
    form = _phases_by_products if _few_outputs(kernel) else _phases
    phase = form(x, kernel, stride, low, tuple(-(-n // stride) for n in size))
    return _window(_weave([[phase(a, b) for b in range(stride)] for a in range(stride)]), (0, 0), size)


def _few_outputs(kernel):
    return kernel.shape[3] <= _FEW_OUTPUTS and kernel.shape[2] > _FEW_CHANNELS


def _phases(x, kernel, stride, low, grid):
    def phase(*start):
        (a, c), (b, d) = (divmod(i + j, stride) for i, j in zip(start, low, strict=True))
        taps = kernel[c::stride, d::stride][::-1, ::-1]
        return _correlate(x, taps, 1, (taps.shape[0] - 1 - a, taps.shape[1] - 1 - b), grid)

    return phase


def _phases_by_products(x, kernel, stride, low, grid):
    kh, kw, _, o = kernel.shape
    exact = jnp.float32 if x.dtype.itemsize < 4 else x.dtype  # what sums of products are kept in
    products = lax.dot_general(x, kernel, (((3,), (2,)), ((), ())), preferred_element_type=exact)
    products = products.transpose(3, 4, 0, 1, 2, 5)  # (kh, kw, b, h, w, o)

    def phase(*start):
        (a, c), (b, d) = (divmod(i + j, stride) for i, j in zip(start, low, strict=True))
        parts = [
            _window(products[i, j], (i // stride - a, j // stride - b), grid)
            for i in range(c, kh, stride)
            for j in range(d, kw, stride)
        ]
        return sum(parts, jnp.zeros((x.shape[0], *grid, o), exact)).astype(x.dtype)

    return phase


def _blocky(stride, window, channels):
    """Whether squares of stride x stride pixels are better seen as one with as many times the channels."""
    return stride > 1 and not any(k % stride for k in window) and channels >= _WIDE


def _blocks(x, stride, low, window, size):
    """What `size` places of a window of a stride see, a square as a pixel: (b, m + k / s - 1, ..., s s c)."""
    counts = [m + k // stride - 1 for m, k in zip(size, window, strict=True)]
    x = _window(x, low, [stride * count for count in counts])
    b, (h, w), c = x.shape[0], counts, x.shape[3]
    return x.reshape(b, h, stride, w, stride, c).swapaxes(2, 3).reshape(b, h, w, stride * stride * c)


def _patches(x, window, low, size):
    """The pixels of each of `size` windows side by side: (b, h, w, c) -> (b, *size, kh kw c)."""
    (h, w), (kh, kw) = size, window
    x = _window(x, low, (h + kh - 1, w + kw - 1))
    return jnp.concatenate([x[:, i : i + h, j : j + w] for i in range(kh) for j in range(kw)], -1)


def _taps(large, small, stride, low, window):
    """In the form that the numbers of channels ask for, large batches in parts: up to three times faster."""
    if _blocky(stride, window, large.shape[3]):
        return _taps_of_blocks(large, small, stride, low, window)
    if stride == 1 and large.shape[3] <= _FEW_CHANNELS and small.shape[3] >= _MANY_CHANNELS:
        patches = _patches(large, window, low, small.shape[1:3])
        taps = patches.reshape(-1, patches.shape[3]).T @ small.reshape(-1, small.shape[3])
        return taps.reshape(*window, large.shape[3], small.shape[3])
    if stride == 1 and large.shape[:3] == small.shape[:3] and large.shape[3] > small.shape[3]:
        low = tuple(k - 1 - b for k, b in zip(window, low, strict=True))
        return _taps(small, large, 1, low, window)[::-1, ::-1].swapaxes(2, 3)  # XLA likes many outputs
    parts = min(-(-small.size * small.dtype.itemsize // _CACHED), len(small))
    if parts > 2:
        return _taps_in_parts(large, small, parts, stride, low, window)
    return _taps_of_images(large, small, stride, low, window)


def _taps_of_blocks(large, small, stride, low, window):
    """One matrix product for all taps: of blocks, and of what of `small` they are multiplied with."""
    blocks = _blocks(large, stride, low, window, small.shape[1:3])
    (kh, kw), o = (k // stride for k in window), small.shape[3]
    patches = _patches(small, (kh, kw), (kh - 1, kw - 1), blocks.shape[1:3])  # the last tap first
    taps = patches.reshape(-1, kh * kw * o).T @ blocks.reshape(-1, blocks.shape[3])
    taps = taps.reshape(kh, kw, o, stride, stride, -1)[::-1, ::-1]
    return taps.transpose(0, 3, 1, 4, 5, 2).reshape(*window, -1, o)


def _taps_of_images(large, small, stride, low, window):
    """A convolution too, of as many images as `large` has channels, with the batch as its channels."""
    large, small = lax.optimization_barrier(large.transpose(3, 1, 2, 0)), small.transpose(1, 2, 0, 3)
    return _xla(large, small, low, window, dilation=stride).transpose(1, 2, 0, 3)


def _taps_in_parts(large, small, parts, stride, low, window):
    """The sum of `_taps_of_images` over parts of the batch, the total kept in at least float32."""
    exact = jnp.float32 if small.dtype.itemsize < 4 else small.dtype
    shape = (*window, large.shape[3], small.shape[3])
    nothing = lax.full_like(small, 0, dtype=exact, shape=shape)  # varies over a mesh as `small` does

    def add(total, part):
        large, small = part
        return total + _taps_of_images(large, small, stride, low, window).astype(exact), None

    return lax.scan(add, nothing, (_in_parts(large, parts), _in_parts(small, parts)))[0].astype(small.dtype)


def _in_parts(x, parts):
    """A batch as at most `parts` equal ones, the last filled up with images of zeros, that add nothing."""
    each = -(-len(x) // parts)
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, -len(x) % each, 0), *3 * [(0, 0, 0)]])
    return x.reshape(-1, each, *x.shape[1:])


def _xla(x, kernel, low, size, *, stride=1, dilation=1):
    """XLA's own: y[i] = sum over k of x[stride i + dilation k - low] kernel[k] for i < size."""
    reach = [dilation * (k - 1) + 1 for k in kernel.shape[:2]]
    ends = [stride * (m - 1) + r for m, r in zip(size, reach, strict=True)]
    if any(r > n for r, n in zip(reach, x.shape[1:3], strict=True)):  # XLA's own padding is 20 times slower there
        x, low = lax.optimization_barrier(_window(x, low, ends)), (0, 0)
    edges = [(b, end - b - n) for b, end, n in zip(low, ends, x.shape[1:3], strict=True)]
    # without the barrier, XLA would take transpositions and reversals of the kernel into the convolution
    kernel = lax.optimization_barrier(kernel)
    strides, holes = (stride, stride), (dilation, dilation)
    return lax.conv_general_dilated(x, kernel, strides, edges, rhs_dilation=holes, dimension_numbers=_LAYOUT)


def _window(x, low, size):
    """`size` rows and columns of x (b, h, w, c), beginning `low` before the first ones, zero outside of x."""
    edges = [(b, m - b - n, 0) for b, m, n in zip(low, size, x.shape[1:3], strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])


def _weave(rows):
    """y[s i + a, s j + b] = rows[a][b][i, j]: s * s images (b, h, w, c) -> (b, s h, s w, c)."""
    y = jnp.stack([jnp.stack(row, 3) for row in rows], 2)
    b, h, s, w, _, c = y.shape
    return y.reshape(b, s * h, s * w, c)
