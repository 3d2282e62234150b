"""Transforms against arithmetic, PyTorch 2.13's resizing (stored values) and the statistics of fixed keys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae import keys, transforms
from jaxae.errors import UsageError

KEY = keys.root(0)


def test_stored_images_to_unit_and_signed_and_back():
    stored = jnp.array([0, 51, 255], jnp.uint8)
    unit, signed = transforms.to_unit(stored), transforms.to_signed(stored)
    assert unit.dtype == signed.dtype == jnp.float32
    np.testing.assert_allclose(unit, [0, 0.2, 1], rtol=1e-6)
    np.testing.assert_allclose(signed, [-1, -0.6, 1], rtol=1e-6)
    np.testing.assert_allclose(transforms.unit_to_signed(unit), signed)
    np.testing.assert_allclose(transforms.signed_to_unit(signed), unit, atol=1e-7)


@pytest.mark.parametrize("convert", [transforms.to_unit, transforms.to_signed])
def test_only_stored_images_are_scaled(convert):
    with pytest.raises(UsageError, match="float32 are not uint8"):
        jax.eval_shape(convert, jnp.zeros((2, 3)))


def test_standardising_with_mnists_statistics():
    unit = jnp.array([0.0, 0.1307, 1.0]).reshape(3, 1, 1, 1)
    mnist = (transforms.MNIST_MEAN, transforms.MNIST_STD)
    standard = transforms.standardise(unit, *mnist)
    np.testing.assert_allclose(standard.ravel(), [-0.424213, 0, 2.821487], atol=1e-6)
    np.testing.assert_allclose(transforms.unstandardise(standard, *mnist), unit, atol=1e-7)


def test_standardising_each_channel():
    image = jnp.full((1, 2, 2, 3), 0.5)
    standard = transforms.standardise(image, (0.5, 0.3, 0.0), jnp.array([1.0, 0.1, 0.25]))
    np.testing.assert_allclose(standard, np.broadcast_to([0, 2, 2], image.shape), rtol=1e-6)
    np.testing.assert_allclose(transforms.unstandardise(standard, (0.5, 0.3, 0.0), (1.0, 0.1, 0.25)), image, rtol=1e-6)
    with pytest.raises(UsageError, match=r"\(2,\) don't fit"):
        transforms.standardise(image, (0.5, 0.3), 1.0)


def test_noise_has_the_deviation_not_the_variance_asked_for():
    image = jnp.full((10, 32, 32, 3), 0.25)  # 30,720 values: standard errors 0.0006 and 0.0004
    noise = jax.jit(transforms.add_gaussian_noise)(KEY, image, 0.1) - image
    assert abs(noise.mean()) < 0.003
    assert abs(noise.std() - 0.1) < 0.002
    assert abs((noise[0] * noise[1]).mean()) < 0.001  # no image repeats another's noise: that would give 0.01


def test_noise_is_clipped_where_bounds_are_given():
    image = jnp.zeros((1, 32, 32, 1))
    free = transforms.add_gaussian_noise(KEY, image, 1.0)
    np.testing.assert_array_equal(transforms.add_gaussian_noise(KEY, image, 1.0, low=-1, high=1), jnp.clip(free, -1, 1))
    np.testing.assert_array_equal(transforms.add_gaussian_noise(KEY, image, 1.0, low=0), jnp.maximum(free, 0))


@pytest.mark.parametrize(
    ("before", "after", "torch", "total"),
    [
        (
            28,
            32,
            [
                [0.0, 0.0, 0.0, 0.0],
                [0.9166895, 0.8798517, 0.1855077, -0.8563172],
                [-0.3236305, -0.3106252, -0.0654921, 0.3023165],
                [0.0504227, 0.0483964, 0.0102039, -0.0471019],
            ],
            356.58744,
        ),
        (
            32,
            16,
            [
                [0.4162042, 0.0367830, -0.2496714, 0.1021462],
                [-0.8167068, -0.0721783, 0.4899237, -0.2004389],
                [-0.7036235, -0.0621843, 0.4220876, -0.1726856],
                [0.6224146, 0.0550073, -0.3733723, 0.1527551],
            ],
            56.155107,
        ),
    ],
)
def test_resizing_is_torchs(before, after, torch, total):
    line = np.arange(before)
    image = (np.sin(0.7 * line)[:, None] * np.cos(1.1 * line * line / before)).astype(np.float32)
    # interpolate(image, size=(after, after), mode="bilinear", antialias=True, align_corners=False)
    resized = transforms.resize(jnp.asarray(image)[None, :, :, None], after)
    assert resized.shape == (1, after, after, 1)
    shown = jnp.array([0, 3, after // 2, after - 1])
    np.testing.assert_allclose(resized[0, shown[:, None], shown[None, :], 0], torch, atol=1e-5)
    np.testing.assert_allclose(jnp.abs(resized).sum(), total, rtol=1e-5)


def test_resizing_to_height_and_width_leaves_channels_and_leading_axes():
    image = jnp.broadcast_to(jnp.array([0.1, 0.5, 0.9]), (2, 5, 28, 28, 3))
    resized = transforms.resize(image, (7, 40))
    np.testing.assert_allclose(resized, np.broadcast_to(image[:, :, :1, :1], (2, 5, 7, 40, 3)), rtol=1e-6)


def test_unscaled_images_are_not_resized_or_noised():
    stored = jnp.zeros((1, 4, 4, 1), jnp.uint8)
    with pytest.raises(UsageError, match="uint8 are not floating"):
        transforms.resize(stored, 8)
    with pytest.raises(UsageError, match="uint8 are not floating"):
        transforms.add_gaussian_noise(KEY, stored, 0.1)


def test_gray_to_rgb():
    gray = jnp.arange(4.0).reshape(1, 2, 2, 1)
    rgb = transforms.to_rgb(gray)
    np.testing.assert_array_equal(rgb, np.stack([gray[..., 0]] * 3, axis=-1))
    np.testing.assert_array_equal(transforms.to_rgb(rgb), rgb)
    with pytest.raises(UsageError, match="neither 1 nor 3"):
        transforms.to_rgb(jnp.zeros((1, 3, 8, 8)))


def test_a_mixture_less_one_image_is_the_other():
    a, b = jnp.array([[0.0, 0.5]]), jnp.array([[1.0, -0.25]])
    np.testing.assert_array_equal(transforms.mix(a, b), [[0.5, 0.125]])
    np.testing.assert_array_equal(transforms.unmix(transforms.mix(a, b), a), b)
    np.testing.assert_allclose(transforms.unmix(transforms.mix(a, b), a + 0.1), b - 0.1, rtol=1e-6)


@pytest.mark.parametrize("function", [transforms.mix, transforms.unmix])
def test_images_that_would_broadcast_are_not_mixed(function):
    with pytest.raises(UsageError, match=r"\(2, 8, 8, 1\) and \(2, 8, 8, 3\) differ"):
        jax.eval_shape(function, jnp.zeros((2, 8, 8, 1)), jnp.zeros((2, 8, 8, 3)))
    with pytest.raises(UsageError, match="uint8"):
        function(jnp.zeros((1,), jnp.uint8), jnp.zeros((1,), jnp.uint8))


def test_shifts_are_whole_uniform_and_independent():
    image = jnp.zeros((2000, 7, 9, 2)).at[:, 3, 4].set(jnp.array([1.0, 2.0]))
    shifted = transforms.random_shift(KEY, image, 2)
    assert shifted.shape == image.shape
    np.testing.assert_array_equal(2 * shifted[..., 0], shifted[..., 1])
    counts = np.zeros((7, 9))
    counts[1:6, 2:7] = 2000 / 25  # every offset down and across, 80 each with a deviation of 9
    np.testing.assert_allclose(shifted[..., 0].sum(axis=0), counts, atol=40)
    np.testing.assert_array_equal(counts == 0, shifted[..., 0].sum(axis=0) == 0)


def test_shifts_move_zeros_in():
    ones = jnp.ones((200, 5, 6, 1))
    left = np.asarray(transforms.random_shift(KEY, ones, 1).sum(axis=(1, 2, 3)))
    np.testing.assert_array_equal(np.unique(left), [20, 24, 25, 30])  # the image less a row, a column or both
    np.testing.assert_array_equal(transforms.random_shift(KEY, ones, 0), ones)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda image: transforms.standardise(image, 0.5, 0.0), "a standard deviation of 0.0 can't be divided"),
        (lambda image: transforms.unstandardise(image, 0.5, -1.0), "a standard deviation of -1.0 can't be divided"),
        (lambda image: transforms.resize(image, (8, 0)), r"can't have the size \(8, 0\); give a side from 1 up"),
        (lambda image: transforms.resize(image, 1.5), "size 1.5; give a side"),  # pyright: ignore[reportArgumentType]
        (
            lambda image: transforms.add_gaussian_noise(keys.root(0), image, 0.1, low=1, high=0),
            "nothing lies from 1 to",
        ),
        (
            lambda image: transforms.add_gaussian_noise(keys.root(0), image, jnp.ones((3, 1, 1, 1))),
            r"standard deviations of shape \(3, 1, 1, 1\) don't fit images of shape",
        ),
        (lambda _: transforms.standardise([0.5], 0.0, 1.0), "list is no array"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_what_would_make_no_image_is_refused(call, words):
    with pytest.raises(UsageError, match=words):
        call(jnp.ones((2, 8, 8, 1)))


@pytest.mark.parametrize(("shape", "pixels"), [((2, 5, 6, 1), 5), ((2, 5, 6, 1), -1), ((5, 6, 1), 1)])
def test_shifts_that_make_no_sense_are_refused(shape, pixels):
    with pytest.raises(UsageError):
        transforms.random_shift(KEY, jnp.ones(shape), pixels)


LABELS = np.array([3, 1, 0, 2, 9, 5, 4, 6, 8, 7, 0, 3, 3], np.int32)


def made_up_digits():
    """Images whose pixels are all 10 * label + the image's place: 3 is at 30, 41 and 42."""
    places = np.arange(len(LABELS), dtype=np.uint8)
    return jnp.asarray(np.broadcast_to((10 * LABELS + places)[:, None, None, None], (len(LABELS), 2, 2, 1)), jnp.uint8)


def shares(total):
    return np.bincount(total, minlength=10) / len(total)


def test_images_are_found_by_class():
    classes = jax.tree.map(jnp.asarray, transforms.by_class(LABELS))
    drawn = np.asarray(transforms.random_of_class(KEY, classes, jnp.full(3000, 3)))
    assert set(drawn) == {0, 11, 12}
    np.testing.assert_allclose(np.bincount(drawn)[[0, 11, 12]], 1000, atol=100)
    with pytest.raises(UsageError, match=r"12 images lack some class \(1\)"):
        transforms.by_class(np.delete(LABELS, 1))


@pytest.mark.parametrize("balanced", [False, True])
def test_addition_pairs_show_a_and_a_plus_b(balanced):
    image, classes = made_up_digits(), jax.tree.map(jnp.asarray, transforms.by_class(LABELS))
    index = jnp.tile(jnp.arange(len(LABELS)), 40)
    pairs = transforms.addition_pairs(KEY, image, jnp.asarray(LABELS), classes, index, balanced=balanced)
    first, target = (np.rint(255 * np.asarray(part)[:, 0, 0, 0]).astype(int) for part in (pairs.image, pairs.target))
    shown = {10 * label + place: label for place, label in enumerate(LABELS)}
    a, total = (np.array([shown[pixel] for pixel in pixels]) for pixels in (first, target))
    np.testing.assert_array_equal(a + np.asarray(pairs.value), total)
    np.testing.assert_array_equal(pairs.total, total)
    assert set(target[total == 3]) == {30, 41, 42}  # of every image of the sum, not of one
    assert (first == np.asarray(image)[index, 0, 0, 0]).all() != balanced


def test_nine_is_the_commonest_sum_unless_balanced():
    digits = jnp.tile(jnp.arange(10), 3000)
    natural, even = (
        shares(sum(transforms.addends(KEY, digits, balanced=balanced))) for balanced in (False, True)
    )  # fmt: skip
    expected = np.cumsum(0.1 / np.arange(10, 0, -1))  # 0.1 * sum of 1 / (10 - a) over a up to the sum
    np.testing.assert_allclose(natural, expected, atol=0.01)
    np.testing.assert_allclose(even, 0.1, atol=0.01)
    a, b = transforms.addends(KEY, digits, balanced=True)
    np.testing.assert_allclose(shares(a[a + b == 9]), 0.1, atol=0.02)  # whatever the sum, a is uniform up to it
