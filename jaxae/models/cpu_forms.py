"""The three functions that `ops` writes convolutions and their gradients in, each in the forms fastest on a CPU.

    correlate        y[i] = sum over k of x[s i + k - low] w[k]             a convolution
    spread           y[s i + k - low] = sum over i, k of x[i] w[k]          its adjoint, a transposed convolution
    kernel_gradient  w[k] = sum over i of large[s i + k - low] small[i]     the gradient of either for its kernel

s is the stride. Images are NHWC, kernels HWIO; `low` is the padding above and to the left, `size` that of the result.
"""

import math

import jax.numpy as jnp
from jax import lax

LAYOUT = ("NHWC", "HWIO", "NHWC")
_FEW_OUTPUTS = 4  # up to here spread computes all the taps in one matrix product and adds them up
_FEW_CHANNELS = 8  # up to here neighbouring columns are computed at once
_MANY_CHANNELS = 64  # from here on products over patches, or over blocks, are worth it
_WIDE = 128  # channels of the larger image: from here on a stride is one matrix product of blocks
_VECTOR = 16  # numbers in a register of AVX-512: columns are filled up to a multiple of it where few are missing
_CACHED = 2**18  # bytes of `small`, about, that kernel_gradient sums over at once; up to twice that needs no loop


def correlate(x, kernel, stride, low, size):
    """In the form that the numbers of channels ask for: products shorter than a vector register waste most of it."""
    kernel, low = _meeting(kernel, x.shape[1:3], stride, low, size)
    if not kernel.size:
        return jnp.zeros((x.shape[0], *size, kernel.shape[3]), x.dtype)
    if stride == 1 and _few_outputs(kernel):
        low = tuple(k - 1 - b for k, b in zip(kernel.shape[:2], low, strict=True))
        return spread(x, kernel[::-1, ::-1], 1, low, size)
    if stride == 1 and max(kernel.shape[2:]) <= _FEW_CHANNELS:
        return _correlate_folded(x, kernel, low, size)
    if stride == 1 and _few_inputs(kernel):
        return _patches(x, kernel.shape[:2], low, size) @ kernel.reshape(-1, kernel.shape[3])
    if _blocky(stride, kernel.shape[:2], x.shape[3]) and kernel.shape[3] >= _MANY_CHANNELS:
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
    fold = 4 if min(i, o) <= _FEW_CHANNELS // 2 else 2
    blocks, overlap = -(-w // fold), -(-(kw - 1) // fold)
    # a copy of the kernel for each of the columns that are computed at once, each one further to the right
    shifts = [((0, 0), (j, (1 + overlap) * fold - kw - j), (0, 0), (0, 0)) for j in range(fold)]
    kernel = jnp.stack([jnp.pad(kernel, shift) for shift in shifts], 3).reshape(kh, 1 + overlap, fold * i, fold * o)
    before, rest = divmod(low[1], fold)
    y = _xla(_folded(x, fold, rest), kernel, (low[0], before), (h, blocks))
    return y.reshape(*y.shape[:2], blocks * fold, o)[:, :, :w]


def _folded(x, fold, before=0):
    """`fold` neighbouring columns as the channels of one, zeros `before` the first and after the last."""
    b, h, w, c = x.shape
    columns = -(-(w + before) // fold)
    return cut_out(x, (0, before), (h, columns * fold)).reshape(b, h, columns, fold * c)


def _correlate_blocks(x, kernel, stride, low, size):
    """One matrix product of blocks with all the taps, added up where they meet."""
    blocks, (kh, kw, i, o), (h, w) = _blocks(x, stride, low, kernel.shape[:2], size), kernel.shape, size
    kh, kw = kh // stride, kw // stride
    taps = kernel.reshape(kh, stride, kw, stride, i, o).transpose(1, 3, 4, 0, 2, 5).reshape(-1, kh * kw * o)
    parts = (blocks @ taps).reshape(*blocks.shape[:3], kh, kw, o)
    return sum(parts[:, a : a + h, b : b + w, a, b] for a in range(kh) for b in range(kw))


def spread(x, kernel, stride, low, size):
    """The rows s m + a of y, for one phase a, are a convolution of x with every s-th tap of the kernel."""
    few = _few_outputs(kernel)
    form = _phases_by_products if few else _phases
    phase = form(x, kernel, stride, low, tuple(-(-n // stride) for n in size))
    y = cut_out(weave([[phase(a, b) for b in range(stride)] for a in range(stride)]), (0, 0), size)
    return _once(y) if few else y


def _few_outputs(kernel):
    return kernel.shape[3] <= _FEW_OUTPUTS and kernel.shape[2] > _FEW_CHANNELS


def _few_inputs(kernel):
    """Whether the patches of an image of few channels are no larger than the many that are made of them."""
    return kernel.shape[2] <= _FEW_CHANNELS and max(_MANY_CHANNELS, math.prod(kernel.shape[:3])) <= kernel.shape[3]


def _phases(x, kernel, stride, low, grid):
    def phase(*start):
        (a, c), (b, d) = (divmod(i + j, stride) for i, j in zip(start, low, strict=True))
        taps = kernel[c::stride, d::stride][::-1, ::-1]
        return correlate(x, taps, 1, (taps.shape[0] - 1 - a, taps.shape[1] - 1 - b), grid)

    return phase


def _phases_by_products(x, kernel, stride, low, grid):
    kh, kw, _, o = kernel.shape
    exact = jnp.float32 if x.dtype.itemsize < 4 else x.dtype  # what sums of products are kept in
    taps = kernel.transpose(2, 0, 1, 3).reshape(kernel.shape[2], -1)
    count = taps.shape[1]
    missing = -count % _VECTOR
    if 4 * missing <= count:
        taps = jnp.pad(taps, ((0, 0), (0, missing)))
    products = lax.dot_general(x, taps, (((3,), (0,)), ((), ())), preferred_element_type=exact)
    products = products[..., :count].reshape(*x.shape[:3], kh, kw, o).transpose(3, 4, 0, 1, 2, 5)

    def phase(*start):
        (a, c), (b, d) = (divmod(i + j, stride) for i, j in zip(start, low, strict=True))
        parts = [
            cut_out(products[i, j], (i // stride - a, j // stride - b), grid)
            for i in range(c, kh, stride)
            for j in range(d, kw, stride)
        ]
        return sum(parts, jnp.zeros((x.shape[0], *grid, o), exact)).astype(x.dtype)

    return phase


def _once(x):
    """x (b, h, w, c), which XLA else may compute again for each array that is made of it: each patch of a gradient.

    It does so with sums, however long, and in spite of an optimization_barrier, but not with what a branch returns. The
    other branch is never taken. Under vmap there are no branches, and XLA may do as it likes.
    """
    return lax.cond(always(x), lambda x: x, lambda x: jnp.full_like(x, jnp.nan), x)


def always(x):
    """True, whatever is in x (b, h, w, c), NaN included; but XLA, which doesn't fold this comparison, waits for x."""
    return ~(x[0, 0, 0, 0] > jnp.inf) if 0 not in x.shape else True


def _blocky(stride, window, channels):
    """Whether squares of stride x stride pixels are better seen as one with as many times the channels."""
    return stride > 1 and not any(k % stride for k in window) and channels >= _WIDE


def _blocks(x, stride, low, window, size):
    """What `size` places of a window of a stride see, a square as a pixel: (b, m + k / s - 1, ..., s s c)."""
    counts = [m + k // stride - 1 for m, k in zip(size, window, strict=True)]
    x = cut_out(x, low, [stride * count for count in counts])
    b, (h, w), c = x.shape[0], counts, x.shape[3]
    return x.reshape(b, h, stride, w, stride, c).swapaxes(2, 3).reshape(b, h, w, stride * stride * c)


def _patches(x, window, low, size):
    """The pixels of each of `size` windows side by side (im2col): (b, h, w, c) -> (b, *size, kh kw c)."""
    (h, w), (kh, kw) = size, window
    x = cut_out(x, low, (h + kh - 1, w + kw - 1))
    return jnp.concatenate([x[:, i : i + h, j : j + w] for i in range(kh) for j in range(kw)], -1)


def kernel_gradient(large, small, stride, low, window):
    """In the form that the numbers of channels ask for: up to three times faster than XLA's own."""
    if _blocky(stride, window, large.shape[3]):
        return _taps_of_blocks(large, small, stride, low, window)
    if stride == 1 and max(large.shape[3], small.shape[3]) <= _FEW_CHANNELS:
        return _taps_folded(large, small, low, window)
    if stride == 1 and large.shape[3] <= _FEW_CHANNELS and small.shape[3] >= _MANY_CHANNELS:
        patches = _patches(large, window, low, small.shape[1:3])
        taps = patches.reshape(-1, patches.shape[3]).T @ small.reshape(-1, small.shape[3])
        return taps.reshape(*window, large.shape[3], small.shape[3])
    if stride == 1 and large.shape[:3] == small.shape[:3] and large.shape[3] > small.shape[3]:
        low = tuple(k - 1 - b for k, b in zip(window, low, strict=True))
        return kernel_gradient(small, large, 1, low, window)[::-1, ::-1].swapaxes(2, 3)  # XLA likes many outputs
    return _taps(large, small, stride, low, window)


def _taps(large, small, stride, low, window):
    """Large batches in parts."""
    parts = -(-known_bytes(small) // _CACHED)
    if parts > 2 and len(small) > 2:
        return _taps_in_parts(large, small, min(parts, len(small)), stride, low, window)
    return _taps_of_images(large, small, stride, low, window)


def _taps_of_blocks(large, small, stride, low, window):
    """One matrix product for all taps: of blocks, and of what of `small` they are multiplied with."""
    blocks = _blocks(large, stride, low, window, small.shape[1:3])
    (kh, kw), o = (k // stride for k in window), small.shape[3]
    patches = _patches(small, (kh, kw), (kh - 1, kw - 1), blocks.shape[1:3])  # the last tap first
    taps = patches.reshape(-1, kh * kw * o).T @ blocks.reshape(-1, blocks.shape[3])
    taps = taps.reshape(kh, kw, o, stride, stride, -1)[::-1, ::-1]
    return taps.transpose(0, 3, 1, 4, 5, 2).reshape(*window, -1, o)


def _taps_folded(large, small, low, window):
    """The gradient of `_correlate_folded` for its kernel, which has each tap once for each column of a pair."""
    (kh, kw), fold = window, 2
    before, rest = divmod(low[1], fold)
    overlap = -(-(kw - 1) // fold)
    pairs = _folded(large, fold, rest), _folded(small, fold)
    taps = _taps(*pairs, 1, (low[0], before), (kh, 1 + overlap))
    taps = taps.reshape(kh, (1 + overlap) * fold, large.shape[3], fold, small.shape[3])
    return taps[:, :kw, :, 0] + taps[:, 1 : 1 + kw, :, 1]


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
        x, low = lax.optimization_barrier(cut_out(x, low, ends)), (0, 0)
    edges = [(b, end - b - n) for b, end, n in zip(low, ends, x.shape[1:3], strict=True)]
    # without the barrier, XLA would take transpositions and reversals of the kernel into the convolution
    kernel = lax.optimization_barrier(kernel)
    strides, holes = (stride, stride), (dilation, dilation)
    return lax.conv_general_dilated(x, kernel, strides, edges, rhs_dilation=holes, dimension_numbers=LAYOUT)


def known_bytes(x):
    """The bytes that x (b, h, w, c) takes; 0 where b is any number, as in programs that are exported for all sizes."""
    return x.size * x.dtype.itemsize if isinstance(x.shape[0], int) else 0


def cut_out(x, low, size):
    """`size` rows and columns of x (b, h, w, c), beginning `low` before the first ones, zero outside of x."""
    edges = [(b, m - b - n, 0) for b, m, n in zip(low, size, x.shape[1:3], strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *edges, (0, 0, 0)])


def weave(rows):
    """y[s i + a, s j + b] = rows[a][b][i, j]: s * s images (b, h, w, c) -> (b, s h, s w, c)."""
    y = jnp.stack([jnp.stack(row, 3) for row in rows], 2)
    b, h, s, w, _, c = y.shape
    return y.reshape(b, s * h, s * w, c)
