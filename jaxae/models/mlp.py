"""Autoencoders of dense layers."""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

import jaxae.models.layers as layers
from jaxae.models.fields import check_fields
from jaxae.models.output import Output, check_images


def linear(x: jax.Array) -> jax.Array:
    """The code as it is: an activation that does nothing."""
    return x


class MLP(nn.Module):
    """Dense layers with ReLU between them: (b, i) -> (b, features[-1]), in the layers' dtype."""

    features: tuple[int, ...]
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x):
        """(b, i) -> (b, features[-1])."""
        check_fields(self)
        for size in self.features[:-1]:
            x = nn.relu(layers.Dense(size, self.initializer, self.dtype)(x))
        return layers.Dense(self.features[-1], self.initializer, self.dtype)(x)


class MLPAutoencoder(nn.Module):
    """Images (b, *image_shape) in [0, 1] through dense layers to a code (b, code_size), and back through a sigmoid.

    `hidden` are the encoder's hidden sizes, mirrored in the decoder. The defaults are the four-layer network of
    report 002: 784 -> 392 ReLU -> 8 ReLU -> 392 ReLU -> 784 sigmoid, the code behind a ReLU too.
    Raises UsageError for images of another shape or of integers.
    """

    hidden: tuple[int, ...] = (392,)
    code_size: int = 8
    code_activation: Callable[[jax.Array], jax.Array] = nn.relu
    image_shape: tuple[int, int, int] = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    def setup(self):
        """Build the encoder and the decoder."""
        check_fields(self)
        self.encoder = MLP((*self.hidden, self.code_size), self.initializer, self.dtype)
        self.decoder = MLP((*self.hidden[::-1], math.prod(self.image_shape)), self.initializer, self.dtype)

    def __call__(self, image, *, train: bool = False) -> Output:
        """Image (b, h, w, c) -> Output with image, logits and code."""
        del train  # nothing here differs in training
        code = self.encode(image)
        return self.decode(code)._replace(code=code)

    def encode(self, image) -> jax.Array:
        """Image (b, h, w, c) -> code (b, code_size)."""
        check_images(type(self).__name__, image, self.image_shape)
        code = self.encoder(lax.collapse(image, 1))
        return self.code_activation(code).astype(jnp.float32)

    def decode(self, code) -> Output:
        """Code (b, code_size) -> Output with image and logits."""
        logits = self.decoder(code).reshape(-1, *self.image_shape).astype(jnp.float32)
        return Output(image=nn.sigmoid(logits), logits=logits)


class FCAutoencoder(MLPAutoencoder):
    """The fully connected network of report 004: 784 -> 256 -> 128 -> 256 -> 784, ReLU between, sigmoid at the end.

    468,368 parameters: encoder 233,856, decoder 234,512. Otherwise an MLPAutoencoder.
    """

    hidden: tuple[int, ...] = (256,)
    code_size: int = 128
