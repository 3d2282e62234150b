"""The digits' autoencoder of report 003: one encoder, and three decoders that differ in how they enlarge."""

import math
from typing import Any, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

import jaxae.models.layers as layers
from jaxae.models.fields import check_fields
from jaxae.models.output import Output, check_halved, check_images

Shape = tuple[int, int, int]


class DigitEncoder(nn.Module):
    """Images (b, *image_shape) -> (b, features), linear: Conv 32, Conv 64, Conv 128, Dense 256, Dense `features`.

    Convolutions are 3x3, padding 1, each with ReLU and a 2x2 max-pool (28, 14, 7, 3); ReLU between the dense layers.
    A variational encoder asks for twice the code's size. 387,840 + 257 `features` parameters on MNIST's images.
    Raises UsageError for images of another shape or of integers.
    """

    features: int = 2
    widths: tuple[int, ...] = (32, 64, 128)
    hidden: int = 256
    image_shape: Shape = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image) -> jax.Array:
        """Image (b, h, w, c) -> (b, features)."""
        check_fields(self)
        check_images(type(self).__name__, image, self.image_shape)
        options = {"initializer": self.initializer, "dtype": self.dtype}
        x = image
        for width in self.widths:
            x = layers.max_pool(nn.relu(layers.Conv(width, padding=1, **options)(x)))
        x = nn.relu(layers.Dense(self.hidden, **options)(lax.collapse(x, 1)))
        return layers.Dense(self.features, **options)(x).astype(jnp.float32)


class Enlarge(Protocol):
    """A layer of a digits' decoder: images (b, h, w, c) -> (b, factor h, factor w, channels), the factor 1 or 2.

    It is called within the decoder, whose submodules it makes; `number` counts the layers from 0.
    """

    def __call__(self, x: jax.Array, channels: int, factor: int, number: int, **options: Any) -> jax.Array:
        """`options` are those of the layers: initializer and dtype."""
        ...


def transposed(x: jax.Array, channels: int, factor: int, number: int, **options: Any) -> jax.Array:
    """A transposed convolution of stride `factor`; report 003's first decoder."""
    return layers.ConvTranspose(channels, stride=factor, padding=1, output_padding=factor - 1, **options)(x)


def upsampled(x: jax.Array, channels: int, factor: int, number: int, **options: Any) -> jax.Array:
    """Nearest upsampling, followed by a convolution; the second decoder."""
    if factor == 1:
        return layers.Conv(channels, padding=1, **options)(x)
    return layers.UpsampleConv(channels, **options)(x)


def interpolated(x: jax.Array, channels: int, factor: int, number: int, **options: Any) -> jax.Array:
    """Interpolation, followed by a convolution; the third decoder.

    Report 003 names "nearest interpolation" (torch's default), which is nearest upsampling: its second and third
    decoders are one network under two names, here with other initial draws. `bilinear` makes a third one of it.
    """
    if factor == 1:
        return layers.Conv(channels, padding=1, **options)(x)
    return layers.UpsampleConv(channels, name=f"InterpolatedConv_{number}", **options)(x)


def bilinear(x: jax.Array, channels: int, factor: int, number: int, **options: Any) -> jax.Array:
    """`interpolated` bilinearly, from the same initial draws."""
    if factor == 1:
        return layers.Conv(channels, padding=1, **options)(x)
    b, h, w, c = x.shape
    x = jax.image.resize(x, (b, factor * h, factor * w, c), "linear")  # torch's interpolate, align_corners=False
    return layers.Conv(channels, padding=1, name=f"InterpolatedConv_{number}", **options)(x)


class DigitDecoder(nn.Module):
    """Codes (b, d) -> logits (b, *image_shape), linear; report 003's three decoders, which differ in `enlarge`.

    Dense `hidden`, Dense 7 x 7 x widths[0], then 3x3 layers to widths[1] and widths[2], each doubling the image, and a
    last one to the image's channels, of the same size; ReLU between. `enlarge` is `transposed`, `upsampled`,
    `interpolated`, `bilinear`, or a function like them. Raises UsageError unless the image's sides are multiples of 4,
    for three widths.
    """

    enlarge: Enlarge = transposed
    widths: tuple[int, ...] = (128, 64, 32)
    hidden: int = 256
    image_shape: Shape = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, code) -> jax.Array:
        """Code (b, d) -> logits (b, h, w, c)."""
        check_fields(self)
        options = {"initializer": self.initializer, "dtype": self.dtype}
        small = self._small()
        x = nn.relu(layers.Dense(self.hidden, **options)(code))
        x = nn.relu(layers.Dense(math.prod(small), **options)(x)).reshape(-1, *small)
        for number, width in enumerate(self.widths[1:]):
            x = nn.relu(self.enlarge(x, width, 2, number, **options))
        return self.enlarge(x, self.image_shape[2], 1, len(self.widths) - 1, **options).astype(jnp.float32)

    def _small(self) -> Shape:
        """The shape of the image before it is enlarged."""
        (height, width, _), shrink = self.image_shape, 2 ** (len(self.widths) - 1)
        check_halved(self.image_shape, len(self.widths) - 1)
        return height // shrink, width // shrink, self.widths[0]


class DigitAutoencoder(nn.Module):
    """Images (b, *image_shape) in [0, 1] to a code (b, code_size), and back through a sigmoid; report 003, part II.

    `widths` are the encoder's channels, mirrored in the decoder, which enlarges by `enlarge`: see `DigitDecoder`.
    2,093,571 parameters with a code of 2, whichever decoder it is: encoder 388,354, decoder 1,705,217. Raises
    UsageError as `DigitEncoder` and `DigitDecoder` do.
    """

    code_size: int = 2
    enlarge: Enlarge = transposed
    widths: tuple[int, ...] = (32, 64, 128)
    image_shape: Shape = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    def setup(self):
        """Build the encoder and the decoder."""
        check_fields(self)
        shared = {"image_shape": self.image_shape, "initializer": self.initializer, "dtype": self.dtype}
        self.encoder = DigitEncoder(self.code_size, self.widths, **shared)
        self.decoder = DigitDecoder(self.enlarge, self.widths[::-1], **shared)

    def __call__(self, image, *, train: bool = False) -> Output:
        """Image (b, h, w, c) -> Output with image, logits and code."""
        del train  # nothing here differs in training
        code = self.encode(image)
        return self.decode(code)._replace(code=code)

    def encode(self, image) -> jax.Array:
        """Image (b, h, w, c) -> code (b, code_size)."""
        return self.encoder(image)

    def decode(self, code) -> Output:
        """Code (b, code_size) -> Output with image and logits."""
        logits = self.decoder(code)
        return Output(image=nn.sigmoid(logits), logits=logits)
