"""What a model returns, and how it refuses an input."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxae.errors import UsageError

SMALLEST = 16  # pixels, from which two sides after a first one of 1 or 3 are an image's


class Gaussian(NamedTuple):
    """A code's distribution, independent in each dimension; `log_variance` is None for a code that is certain."""

    mean: jax.Array
    """f32[b, d]"""
    log_variance: jax.Array | None = None
    """f32[b, d]"""


class Output(NamedTuple):
    """What an autoencoder returns: float32 arrays, whatever the dtype it computes in; None for what a model lacks.

    Losses take the fields that they need and XLA drops the work behind the others.
    """

    image: jax.Array
    """(b, h, w, c), in the range of the images that the model is for"""
    logits: jax.Array | None = None
    """(b, h, w, c), the image before its last activation"""
    code: jax.Array | None = None
    """(b, ...), the latent code that the image was decoded from"""
    posterior: Gaussian | None = None
    """the distribution of the code, for models that have one"""


def check_images(model: str, image: jax.Array, shape: tuple[int, int, int]) -> None:
    """Refuse what isn't a batch of floating-point images of `shape` (h, w, c), with a UsageError."""
    expected = "(b, " + ", ".join(map(str, shape)) + ")"
    _refuse_first(shape)
    if image.shape == shape:
        mend = "add the batch dimension"
    elif image.shape[1:] == (shape[2], *shape[:2]) != shape:
        mend = "move the channels last, as in jnp.moveaxis(images, 1, -1)"
    elif image.ndim != 4 or image.shape[1:] != shape:
        mend = "resize the images, or give the model another image_shape"
    elif not jnp.issubdtype(image.dtype, jnp.floating):
        raise UsageError(f"{model} takes floating-point images; got {image.dtype}: convert and scale them first")
    else:
        return
    raise UsageError(f"{model} takes images of shape {expected}; got {image.shape}: {mend}")


def check_halved(shape: tuple[int, int, int], times: int) -> None:
    """Refuse images (h, w, c) whose sides can't be halved so many times, with a UsageError."""
    _refuse_first(shape)
    height, width, _ = shape
    if height % 2**times or width % 2**times:
        least = 2**times
        near = max(least, round(min(height, width) / least) * least)
        raise UsageError(
            f"images of {height}x{width} are no multiple of {least} pixels in height and width; resize them, "
            f"a study's own ones by --image-size {near}"
        )


def _refuse_first(shape: tuple[int, int, int]) -> None:
    """Refuse PyTorch's (c, h, w), of which a model of images one or three pixels high would be made without a word."""
    if shape[0] in (1, 3) and min(shape[1:]) >= SMALLEST:
        given = (*shape[1:], shape[0])
        raise UsageError(f"the image_shape {shape} has its channels first; give {given}, and such images")


def refuse_arrays(x: Any, kernel: Any = None, *, floating: bool = True) -> None:
    """Refuse what is no images (b, h, w, i), and a kernel that isn't (k, l, i, o) for them, with a UsageError; where
    `floating` ones are asked for, those of whole numbers too."""
    if x.ndim != 4:
        raise UsageError(f"images of shape {x.shape} are not [batch, height, width, channels]; reshape them")
    if kernel is not None and (kernel.ndim != 4 or kernel.shape[2] != x.shape[3]):
        fitting = f"[height, width, {x.shape[3]}, outputs]"
        raise UsageError(f"a kernel of shape {kernel.shape} doesn't fit images {x.shape}; give one of {fitting}")
    for what, array in (("images of shape {} are", x), ("a kernel of shape {} is", kernel)):
        if floating and array is not None and not jnp.issubdtype(array.dtype, jnp.floating):
            raise UsageError(
                f"{what.format(array.shape)} of {array.dtype}; convert to floating point first, images scaled"
            )
