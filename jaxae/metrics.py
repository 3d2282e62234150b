"""What is measured: one value per image, float[b, h, w, c] twice -> float[b], on images in [0, 1] unless stated.

Every score raises UsageError, while tracing, unless both have the same shape and are floating; the PSNRs and SSIMs
also unless that shape is [b, h, w, c]. These, and `coarse_share`, are computed and given in float32 at least.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxae.errors import UsageError
from jaxae.losses import check_floating, check_pair, in_float32, mse

__all__ = [
    "coarse_share",
    "is_constant",
    "mse",
    "psnr",
    "psnr_as_reported",
    "quantise",
    "reconstruction",
    "rmse",
    "ssim",
    "ssim_uniform",
]

GAUSSIAN = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)  # 11 pixels wide, sigma 1.5: Wang et al. 2004
GAUSSIAN /= GAUSSIAN.sum()
BEYOND = 10.0  # what no image in [0, 1] has in it, however noisy: such values are stored ones as floats
UNIFORM = np.full(7, 1 / 7)


def reconstruction(outputs: Any, batch: Any) -> dict[str, jax.Array]:
    """The default scores of a study: `outputs.image` against `batch.target`, both float[b, h, w, c] in [0, 1].

    Returns "mse", "rmse", "psnr" and "ssim", each float[b], by the functions of these names, with their errors.
    """
    scores = {"mse": mse, "rmse": rmse, "psnr": psnr, "ssim": ssim}
    return {name: score(outputs.image, batch.target) for name, score in scores.items()}


def rmse(image: jax.Array, target: jax.Array) -> jax.Array:
    """Root of each image's mean squared error, in the unit of the values: float[b, ...] twice -> float[b].

    Its mean over images is at most the root of their common mean squared error: say which one is reported.
    """
    return jnp.sqrt(mse(image, target))


def psnr(image: jax.Array, target: jax.Array) -> jax.Array:
    """Peak signal-to-noise ratio in decibels for a data range of 1 (dm-pix): -10 log10(mse).

    It is inf for identical images, and so is the mean over a set with one such pair. Raises UsageError, outside of a
    program that is traced, for values that no image in [0, 1] has, such as stored ones from 0 to 255.
    """
    image, target = _images(image, target)
    _refuse_stored(image, target)
    import dm_pix

    return jnp.asarray(dm_pix.psnr(image, target))


def ssim(image: jax.Array, target: jax.Array) -> jax.Array:
    """Structural similarity, at most 1 (dm-pix): 11x11 Gaussian window of sigma 1.5, mean over windows and channels.

    Wang et al. 2004, with population covariance; what scikit-image has with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False`. Raises UsageError for images under 11 pixels, where dm-pix returns nonsense, and for
    values as `psnr` does.
    """
    image, target = _images(image, target, smallest=len(GAUSSIAN))
    _refuse_stored(image, target)
    import dm_pix

    # our filter: dm-pix's own, a batch of 1-d convolutions, is about 10 times slower on CPU
    values = dm_pix.ssim(image, target, filter_fn=lambda values: _window_means(jnp.asarray(values), GAUSSIAN))
    return jnp.asarray(values)


def psnr_as_reported(image: jax.Array, target: jax.Array, data_range: float = 255.0) -> jax.Array:
    """PSNR in decibels for any data range, right or wrong: 20 log10(data_range) - 10 log10(mse).

    Report 000's 62.79 and 65.22 dB fit a range of 255 on unit images: 20 log10(255) = 48.13 dB too much.
    On `quantise`d images 255 is right, and is report 001's protocol. It is inf for identical images.
    """
    image, target = _images(image, target)
    _refuse_range(data_range)
    return 20 * jnp.log10(data_range) - 10 * jnp.log10(mse(image, target))


def ssim_uniform(image: jax.Array, target: jax.Array, data_range: float = 1.0) -> jax.Array:
    """Structural similarity by scikit-image's defaults: 7x7 uniform window, sample covariance, K1 0.01, K2 0.03.

    Mean over the windows that lie inside the image, then over channels; values in any range. Report 001 used it on
    `quantise`d images with range 255; report 000's 0.996 and 0.998 fit a range of 255 on unit images, with which
    no score is below 0.85. Raises UsageError for images under 7 pixels.
    """
    image, target = _images(image, target, smallest=len(UNIFORM))
    _refuse_range(data_range)
    # variances don't depend on an offset, and E[x^2] - E[x]^2 cancels less around 0: float32 then suffices
    (x, offset_x), (y, offset_y) = _centre(image), _centre(target)
    mean_x, mean_y = _window_means(x, UNIFORM), _window_means(y, UNIFORM)
    pixels = len(UNIFORM) ** 2
    sample = pixels / (pixels - 1)
    variance_x = sample * (_window_means(x * x, UNIFORM) - mean_x * mean_x)
    variance_y = sample * (_window_means(y * y, UNIFORM) - mean_y * mean_y)
    covariance = sample * (_window_means(x * y, UNIFORM) - mean_x * mean_y)
    mean_x, mean_y = mean_x + offset_x, mean_y + offset_y
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x * mean_x + mean_y * mean_y + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return jnp.mean(luminance * structure, axis=(-3, -2, -1))


def coarse_share(image: jax.Array, target: jax.Array, window: int = len(UNIFORM)) -> jax.Array:
    """The share of each image's squared error that is at low frequencies: float[b, h, w, c] twice -> float[b], 0 to 1.

    Over the windows of so many pixels a side that lie inside the image, and over channels: the mean square of the
    error's mean in a window, divided by the mean of its mean square there. An error of one value everywhere has 1,
    noise that differs from pixel to pixel about 1 / window^2; a window as large as a square image leaves what is wrong
    in its overall colour. It is 0 where there is no error. 7 are the windows of `ssim_uniform`. Raises UsageError for
    a window that isn't from 1 to the image's shorter side.
    """
    if window < 1:
        raise UsageError(f"a window of {window} pixels holds nothing; give 1 or more")
    image, target = _images(image, target, smallest=window)
    error, weights = image - target, np.full(window, 1 / window)
    means = jnp.square(_window_means(error, weights)).mean((-3, -2, -1))
    squares = _window_means(jnp.square(error), weights).mean((-3, -2, -1))
    return jnp.where(squares == 0, 0.0, means / jnp.where(squares == 0, 1.0, squares))


def quantise(image: jax.Array) -> jax.Array:
    """The 8-bit levels of unit images: whole numbers from 0 to 255, kept floating (uint8 differences wrap around).

    Fractions are cut off, as torchvision's ToPILImage does, through which report 001 scores. Values outside [0, 1] are
    clipped. Score the result with a data range of 255. Signed images go through `transforms.signed_to_unit` first; a
    level of a stored image can come out of that arithmetic one lower (in the report's, 63 of the 256 do), which is
    about 0.01 dB and depends on how it is compiled. Raises UsageError unless the image is floating.
    """
    check_floating(image)
    return jnp.floor(255 * jnp.clip(image, 0, 1))


def is_constant(image: jax.Array, target: jax.Array) -> jax.Array:
    """Whether a batch of outputs is one picture whatever the input, a dead autoencoder: float[b, ...] twice -> bool[].

    True when the outputs' variance over the batch, mean over pixels, is under a thousandth of the targets': the
    output then explains nothing of what distinguishes the images. A network whose rectifiers died still lets traces
    of some inputs through (a few 8-bit levels in a few pixels), so exact equality would miss it. NaN is never
    constant. Raises UsageError for fewer than two images, which can't tell.
    """
    check_pair(image, target)
    if image.ndim < 1 or image.shape[0] < 2:
        raise UsageError(
            f"a batch of shape {image.shape} can't show that outputs are constant; give two images or more"
        )
    return jnp.var(image, axis=0).mean() < 1e-3 * jnp.var(target, axis=0).mean()


def _images(image: jax.Array, target: jax.Array, smallest: int = 1) -> tuple[jax.Array, jax.Array]:
    """Both in float32 at least: of narrower types the variances of SSIM would cancel. Raises UsageError unless they are
    two batches of images of one shape and no side is under `smallest`."""
    check_pair(image, target)
    if image.ndim != 4:
        raise UsageError(f"images of shape {image.shape} are not [batch, height, width, channels]; reshape them")
    if min(image.shape[1:3]) < smallest:
        height, width = image.shape[1:3]
        raise UsageError(f"images of {height}x{width} are smaller than the {smallest}x{smallest} window; resize them")
    return in_float32(image), in_float32(target)


def _refuse_range(data_range: float) -> None:
    if not isinstance(data_range, Tracer) and not np.all(np.asarray(data_range) > 0):
        raise UsageError(f"a data range of {data_range} is none; give one above 0, such as 1 or 255")


def _refuse_stored(*images: jax.Array) -> None:
    for image in images:
        if image.size and not isinstance(image, Tracer) and (most := float(jnp.abs(image).max())) > BEYOND:
            raise UsageError(f"scores are of images in [0, 1]; got values up to {most:g}: divide by 255")


def _centre(image: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Each channel of each image less its mean, and that mean: float[b, h, w, c] and float[b, 1, 1, c]."""
    mean = jnp.mean(image, axis=(-3, -2), keepdims=True)
    return image - mean, mean


def _window_means(image: jax.Array, weights: np.ndarray) -> jax.Array:
    """Weighted means over every k x k window inside the image: float[b, h, w, c] -> float[b, h-k+1, w-k+1, c].

    Two products with banded matrices, channels first: the fastest on CPU of products, shifted sums, convolutions and
    `reduce_window`, and with one speed inside `lax.map` and outside, unlike convolutions.
    """
    height, width = image.shape[-3:-1]
    from scipy.linalg import convolution_matrix

    down = jnp.asarray(convolution_matrix(weights, height, "valid"), image.dtype)
    across = jnp.asarray(convolution_matrix(weights, width, "valid"), image.dtype)
    image = jnp.moveaxis(image, -1, -3)
    image = jnp.einsum("...hw,jw->...hj", image, across, precision="highest")  # never TF32: variances cancel
    image = jnp.einsum("ih,...hj->...ij", down, image, precision="highest")
    return jnp.moveaxis(image, -3, -1)
