"""A study that compiles in a moment, for tests of everything around the model."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxae import keys, losses, models
from jaxae.models import Output
from jaxae.study import Batch, Study

DATA = np.random.default_rng(0).uniform(size=(22, 3)).astype(np.float32)
HELD_OUT = np.random.default_rng(1).uniform(size=(7, 3)).astype(np.float32)
IMAGES = np.random.default_rng(2).uniform(size=(40, 12, 12, 1)).astype(np.float32)


ADAM = optax.adam(0.01)
SMALL = {  # of the studies' own ResNet, which takes minutes to compile: what stands in its place
    "jaxae.models.resnet.WIDTHS": (4,),
    "jaxae.models.Unmixer": functools.partial(models.Unmixer, widths=(4, 4, 4)),
}


class Tiny(nn.Module):
    """Dense layers with what makes training differ from evaluation: batch statistics and dropout."""

    @nn.compact
    def __call__(self, x, *, train: bool = False):
        x = nn.Dense(4)(x)
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        x = nn.Dropout(0.3, deterministic=not train)(nn.relu(x))
        return Output(image=nn.Dense(3)(x))


def batch(key, data, index):
    image = data[index]
    noise = 0.1 * jax.random.normal(keys.stream(key, "noise"), image.shape)
    return Batch(inputs=image + noise, target=image)


def loss(outputs, batch, hparams):
    return losses.mse(outputs.image, batch.target), {"l1": losses.l1(outputs.image, batch.target)}


def image_loss(outputs, batch, hparams):
    return losses.mse(outputs.image, batch.target), {}


def scores(outputs, batch):
    return {"mse": losses.mse(outputs.image, batch.target)}


@functools.cache  # the same object compiles once
def study(**changes) -> Study:
    options = {"optimizer": ADAM, "batch_size": 5, "epochs": 3, "scores": scores}
    return Study(**{"name": "tiny", "model": Tiny(), "batch": batch, "loss": loss, **options, **changes})


def by_rate(hparams):
    return optax.sgd(hparams["rate"])


def roots(count: int) -> jax.Array:
    return jnp.stack([keys.root(seed) for seed in range(count)])


def assert_same_bits(left, right) -> None:
    left, right = jax.tree.leaves(left), jax.tree.leaves(right)
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def lane(tree, number: int):
    return jax.tree.map(lambda leaf: leaf[number], tree)


RESULT = ("state", "best", "train", "validation")


def noiseless(key, data, index):
    return Batch(inputs=data[index], target=data[index])


def result(progress):
    return [getattr(progress, name) for name in RESULT]


class Wide(nn.Module):
    """Another model than Tiny, which draws no dropout."""

    @nn.compact
    def __call__(self, x, *, train: bool = False):
        return Output(image=nn.Dense(3)(nn.relu(nn.Dense(7)(x))))
