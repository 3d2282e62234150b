"""Every public transform, loss and metric holds to one contract: what it takes, and what it refuses in one sentence."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae import keys, losses, metrics, transforms
from jaxae.errors import UsageError

KEY, RNG = keys.root(0), np.random.default_rng(0)
IMAGE = jnp.asarray(RNG.uniform(size=(3, 12, 12, 1)), jnp.float32)
OTHER = jnp.asarray(RNG.uniform(size=(3, 12, 12, 1)), jnp.float32)
FLOAT = {  # functions of one floating image
    "unit_to_signed": transforms.unit_to_signed,
    "signed_to_unit": transforms.signed_to_unit,
    "standardise": lambda image: transforms.standardise(image, 0.1, 0.3),
    "unstandardise": lambda image: transforms.unstandardise(image, 0.1, 0.3),
    "add_gaussian_noise": lambda image: transforms.add_gaussian_noise(KEY, image, 0.1),
    "from_scale": lambda image: transforms.from_scale(image, transforms.MNIST),
    "resize": lambda image: transforms.resize(image, 12),
    "quantise": metrics.quantise,
}
PAIR = {"mix": transforms.mix, "unmix": transforms.unmix}  # of two, to one of their shape
BY_EXAMPLE = {  # of two, to one number for each example
    **{name: getattr(losses, name) for name in ("mse", "l1", "bce")},
    **{
        name: getattr(metrics, name)
        for name in ("rmse", "psnr", "ssim", "psnr_as_reported", "ssim_uniform", "coarse_share")
    },
}
STORED = {"to_unit": transforms.to_unit, "to_signed": transforms.to_signed}
SMALLEST = {"ssim": 11, "ssim_uniform": 7, "coarse_share": 7}
OWN_TESTS = {  # other arguments than images
    "to_rgb", "random_shift", "by_class", "addends", "addition_pairs", "random_of_class", "gaussian_kl",
    "gaussian_kl_per_dimension", "check_pair", "check_floating", "is_constant", "reconstruction", "to_scale",
    "in_float32",
}  # fmt: skip


def test_every_public_function_is_under_contract():
    named = FLOAT.keys() | PAIR.keys() | BY_EXAMPLE.keys() | STORED.keys() | OWN_TESTS
    for module in (transforms, losses, metrics):
        own = {
            name
            for name, value in inspect.getmembers(module, inspect.isfunction)
            if value.__module__ == module.__name__ and not name.startswith("_")
        }
        assert own - named == set()


@pytest.mark.parametrize("name", [*FLOAT, *PAIR, *BY_EXAMPLE])
def test_floating_images_alone_are_taken_and_nan_is_not_hidden(name):
    function, images = {**FLOAT, **PAIR, **BY_EXAMPLE}[name], (IMAGE, OTHER)[: 1 if name in FLOAT else 2]
    shape = (3,) if name in BY_EXAMPLE else IMAGE.shape
    assert function(*images).shape == shape
    assert function(*(image[:1] for image in images)).shape == (1, *shape[1:])
    assert function(*(image[:0] for image in images)).shape == (0, *shape[1:])
    spoilt = function(images[0].at[1, 5, 5].set(jnp.nan), *images[1:])
    assert np.isnan(np.asarray(spoilt)).reshape(3, -1).any(1).tolist() == [False, True, False]
    for kind in (jnp.uint8, jnp.int32, bool):
        with pytest.raises(UsageError, match="not floating"):
            jax.eval_shape(function, *(image.astype(kind) for image in images))


@pytest.mark.parametrize("name", [*PAIR, *BY_EXAMPLE])
def test_pairs_have_one_shape(name):
    function = {**PAIR, **BY_EXAMPLE}[name]
    for other in (IMAGE[:2], IMAGE[..., 0], IMAGE.reshape(3, -1), jnp.zeros(())):
        with pytest.raises(UsageError, match="differ"):
            function(IMAGE, other)


@pytest.mark.parametrize("name", BY_EXAMPLE)
def test_examples_have_something_to_measure(name):
    least = SMALLEST.get(name, 1)
    for shape in ((3,), (3, 12, 0, 1), (), *([(3, least - 1, least, 1)] if least > 1 else [])):
        with pytest.raises(UsageError):
            BY_EXAMPLE[name](jnp.zeros(shape), jnp.zeros(shape))


@pytest.mark.parametrize("name", STORED)
def test_stored_images_are_bytes(name):
    for kind in (jnp.float32, jnp.int32, jnp.int8):
        with pytest.raises(UsageError, match="not uint8"):
            STORED[name](jnp.zeros((2, 4, 4, 1), kind))


@pytest.mark.parametrize(
    "asked",
    [
        lambda: transforms.add_gaussian_noise(KEY, IMAGE, -1.0),
        lambda: transforms.add_gaussian_noise(KEY, IMAGE, float("nan")),
        lambda: transforms.add_gaussian_noise(KEY, IMAGE, "a"),  # pyright: ignore[reportArgumentType]
        lambda: transforms.add_gaussian_noise(KEY, IMAGE, None),  # pyright: ignore[reportArgumentType]
        lambda: transforms.add_gaussian_noise(0, IMAGE, 0.1),  # pyright: ignore[reportArgumentType]
        lambda: transforms.add_gaussian_noise(jnp.zeros(2, jnp.int32), IMAGE, 0.1),
        lambda: transforms.resize(IMAGE, 0),
        lambda: transforms.resize(IMAGE[0, 0], 4),
        lambda: transforms.random_shift(0, IMAGE, 1),  # pyright: ignore[reportArgumentType]
        lambda: transforms.random_shift(KEY, IMAGE, 1.5),  # pyright: ignore[reportArgumentType]
        lambda: transforms.to_rgb(jnp.zeros(())),
        lambda: metrics.is_constant(jnp.zeros(()), jnp.zeros(())),
    ],
)
def test_other_arguments_that_make_no_sense_are_refused(asked):
    with pytest.raises(UsageError):
        asked()
