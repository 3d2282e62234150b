"""The autoencoder that takes a mean of two images apart."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

import jaxae.models.layers as layers
import jaxae.models.ops as ops
import jaxae.models.resnet as resnet
from jaxae.errors import UsageError
from jaxae.models.fields import check_fields
from jaxae.models.output import Output, check_images
from jaxae.models.resnet import ResNet18, Stem

# of the four transposed convolutions: kernel size, stride, padding; the second and the third double the image
GEOMETRY = ((3, 1, 1), (4, 2, 1), (4, 2, 1), (3, 1, 1))
POOLED_GEOMETRY = ((3, 1, 1), (4, 2, 1), (3, 1, 1), (3, 1, 1))  # from the pooled features: the second alone


class Unmixer(nn.Module):
    """The mean of two images, (b, 32, 32, 3) in [-1, 1] -> both, (b, 2, 32, 32, 3), of any reals, the first one first.

    The network of report 000: a ResNet-18 whose last layer gives 128 features, seen as a code of 8x8 with 2 channels,
    and two decoders of the same structure, one per image: transposed convolutions 2 -> 64 -> 128 -> 256 -> 3 with ReLU
    after each but the last. The report names the first kernel, 3x3, and the sizes of code and image; the others follow:
    4x4 of stride 2 twice, to reach 32x32, then 3x3. 12,569,926 parameters: encoder 11,242,176, decoders 663,875 each.

    With `skip` the decoders see more than the code: the encoder's last maps of 8x8 and of 16x16 (of 64 channels each,
    with the default stem), and the input itself, join their input where the sizes are the same. `encode` then gives all
    four, from coarse to fine; `decode` takes them. `initializer` is the decoders'; the encoder has torchvision's.

    Two other readings of the report: with `pooled` the encoder has no last layer, and its 512 pooled features are the
    code, 16x16 with 2 channels, which the decoders double once; 12,045,510 parameters. With `frozen` no gradient
    reaches the ResNet but for its last layer, whose 128 features are new; it normalises by the batch all the same, as
    PyTorch's does whose parameters don't require gradients.

    `stem="cifar"` keeps the images larger in the encoder, at 16 times the work there (see ResNet18). The variables have
    a collection `batch_stats`, mutable in training. Raises UsageError for images of another shape or of integers, for
    sides that are no multiples of 4, and for `pooled` with `skip` or of images that aren't 32x32.
    """

    skip: bool = False
    stem: Stem = "imagenet"
    widths: tuple[int, ...] = (64, 128, 256)
    code_channels: int = 2
    image_shape: tuple[int, int, int] = (32, 32, 3)
    initializer: layers.Init = layers.torch_init
    dtype: Any = jnp.float32
    pooled: bool = False
    frozen: bool = False

    def setup(self):
        """Build the encoder and the decoders."""
        check_fields(self)
        height, width, _ = self.image_shape
        if height % 4 or width % 4:
            raise UsageError(f"images of {height}x{width} can't be halved twice; give sides that are multiples of 4")
        fraction = 2 if self.pooled else 4
        self.code_shape = (height // fraction, width // fraction, self.code_channels)
        size = math.prod(self.code_shape)
        if self.pooled and (self.skip or size != resnet.WIDTHS[-1]):
            raise UsageError(
                f"pooled features are {resnet.WIDTHS[-1]}, and {size} of {height}x{width} images are taken, without "
                "skips; leave out pooled, or skip"
            )
        self.encoder = ResNet18(None if self.pooled else size, self.stem, dtype=self.dtype)
        geometry = POOLED_GEOMETRY if self.pooled else GEOMETRY
        self.decoders = tuple(
            _Decoder(self.widths, self.image_shape[2], self.initializer, self.dtype, geometry, name=f"decoder_{number}")
            for number in (0, 1)
        )

    def __call__(self, image, *, train: bool = False) -> Output:
        """Mean (b, h, w, 3) -> Output with image (b, 2, h, w, 3) and code."""
        code = self.encode(image, train=train)
        return self.decode(code)._replace(code=code)

    def encode(self, image, *, train: bool = False) -> Any:
        """Mean (b, h, w, 3) -> code (b, h/4, w/4, 2); with `skip`, the tuple of it, two maps and the image."""
        check_images(type(self).__name__, image, self.image_shape)
        features = self.encoder.features(image, train=train)
        if self.frozen:
            features = jax.lax.stop_gradient(features)
        code = features.pooled if self.pooled else self.encoder.head(features.pooled)
        code = code.reshape(-1, *self.code_shape)
        if not self.skip:
            return code
        last = {map_.shape[1]: map_ for map_ in features.maps}  # of each height
        return code, last[code.shape[1]], last[2 * code.shape[1]], image

    def decode(self, code) -> Output:
        """What `encode` gives -> Output with image (b, 2, h, w, 3)."""
        parts = code if self.skip else (code,)
        first, second = self.decoders
        (code, *maps), image = parts, first(parts)
        code, image = ops.in_turn(code, image)
        return Output(image=jnp.stack([image, second((code, *maps))], 1))


class _Decoder(nn.Module):
    """(code, and the maps that join it) -> image (b, h, w, channels)."""

    widths: tuple[int, ...]
    channels: int
    initializer: layers.Init
    dtype: Any
    geometry: tuple[tuple[int, int, int], ...] = GEOMETRY

    @nn.compact
    def __call__(self, parts):
        x, *maps = parts
        options = {"initializer": self.initializer, "dtype": self.dtype}
        for depth, (features, geometry) in enumerate(zip((*self.widths, self.channels), self.geometry, strict=True)):
            x = nn.relu(x) if depth else x
            if maps and x.shape[1:3] == maps[0].shape[1:3]:
                x = jnp.concatenate([x, maps.pop(0).astype(x.dtype)], -1)
            x = layers.ConvTranspose(features, *geometry, **options)(x)
        return x.astype(jnp.float32)
