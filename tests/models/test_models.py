"""Every model keeps the contract of `jaxae.models`."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.errors import UsageError
from jaxae.models import (
    MLP,
    MLPVAE,
    AdditionModel,
    ConvAutoencoder,
    ConvVAE,
    DenoiseAutoencoder,
    DigitAutoencoder,
    DigitClassifier,
    FCAutoencoder,
    MLPAutoencoder,
    digits,
)
from jaxae.models.addition import Gaussian, add

STUDIED = {
    "fc": FCAutoencoder(),
    "conv": ConvAutoencoder(),
    "conv, bilinear": ConvAutoencoder(upsampling="bilinear"),
    "mlp": MLPAutoencoder(),
    "denoise": DenoiseAutoencoder(),
    "digit, transposed": DigitAutoencoder(),
    "digit, upsampling": DigitAutoencoder(enlarge=digits.upsampled),
    "digit, bilinear": DigitAutoencoder(enlarge=digits.bilinear),
}
VARIED = {
    "fc, small colour images": FCAutoencoder(
        hidden=(9, 7), code_size=3, image_shape=(4, 6, 3), code_activation=jnp.tanh
    ),
    "conv, oblong colour images": ConvAutoencoder(widths=(9, 10), image_shape=(8, 16, 3)),
    "variational": MLPVAE((9,), 3, image_shape=(4, 6, 3)),
    "variational, convolutions": ConvVAE(3, widths=(4, 5, 6), image_shape=(8, 12, 1)),
    "denoise, batch norm": DenoiseAutoencoder(widths=(4, 5), batch_norm=True, image_shape=(9, 8, 1)),
}


def assert_close(ours, theirs, tolerance=1e-5):
    """To a fraction of the largest value."""
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * np.abs(b).max())


def wave(shape, start=0.0):
    """Numbers in [-1, 1] without a pattern, the same everywhere."""
    return np.cos(np.arange(np.prod(shape)) ** 1.3 + start).reshape(shape).astype(np.float32)


def images_for(model):
    low = -1 if isinstance(model, DenoiseAutoencoder) else 0
    return jnp.asarray(np.clip(wave((2, *model.image_shape)), low, 1))


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def layers_of(params):
    """The layers' parameters from input to output, but for batch norms."""
    parts = (params["encoder"], params["decoder"]) if "encoder" in params else (params,)
    return [part[name] for part in parts for name in in_order(part) if "kernel" in part[name]]


def in_order(part):
    """By name; but in a digits' decoder the dense layers come first and a plain convolution last."""
    kinds = ["Dense", "ConvTranspose", "UpsampleConv", "InterpolatedConv", "Conv"]
    found = {name[:-2] for name in part}
    is_decoder = "Dense" in found and found.intersection(kinds[1:4])
    return sorted(part, key=lambda name: (kinds.index(name[:-2]) if is_decoder else 0, name))


def made_up(model):
    """Variables of the right shapes and a sensible size."""
    variables = jax.eval_shape(model.init, jax.random.key(0), images_for(model))
    for number, layer in enumerate(layers_of(variables["params"])):
        size = (3 / np.prod(layer["kernel"].shape[:-1])) ** 0.5
        for name, leaf in layer.items():
            layer[name] = np.float32(size) * wave(leaf.shape, number)
    return jax.tree.map(
        lambda leaf: leaf if isinstance(leaf, np.ndarray) else np.ones(leaf.shape, np.float32), variables
    )


@functools.cache  # compiled once, for the contract and for the values
def everything(model):
    """Loss, output, code, what is decoded from it, and the loss's gradient."""
    image = images_for(model)

    def loss(params, rest):
        output = model.apply({"params": params, **rest}, image)
        return jnp.mean((output.image - image) ** 2), output

    @jax.jit
    def run(variables):
        rest = {name: value for name, value in variables.items() if name != "params"}
        (value, output), gradient = jax.value_and_grad(loss, has_aux=True)(variables["params"], rest)
        code = model.apply(variables, image, method="encode")
        code = code.mean if isinstance(code, Gaussian) else code
        return value, output, code, model.apply(variables, code, method="decode"), gradient

    return run(made_up(model))


@pytest.mark.parametrize("model", [*STUDIED.values(), *VARIED.values()], ids=[*STUDIED, *VARIED])
def test_contract(model):
    image, variables = images_for(model), made_up(model)
    _, output, code, decoded, gradient = everything(model)
    assert output.image.shape == output.logits.shape == image.shape
    assert {leaf.dtype for leaf in jax.tree.leaves((output, code, gradient))} == {jnp.dtype(jnp.float32)}
    assert image.min() < 0 or output.image.min() >= 0
    assert np.abs(output.image).max() <= 1
    assert_close((output.image, output.logits, output.code), (decoded.image, decoded.logits, code), 1e-6)
    assert decoded.code is None
    assert all(0 < np.abs(slope).max() < np.inf for slope in jax.tree.leaves(gradient) if slope.ndim > 1)

    lanes = jax.tree.map(lambda leaf: np.stack([0.5 * leaf, leaf]), variables)
    vmapped = jax.device_get(jax.jit(jax.vmap(model.apply, (0, None)))(lanes, image))
    assert_close(jax.tree.map(lambda leaf: leaf[1], vmapped), output)
    half = jax.jit(model.clone(dtype=jnp.bfloat16).apply)(variables, image)
    assert {leaf.dtype for leaf in jax.tree.leaves(half)} == {jnp.dtype(jnp.float32)}
    assert_close(half.image, output.image, 0.05)


def test_initialisation_depends_on_the_key_alone():
    model = MLPAutoencoder(hidden=(), image_shape=(2, 2, 1))
    init, image = jax.jit(model.init), images_for(model)
    first, again, other = (init(jax.random.key(seed), image) for seed in (0, 0, 1))
    jax.tree.map(np.testing.assert_array_equal, again, first)
    assert all(jax.tree.leaves(jax.tree.map(lambda a, b: (a != b).all(), other, first)))


COUNTS = {
    "fc": (233_856, 234_512),
    **dict.fromkeys(["conv", "conv, bilinear"], (18_816, 55_681)),
    "mlp": (310_864, 311_640),
    "denoise": (808, 803),
}
COUNTS |= dict.fromkeys([name for name in STUDIED if name.startswith("digit")], (388_354, 1_705_217))


@pytest.mark.parametrize("name", STUDIED)
def test_parameters_are_as_many_as_the_reports_say(name):
    params = jax.eval_shape(STUDIED[name].init, jax.random.key(0), images_for(STUDIED[name]))["params"]
    assert (count(params["encoder"]), count(params["decoder"])) == COUNTS[name]


@pytest.mark.parametrize("shape", [(28, 28, 1), (2, 28, 28, 3), (2, 784)])
@pytest.mark.parametrize("model", [FCAutoencoder(), ConvAutoencoder(), DigitClassifier()], ids=["fc", "conv", "digit"])
def test_images_of_another_shape_are_refused(model, shape):
    mend = "add the batch dimension" if len(shape) == 3 else "resize the images"
    with pytest.raises(UsageError, match=rf"takes images of shape \(b, 28, 28, 1\); got .*: {mend}"):
        model.init(jax.random.key(0), jnp.zeros(shape))


@pytest.mark.parametrize(
    ("model", "shape", "match"),
    [
        (ConvAutoencoder(), (2, 1, 28, 28), "move the channels last, as in jnp.moveaxis"),
        (ConvAutoencoder(image_shape=(1, 28, 28)), (2, 1, 28, 28), r"channels first; give \(28, 28, 1\)"),
    ],
)
def test_channels_that_come_first_are_refused(model, shape, match):
    with pytest.raises(UsageError, match=match):
        model.init(jax.random.key(0), jnp.zeros(shape))


@pytest.mark.parametrize("model", [ConvAutoencoder(()), DenoiseAutoencoder(()), DigitAutoencoder(widths=()), MLP(())])
def test_a_model_without_layers_is_refused(model):
    with pytest.raises(UsageError, match=r"=\(\); give a tuple of whole numbers"):
        model.init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))


def test_integer_images_are_refused():
    with pytest.raises(UsageError, match="DenoiseAutoencoder takes floating-point images; got uint8: convert"):
        DenoiseAutoencoder().init(jax.random.key(0), jnp.zeros((1, 32, 32, 3), jnp.uint8))


def test_batch_statistics_move_in_training_only():
    model = VARIED["denoise, batch norm"]
    image = images_for(model)
    variables = made_up(model)
    apply = jax.jit(model.apply, static_argnames=("train", "mutable"))
    trained, updates = apply(variables, image, train=True, mutable="batch_stats")
    before, after = variables["batch_stats"]["encoder"], updates["batch_stats"]["encoder"]
    assert np.abs(after["BatchNorm_0"]["mean"] - before["BatchNorm_0"]["mean"]).max() > 1e-3
    assert np.abs(trained.image - apply(variables, image).image).max() > 1e-3


def test_classifier():
    model, image = DigitClassifier(), jnp.asarray(wave((3, 28, 28, 1)))
    variables = made_up(model)
    apply = jax.jit(model.apply, static_argnames="train")
    logits = apply(variables, image)
    assert (logits.shape, logits.dtype) == ((3, 10), jnp.float32)
    first, second = (apply(variables, image, train=True, rngs={"dropout": jax.random.key(seed)}) for seed in (0, 1))
    assert np.abs(first - second).max() > 1e-3
    assert np.abs(first - logits).max() > 1e-3


def test_addition_paths():
    model = AdditionModel(code_size=3, hidden=(9,), widths=(4, 5, 6), variational=True, generative=True)
    inputs = jnp.asarray(np.clip(wave((2, 28, 28, 1)), 0, 1)), jnp.array([1.0, 2.5])
    keys = {"params": jax.random.key(0), "sample": jax.random.key(1)}
    variables = jax.jit(model.init)(keys, inputs)

    @jax.jit
    def paths(variables, value, key):
        seen: Any = model.apply(variables, (inputs[0], value))
        drawn = [model.apply(variables, (inputs[0], value), train=True, rngs={"sample": key})]
        drawn += [model.clone(sampled=True).apply(variables, (inputs[0], value), rngs={"sample": key})]
        means = (
            model.apply(variables, seen.sum_posterior.mean, method="decode"),
            add(model, variables, inputs[0], value),
        )
        code = model.apply(variables, seen.posterior.mean, method="decode")
        return seen, drawn, means, code, add(model, variables, inputs[0], value, key)

    seen, (trained, sampled), (decoded, means), original, drawn = paths(variables, inputs[1], keys["sample"])
    assert seen.image.shape == seen.original.shape == inputs[0].shape
    assert_close(
        (decoded, means, original), (seen.image, seen.image, seen.original), 1e-6
    )  # the solid and dashed paths
    assert_close(sampled, trained, 1e-6)
    assert_close(drawn, sampled.image, 1e-6)
    assert np.abs(drawn - means).max() > 1e-4
    one = jax.jit(lambda variables: model.apply(variables, (inputs[0], 1.5)))  # one number for every image
    every = paths(variables, jnp.array([1.5, 1.5]), keys["sample"])[0]
    assert_close(one(variables), every, 1e-6)
    with pytest.raises(UsageError, match=r"numbers of shape \(3,\); give one, or one for each of the 2 images"):
        add(model, variables, inputs[0], [1, 2, 3])
    other = paths(variables, jnp.array([1.0, 2.6]), keys["sample"])[0]
    np.testing.assert_array_equal(other.original, seen.original)  # the number is for P alone
    assert (other.image[0] == seen.image[0]).all() and (other.image[1] != seen.image[1]).any()


def test_codes_are_drawn_with_the_deviation_that_the_encoder_gives():
    code = Gaussian(jnp.full((40, 500), 2.0), jnp.full((40, 500), -1.0))
    drawn: Any = AdditionModel(variational=True).apply(
        {}, code, True, rngs={"sample": jax.random.key(0)}, method="_draw"
    )
    assert float(jnp.mean(drawn)) == pytest.approx(2.0, abs=0.02)
    assert float(jnp.std(drawn)) == pytest.approx(math.exp(-0.5), rel=0.02)


def test_the_third_decoder_is_the_second_with_layers_of_another_name():
    second, third = (DigitAutoencoder(3, enlarge, (4, 5, 6)) for enlarge in (digits.upsampled, digits.interpolated))
    image, variables = images_for(second), made_up(second)
    theirs, ours = ({*made_up(model)["params"]["decoder"]} for model in (second, third))
    renamed = dict(zip(sorted(theirs - ours), sorted(ours - theirs), strict=True))
    assert len(renamed) == 2
    decoder = {renamed.get(name, name): layer for name, layer in variables["params"]["decoder"].items()}
    params = {"encoder": variables["params"]["encoder"], "decoder": decoder}
    found = jax.jit(third.apply)({"params": params}, image)
    assert_close(found.image, jax.jit(second.apply)(variables, image).image, 1e-6)


def test_sides_that_can_not_be_halved_are_refused_before_anything_is_computed():
    model = ConvAutoencoder(image_shape=(30, 28, 1))
    with pytest.raises(UsageError, match="images of 30x28 are no multiple of 4 pixels"):
        jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 30, 28, 1)))
