"""Metrics against scikit-image, image by image, and against arithmetic."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from jaxae import metrics
from jaxae.errors import UsageError


def images(kind: str, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Pairs of unit images: reconstructions that err by about 0.1."""
    random = np.random.default_rng(0)
    if kind == "random":
        target = random.random(shape)
    elif kind == "smooth":  # bright and nearly flat: variances cancel most here
        height, width = np.mgrid[: shape[1], : shape[2]]
        target = np.broadcast_to((0.9 + 0.05 * np.sin(height / 9 + width / 7))[None, :, :, None], shape)
    else:  # black and white: no offset centres both halves
        target = np.broadcast_to((np.arange(shape[1]) > shape[1] // 2)[None, :, None, None], shape)
    image = np.clip(target + random.normal(0, 0.002 if kind == "smooth" else 0.1, shape), 0, 1)
    return jnp.asarray(image, jnp.float32), jnp.asarray(target, jnp.float32)


def by_scikit_image(score, image, target, **options):
    pairs = zip(np.asarray(image, np.float64), np.asarray(target, np.float64), strict=True)
    return [score(truth, picture, **options) for picture, truth in pairs]


def every(image: jax.Array, target: jax.Array) -> dict[str, jax.Array]:
    """The default scores, and the two protocols of the reports."""
    protocols = {score.__name__: score(image, target) for score in (metrics.psnr_as_reported, metrics.ssim_uniform)}
    return metrics.reconstruction(SimpleNamespace(image=image), SimpleNamespace(target=target)) | protocols


@pytest.mark.parametrize("kind", ["random", "smooth", "halves"])
@pytest.mark.parametrize("shape", [(4, 28, 28, 1), (3, 20, 32, 3)])
def test_ssims_are_scikit_images(kind, shape):
    image, target = images(kind, shape)
    for data_range in (1.0, 255.0):
        value = jax.jit(metrics.ssim_uniform)(image, target, data_range)
        expected = by_scikit_image(structural_similarity, image, target, data_range=data_range, channel_axis=-1)
        np.testing.assert_allclose(value, expected, atol=1e-5)
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = by_scikit_image(structural_similarity, image, target, data_range=1.0, channel_axis=-1, **wang)
    np.testing.assert_allclose(jax.jit(metrics.ssim)(image, target), expected, atol=3e-5)  # dm-pix doesn't centre


def test_a_data_range_of_255_on_unit_images_adds_48_decibels_and_pushes_ssim_to_1():
    image, target = images("random", (4, 28, 28, 3))
    scores, wrong = jax.jit(every)(image, target), jax.jit(metrics.ssim_uniform)(image, target, 255.0)
    np.testing.assert_allclose(scores["psnr_as_reported"] - scores["psnr"], 48.1308, atol=1e-4)
    assert jnp.all(wrong > 0.999)
    assert jnp.all(scores["ssim_uniform"] < 0.98)


def test_the_denoise_protocol_is_scikit_images_on_uint8():
    image, target = images("random", (4, 32, 32, 3))
    stored, truth = (np.floor(255 * np.asarray(x, np.float64)).astype(np.uint8) for x in (image, target))
    levels, wanted = metrics.quantise(image), metrics.quantise(target)
    np.testing.assert_array_equal(levels, stored)
    expected = [peak_signal_noise_ratio(a, b) for a, b in zip(truth, stored, strict=True)]
    np.testing.assert_allclose(jax.jit(metrics.psnr_as_reported)(levels, wanted), expected, rtol=1e-5)
    expected = [structural_similarity(a, b, channel_axis=-1) for a, b in zip(truth, stored, strict=True)]
    np.testing.assert_allclose(jax.jit(metrics.ssim_uniform)(levels, wanted, 255.0), expected, atol=1e-5)


def test_narrow_types_are_scored_in_float32():
    image, target = (each.astype(jnp.bfloat16) for each in images("smooth", (3, 20, 32, 3)))
    wide = every(image.astype(jnp.float32), target.astype(jnp.float32))
    for name, values in every(image, target).items():
        if name not in ("mse", "rmse"):  # the losses' own, in the type of the images
            np.testing.assert_array_equal(values, wide[name])


def test_quantise_truncates_and_clips():
    values = jnp.array([-0.2, 0.0039, 0.004, 0.5, 0.999, 1.7])  # a level is 0.00392
    np.testing.assert_array_equal(metrics.quantise(values), [0, 0, 1, 127, 254, 255])


def test_errors_of_a_tenth_and_of_nothing():
    target = jnp.zeros((2, 11, 11, 1)).at[1].set(0.5)
    scores = jax.jit(every)(target.at[0].add(0.1), target)
    flat = 1e-4 / (0.01 + 1e-4)  # the SSIM of two flat images is their luminance term
    np.testing.assert_allclose(scores["mse"], [0.01, 0.0], rtol=1e-5)
    np.testing.assert_allclose(scores["rmse"], [0.1, 0.0], rtol=1e-5)
    np.testing.assert_allclose(scores["psnr"], [20.0, np.inf], rtol=1e-5)
    np.testing.assert_allclose(scores["psnr_as_reported"], [68.1308, np.inf], rtol=1e-5)
    np.testing.assert_allclose(scores["ssim"], [flat, 1.0], rtol=1e-4)
    np.testing.assert_allclose(scores["ssim_uniform"], [flat, 1.0], rtol=1e-4)


def test_lanes_score_as_batches_do():
    image, target = images("random", (4, 28, 28, 3))
    whole = jax.jit(every)(image, target)
    lanes = jax.jit(jax.vmap(every))(image.reshape(2, 2, 28, 28, 3), target.reshape(2, 2, 28, 28, 3))
    for name in ("mse", "rmse", "psnr", "ssim", "psnr_as_reported", "ssim_uniform"):
        assert whole[name].shape == (4,)
        np.testing.assert_allclose(lanes[name].reshape(4), whole[name], rtol=1e-5)


@pytest.mark.parametrize("score", [metrics.psnr_as_reported, metrics.ssim_uniform])
def test_a_data_range_that_is_none_is_refused(score):
    with pytest.raises(UsageError, match="a data range of 0 is none"):
        score(jnp.ones((1, 8, 8, 1)), jnp.zeros((1, 8, 8, 1)), 0)


def test_what_has_no_score_is_refused():
    small = jnp.zeros((1, 32, 10, 1))
    with pytest.raises(UsageError, match="32x10 are smaller than the 11x11 window"):
        metrics.ssim(small, small)
    with pytest.raises(UsageError, match="smaller than the 7x7 window"):
        metrics.ssim_uniform(small[:, :6], small[:, :6])
    for score in (metrics.psnr, metrics.ssim, metrics.psnr_as_reported, metrics.ssim_uniform):
        with pytest.raises(UsageError, match=r"\(8, 784\) are not \[batch"):
            score(jnp.zeros((8, 784)), jnp.zeros((8, 784)))
        with pytest.raises(UsageError, match="differ"):
            score(jnp.zeros((2, 28, 28, 1)), jnp.zeros((2, 28, 28, 3)))
    for score in (metrics.psnr, metrics.ssim):
        with pytest.raises(UsageError, match=r"in \[0, 1\]; got values up to 255: divide by 255"):
            score(jnp.zeros((1, 28, 28, 1)), jnp.full((1, 28, 28, 1), 255.0))


def test_constant_outputs_are_one_picture_for_every_input():
    target = jax.random.uniform(jax.random.key(0), (3, 28, 28, 1))
    picture = jnp.tile(jnp.linspace(0, 1, 784).reshape(1, 28, 28, 1), (3, 1, 1, 1))
    assert metrics.is_constant(picture, target)
    assert metrics.is_constant(picture.at[2, 5, 5, 0].add(0.05), target)  # a trace of one input
    assert not metrics.is_constant(picture + 0.1 * target, target)  # blurred, but alive
    assert not metrics.is_constant(picture.at[2, 5, 5, 0].set(jnp.nan), target)
    with pytest.raises(UsageError, match="two images"):
        metrics.is_constant(picture[:1], target[:1])


def test_the_coarse_share_is_that_of_the_means_of_windows():
    target = jnp.zeros((3, 14, 14, 2))
    stripes = jnp.broadcast_to(jnp.asarray([1.0, -1.0] * 7)[None, :, None, None], target.shape)
    # seven stripes have a mean of 1/7
    errors = jnp.stack([jnp.full_like(target[0], 0.3), stripes[0], target[0]])
    share = jax.jit(metrics.coarse_share)(errors, target)
    np.testing.assert_allclose(share, [1, 1 / 49, 0], atol=1e-6)
    np.testing.assert_allclose(metrics.coarse_share(stripes + 0.5, target, 14), 0.25 / 1.25, rtol=1e-5)

    noise = jnp.asarray(np.random.default_rng(0).normal(size=(2, 32, 32, 3)), jnp.float32)
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(noise, np.float64), (7, 7), (1, 2))
    expected = np.square(windows.mean((-1, -2))).mean((1, 2, 3)) / np.square(windows).mean((1, 2, 3, 4, 5))
    np.testing.assert_allclose(metrics.coarse_share(noise, jnp.zeros_like(noise)), expected, rtol=1e-4)
    with pytest.raises(UsageError, match="a window of 0 pixels"):
        metrics.coarse_share(noise, noise, 0)
