"""Convolutional autoencoders."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

import jaxae.models.layers as layers
from jaxae.models.fields import check_fields
from jaxae.models.output import Output, check_halved, check_images


class _Encoder(nn.Module):
    widths: tuple[int, ...]
    initializer: layers.Init
    dtype: Any

    @nn.compact
    def __call__(self, x):
        for width in self.widths:
            x = nn.relu(layers.Conv(width, padding=1, initializer=self.initializer, dtype=self.dtype)(x))
            x = layers.max_pool(x)
        return x


class _Decoder(nn.Module):
    widths: tuple[int, ...]
    upsampling: layers.Mode
    initializer: layers.Init
    dtype: Any

    @nn.compact
    def __call__(self, x):
        first, *rest = self.widths
        x = layers.Conv(first, padding=1, initializer=self.initializer, dtype=self.dtype)(x)
        for width in rest:
            options = {"mode": self.upsampling, "initializer": self.initializer, "dtype": self.dtype}
            x = layers.UpsampleConv(width, **options)(nn.relu(x))
        return x


class ConvAutoencoder(nn.Module):
    """Images (b, *image_shape) in [0, 1] through 3x3 convolutions to a code (b, h/4, w/4, 64), and back.

    The network of report 004: Conv 32, pool, Conv 64, pool; Conv 64, up, Conv 32, up, Conv c; padding 1, ReLU
    between, sigmoid at the end. 74,497 parameters for c = 1: encoder 18,816, decoder 55,681.
    `widths` are the channels of the encoder, mirrored in the decoder; every width halves the image once. `upsampling`
    is "nearest", or "bilinear" with aligned corners, as in the code of the report's author.
    Raises UsageError for images of another shape or of integers, and for sides that can't be halved so often.
    """

    widths: tuple[int, ...] = (32, 64)
    image_shape: tuple[int, int, int] = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32
    upsampling: layers.Mode = "nearest"

    def setup(self):
        """Build the encoder and the decoder."""
        check_fields(self)
        check_halved(self.image_shape, len(self.widths))
        self.encoder = _Encoder(self.widths, self.initializer, self.dtype)
        widths = (*self.widths[::-1], self.image_shape[2])
        self.decoder = _Decoder(widths, self.upsampling, self.initializer, self.dtype)

    def __call__(self, image, *, train: bool = False) -> Output:
        """Image (b, h, w, c) -> Output with image, logits and code."""
        del train  # nothing here differs in training
        code = self.encode(image)
        return self.decode(code)._replace(code=code)

    def encode(self, image) -> jax.Array:
        """Image (b, h, w, c) -> code (b, h/4, w/4, widths[-1])."""
        check_images(type(self).__name__, image, self.image_shape)
        return self.encoder(image).astype(jnp.float32)

    def decode(self, code) -> Output:
        """Code (b, h/4, w/4, widths[-1]) -> Output with image and logits."""
        logits = self.decoder(code).astype(jnp.float32)
        return Output(image=nn.sigmoid(logits), logits=logits)


class DenoiseAutoencoder(nn.Module):
    """Images (b, *image_shape) in [-1, 1] through 3x3 convolutions without padding to a code, and back through tanh.

    The network of report 001: Conv 8, Conv 8; ConvTranspose 8, ConvTranspose 3, with ReLU between: 1,611 parameters.
    Nothing pools, so that the code (b, h - 4, w - 4, 8) is larger than the image. `widths` are the channels of the
    encoder, mirrored in the decoder: longer for more layers. `batch_norm` normalises before every ReLU (momentum 0.9,
    PyTorch's 0.1): the variables then have a collection `batch_stats`, mutable in training.
    Raises UsageError for images of another shape or of integers.
    """

    widths: tuple[int, ...] = (8, 8)
    batch_norm: bool = False
    image_shape: tuple[int, int, int] = (32, 32, 3)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    def setup(self):
        """Build the encoder and the decoder."""
        check_fields(self)
        widths = (*self.widths[-2::-1], self.image_shape[2])
        options = (self.batch_norm, self.initializer, self.dtype)
        self.encoder = _Stack(layers.Conv, self.widths, *options, final=True)
        self.decoder = _Stack(layers.ConvTranspose, widths, *options, final=False)

    def __call__(self, image, *, train: bool = False) -> Output:
        """Image (b, h, w, c) -> Output with image, logits and code."""
        code = self.encode(image, train=train)
        return self.decode(code, train=train)._replace(code=code)

    def encode(self, image, *, train: bool = False) -> jax.Array:
        """Image (b, h, w, c) -> code (b, h - 2 layers, w - 2 layers, widths[-1])."""
        check_images(type(self).__name__, image, self.image_shape)
        return self.encoder(image, train).astype(jnp.float32)

    def decode(self, code, *, train: bool = False) -> Output:
        """Code (b, h - 2 layers, w - 2 layers, widths[-1]) -> Output with image and logits."""
        logits = self.decoder(code, train).astype(jnp.float32)
        return Output(image=jnp.tanh(logits), logits=logits)


class _Stack(nn.Module):
    """Layers of the given widths, each normalised if wanted and through ReLU, the last one too if `final`."""

    layer: type[nn.Module]
    widths: tuple[int, ...]
    batch_norm: bool
    initializer: layers.Init
    dtype: Any
    final: bool

    @nn.compact
    def __call__(self, x, train):
        for depth, width in enumerate(self.widths, 1):
            x = self.layer(width, initializer=self.initializer, dtype=self.dtype)(x)
            if depth < len(self.widths) or self.final:
                x = nn.relu(layers.BatchNorm()(x, train=train) if self.batch_norm else x)
        return x
