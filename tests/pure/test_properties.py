"""What transforms, losses and metrics keep for any shape and any values, against float64 and scikit-image."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import structural_similarity

from jaxae import keys, losses, metrics, transforms

settings.register_profile("few", derandomize=True, database=None, deadline=None, max_examples=20)
settings.load_profile("few")

SHAPES = ((1, 1), (3, 5), (2, 4, 3, 1), (3, 5, 4, 3))  # each is compiled
IMAGES = ((1, 11, 11, 1), (2, 13, 12, 3))
TINY = 1e-30  # squares under it leave float32


def floats(low, high):
    return st.floats(low, high, width=32, allow_subnormal=False)


def of_shape(shape, values):
    return arrays(np.float32, shape, elements=values)


def images(shapes=SHAPES, values=None, count=1):
    """So many arrays of one of the shapes, of unit images unless others are asked for."""
    values = floats(0, 1) if values is None else values
    return st.sampled_from(shapes).flatmap(lambda shape: st.tuples(*[of_shape(shape, values)] * count))


def in_numpy(*values):
    return [np.asarray(value, np.float64) for value in values]


def pixel_mean(values):
    return values.reshape(len(values), -1).mean(1)


mse, l1, bce, kl = (jax.jit(loss) for loss in (losses.mse, losses.l1, losses.bce, losses.gaussian_kl_per_dimension))
psnr, rmse, ssim, uniform = (
    jax.jit(metric) for metric in (metrics.psnr, metrics.rmse, metrics.ssim, metrics.ssim_uniform)
)


@given(images(count=2))
def test_errors_are_means_in_float64_symmetric_and_ordered(pair):
    squared, absolute = np.asarray(mse(*pair)), np.asarray(l1(*pair))
    image, target = in_numpy(*pair)
    np.testing.assert_allclose(squared, pixel_mean((image - target) ** 2), rtol=1e-5, atol=TINY)
    np.testing.assert_allclose(absolute, pixel_mean(abs(image - target)), rtol=1e-5)
    np.testing.assert_array_equal(squared, mse(*pair[::-1]))
    np.testing.assert_array_equal(absolute, l1(*pair[::-1]))
    assert (absolute**2 <= squared * (1 + 1e-5) + TINY).all()  # Jensen
    np.testing.assert_allclose(rmse(*pair), np.sqrt(squared), rtol=1e-6)


@given(
    st.sampled_from(SHAPES).flatmap(
        lambda shape: st.tuples(of_shape(shape, floats(-50, 50)), of_shape(shape, floats(0, 1)))
    )
)
def test_cross_entropy_is_that_of_float64_and_never_below_the_targets_own_entropy(pair):
    found = np.asarray(bce(*pair))
    logits, target = in_numpy(*pair)
    np.testing.assert_allclose(found, pixel_mean(np.logaddexp(0, logits) - target * logits), rtol=1e-5, atol=2e-6)
    own = -sum(share * np.log(np.where(share > 0, share, 1)) for share in (target, 1 - target))
    assert (found >= pixel_mean(own) - 1e-6).all()


@given(images(((1, 1), (3, 5)), floats(-10, 10), count=2))
def test_divergence_from_the_standard_normal_is_that_of_float64_and_never_negative(pair):
    mean, log_variance = in_numpy(*pair)
    found = np.asarray(kl(*pair))
    expected = (mean**2 + np.expm1(log_variance) - log_variance) / 2
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    assert (found >= 0).all()
    np.testing.assert_allclose(losses.gaussian_kl(*map(jnp.asarray, pair)), expected.sum(1), rtol=1e-4, atol=1e-6)


@given(images(IMAGES, count=2), st.sampled_from([1.0, 2.0, 255.0]))
def test_psnr_is_that_of_float64_and_infinite_where_nothing_differs(pair, span):
    image, target = in_numpy(*pair)
    expected = pixel_mean((image - target) ** 2)
    assume((expected > 1e-12).all())
    np.testing.assert_allclose(psnr(*pair), -10 * np.log10(expected), rtol=1e-4, atol=1e-4)
    shifted = metrics.psnr_as_reported(jnp.asarray(pair[0]), jnp.asarray(pair[1]), span)
    np.testing.assert_allclose(shifted, 20 * np.log10(span) - 10 * np.log10(expected), rtol=1e-4, atol=1e-4)
    assert np.isposinf(psnr(pair[0], pair[0])).all()


@given(images(IMAGES, count=2))
def test_structural_similarity_is_scikit_images_symmetric_at_most_1_and_1_for_equal_images(pair):
    expected = [
        structural_similarity(image, target, channel_axis=-1, data_range=1.0)
        for image, target in zip(*in_numpy(*pair), strict=True)
    ]
    np.testing.assert_allclose(uniform(*pair), expected, atol=1e-3)
    for similarity in (ssim, uniform):
        one, other = similarity(*pair), similarity(*pair[::-1])
        np.testing.assert_allclose(one, other, atol=1e-4)
        assert (abs(np.asarray(one)) <= 1 + 1e-4).all()
        np.testing.assert_allclose(similarity(pair[0], pair[0]), 1, atol=1e-4)


@given(images(values=floats(-2, 2)))
def test_levels_are_whole_and_the_next_below(images):
    (image,) = images
    level = np.asarray(metrics.quantise(jnp.asarray(image)))
    np.testing.assert_array_equal(level, np.floor(level))
    exact = 255 * np.clip(image.astype(np.float64), 0, 1)
    assert ((level <= exact + 1e-4) & (level > exact - 1) & (level >= 0)).all()


@given(st.sampled_from(SHAPES).flatmap(lambda shape: arrays(np.uint8, shape)))
def test_stored_levels_survive_both_ranges(image):
    unit, signed = transforms.to_unit(jnp.asarray(image)), transforms.to_signed(jnp.asarray(image))
    np.testing.assert_allclose(unit, image / 255, rtol=1e-6)
    np.testing.assert_array_equal(np.rint(255 * np.asarray(unit)), image)
    np.testing.assert_array_equal(np.rint(255 * np.asarray(transforms.signed_to_unit(signed))), image)
    assert (abs(np.asarray(signed)) <= 1).all()


@given(images(values=floats(-5, 5), count=2), floats(-1, 1), floats(0.125, 8))
def test_ranges_statistics_and_mixtures_have_their_inverses(pair, mean, deviation):
    a, b = map(jnp.asarray, pair)
    np.testing.assert_allclose(transforms.signed_to_unit(transforms.unit_to_signed(a)), a, atol=1e-6)
    standard = transforms.standardise(a, mean, deviation)
    np.testing.assert_allclose(standard, (pair[0].astype(np.float64) - mean) / deviation, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(transforms.unstandardise(standard, mean, deviation), a, atol=1e-5)
    mixed = np.asarray(transforms.mix(a, b))
    np.testing.assert_array_equal(mixed, transforms.mix(b, a))
    assert ((np.minimum(*pair) <= mixed) & (mixed <= np.maximum(*pair))).all()
    np.testing.assert_allclose(transforms.unmix(jnp.asarray(mixed), a), b, atol=2e-6)


@given(images(((2, 4, 3, 1), (3, 5, 4, 3))), st.sampled_from([(1, 1), (7, 9), (2, 8)]))
def test_another_size_lies_within_the_old_values_and_the_own_size_changes_nothing(images, size):
    (image,) = images
    found = np.asarray(transforms.resize(jnp.asarray(image), size))
    assert found.shape == (len(image), *size, image.shape[-1])
    low, high = (edge(image, (1, 2), keepdims=True) for edge in (np.min, np.max))  # of each channel
    assert ((found >= low - 1e-6) & (found <= high + 1e-6)).all()
    np.testing.assert_allclose(transforms.resize(jnp.asarray(image), image.shape[1:3]), image, atol=1e-7)


@given(images(((3, 5, 4, 3),)), st.integers(0, 3), st.integers(0, 99))
def test_a_shifted_image_is_a_cut_of_the_padded_one(images, pixels, seed):
    (image,) = images
    found = transforms.random_shift(keys.root(seed), jnp.asarray(image), pixels)
    padded = np.pad(image, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    offsets = range(2 * pixels + 1)
    for one, whole in zip(np.asarray(found), padded, strict=True):
        assert any(np.array_equal(one, whole[y : y + 5, x : x + 4]) for y in offsets for x in offsets)


@given(images(), floats(0, 4), st.integers(0, 99))
def test_noise_scales_with_its_deviation_and_is_clipped_where_asked(images, deviation, seed):
    image, key = jnp.asarray(images[0]), keys.root(seed)
    np.testing.assert_array_equal(transforms.add_gaussian_noise(key, image, 0.0), image)
    free = np.asarray(transforms.add_gaussian_noise(key, image, deviation))
    once = np.asarray(transforms.add_gaussian_noise(key, image, 1.0)) - images[0]
    np.testing.assert_allclose(free - images[0], deviation * once, atol=1e-5)
    clipped = transforms.add_gaussian_noise(key, image, deviation, low=0.25, high=0.5)
    np.testing.assert_allclose(clipped, np.clip(free, 0.25, 0.5), atol=1e-6)


@given(st.lists(st.integers(0, 3), max_size=30), st.integers(0, 99))
def test_the_table_of_classes_holds_every_image_once_under_its_own(labels, seed):
    label = np.array([0, 1, 2, 3, *labels], np.int32)
    table = transforms.by_class(label, 4)
    assert sorted(table.order.tolist()) == list(range(len(label)))
    for kind in range(4):
        found = table.order[table.start[kind] : table.start[kind] + table.count[kind]]
        assert found.tolist() == np.flatnonzero(label == kind).tolist()
    wanted = jnp.arange(8, dtype=jnp.int32) % 4
    drawn = transforms.random_of_class(keys.root(seed), jax.tree.map(jnp.asarray, table), wanted)
    np.testing.assert_array_equal(label[np.asarray(drawn)], wanted)


@given(st.booleans(), st.integers(0, 999))
def test_addends_add_up_to_a_digit(balanced, seed):
    digit = jnp.arange(40, dtype=jnp.int32) % 10
    a, b = (np.asarray(number) for number in transforms.addends(keys.root(seed), digit, balanced=balanced))
    assert ((a >= 0) & (b >= 0) & (a + b <= 9)).all()
    assert balanced or np.array_equal(a, digit)


@given(images(IMAGES[1:]))
def test_one_picture_for_all_is_constant_and_the_targets_themselves_are_not(images):
    (target,) = images
    assume(target.var(0).mean() > 1e-6)
    same = np.broadcast_to(target[:1], target.shape)
    assert metrics.is_constant(jnp.asarray(same), jnp.asarray(target))
    assert not metrics.is_constant(jnp.asarray(target), jnp.asarray(target))
