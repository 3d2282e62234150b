"""Evaluation by a convolutional model: in pieces on a CPU, with the scores of the whole, and whole where it draws."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxae import evaluate, keys, losses, train
from jaxae.models import Output
from jaxae.study import Batch, Study

IMAGES = np.random.default_rng(0).uniform(size=(270, 4, 4, 1)).astype(np.float32)  # a chunk, and a part of one
SEEN = []  # how many images a model was given at once, whenever it was traced


class Convolving(nn.Module):
    noisy: bool = False  # wherever it is given a key
    learned: bool = False  # whether it gives a number that belongs to no example

    @nn.compact
    def __call__(self, x, *, train: bool = False):
        SEEN.append(len(x))
        noise = jax.random.normal(self.make_rng("sample"), x.shape) if self.noisy and self.has_rng("sample") else 0.0
        return Output(image=nn.Conv(1, (3, 3))(x) + noise, code=jnp.float32(1) if self.learned else None)


def batch(key, data, index):
    return Batch(inputs=data[index], target=data[index])


def loss(outputs, batch, hparams):
    return losses.mse(outputs.image, batch.target), {}


def scores(outputs, batch):
    return {"mse": losses.mse(outputs.image, batch.target)}


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (Convolving(), evaluate.PIECE),
        (Convolving(noisy=True), evaluate.CHUNK),
        (Convolving(learned=True), evaluate.CHUNK),
    ],
)
def test_a_convolutional_model_is_given_pieces_where_all_is_by_example(model, given):
    study = Study("tiny", model, batch, loss, optax.sgd(0.1), 5, 1, scores)
    key = keys.root(0)
    state = train.init(study, key, IMAGES)
    SEEN.clear()
    found = jax.jit(lambda state: evaluate.scores(study, key, state, IMAGES))(state)["mse"]
    assert SEEN[-1] == given
    for number, rows in enumerate((slice(0, 250), slice(250, 270))):
        index = np.minimum(np.arange(250) + 250 * number, 269)
        whole = batch(key, IMAGES, index)
        outputs = evaluate.outputs(study, keys.stream(key, "evaluate", number), state, whole)
        expected = losses.mse(outputs.image, whole.target)[: rows.stop - rows.start]
        np.testing.assert_allclose(found[rows], expected, rtol=2e-6)
