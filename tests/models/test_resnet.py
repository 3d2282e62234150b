"""ResNet-18 and the Unmixer: what PyTorch computes from the same weights, and their shapes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_models import wave

from jaxae.errors import UsageError
from jaxae.models import ResNet18, Unmixer, resnet, weights
from jaxae.models.weights.files import load_tensors

MODEL = ResNet18(classes=10)
NORMS = ("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight", "layer4.1.bn2.bias",
         "layer4.1.conv2.weight", "fc.bias")  # fmt: skip
RUNNING = ("bn1.running_mean", "layer2.0.downsample.1.running_var", "layer4.1.bn2.running_var")

# Computed by PyTorch 2.13 in the last test of this file, from weights and images that a formula gives: three logits of
# images of either side; of a training step, the loss, then the norms of NORMS' gradients and of RUNNING.
FROM_TORCH = {
    "32": "24.7541752 18.3356094 -2.73122621",
    "224": "171.592499 123.752983 102.587227",
    "step": (
        "1.67102599 12.9623194 0.969470084 13.0171633 2.77321029 0.605412006 7.640306 0.711118698 1.07647002 "
        "15.7561159 21.5944595"
    ),
}


@functools.cache
def made_up():
    """The ResNet's."""
    return made_up_for(MODEL)


def made_up_for(model):
    """Variables of a sensible size, none of them what a layer begins with."""
    variables = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3)))

    def leaf(path, shape):
        name, values = path[-1].key, wave(shape.shape, len(path) + shape.size % 7)
        size = {"kernel": (4 / np.prod(shape.shape[:-1])) ** 0.5}.get(name, 0.2)
        return np.asarray(size * values + (1 if name in ("scale", "var") else 0), np.float32)

    return jax.tree_util.tree_map_with_path(leaf, variables)


def images(side):
    return wave((1 if side > 100 else 4, side, side, 3), side)


def logits(side):
    return jax.jit(MODEL.apply)(made_up(), jnp.asarray(images(side)))


@jax.jit
def step(variables, image):
    """Loss, gradients and statistics of one training step, by torch's names."""

    def loss(params):
        output, changed = MODEL.apply({**variables, "params": params}, image, train=True, mutable=["batch_stats"])
        return jnp.mean(jnp.square(output)), changed

    (value, changed), gradients = jax.value_and_grad(loss, has_aux=True)(variables["params"])
    return value, {"params": gradients, **changed}


def torch_names(variables):
    return {weights._torch_name(place): np.asarray(leaf) for place, leaf in weights._flat(variables).items()}


def digest(value, tensors):
    return [float(value), *(float(np.linalg.norm(tensors[name])) for name in (*NORMS, *RUNNING))]


def numbers(name):
    return [float(number) for number in FROM_TORCH[name].split()]


@pytest.mark.parametrize("side", [32, pytest.param(224, marks=pytest.mark.slow)])
def test_logits_are_those_computed_by_torch(side):
    ours = np.asarray(logits(side))
    np.testing.assert_allclose(ours[0, [0, 4, 9]], numbers(str(side)), rtol=0, atol=1e-5 * np.abs(ours).max())


def test_a_training_step_is_that_computed_by_torch():
    value, tensors = step(made_up(), jnp.asarray(images(64)))
    np.testing.assert_allclose(digest(value, torch_names(tensors)), numbers("step"), rtol=1e-4)


def test_parameters_and_features():
    image = jnp.zeros((2, 32, 32, 3))

    def shapes(model, method=None):
        variables = jax.eval_shape(model.init, jax.random.key(0), image)
        found = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
        return found, jax.eval_shape(lambda v: model.apply(v, image, method=method), variables)

    assert shapes(ResNet18())[0] == 11_689_512
    count, pooled = shapes(ResNet18(classes=None))
    assert (count, pooled.shape) == (11_176_512, (2, 512))
    sides = {
        stem: [map_.shape[1] for map_ in shapes(ResNet18(stem=stem), "features")[1].maps]
        for stem in ("imagenet", "cifar")
    }
    assert sides == {"imagenet": [16, 8, 4, 2, 1], "cifar": [32, 32, 16, 8, 4]}
    assert shapes(Unmixer())[0] == 12_569_926
    count, output = shapes(Unmixer(pooled=True))
    assert (count, output.image.shape, output.code.shape) == (12_045_510, (2, 2, 32, 32, 3), (2, 16, 16, 2))


@pytest.mark.parametrize("skip", [False, True])
def test_unmixer_decodes_what_it_encodes_into_two_images(skip, monkeypatch):
    monkeypatch.setattr(resnet, "WIDTHS", (4, 8))
    model, image = Unmixer(skip=skip, widths=(5, 6, 7)), jnp.asarray(wave((3, 32, 32, 3)))
    rng = np.random.default_rng(0)  # else both decoders would be the same
    variables = jax.tree.map(lambda leaf: leaf * rng.uniform(0.5, 1, leaf.shape).astype(np.float32), made_up_for(model))

    @jax.jit
    def run(variables):
        def size(params):
            output: Any = model.apply({**variables, "params": params}, image)
            return jnp.square(output.image).sum(), output

        slopes, output = jax.grad(size, has_aux=True)(variables["params"])
        code = model.apply(variables, image, method="encode")
        half: Any = model.clone(dtype=jnp.bfloat16).apply(variables, image)
        return output, code, model.apply(variables, code, method="decode"), half.image, slopes

    output, code, decoded, half, slopes = run(variables)
    parts = code if skip else (code,)
    assert [part.shape[1:] for part in parts] == [(8, 8, 2), (8, 8, 4), (16, 16, 4), (32, 32, 3)][: len(parts)]
    assert output.image.shape == (3, 2, 32, 32, 3)
    np.testing.assert_allclose(output.image, decoded.image, rtol=0, atol=1e-6)
    assert np.abs(output.image[:, 0] - output.image[:, 1]).max() > 1e-3  # two decoders, not one twice

    lanes = jax.tree.map(lambda leaf: np.stack([0.5 * leaf, leaf]), variables)
    side_by_side = jax.jit(jax.vmap(model.apply, (0, None)))(lanes, image).image[1]
    np.testing.assert_allclose(side_by_side, output.image, rtol=0, atol=1e-5)
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, output.image, rtol=0, atol=0.05)
    assert all(0 < np.abs(slope).max() < np.inf for slope in jax.tree.leaves(slopes))


def test_what_does_not_fit_is_refused():
    for model, shape, words in (
        (ResNet18(), (1, 32, 32, 1), r"images of shape \(b, h, w, 3\); got \(1, 32, 32, 1\): to_rgb"),
        (ResNet18(stem="small"), (1, 32, 32, 3), "no stem 'small'; choose imagenet or cifar"),  # pyright: ignore[reportArgumentType]
        (Unmixer(), (1, 28, 28, 3), "Unmixer takes images of shape"),
        (Unmixer(pooled=True, skip=True), (1, 32, 32, 3), "pooled features are 512"),
        (Unmixer(image_shape=(30, 30, 3)), (1, 30, 30, 3), "images of 30x30 can't be halved twice"),
    ):
        with pytest.raises(UsageError, match=words):
            jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(shape))
    one = jnp.zeros((1, 32, 32, 3))  # ends as one pixel of one image
    with pytest.raises(UsageError, match="has no variance to normalise by; use a larger batch"):
        jax.eval_shape(functools.partial(MODEL.apply, train=True, mutable=["batch_stats"]), made_up(), one)


def torch_resnet(torch):
    nn = torch.nn

    def conv(i, o, k, stride, padding):
        return nn.Conv2d(i, o, k, stride, padding, bias=False)

    class Block(nn.Module):
        def __init__(self, i, o, stride):
            super().__init__()
            self.conv1, self.bn1 = conv(i, o, 3, stride, 1), nn.BatchNorm2d(o)
            self.conv2, self.bn2 = conv(o, o, 3, 1, 1), nn.BatchNorm2d(o)
            changes = stride != 1 or i != o
            self.downsample = nn.Sequential(conv(i, o, 1, stride, 0), nn.BatchNorm2d(o)) if changes else nn.Identity()

        def forward(self, x):
            y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
            return (y + self.downsample(x)).relu()

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1, self.maxpool = conv(3, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.MaxPool2d(3, 2, 1)
            for n, (i, o) in enumerate(((64, 64), (64, 128), (128, 256), (256, 512)), 1):
                setattr(self, f"layer{n}", nn.Sequential(Block(i, o, 1 if n == 1 else 2), Block(o, o, 1)))
            self.fc = nn.Linear(512, 10)

        def forward(self, x):
            x = self.maxpool(self.bn1(self.conv1(x)).relu())
            for n in range(1, 5):
                x = getattr(self, f"layer{n}")(x)
            return self.fc(x.mean((2, 3)))

    return Network()


def test_values_are_torchs(tmp_path):
    torch = pytest.importorskip("torch")
    weights.save(tmp_path / "made_up.safetensors", made_up())
    tensors = {name: torch.tensor(value) for name, value in load_tensors(tmp_path / "made_up.safetensors").items()}
    network = torch_resnet(torch)
    loaded = network.load_state_dict(tensors, strict=False)
    assert all("num_batches" in name for name in loaded.missing_keys)
    assert not loaded.unexpected_keys

    def run(side):
        return network(torch.tensor(images(side).transpose(0, 3, 1, 2)))

    network.eval()
    for side in (32, 224):
        theirs = run(side).detach().numpy()
        np.testing.assert_allclose(logits(side), theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())
        np.testing.assert_allclose(theirs[0, [0, 4, 9]], numbers(str(side)), rtol=1e-6)
    network.train()
    output = run(64)
    loss = output.square().mean()
    loss.backward()
    ours = step(made_up(), jnp.asarray(images(64)))[1]
    theirs = {name: value.grad for name, value in network.named_parameters()} | dict(network.named_buffers())
    for name, tensor in torch_names(ours).items():
        tensor = tensor.transpose(weights._TO_TORCH.get(tensor.ndim, (0,)))
        np.testing.assert_allclose(tensor, theirs[name], rtol=0, atol=1e-4 * theirs[name].abs().max().item())
    np.testing.assert_allclose(digest(loss.item(), theirs), numbers("step"), rtol=1e-5)
