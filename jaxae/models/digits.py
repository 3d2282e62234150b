"""The digits' autoencoder of report 003: one encoder, and three decoders that differ in how they enlarge."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxae.errors import UsageError
from jaxae.models import layers
from jaxae.models.output import Output, check_images

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
        check_images(type(self).__name__, image, self.image_shape)
        options = {"initializer": self.initializer, "dtype": self.dtype}
        x = image
        for width in self.widths:
            x = layers.max_pool(nn.relu(layers.Conv(width, padding=1, **options)(x)))
        x = nn.relu(layers.Dense(self.hidden, **options)(x.reshape(x.shape[0], -1)))
        return layers.Dense(self.features, **options)(x).astype(jnp.float32)


class TransposedDecoder(nn.Module):
    """Codes (b, d) -> logits (b, *image_shape) by three transposed convolutions; report 003's first decoder.

    Dense `hidden`, Dense 7 x 7 x widths[0], then 3x3 to widths[1], widths[2] (stride 2, each doubling the image) and
    to the image's channels (stride 1); ReLU between. The image's sides are multiples of 4, for three widths.
    """

    widths: tuple[int, ...] = (128, 64, 32)
    hidden: int = 256
    image_shape: Shape = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, code) -> jax.Array:
        """Code (b, d) -> logits (b, h, w, c)."""
        options = {"initializer": self.initializer, "dtype": self.dtype}
        x = _small_image(self, code, **options)
        for width in self.widths[1:]:
            x = nn.relu(layers.ConvTranspose(width, stride=2, padding=1, output_padding=1, **options)(x))
        return layers.ConvTranspose(self.image_shape[2], padding=1, **options)(x).astype(jnp.float32)


class UpsamplingDecoder(nn.Module):
    """The same by nearest upsampling, each followed by a convolution, and a third convolution; the second decoder."""

    widths: tuple[int, ...] = (128, 64, 32)
    hidden: int = 256
    image_shape: Shape = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, code) -> jax.Array:
        """Code (b, d) -> logits (b, h, w, c)."""
        options = {"initializer": self.initializer, "dtype": self.dtype}
        x = _small_image(self, code, **options)
        for width in self.widths[1:]:
            x = nn.relu(layers.UpsampleConv(width, **options)(x))
        return layers.Conv(self.image_shape[2], padding=1, **options)(x).astype(jnp.float32)


class InterpolationDecoder(nn.Module):
    """The same by interpolation, each followed by a convolution, and a last one without; the third decoder.

    Report 003 names "nearest interpolation" (torch's default), which is nearest upsampling: its second and third
    decoders are then one network under two names, here with other initial draws. `bilinear` makes a third one of it.
    """

    bilinear: bool = False
    widths: tuple[int, ...] = (128, 64, 32)
    hidden: int = 256
    image_shape: Shape = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, code) -> jax.Array:
        """Code (b, d) -> logits (b, h, w, c)."""
        options = {"initializer": self.initializer, "dtype": self.dtype}
        x = _small_image(self, code, **options)
        for place, width in enumerate(self.widths[1:]):
            name = f"InterpolatedConv_{place}"  # the same for both interpolations, and so are the initial draws
            if self.bilinear:
                x = layers.Conv(width, padding=1, name=name, **options)(_bilinear(x))
            else:
                x = layers.UpsampleConv(width, name=name, **options)(x)
            x = nn.relu(x)
        return layers.Conv(self.image_shape[2], padding=1, **options)(x).astype(jnp.float32)


Decoder = TransposedDecoder | UpsamplingDecoder | InterpolationDecoder


class DigitAutoencoder(nn.Module):
    """Images (b, *image_shape) in [0, 1] to a code (b, code_size), and back through a sigmoid; report 003, part II.

    `decoding` is one of the three decoders, unbound; it takes all but `hidden` from here, `widths` mirrored. 2,093,571
    parameters with a code of 2: encoder 388,354, decoder 1,705,217, whichever it is. Raises UsageError as
    `DigitEncoder` does.
    """

    code_size: int = 2
    decoding: Decoder = TransposedDecoder()
    widths: tuple[int, ...] = (32, 64, 128)
    image_shape: Shape = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    def setup(self):
        """Build the encoder and the decoder."""
        shared = {"image_shape": self.image_shape, "initializer": self.initializer, "dtype": self.dtype}
        self.encoder = DigitEncoder(self.code_size, self.widths, **shared)
        self.decoder = self.decoding.clone(parent=None, widths=self.widths[::-1], **shared)

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


def _small_image(decoder: Decoder, code: jax.Array, **options) -> jax.Array:
    """The two dense layers: code (b, d) -> (b, h / 4, w / 4, widths[0]) for three widths, ReLU after each."""
    shrink = 2 ** (len(decoder.widths) - 1)
    height, width, _ = decoder.image_shape
    if height % shrink or width % shrink:
        raise UsageError(f"images of {height}x{width} are no multiple of {shrink} pixels; resize them")
    small = (height // shrink, width // shrink, decoder.widths[0])
    x = nn.relu(layers.Dense(decoder.hidden, **options)(code))
    x = nn.relu(layers.Dense(math.prod(small), **options)(x))
    return x.reshape(-1, *small)


def _bilinear(x: jax.Array) -> jax.Array:
    """(b, h, w, c) -> (b, 2h, 2w, c), as torch.nn.functional.interpolate with align_corners=False."""
    b, h, w, c = x.shape
    return jax.image.resize(x, (b, 2 * h, 2 * w, c), "linear")
