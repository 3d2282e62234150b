"""Lanes that share their batches: the devices' parts give what the whole gives, but for rounding, and go on bitwise."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny import DATA, HELD_OUT, Wide, assert_same_bits, lane, loss, noiseless, result, roots, study

from jaxae import checkpoint, train
from jaxae.errors import UsageError
from jaxae.models import Output
from jaxae.train.lanes import Lanes

pytestmark = pytest.mark.usefixtures("optimised")

SPLIT = Lanes("split", 2)


def labelled_by_one(key, data, index):
    return noiseless(key, data, index)._replace(label=jnp.float32(1))


def divisible(**changes):
    return study(**{"model": Wide(), "batch_size": 4, "optimizer": optax.sgd(0.1), **changes})


def test_each_device_has_its_part_of_a_divided_batch():
    sizes = []

    def watched(outputs, batch, hparams):
        sizes.append((len(outputs.image), len(batch.inputs)))
        return loss(outputs, batch, hparams)

    train.fit(divisible(loss=watched), roots(1), DATA, lanes="split", devices=2)
    assert sizes[-1] == (2, 2)


def test_a_divided_batch_trains_as_a_whole_one_but_for_rounding_and_goes_on_bitwise(tmp_path):
    options = {"lanes": "split", "devices": 2}
    whole, divided = (train.fit(divisible(), roots(3), DATA, validation=HELD_OUT, **how) for how in ({}, options))
    for a, b in zip(jax.tree.leaves(result(whole)), jax.tree.leaves(result(divided)), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)
    solo = train.fit(divisible(), roots(3)[1:2], DATA, validation=HELD_OUT, **options)
    assert_same_bits(lane(result(divided), 1), lane(result(solo), 0))
    first = next(train.progress(divisible(), roots(3), DATA, train.Plan(3), validation=HELD_OUT, how=SPLIT))
    checkpoint.save(tmp_path / "tiny", first)
    saved = checkpoint.restore(
        tmp_path / "tiny", train.begin(divisible(), roots(3), DATA, train.Plan(3), validate=True)
    )
    resumed = train.fit(divisible(), roots(3), DATA, validation=HELD_OUT, start=saved, **options)
    assert_same_bits(result(divided), result(resumed))


def test_batches_that_can_not_be_divided_are_refused():
    class Drawing(nn.Module):
        @nn.compact
        def __call__(self, x, *, train: bool = False):
            return Output(image=nn.Dropout(0.5, deterministic=not train)(nn.Dense(3)(x)))

    for made, words in (
        (divisible(batch_size=5), "a batch of 5 doesn't divide among 2 devices"),
        (study(batch_size=4), "normalises over the whole batch"),
        (divisible(model=Drawing()), "draws for all examples"),
        (divisible(batch=labelled_by_one), "leading axis isn't that of the examples"),
    ):
        with pytest.raises(UsageError, match=f"tiny can't be trained with lanes 'split': .*{words}.*; use 'map'"):
            train.fit(made, roots(1), DATA, lanes="split", devices=2)
