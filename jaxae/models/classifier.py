"""The judge of generated digits: a small convolutional classifier, to be trained on real ones."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

import jaxae.models.layers as layers
from jaxae.models.fields import check_fields
from jaxae.models.output import check_images


class DigitClassifier(nn.Module):
    """Images (b, 28, 28, 1) in [0, 1] -> logits f32[b, 10]: Conv 32, pool, Conv 64, pool, Conv 64, Dense 128, Dense 10.

    Kernels are 3x3, padding 1, with ReLU between; dropout, in training, before both dense layers: `apply` then needs
    `rngs={"dropout": key}`. Raises UsageError for images of another shape or of integers.
    """

    classes: int = 10
    dropout: float = 0.3
    image_shape: tuple[int, int, int] = (28, 28, 1)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, image, *, train: bool = False) -> jax.Array:
        """Image (b, 28, 28, 1) -> logits (b, classes)."""
        check_fields(self)
        check_images(type(self).__name__, image, self.image_shape)
        options = {"initializer": self.initializer, "dtype": self.dtype}
        drop = nn.Dropout(self.dropout, deterministic=not train)
        x = layers.max_pool(nn.relu(layers.Conv(32, padding=1, **options)(image)))
        x = layers.max_pool(nn.relu(layers.Conv(64, padding=1, **options)(x)))
        x = lax.collapse(nn.relu(layers.Conv(64, padding=1, **options)(x)), 1)
        x = nn.relu(layers.Dense(128, **options)(drop(x)))
        return layers.Dense(self.classes, **options)(drop(x)).astype(jnp.float32)
