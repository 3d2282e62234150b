"""Batches in parts: the same bits on any number of devices, in one run or in several, alone or beside others."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import (
    ADAM,
    DATA,
    HELD_OUT,
    IMAGES,
    Wide,
    assert_same_bits,
    batch,
    image_loss,
    lane,
    loss,
    noiseless,
    result,
    roots,
    study,
)

from jaxae import checkpoint, train
from jaxae.errors import UsageError
from jaxae.models import ConvAutoencoder, Output
from jaxae.study import Study
from jaxae.train import dying, evaluation, parts
from jaxae.train.chunks import chunk_length
from jaxae.train.lanes import Lanes, arranged
from jaxae.train.lanes import there as lanes_there

pytestmark = pytest.mark.usefixtures("optimised")

SEVERAL = (1, 2, 4, 8)  # devices


def in_parts(**changes) -> Study:
    return study(**{"model": Wide(), "batch_size": 8, "parts": 8, **changes})


def labelled_by_one(key, data, index):
    return noiseless(key, data, index)._replace(label=jnp.float32(1))


NETWORK = ConvAutoencoder(image_shape=(12, 12, 1))
CONV = Study("conv", NETWORK, noiseless, image_loss, ADAM, batch_size=16, epochs=2, parts=8)


def shared(devices: int) -> Lanes:
    return Lanes("map", devices, shared=True)


def trained(made: Study, how: Lanes, lanes: int = 1, data=DATA, held_out=HELD_OUT, start=None):
    plan = train.Plan(made.epochs)
    *_, last = train.progress(made, roots(lanes), data, plan, validation=held_out, how=how, start=start)
    return jax.tree.map(np.asarray, result(last))


@pytest.mark.parametrize("made", [in_parts(), CONV], ids=["dense", "convolutional"])
def test_a_training_has_the_same_bits_on_any_number_of_devices(made):
    data, held_out = (IMAGES, IMAGES[:7]) if made is CONV else (DATA, HELD_OUT)
    first, *others = (trained(made, shared(devices), data=data, held_out=held_out) for devices in SEVERAL)
    for other in others:
        assert_same_bits(first, other)


def test_a_lane_has_the_same_bits_alone_beside_others_and_resumed_elsewhere(tmp_path):
    alone = trained(in_parts(), Lanes())
    for how in (Lanes(), Lanes("map", 2), shared(2)):
        assert_same_bits(lane(alone, 0), lane(trained(in_parts(), how, lanes=3), 0))
    plan = train.Plan(3)
    first = next(train.progress(in_parts(), roots(1), DATA, plan, validation=HELD_OUT, how=shared(2)))
    checkpoint.save(tmp_path / "tiny", first)
    saved = checkpoint.restore(tmp_path / "tiny", train.begin(in_parts(), roots(1), DATA, plan, validate=True))
    assert_same_bits(alone, trained(in_parts(), shared(4), start=saved))


def test_parts_change_nothing_but_roundings():
    whole = dataclasses.replace(in_parts(), parts=1)
    for a, b in zip(*(jax.tree.leaves(trained(made, Lanes())) for made in (whole, in_parts())), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)


def test_the_mean_over_parts_is_that_over_the_batch():
    values = np.arange(24, dtype=np.float32).reshape(8, 3)
    found = jax.jit(lambda x: parts.mean(lambda part: (part.mean(0), part.sum()), x, 4))(values)
    np.testing.assert_array_equal(found[0], values.mean(0))
    np.testing.assert_array_equal(found[1], values.sum() / 4)


def test_every_device_computes_its_own_parts():
    sizes = []

    def watched(outputs, batch, hparams):
        sizes.append(len(outputs.image))
        return loss(outputs, batch, hparams)

    train.fit(in_parts(loss=watched, epochs=1), roots(1), DATA, devices=2)
    assert sizes[0] == 8  # the names of the losses are asked of a whole batch
    assert {*sizes[1:]} == {1}  # an example in each of eight parts
    how = shared(2)
    cut = jax.jit(jax.shard_map(
        functools.partial(parts.mean, lambda part: part, count=4, axis=how.axis), mesh=how.mesh,
        in_specs=jax.P(), out_specs=jax.P(), check_vma=False,
    ))  # fmt: skip
    np.testing.assert_array_equal(cut(jnp.arange(8.0)), [3.0, 4.0])  # 0 2 4 6 and 1 3 5 7


def test_devices_are_used_as_is_soonest_done():
    by_lanes = {count: arranged(in_parts(parts=8), count, "map", 2) for count in (1, 2, 3, 4, 9)}
    assert {count for count, how in by_lanes.items() if how.shared} == {1, 3}
    assert by_lanes[4] == Lanes("map", 2)
    assert arranged(in_parts(parts=1), 1, "map", 2) == Lanes(spare=1)
    assert arranged(in_parts(), 1, "vmap", 2) == Lanes("vmap", spare=1)
    assert arranged(in_parts(parts=4), 1, "map", 3) == shared(2)


def test_on_accelerators_seeds_are_side_by_side_and_calls_long(monkeypatch):
    asked = in_parts(parts=8)
    assert arranged(asked, 3) == arranged(asked, 3, "map", lanes_there())
    monkeypatch.setattr("jaxae.devices.platform", lambda: "gpu")
    monkeypatch.setattr("jaxae.train.chunks.platform", lambda: "gpu")
    monkeypatch.setattr("jaxae.train.lanes.there", lambda: 4)
    monkeypatch.setattr("jaxae.devices.found", lambda: [None] * 4)
    assert [arranged(asked, count) for count in (1, 9)] == [Lanes("vmap"), Lanes("vmap", 4)]
    assert [chunk_length(steps) for steps in (400, 5_000, 6_000)] == [400, 5_000, 3_000]


def brightness(outputs, batch):
    return outputs.image.mean()


def test_evaluation_takes_all_devices_and_has_the_same_bits():
    whole, images = dataclasses.replace(CONV, parts=1), np.tile(IMAGES, (-(-1234 // len(IMAGES)), 1, 1, 1))[:1234]
    alone, with_spare = (train.fit(whole, roots(1), IMAGES, validation=images, devices=devices) for devices in (1, 4))
    by_all = evaluation.lanes_for(whole, images, with_spare.how)
    assert evaluation.lanes_for(whole, images, alone.how) == Lanes() and by_all == shared(4)
    of_two_chunks = evaluation.lanes_for(whole, images[:500], with_spare.how)
    assert of_two_chunks == with_spare.how  # a device computes two at least
    assert_same_bits(alone.evaluate(images), with_spare.evaluate(images))
    looked = (dying.constant(whole, roots(1), arm.state, images, arm.how, brightness) for arm in (alone, with_spare))
    assert_same_bits(*looked)
    assert_same_bits((alone.validation, alone.best), (with_spare.validation, with_spare.best))


def test_batches_that_can_not_be_computed_in_parts_are_refused():
    class Drawing(nn.Module):
        @nn.compact
        def __call__(self, x, *, train: bool = False):
            return Output(image=nn.Dropout(0.5, deterministic=not train)(nn.Dense(3)(x)))

    for made, words in (
        (in_parts(parts=3, batch_size=6), "their number must be a power of two"),
        (in_parts(batch_size=6), "a batch of 6 doesn't divide into so many"),
        (study(batch_size=4, parts=2, batch=batch), "normalises over the whole batch"),
        (in_parts(model=Drawing()), "draws for all examples"),
        (in_parts(batch=labelled_by_one), "leading axis isn't that of the examples"),
    ):
        words = f"tiny can't be trained with parts={made.parts}: .*{words}.*; use parts=1"
        with pytest.raises(UsageError, match=words):
            train.fit(made, roots(1), DATA)
    with pytest.raises(UsageError, match="by map, not vmap"):
        Lanes("vmap", 2, shared=True)
