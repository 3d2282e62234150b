"""Dense and convolutional Linen layers: PyTorch's geometry and initialisation, fast on every backend.

Parameters are float32 and named `kernel` and `bias`; images are NHWC. `dtype` is what a layer computes in.
The functions that do the work, without parameters, are in `ops` and `upsampling`.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxae.errors import UsageError
from jaxae.models.ops import conv, conv_transpose, max_pool, upsample, upsample_conv
from jaxae.models.upsampling import upsample_bilinear

__all__ = [
    "BatchNorm", "Conv", "ConvTranspose", "Dense", "Init", "Mode", "UpsampleConv", "conv", "conv_transpose",
    "flax_init", "max_pool", "torch_init", "upsample", "upsample_bilinear", "upsample_conv",
]  # fmt: skip

Mode = Literal["nearest", "bilinear"]
Initializer = Callable[..., jax.Array]
Init = Callable[[int], tuple[Initializer, Initializer]]  # fan_in -> the initialisers of kernel and bias


def torch_init(fan_in: int) -> tuple[Initializer, Initializer]:
    """PyTorch's default: kernel and bias uniform within 1/sqrt(fan_in) (`reset_parameters` of Linear and Conv2d)."""
    bound = 1 / math.sqrt(fan_in)

    def uniform(key, shape, dtype=jnp.float32):
        return jax.random.uniform(key, shape, dtype, -bound, bound)

    return uniform, uniform


def flax_init(fan_in: int) -> tuple[Initializer, Initializer]:
    """Flax's default: kernel normal with variance 1/fan_in (truncated at two deviations), bias zero."""
    del fan_in  # lecun_normal finds it in the shape
    return nn.initializers.lecun_normal(), nn.initializers.zeros


class Dense(nn.Module):
    """x (..., i) -> (..., features); kernel (i, features), bias (features,).

    Raises UsageError for a width that isn't a whole number above 0.
    """

    features: int
    initializer: Init = torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x):
        """The layer's output, in `dtype`."""
        kernel, bias = _parameters(self, (x.shape[-1], self.features), fan_in=(0,))
        return _add_bias(x.astype(self.dtype) @ kernel, bias)


class Conv(nn.Module):
    """x (b, h, w, i) -> (b, h', w', features); kernel (k, k, i, features), bias (features,); as torch's Conv2d.

    h' = (h + 2 padding - k) // stride + 1, and w' alike. Before a BatchNorm, which has its own, no bias is needed.
    Raises UsageError for a width or size that isn't a whole number above 0, and as `ops.conv` does.
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    padding: int = 0
    use_bias: bool = True
    initializer: Init = torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x):
        """The layer's output, in `dtype`."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel, bias = _parameters(self, shape, fan_in=(0, 1, 2), use_bias=self.use_bias)
        y = conv(x.astype(self.dtype), kernel, stride=self.stride, padding=self.padding)
        return y if bias is None else _add_bias(y, bias)


class ConvTranspose(nn.Module):
    """x (b, h, w, i) -> (b, h', w', features); kernel (k, k, i, features), bias (features,); as ConvTranspose2d.

    h' = (h - 1) stride - 2 padding + k + output_padding, and w' alike. Its fan_in, in PyTorch, counts the *output*
    channels: features * k * k. Raises UsageError as Conv does, and as `ops.conv_transpose`.
    """

    features: int
    kernel_size: int = 3
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    initializer: Init = torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x):
        """The layer's output, in `dtype`."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel, bias = _parameters(self, shape, fan_in=(0, 1, 3))
        geometry = {"stride": self.stride, "padding": self.padding, "output_padding": self.output_padding}
        return _add_bias(conv_transpose(x.astype(self.dtype), kernel, **geometry), bias)


class UpsampleConv(nn.Module):
    """Upsampling by 2, then a Conv: x (b, h, w, i) -> (b, 2h', 2w', features); parameters as Conv's.

    2h' = 2h + 2 padding - k + 1: twice h with the defaults. `mode` is "nearest", or "bilinear" with aligned corners.
    Raises UsageError for another, and as Conv does.
    """

    features: int
    kernel_size: int = 3
    padding: int = 1
    mode: Mode = "nearest"
    initializer: Init = torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x):
        """The layer's output, in `dtype`."""
        if self.mode not in get_args(Mode):
            raise UsageError(f"UpsampleConv has no mode {self.mode!r}; choose nearest or bilinear")
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.features)
        kernel, bias = _parameters(self, shape, fan_in=(0, 1, 2))
        x = x.astype(self.dtype)
        if self.mode == "nearest":
            return _add_bias(upsample_conv(x, kernel, padding=self.padding), bias)
        return _add_bias(conv(upsample_bilinear(x), kernel, padding=self.padding), bias)


class BatchNorm(nn.Module):
    """Normalise every channel of x (b, h, w, c), then scale and shift it; as torch's BatchNorm2d.

    In training by the mean and the (biased) variance of the batch, otherwise by the running ones in `batch_stats`,
    which take a tenth of each training batch's (momentum 0.9 here is 0.1 in PyTorch). The running variance is unbiased
    as PyTorch's is, and `flax.linen.BatchNorm`'s isn't: of n values a channel it is n / (n - 1) as large, which
    counts where images have shrunk to 1x1. Computed in float32 whatever the dtype of x.

    Raises UsageError, in training, for a single value a channel, which has no variance.
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x, *, train: bool):
        """The layer's output, in the dtype of x."""
        shape, values = x.shape[-1:], math.prod(x.shape[:-1])
        scale = self.param("scale", nn.initializers.ones, shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros, shape, jnp.float32)
        means = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        variances = self.variable("batch_stats", "var", jnp.ones, shape, jnp.float32)
        mean, variance = means.value, variances.value
        if train:
            if values < 2:
                raise UsageError(f"a batch of shape {x.shape} has no variance to normalise by; use a larger batch")
            mean, variance = _moments(x.astype(jnp.float32))
            means.value = self.momentum * means.value + (1 - self.momentum) * mean
            unbiased = variance * (values / (values - 1))
            variances.value = self.momentum * variances.value + (1 - self.momentum) * unbiased
        slope = scale * lax.rsqrt(variance + self.epsilon)
        return (x.astype(jnp.float32) * _row(slope, x) + _row(bias - mean * slope, x)).astype(x.dtype)


def _moments(x):
    """Mean and variance of every channel: f32[..., c] -> f32[c] twice."""
    rows = x.reshape(-1, x.shape[-1])
    mean = rows.mean(0)
    return mean, jnp.square(rows - _row(mean, rows)).mean(0)


def _row(values, x):
    return values.reshape((1,) * (x.ndim - 1) + values.shape)


def _parameters(layer, shape, fan_in, use_bias=True):
    """The layer's kernel and bias, cast to the dtype that it computes in; `fan_in` are the axes whose product that is.

    Raises UsageError where a side isn't a whole number above 0.
    """
    if not all(isinstance(side, int | np.integer) and side is not True and side > 0 for side in shape):
        sizes = " x ".join(map(repr, shape))
        raise UsageError(f"{type(layer).__name__} has a kernel of {sizes} numbers; give whole sizes and widths above 0")
    kernel_init, bias_init = layer.initializer(math.prod(shape[axis] for axis in fan_in))
    kernel = layer.param("kernel", kernel_init, shape, jnp.float32)
    bias = layer.param("bias", bias_init, shape[-1:], jnp.float32).astype(layer.dtype) if use_bias else None
    return kernel.astype(layer.dtype), bias


def _add_bias(y, bias):
    return y + _row(bias, y)
