"""Variational autoencoders: the code is a distribution, which training draws from (Kingma and Welling 2014,
arXiv:1312.6114)."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

import jaxae.models.layers as layers
from jaxae.models.digits import DigitDecoder, DigitEncoder, Enlarge, transposed
from jaxae.models.fields import check_fields
from jaxae.models.mlp import MLP
from jaxae.models.output import Gaussian, Output, check_images


def draw(key: jax.Array, posterior: Gaussian) -> jax.Array:
    """A code from each distribution, f32[b, d]: mean + exp(log_variance / 2) noise, so that gradients reach both.

    The mean where the distribution is certain (`log_variance` None).
    """
    if posterior.log_variance is None:
        return posterior.mean
    noise = jax.random.normal(key, posterior.mean.shape, posterior.mean.dtype)
    return posterior.mean + jnp.exp(posterior.log_variance / 2) * noise


class MLPVAE(nn.Module):
    """Images (b, *image_shape) in [0, 1] through dense layers to a code's distribution, and back through a sigmoid.

    `hidden` are the encoder's hidden sizes, mirrored in the decoder, with ReLU between. With the defaults 784 -> 400 ->
    20 means and 20 log-variances; 20 -> 400 -> 784: 652,824 parameters. In training the code is drawn, from
    `rngs={"sample": key}`; in evaluation it is the mean. Raises UsageError for images of another shape or of integers.
    """

    hidden: tuple[int, ...] = (400,)
    code_size: int = 20
    image_shape: tuple[int, int, int] = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    def setup(self):
        """Build the encoder and the decoder."""
        check_fields(self)
        self.encoder = MLP((*self.hidden, 2 * self.code_size), self.initializer, self.dtype)
        self.decoder = MLP((*self.hidden[::-1], math.prod(self.image_shape)), self.initializer, self.dtype)

    def __call__(self, image, *, train: bool = False) -> Output:
        """Image (b, h, w, c) -> Output with image, logits, code and posterior."""
        return _outputs(self, image, train)

    def encode(self, image) -> Gaussian:
        """Image (b, h, w, c) -> the distribution of its code (b, code_size)."""
        check_images(type(self).__name__, image, self.image_shape)
        return Gaussian(*jnp.split(self.encoder(lax.collapse(image, 1)).astype(jnp.float32), 2, axis=1))

    def decode(self, code) -> Output:
        """Code (b, code_size) -> Output with image and logits."""
        logits = self.decoder(code).reshape(-1, *self.image_shape).astype(jnp.float32)
        return Output(image=nn.sigmoid(logits), logits=logits)


class ConvVAE(nn.Module):
    """Images (b, *image_shape) in [0, 1] through convolutions to a code's distribution, and back through a sigmoid.

    The encoder and decoder of report 003 (`DigitEncoder`, `DigitDecoder`), E with twice as many features: 2,097,935
    parameters with the defaults. `widths` are the encoder's channels, mirrored in the decoder, which enlarges by
    `enlarge`. Codes are drawn as `MLPVAE` has it. Raises UsageError as these do.
    """

    code_size: int = 7
    enlarge: Enlarge = transposed
    widths: tuple[int, ...] = (32, 64, 128)
    image_shape: tuple[int, int, int] = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    def setup(self):
        """Build the encoder and the decoder."""
        check_fields(self)
        shared = {"image_shape": self.image_shape, "initializer": self.initializer, "dtype": self.dtype}
        self.encoder = DigitEncoder(2 * self.code_size, self.widths, **shared)
        self.decoder = DigitDecoder(self.enlarge, self.widths[::-1], **shared)

    def __call__(self, image, *, train: bool = False) -> Output:
        """Image (b, h, w, c) -> Output with image, logits, code and posterior."""
        return _outputs(self, image, train)

    def encode(self, image) -> Gaussian:
        """Image (b, h, w, c) -> the distribution of its code (b, code_size)."""
        return Gaussian(*jnp.split(self.encoder(image), 2, axis=1))

    def decode(self, code) -> Output:
        """Code (b, code_size) -> Output with image and logits."""
        logits = self.decoder(code)
        return Output(image=nn.sigmoid(logits), logits=logits)


def _outputs(model: Any, image: jax.Array, train: bool) -> Output:
    """Through the code and back: through a drawn one in training."""
    posterior = model.encode(image)
    code = draw(model.make_rng("sample"), posterior) if train else posterior.mean
    return model.decode(code)._replace(code=code, posterior=posterior)
