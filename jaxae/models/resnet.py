"""ResNet-18, as torchvision has it."""

from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

import jaxae.models.layers as layers
from jaxae.errors import UsageError
from jaxae.models.fields import check_fields

Stem = Literal["imagenet", "cifar"]
WIDTHS = (64, 128, 256, 512)


def he_init(fan_in: int) -> tuple[layers.Initializer, layers.Initializer]:
    """torchvision's for ResNets: kernels normal with variance 2 / fan_out (He et al. 2015), biases zero."""
    del fan_in  # fan_out is found in the shape
    return nn.initializers.variance_scaling(2.0, "fan_out", "normal"), nn.initializers.zeros


class Features(NamedTuple):
    """What a ResNet makes of images: the pooled features, and the maps on the way, from fine to coarse."""

    pooled: jax.Array
    """(b, 512)"""
    maps: tuple[jax.Array, ...]
    """after the stem's ReLU and after each of the four stages: (b, h', w', c)"""


class ResNet18(nn.Module):
    """Images (b, h, w, 3) -> logits f32[b, classes], or features f32[b, 512] where `classes` is None.

    He et al. 2016 (arXiv:1512.03385) as torchvision's `resnet18`: 7x7 convolution of stride 2 with padding 3,
    BatchNorm, ReLU, 3x3 max-pooling of stride 2 with padding 1; four stages of two blocks of two 3x3 convolutions, 64,
    128, 256, 512 channels, the last three halving the image; mean over pixels; dense layer. Names are torchvision's
    ("layer1.0.conv1.weight" is layer1_0/conv1/kernel), so that `weights.load` fills them. 11,689,512 parameters with
    1000 classes, 11,176,512 without.

    `stem="cifar"` is for small images: a 3x3 convolution of stride 1 and no pooling, so that 32x32 images end as 4x4
    and not as 1x1. The variables have a collection `batch_stats`, mutable in training. torchvision's weights were
    trained on images of at least 224x224 less (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225).

    Raises UsageError for images without 3 channels or of integers.
    """

    classes: int | None = 1000
    stem: Stem = "imagenet"
    initializer: layers.Init = he_init
    dtype: Any = jnp.float32

    def setup(self):
        """Build the layers, under torchvision's names."""
        check_fields(self)
        if self.stem not in ("imagenet", "cifar"):
            raise UsageError(f"there is no stem {self.stem!r}; choose imagenet or cifar")
        options = {"use_bias": False, "initializer": self.initializer, "dtype": self.dtype}
        geometry = (7, 2, 3) if self.stem == "imagenet" else (3, 1, 1)
        self.conv1 = layers.Conv(WIDTHS[0], *geometry, **options)
        self.bn1 = layers.BatchNorm()
        self.blocks = tuple(
            _Block(
                width, 2 if stage > 1 and part == 0 else 1, self.initializer, self.dtype, name=f"layer{stage}_{part}"
            )
            for stage, width in enumerate(WIDTHS, 1)
            for part in (0, 1)
        )
        if self.classes is not None:
            self.fc = layers.Dense(self.classes, dtype=self.dtype)

    def __call__(self, image, *, train: bool = False) -> jax.Array:
        """Image (b, h, w, 3) -> logits (b, classes), or features (b, 512)."""
        pooled = self.features(image, train=train).pooled
        return pooled if self.classes is None else self.head(pooled)

    def head(self, pooled) -> jax.Array:
        """Pooled features (b, 512) -> logits (b, classes)."""
        return self.fc(pooled).astype(jnp.float32)

    def features(self, image, *, train: bool = False) -> Features:
        """Image (b, h, w, 3) -> Features, in float32."""
        _check(image)
        x = nn.relu(self.bn1(self.conv1(image), train=train))
        maps = [x]
        if self.stem == "imagenet":
            x = layers.max_pool(x, 3, stride=2, padding=1)
        for number, block in enumerate(self.blocks):
            x = block(x, train=train)
            maps += [x] if number % 2 else []
        pooled = x.astype(jnp.float32).mean((1, 2))
        return Features(pooled, tuple(map_.astype(jnp.float32) for map_ in maps))


class _Block(nn.Module):
    """Two 3x3 convolutions around which the input is added; through a 1x1 convolution where the shape changes."""

    width: int
    stride: int
    initializer: layers.Init
    dtype: Any

    @nn.compact
    def __call__(self, x, *, train):
        options = {"use_bias": False, "initializer": self.initializer, "dtype": self.dtype}
        y = layers.Conv(self.width, 3, self.stride, 1, name="conv1", **options)(x)
        y = nn.relu(layers.BatchNorm(name="bn1")(y, train=train))
        y = layers.Conv(self.width, 3, 1, 1, name="conv2", **options)(y)
        y = layers.BatchNorm(name="bn2")(y, train=train)
        if x.shape != y.shape:
            x = layers.Conv(self.width, 1, self.stride, name="downsample_0", **options)(x)
            x = layers.BatchNorm(name="downsample_1")(x, train=train)
        return nn.relu(x + y)


def _check(image):
    if image.ndim != 4 or image.shape[-1] != 3:
        raise UsageError(f"ResNet18 takes images of shape (b, h, w, 3); got {image.shape}: to_rgb makes three channels")
    if not jnp.issubdtype(image.dtype, jnp.floating):
        raise UsageError(f"ResNet18 takes floating-point images; got {image.dtype}: convert and scale them first")
