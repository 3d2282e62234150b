"""Lanes that stop before the others: early, by validation, or dead."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from prepared import refused
from tiny import DATA, HELD_OUT, assert_same_bits, by_rate, roots, study

from jaxae import train
from jaxae.models import Output
from jaxae.study import Batch
from jaxae.train import dying, trained

pytestmark = pytest.mark.usefixtures("optimised")


def test_lanes_stop_early_one_by_one_and_keep_their_best():
    # at rate 0 dropout alone changes nothing: validation never improves after the first
    rates = {"rate": np.array([0.0, 0.05], np.float32)}
    still = study(optimizer=by_rate, epochs=6)
    plan = train.Plan(6, patience=2)
    *_, done = train.progress(still, roots(2), DATA, plan, validation=HELD_OUT, hparams=rates)
    assert done.best is not None
    # batch statistics move at rate 0 too, so the best is wherever validation was lowest
    points = done.validation["loss"]
    best = np.nanargmin(points, 1)
    np.testing.assert_allclose(np.asarray(done.best_loss), points[[0, 1], best])
    np.testing.assert_array_equal(np.asarray(done.best.step), 4 * (best + 1))
    trained = (~np.isnan(points)).sum(1)
    assert trained.tolist() == [3, 6]  # lane 0 stops two validations after its best, the first
    assert best[0] == 0
    assert (~np.isnan(done.train["loss"])).sum(1).tolist() == (4 * trained).tolist()


def test_dead_lanes_stop_after_the_first_epoch_and_leave_the_others_their_bits(monkeypatch):
    def killing(hparams):  # at rate 0 all weights become 0, and stay so
        def update(slopes, params):
            return jax.tree.map(lambda s, p: jnp.where(hparams["rate"] == 0, -p, -hparams["rate"] * s), slopes, params)

        return optax.stateless(update)

    monkeypatch.setattr(dying, "SLOW_START", 4)
    options = {"validation": HELD_OUT, "hparams": {"rate": np.array([0.05, 0, 0.05], np.float32)}}
    whole = train.fit(study(optimizer=killing), roots(3), DATA, **options)
    done = train.fit(study(optimizer=killing), roots(3), DATA, **options, stop_dead=True)
    assert (~np.isnan(done.validation["loss"])).sum(1).tolist() == [3, 1, 3]
    assert done.alive.tolist() == [True, False, True]
    assert np.asarray(done.state.step).tolist() == [12, 4, 12]
    assert_same_bits(*(jax.tree.map(lambda leaf: leaf[np.array([0, 2])], arm.state) for arm in (whole, done)))
    dead = trained.told_apart(whole, HELD_OUT)
    assert (dead.alive.tolist(), dead.slow.any()) == ([True, False, True], False)
    monkeypatch.setattr(dying, "SLOW_START", 13)  # more than there are steps
    slow = trained.told_apart(whole, HELD_OUT)
    assert (slow.alive.all(), slow.slow.tolist()) == (True, [False, True, False])
    assert slow.cut("tiny", slice(1, 2)).slow.tolist() == [True]
    monkeypatch.setattr(dying, "SLOW_START", 5)  # more than the dead lane took until it was stopped
    assert trained.told_apart(done, HELD_OUT).slow.tolist() == [False, True, False]


def test_a_lane_or_an_example_that_is_not_there_is_refused():
    done = train.fit(study(), roots(2), DATA, epochs=1)
    refused("no lane 2 among 2; choose from 0 to 1", done.variables, 2)
    refused("no lane -1 among 2", done.sample, DATA, [0], lane=-1)
    refused("no example 22 among 22; choose from 0 to 21", done.sample, DATA, [3, 22])


def test_where_outputs_are_no_pictures_like_the_targets_nobody_is_called_dead():
    images = jnp.zeros((3, 2))
    for target in (jnp.arange(3), jnp.zeros((3, 1)), (images, images)):
        assert not dying.seen_one_picture(Output(image=images), Batch(images, target))
    assert dying.seen_one_picture(Output(image=images), Batch(images, images + jnp.arange(3.0)[:, None]))


def test_a_model_whose_outputs_are_no_pictures_stops_no_training(monkeypatch):
    monkeypatch.setattr(dying, "SLOW_START", 1)
    counting = study(
        batch=lambda key, data, index: Batch(data[index], index), loss=lambda outputs, *_: (outputs.image.sum(1), {})
    )
    done = train.fit(counting, roots(1), DATA, validation=HELD_OUT, epochs=1, stop_dead=True)
    assert done.alive.all()
