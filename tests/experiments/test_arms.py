"""What every arm of the studies must allow: batches in parts, the same bits on any number of devices."""

import dataclasses

import jax
import numpy as np
import pytest
from tiny import SMALL, assert_same_bits, result

from experiments.benchmark import jax_arms
from jaxae import keys, train
from jaxae.train import evaluation, lanes
from jaxae.train.lanes import Lanes

BATCH = 8


@pytest.fixture(params=sorted(jax_arms.ARMS))
def small_arm(request, monkeypatch):
    """An arm of the benchmark, as small as it gets, and its root key."""
    for place, small in SMALL.items():
        monkeypatch.setattr(place, small)
    asked = jax_arms.Question("exchange", request.param, batch=BATCH, source="synthetic", images=100)
    return jax_arms.ARMS[request.param](asked), keys.root(0)


def test_batches_are_computed_in_parts_where_the_loss_of_an_example_is_its_own(small_arm):
    """What `indivisible` can't see, of every study: no example of a batch bears on another's loss."""
    arm, key = small_arm
    divided = dataclasses.replace(arm.study, parts=2)
    if train.indivisible(divided, key, arm.data, arm.hparams):
        assert "unmix" in arm.study.model.__class__.__name__.lower()
        return

    @jax.jit
    def losses(data):
        state = train.init(arm.study, key, data, arm.hparams)
        batch = arm.study.batch(key, data, jax.numpy.arange(BATCH))
        halves = slice(BATCH // 2), slice(BATCH // 2, BATCH)
        parts = [batch, *(jax.tree.map(lambda leaf, cut=cut: leaf[cut], batch) for cut in halves)]
        outputs = [arm.study.model.apply({"params": state.params}, part.inputs, train=True) for part in parts]
        return [arm.study.loss(out, part, arm.hparams)[0] for out, part in zip(outputs, parts, strict=True)]

    whole, *halves = losses(jax.tree.map(jax.numpy.asarray, arm.data))
    np.testing.assert_allclose(whole, np.concatenate(halves), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("optimised")
def test_an_arm_has_the_same_bits_on_one_device_and_on_four(small_arm):
    arm, key = small_arm
    study, plan = dataclasses.replace(arm.study, parts=4), train.Plan(1)
    if train.indivisible(study, key, arm.data, arm.hparams):
        pytest.skip("its batches can't be computed in parts")
    hparams = jax.tree.map(lambda value: np.full(1, value, np.float32), arm.hparams)

    def trained(how):
        *_, last = train.progress(study, key[None], arm.data, plan, hparams=hparams, how=how)
        return jax.tree.map(np.asarray, result(last))

    assert_same_bits(trained(Lanes()), trained(Lanes("map", 4, shared=True)))


@pytest.mark.usefixtures("optimised")
def test_a_lone_image_is_scored_to_the_same_bits_beside_other_lanes():
    asked = jax_arms.Question("evaluation", "conv", source="synthetic", images=10)
    arm, roots = jax_arms.ARMS["conv"](asked), jax.numpy.stack([keys.root(seed) for seed in range(3)])

    lone = dataclasses.replace(arm.data, image=arm.data.image[:1], label=arm.data.label[:1])

    def scored(count, how):
        hparams = jax.tree.map(lambda value: np.full(count, value, np.float32), arm.hparams)
        begun = train.begin(arm.study, roots[:count], arm.data, train.Plan(1), hparams=hparams, how=how)
        found = evaluation.scores_of(arm.study, roots[:count], lanes.placed(begun.state, how), lone, how)
        return {name: np.asarray(values[0]) for name, values in found.items()}

    assert_same_bits(scored(1, Lanes()), scored(3, Lanes("map", 2)))
