"""Every model keeps the contract of `jaxae.models`, and computes what PyTorch computes from the same weights."""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxae.errors import UsageError
from jaxae.models import (
    AdditionModel,
    ConvAutoencoder,
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
            layer[name] = jnp.asarray(size * wave(leaf.shape, number))
    return jax.tree.map(lambda leaf: leaf if isinstance(leaf, jax.Array) else jnp.ones(leaf.shape), variables)


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

    lanes = jax.tree.map(lambda leaf: jnp.stack([0.5 * leaf, leaf]), variables)
    vmapped = jax.jit(jax.vmap(model.apply, (0, None)))(lanes, image)
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


COUNTS = {"fc": (233_856, 234_512), "conv": (18_816, 55_681), "mlp": (310_864, 311_640), "denoise": (808, 803)}
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
    shared: Any = model.apply(variables, (inputs[0], 1.5))  # one number for every image
    every: Any = model.apply(variables, (inputs[0], np.full(2, 1.5)))
    np.testing.assert_array_equal(shared.image, every.image)
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
    found: Any = third.apply({"params": params}, image)
    expected: Any = second.apply(variables, image)
    assert_close(found.image, expected.image, 1e-6)


# Against PyTorch: weights and images are given by a formula, and the first values below were computed by PyTorch
# 2.13, in the last test of this file: loss, three pixels, and the norm of each kernel's gradient from first to last.

FROM_TORCH = {
    "fc": "0.200438008 0.643408477 0.540527284 0.587431967 0.110299222 0.0637729168 0.0450410359 0.0347828865",
    "conv": "0.160616547 0.533034027 0.298904687 0.33845219 0.00854850747 0.10367123 0.195991039 0.2284282 0.142283782",
    "mlp": "0.206569538 0.718894899 0.592841685 0.771974862 0.201574638 0.149562269 0.0080484366 0.0611096397",
    "denoise": "0.649408638 -0.216116682 -0.34075433 -0.567572296 0.0962893069 0.351692498 0.514609873 0.3691746",
    "digit, transposed": "0.159914002 0.427206755 0.446511775 0.286177397 0.000929797359 0.00917290058 0.0153599177 "
    "0.0187186934 0.0119219786 0.00198037503 0.0257960837 0.058047533 0.0542762913 0.0810973421",
    "digit, upsampling": "0.196057767 0.385953784 0.0134488074 0.0669874102 0.021684885 0.244030505 0.44177103 "
    "0.638351738 0.292764008 0.00765091553 0.0806711763 0.424658954 0.409891874 0.385411054",
    "digit, bilinear": "0.177759945 0.372840405 0.0491505526 0.233143985 0.0200827569 0.226158887 0.409810722 "
    "0.596614838 0.272555172 0.00790324528 0.0880921632 0.593732357 0.457653642 0.371591181",
}


def run(model):
    """Loss, image, and the gradients of the layers from input to output."""
    value, output, _, _, gradient = everything(model)
    return value, output.image, layers_of(gradient)


def digest(value, output, gradients):
    pixels = np.asarray(output).ravel()[[0, 500, 1000]]
    return [float(value), *pixels.tolist(), *(float(np.linalg.norm(layer["kernel"])) for layer in gradients)]


@pytest.mark.parametrize("name", STUDIED)
def test_values_and_gradients_computed_by_torch(name):
    np.testing.assert_allclose(digest(*run(STUDIED[name])), [*map(float, FROM_TORCH[name].split())], rtol=1e-5)


AXES = {"Linear": (1, 0), "Conv2d": (3, 2, 0, 1), "ConvTranspose2d": (2, 3, 0, 1)}  # of our kernels in torch's order


def torch_networks(nn):
    def dense(*sizes):
        pairs = [part for i, o in itertools.pairwise(sizes) for part in (nn.Linear(i, o), nn.ReLU())]
        return nn.Sequential(nn.Flatten(), *pairs[:-1], nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))

    def conv(i, o):
        return nn.Conv2d(i, o, 3, padding=1)

    encoder = conv(1, 32), nn.ReLU(), nn.MaxPool2d(2), conv(32, 64), nn.ReLU(), nn.MaxPool2d(2)
    decoder = conv(64, 64), nn.ReLU(), nn.Upsample(scale_factor=2), conv(64, 32), nn.ReLU(), nn.Upsample(scale_factor=2)
    denoise = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU()

    class Permute(nn.Module):
        """Flattened images have their channels last here, first in PyTorch."""

        def __init__(self, *order):
            super().__init__()
            self.order = order

        def forward(self, x):
            return x.permute(self.order)

    def digit(*decoder):
        pairs = [part for i, o in ((1, 32), (32, 64), (64, 128)) for part in (conv(i, o), nn.ReLU(), nn.MaxPool2d(2))]
        code = Permute(0, 2, 3, 1), nn.Flatten(), nn.Linear(1152, 256), nn.ReLU(), nn.Linear(256, 2)
        back = nn.Linear(2, 256), nn.ReLU(), nn.Linear(256, 6272), nn.ReLU(), nn.Unflatten(1, (7, 7, 128))
        return nn.Sequential(*pairs, *code, *back, Permute(0, 3, 1, 2), *decoder, nn.Sigmoid())

    def enlarged(**how):
        two = [part for i in (128, 64) for part in (nn.Upsample(scale_factor=2, **how), conv(i, i // 2), nn.ReLU())]
        return digit(*two, conv(32, 1))

    def transposed(i):
        return nn.ConvTranspose2d(i, i // 2, 3, 2, padding=1, output_padding=1), nn.ReLU()

    return {
        "digit, transposed": digit(*transposed(128), *transposed(64), nn.ConvTranspose2d(32, 1, 3, padding=1)),
        "digit, upsampling": enlarged(),
        "digit, bilinear": enlarged(mode="bilinear"),
        "fc": dense(784, 256, 128, 256, 784),
        "mlp": dense(784, 392, 8, 392, 784),
        "conv": nn.Sequential(*encoder, *decoder, conv(32, 1), nn.Sigmoid()),
        "denoise": nn.Sequential(
            *denoise, nn.ConvTranspose2d(8, 8, 3), nn.ReLU(), nn.ConvTranspose2d(8, 3, 3), nn.Tanh()
        ),
    }


@pytest.mark.parametrize("name", STUDIED)
def test_values_and_gradients_are_torchs(name):
    torch = pytest.importorskip("torch")
    network = torch_networks(torch.nn)[name]
    mine = [module for module in network if hasattr(module, "weight")]
    axes = [AXES[type(module).__name__] for module in mine]
    for module, layer, order in zip(mine, layers_of(made_up(STUDIED[name])["params"]), axes, strict=True):
        module.weight.data = torch.tensor(np.asarray(layer["kernel"]).transpose(order))
        module.bias.data = torch.tensor(np.asarray(layer["bias"]))
    image = torch.tensor(np.asarray(images_for(STUDIED[name])).transpose(0, 3, 1, 2))
    output = network(image)
    loss = torch.nn.functional.mse_loss(output, image)
    loss.backward()
    gradients = [
        {"bias": module.bias.grad.numpy(), "kernel": module.weight.grad.numpy().transpose(np.argsort(order))}
        for module, order in zip(mine, axes, strict=True)
    ]
    expected = loss.item(), output.detach().numpy().transpose(0, 2, 3, 1), gradients
    assert_close(run(STUDIED[name]), expected)
    np.testing.assert_allclose(digest(*expected), [*map(float, FROM_TORCH[name].split())], rtol=1e-6)
