"""From stored images to a network's inputs and back: pure functions of arrays, with the key first where one is random.

Images are [..., h, w, c]: uint8 as stored, then floating, in [0, 1] ("unit") or [-1, 1] ("signed"). What can't be
done raises UsageError while tracing.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxae import draws
from jaxae.errors import UsageError
from jaxae.keys import check_key, stream
from jaxae.losses import check_floating, check_pair

MNIST_MEAN = 0.1307  # of the training set's unit images; the digits that most PyTorch code has
MNIST_STD = 0.3081

Statistic = float | Sequence[float] | jax.Array  # one for all channels, or one for each


class Scale(NamedTuple):
    """What a model's images are: unit ones less `mean`, in `std`s. The default is unit images as they are."""

    mean: float = 0.0
    """in unit images"""
    std: float = 1.0
    """in unit images, above 0"""


UNIT = Scale()
SIGNED = Scale(0.5, 0.5)
MNIST = Scale(MNIST_MEAN, MNIST_STD)


def to_unit(image: jax.Array) -> jax.Array:
    """Stored images to [0, 1]: uint8[...] -> f32[...]. Raises UsageError for another type.

    >>> ae.transforms.to_unit(jnp.array([0, 255], jnp.uint8)).tolist()
    [0.0, 1.0]
    """
    if image.dtype != jnp.uint8:
        raise UsageError(f"images of type {image.dtype} are not uint8; only stored images are scaled to [0, 1]")
    return jnp.asarray(image, jnp.float32) / 255


def to_signed(image: jax.Array) -> jax.Array:
    """Stored images to [-1, 1]: uint8[...] -> f32[...]. Raises UsageError for another type.

    >>> ae.transforms.to_signed(jnp.array([0, 255], jnp.uint8)).tolist()
    [-1.0, 1.0]
    """
    return unit_to_signed(to_unit(image))


def unit_to_signed(image: jax.Array) -> jax.Array:
    """[0, 1] to [-1, 1]: float[...] -> float[...]. Raises UsageError unless the image is floating."""
    check_floating(image)
    return 2 * image - 1


def signed_to_unit(image: jax.Array) -> jax.Array:
    """[-1, 1] to [0, 1], unclipped: float[...] -> float[...]. Raises UsageError unless the image is floating."""
    check_floating(image)
    return (image + 1) / 2


def standardise(image: jax.Array, mean: Statistic, std: Statistic) -> jax.Array:
    """(image - mean) / std, as torchvision's Normalize: float[..., c] -> float[..., c].

    Each statistic is one number or one for each channel, of images in the same range. With MNIST's the background is
    -0.42 and ink 2.82 (report 004). Raises UsageError for another number of channels, and unless the image is floating
    and the standard deviation above 0, or traced.
    """
    check_floating(image)
    _refuse_std(std)
    return (image - _per_channel(mean, image)) / _per_channel(std, image)


def unstandardise(image: jax.Array, mean: Statistic, std: Statistic) -> jax.Array:
    """The inverse of `standardise` for the same statistics, with its errors, unclipped: float[..., c] -> the same."""
    check_floating(image)
    _refuse_std(std)
    return image * _per_channel(std, image) + _per_channel(mean, image)


def _refuse_std(std: Statistic) -> None:
    if not any(isinstance(each, Tracer) for each in jax.tree.leaves(std)) and not np.all(np.asarray(std) > 0):
        raise UsageError(f"a standard deviation of {std} can't be divided by; give one above 0")


def to_scale(image: jax.Array, scale: Scale) -> jax.Array:
    """Stored images, or floating ones in [0, 1], as a model of this scale sees them: [...] -> f32[...].

    Bitwise `to_unit`, `to_signed` and `standardise` for UNIT, SIGNED and MNIST.

    >>> ae.transforms.to_scale(jnp.array([0, 255], jnp.uint8), ae.transforms.SIGNED).tolist()
    [-1.0, 1.0]
    """
    unit = to_unit(image) if image.dtype == jnp.uint8 else image
    return standardise(unit, *scale)


def from_scale(image: jax.Array, scale: Scale) -> jax.Array:
    """The inverse of `to_scale` on floating images: in [0, 1] where the model's are in their range; unclipped."""
    return unstandardise(image, *scale)


def add_gaussian_noise(
    key: jax.Array, image: jax.Array, std: jax.Array | float, *, low: float | None = None, high: float | None = None
) -> jax.Array:
    """The image plus independent N(0, std^2) in every value, then clipped to [low, high] where given.

    float[...] -> float[...]. The standard deviation, one or an array that broadcasts to the image, is in its unit:
    report 001's 0.1 is of signed images, the same as 0.05 of unit ones. Raises UsageError for no key, unless the image
    is floating, and for a deviation of another shape, or below 0, unless it is traced.
    """
    check_floating(image)
    given = None if isinstance(std, Tracer) else np.asarray(std)
    if given is not None and not (jnp.issubdtype(given.dtype, jnp.number) and np.all(given >= 0)):
        raise UsageError(f"a standard deviation of {std!r} is none; give one from 0 up")
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        raise UsageError(f"nothing lies from {low} to {high}; give the lower end first")
    std = jnp.asarray(std, image.dtype)
    if std.ndim > image.ndim or any(n not in (1, m) for n, m in zip(std.shape[::-1], image.shape[::-1], strict=False)):
        raise UsageError(f"standard deviations of shape {std.shape} don't fit images of shape {image.shape}; give one")
    return jnp.clip(image + std * draws.normal(key, image.shape, image.dtype), low, high)


def resize(image: jax.Array, size: int | tuple[int, int]) -> jax.Array:
    """Bilinear, antialiased when shrinking, as torchvision on tensors: float[..., h, w, c] -> float[..., *size, c].

    `size` is (height, width), or one number for a square. Raises UsageError unless the image is floating, of three axes
    or more, and both sides are at least 1.

    >>> ae.transforms.resize(jnp.ones((2, 28, 28, 1)), 32).shape
    (2, 32, 32, 1)
    """
    check_floating(image)
    sides = size if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, int | np.integer) and side > 0 for side in sides):
        raise UsageError(f"images can't have the size {size!r}; give a side from 1 up, or (height, width)")
    height, width = sides
    if image.ndim < 3 or min(image.shape[-3:-1]) < 1:
        raise UsageError(f"images of shape {image.shape} can't be resized; give [..., h, w, c]")
    return jax.image.resize(image, (*image.shape[:-3], height, width, image.shape[-1]), "linear", antialias=True)


def to_rgb(image: jax.Array) -> jax.Array:
    """Gray images repeated to three equal channels, RGB ones as they are: [..., 1 or 3] -> [..., 3].

    Raises UsageError for another number of channels.
    """
    if image.shape[-1:] == (3,):
        return image
    if image.shape[-1:] != (1,):
        raise UsageError(f"images of shape {image.shape} have neither 1 nor 3 channels; put the channels last")
    return jnp.repeat(image, 3, axis=-1)


def mix(a: jax.Array, b: jax.Array) -> jax.Array:
    """The mean of two images, channel by channel (report 000): float[...] twice -> float[...].

    Raises UsageError unless both have the same shape and are floating.

    >>> ae.transforms.mix(jnp.array([0.0, 1.0]), jnp.array([1.0, 1.0])).tolist()
    [0.5, 1.0]
    """
    check_pair(a, b)
    return (a + b) / 2


def unmix(mean: jax.Array, a: jax.Array) -> jax.Array:
    """The other image of the mean, 2 * mean - a (report 000's formula): float[...] twice -> float[...].

    Every error in `a` comes back with the opposite sign. Nothing is clipped. Raises UsageError as `mix` does.

    >>> ae.transforms.unmix(jnp.array([0.5, 1.0]), jnp.array([0.0, 1.0])).tolist()
    [1.0, 1.0]
    """
    check_pair(mean, a)
    return 2 * mean - a


def random_shift(key: jax.Array, image: jax.Array, pixels: int) -> jax.Array:
    """Each image moved by its own whole offsets, uniform in -pixels..pixels down and across: [b, h, w, c] -> the same.

    What moves out is lost and zeros move in, so zero should be the background: shift before standardising.
    Raises UsageError for no key, another shape, and unless `pixels` is a whole number, 0 <= pixels < min(h, w).
    """
    check_key(key)
    if image.ndim != 4:
        raise UsageError(f"images of shape {image.shape} are not [batch, height, width, channels]; reshape them")
    if not isinstance(pixels, int | np.integer) or not 0 <= pixels < min(image.shape[1:3]):
        raise UsageError(f"a shift of {pixels} pixels is not from 0 to under the side of images of shape {image.shape}")
    offsets = jax.random.randint(key, (image.shape[0], 2), 0, 2 * pixels + 1)
    padded = jnp.pad(image, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))

    def crop(picture: jax.Array, offset: jax.Array) -> jax.Array:
        return jax.lax.dynamic_slice(picture, (offset[0], offset[1], 0), image.shape[1:])

    return jax.vmap(crop)(padded, offsets)


class Classes(NamedTuple):
    """Where the images of each class are: class c has `count[c]` of them, `order[start[c]]` and what follows.

    See `by_class`.
    """

    order: Any
    """i32[n], indices of images, class after class"""
    start: Any
    """i32[classes]"""
    count: Any
    """i32[classes]"""


class Addition(NamedTuple):
    """Images of a with numbers b, and images of a + b."""

    image: jax.Array
    """of a, f32[b, h, w, c] in [0, 1]"""
    value: jax.Array
    """b, f32[b]"""
    target: jax.Array
    """of a + b, f32[b, h, w, c] in [0, 1]"""
    total: jax.Array
    """a + b, i32[b]"""


def by_class(label: Any, classes: int = 10) -> Classes:
    """The table that `addition_pairs` finds images in: int[n] from 0 to classes - 1; numpy, before compilation.

    Raises UsageError where a class has no image, and for other labels.
    """
    label = np.asarray(label)
    if not np.issubdtype(label.dtype, np.integer) or not len(label) or label.min() < 0 or label.max() >= classes:
        raise UsageError(f"labels must be whole numbers from 0 to {classes - 1}, one or more; give others")
    count = np.bincount(label, minlength=classes).astype(np.int32)
    if not count.all():
        missing = ", ".join(str(c) for c in np.flatnonzero(count == 0))
        raise UsageError(f"{len(label)} images lack some class ({missing}); take more of them")
    order = np.argsort(label, kind="stable").astype(np.int32)
    return Classes(order, (np.cumsum(count) - count).astype(np.int32), count)


def addends(key: jax.Array, digit: jax.Array, *, balanced: bool = False) -> tuple[jax.Array, jax.Array]:
    """Pairs (a, b) of digits with a + b <= 9: i32[b] -> i32[b] twice.

    Natural: a is the digit given, b uniform from 0 to 9 - a; over uniform digits the sum 9 then has a share of 29% and
    the sum 0 one of 1%. Balanced: the sum is uniform from 0 to 9, and a uniform from 0 to the sum; the digits given
    don't matter.

    >>> a, b = ae.transforms.addends(ae.keys.root(0), jnp.array([0, 5, 9]))
    >>> a.tolist(), b.tolist()
    ([0, 5, 9], [0, 4, 0])
    """
    if not balanced:
        return digit, jax.random.randint(stream(key, "addend"), digit.shape, 0, 10 - digit)
    total = jax.random.randint(stream(key, "sum"), digit.shape, 0, 10)
    first = jax.random.randint(stream(key, "first"), digit.shape, 0, total + 1)
    return first, total - first


def addition_pairs(
    key: jax.Array, image: jax.Array, label: jax.Array, classes: Classes, index: jax.Array, *, balanced: bool = False
) -> Addition:
    """Images to add a number to, and a random image of each sum (report 003): index i32[b] -> Addition.

    `image` is uint8[n, h, w, c] and `label` i32[n] its digits, `classes` their `by_class`. Natural pairs take the
    images `index` themselves; balanced ones (see `addends`) a random image of a too, as many as `index` has entries.
    Every target is drawn afresh. Raises UsageError as `to_unit` does.
    """
    first, value = addends(key, label[index], balanced=balanced)
    if balanced:
        index = random_of_class(stream(key, "image"), classes, first)
    target = random_of_class(stream(key, "target"), classes, first + value)
    return Addition(to_unit(image[index]), value.astype(jnp.float32), to_unit(image[target]), first + value)


def random_of_class(key: jax.Array, classes: Classes, wanted: jax.Array) -> jax.Array:
    """A uniformly random image of each class wanted: i32[b] -> indices i32[b]."""
    place = jax.random.randint(key, wanted.shape, 0, classes.count[wanted])
    return classes.order[classes.start[wanted] + place]


def _per_channel(statistic: Statistic, image: jax.Array) -> jax.Array:
    """The statistic in a shape and type that combine with the image's."""
    values = jnp.asarray(statistic, image.dtype)
    if values.ndim == 0:
        return values
    if values.shape != image.shape[-1:]:
        raise UsageError(f"statistics of shape {values.shape} don't fit images of shape {image.shape}; one a channel")
    return values.reshape((1,) * (image.ndim - 1) + values.shape)
