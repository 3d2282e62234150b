"""Images that are read from their file while training goes on: the bits of images on the device."""

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from PIL import Image
from tiny import assert_same_bits, loss, result, roots

from jaxae import checkpoint, data, keys, metrics, train
from jaxae.data import cache
from jaxae.errors import UsageError
from jaxae.models import Output
from jaxae.run.flags import Flags
from jaxae.run.training import choose_lanes
from jaxae.study import Batch, Study
from jaxae.train import evaluate, evaluation, lanes, streaming
from jaxae.train.lanes import Lanes
from jaxae.transforms import to_signed, to_unit

pytestmark = pytest.mark.usefixtures("optimised")


class Wide(nn.Module):
    """Convolutions, as evaluation in pieces has them."""

    @nn.compact
    def __call__(self, x, *, train: bool = False):
        return Output(image=nn.sigmoid(nn.Conv(1, (3, 3))(nn.relu(nn.Conv(3, (3, 3))(x)))))


class Shown(NamedTuple):
    """Images, those that an epoch shows, and which it is mixed with."""

    image: Any
    row: Any


DRAWN = np.random.default_rng(3)
IMAGES = DRAWN.integers(0, 256, (43, 12, 12, 1)).astype(np.uint8)
WHOLE = data.from_arrays(IMAGES, DRAWN.integers(0, 3, 43), classes=("a", "b", "c"))
TEST = data.from_arrays(IMAGES[:17])
ROWS = Shown(WHOLE.image, DRAWN.permutation(43).astype(np.int32)[:30])


def noisy(key, given, index):
    image = to_unit(given.image[index])
    noise = jax.random.normal(keys.stream(key, "noise"), image.shape)
    return Batch(inputs=image + 0.1 * noise, target=image, label=given.label[index])


def mixed(key, given: Shown, index):
    """Images by way of other rows, each mixed with one that is drawn."""
    other = jax.random.randint(keys.stream(key, "other"), index.shape, 0, len(given.image))
    image = to_signed(given.image[given.row[index]])
    return Batch(inputs=(image + to_signed(given.image[other])) / 2, target=image)


def scores(outputs, batch):
    return {"mse": metrics.mse(outputs.image, batch.target)}


def examples(given: Shown) -> int:
    return given.row.shape[0]


ADAM = optax.adam(0.01)
NOISY = Study("noisy", Wide(), noisy, loss, ADAM, batch_size=8, epochs=2, scores=scores, parts=4)
MIXED = Study("mixed", Wide(), mixed, loss, ADAM, batch_size=6, epochs=2, scores=scores, examples=examples)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(streaming, "PIECE", 2_000)  # bytes: two steps, and two chunks of an evaluation, of all lanes
    monkeypatch.setattr(evaluate, "CHUNK", 4)


def trained(study, given, held_out, how, count, start=None):
    plan = train.Plan(2, validate_every=3)
    *_, last = train.progress(study, roots(count), given, plan, validation=held_out, how=how, start=start)
    return jax.tree.map(np.asarray, result(last))


@pytest.mark.parametrize(
    ("study", "given", "held_out", "count", "how"),
    [
        (MIXED, ROWS, ROWS._replace(row=ROWS.row[:11]), 3, Lanes()),
        (NOISY, WHOLE, TEST, 2, Lanes("map", 2)),
        (NOISY, WHOLE, TEST, 2, Lanes("map", 2, shared=True)),
    ],
    ids=["mixed-one", "noisy-two", "noisy-shared"],
)
def test_images_that_are_read_give_the_bits_of_images_on_the_device(study, given, held_out, count, how):
    streamed = Lanes(how.mode, how.devices, how.shared, stream=True)
    whole = trained(study, given, held_out, how, count)
    assert_same_bits(whole, trained(study, given, held_out, streamed, count))
    plan = train.Plan(2, validate_every=3)
    options = {"validation": held_out, "how": streamed}
    first = next(train.progress(study, roots(count), given, plan, **options))
    assert 0 < int(first.done) < study.steps_per_epoch(given)  # in the middle of an epoch
    assert_same_bits(whole, trained(study, given, held_out, how, count, start=first))


def rated(hparams):
    return optax.adam(hparams["rate"])


def test_unrolled_steps_stopped_lanes_and_evaluation_otherwise_have_the_bits_of_images_on_the_device():
    rates = {"rate": np.array([0.0, 0.01], np.float32)}  # at rate 0 validation never improves
    odd = replace(NOISY, unroll=2, eval_batch=others_images, optimizer=rated, epochs=3)
    options = {"validation": TEST, "hparams": rates, "patience": 1}
    one, other = (train.fit(odd, roots(2), WHOLE, **options, stream=stream) for stream in (False, True))
    assert np.isnan(other.validation["loss"]).sum(1).tolist() == [1, 0]
    for name in ("state", "best", "train", "validation"):
        assert_same_bits(getattr(one, name), getattr(other, name))
    assert_same_bits(one.evaluate(TEST), other.evaluate(TEST))


def others_images(key, given, index):
    """Some counted from the end; of those beyond either end the nearest."""
    image = to_unit(given.image[3 * index - 20])
    return Batch(inputs=image, target=image)


def test_means_over_many_images_have_the_bits_of_those_on_the_device(monkeypatch):
    monkeypatch.setattr(evaluate, "CHUNK", 250)
    many = data.from_arrays(DRAWN.integers(0, 256, (5_003, 2, 2, 1)).astype(np.uint8))
    state = train.begin(NOISY, roots(2), WHOLE, train.Plan(1)).state
    one, other = (
        evaluation.losses_of(NOISY, roots(2), state, many, None, np.ones(2, bool), Lanes(stream=stream))
        for stream in (False, True)
    )
    assert_same_bits(one, other)


def test_going_on_from_a_checkpoint_in_the_middle_of_an_epoch_reads_what_is_left(tmp_path):
    plan, how = train.Plan(2), Lanes(stream=True)
    first = next(train.progress(NOISY, roots(2), WHOLE, plan, validation=TEST, how=how))
    checkpoint.save(tmp_path / "noisy", first)
    saved = checkpoint.restore(tmp_path / "noisy", train.begin(NOISY, roots(2), WHOLE, plan, validate=True, how=how))
    assert saved is not None
    *_, whole = train.progress(NOISY, roots(2), WHOLE, plan, validation=TEST)
    *_, resumed = train.progress(NOISY, roots(2), WHOLE, plan, validation=TEST, how=how, start=saved)
    assert_same_bits(result(whole), result(resumed))


def test_scores_samples_and_who_lives_are_those_of_images_on_the_device(monkeypatch):
    monkeypatch.setattr("jaxae.train.dying.SLOW_START", 1)
    one, other = (
        train.fit(NOISY, roots(2), WHOLE, validation=TEST, devices=2, stop_dead=True, stream=stream)
        for stream in (False, True)
    )
    assert other.how.stream
    np.testing.assert_array_equal(one.alive, other.alive)
    assert_same_bits(one.evaluate(WHOLE), other.evaluate(WHOLE))
    index = np.array([3, 1, 40])
    assert_same_bits(one.sample(WHOLE, index, lane=1), other.sample(WHOLE, index, lane=1))


def test_no_image_is_on_a_device_but_those_of_a_piece():
    how = Lanes("map", 2, shared=True, stream=True)
    placed = lanes.resident(WHOLE, how)
    assert [leaf.dtype for leaf in jax.tree.leaves(placed)] == [np.int32]  # the labels
    order = jnp.stack([train.order(NOISY, key, placed, 0) for key in roots(3)])
    first = next(streaming.of_epoch(NOISY, roots(3), WHOLE, order, 0, [slice(0, 2), slice(2, 5)], how))
    ((images,),) = first
    assert images.shape == (3, 2, 8, 12, 12, 1)
    assert {shard.data.shape for shard in images.addressable_shards} == {(3, 2, 4, 12, 12, 1)}  # half of each batch
    np.testing.assert_array_equal(images, IMAGES[np.asarray(order)[:, :2]])


def test_a_part_of_a_split_is_a_view_of_its_file(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path))
    monkeypatch.setattr(cache, "LARGE", 1)
    part = data.load("mnist", "train[100:300]", source="synthetic")
    again = data.load("mnist", "train[100:300]", source="synthetic")
    assert isinstance(_owner(again.image), np.memmap)
    np.testing.assert_array_equal(part.image, again.image)
    assert part.fingerprint == again.fingerprint


def _owner(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def looking(key, given, index):
    bright = given.image[index].mean((1, 2, 3)).astype(jnp.int32)
    return Batch(to_unit(given.image[bright % 43]), to_unit(given.image[index]))


def branching(key, given, index):
    image = jax.lax.cond(index[0] > 3, lambda: given.image[index], lambda: given.image[index + 1])
    return Batch(to_unit(image), to_unit(image))


def converted(key, given, index):
    image = to_unit(jnp.asarray(given.image)[index])
    return Batch(image, image)


def neighbours(key, given, index):
    return Batch(to_unit(given.image[index]), to_unit(given.image[jnp.stack([index, index], 1)]).mean(1))


def imageless(key, given, index):
    return Batch(given.label[index], given.label[index])


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (looking, "which images its batches take depends on images"),
        (branching, "its batches take them in a branch or a loop"),
        (converted, r"its batches take them otherwise than by `\[index\]`"),
        (neighbours, "its batches take others than one for each example"),
        (imageless, "its batches take no stored images"),
    ],
)
def test_batches_that_images_can_not_be_read_for_are_refused(batch, words):
    made = Study("odd", Wide(), batch, loss, ADAM, batch_size=4, epochs=1)
    with pytest.raises(UsageError, match=f"'odd' can't be trained on images that stay in their file: {words}.*; leave"):
        next(train.progress(made, roots(1), WHOLE, train.Plan(1), how=Lanes(stream=True)))


def test_images_that_can_not_be_read_for_an_evaluation_are_refused_and_taken_from_the_device():
    arm = train.fit(NOISY, roots(1), WHOLE, epochs=1, stream=True)
    for batch in (looking, branching, converted):
        other = replace(NOISY, eval_batch=batch)
        with pytest.raises(UsageError, match="'noisy' can't be evaluated on images that stay in their file: "):
            arm.evaluate(WHOLE, other)
        with pytest.raises(UsageError, match="'noisy' can't be evaluated on images that stay in their file: "):
            arm.sample(WHOLE, np.arange(3), study=other)
    placed = jax.tree.map(jnp.asarray, WHOLE)
    outputs, _ = arm.sample(placed, np.arange(3), study=replace(NOISY, eval_batch=branching))
    assert outputs.image.shape == (3, 12, 12, 1)


def test_without_grain_streaming_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "grain", None)
    with pytest.raises(UsageError, match=r"Grain, which isn't there; install it with: python3 -m pip .* install grain"):
        train.fit(NOISY, roots(1), WHOLE, stream=True)


def test_images_that_do_not_fit_are_read_where_they_can_be_and_it_is_said(monkeypatch):
    said: list[str] = []
    run: Any = SimpleNamespace(config=Flags(), say=said.append)
    assert not choose_lanes(run, NOISY, 2, WHOLE, TEST, None).stream
    monkeypatch.setattr("jaxae.run.training._fit", lambda sets: False)
    assert choose_lanes(run, NOISY, 2, WHOLE, TEST, None).stream
    assert said == ["noisy: its images take more than half of a device's memory, so they are read from their file"]
    assert not choose_lanes(run, replace(NOISY, eval_batch=branching), 2, WHOLE, TEST, None).stream
    monkeypatch.setitem(sys.modules, "grain", None)
    assert not choose_lanes(run, NOISY, 2, WHOLE, TEST, None).stream
    assert len(said) == 1


def test_a_large_set_is_decoded_into_a_file_that_ends_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path / "cache"))
    for number, image in enumerate(IMAGES):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{number:02}.png")
    small = data.from_folder(tmp_path, "train")
    monkeypatch.setattr("jaxae.data.cache.LARGE", 1)
    large = data.from_folder(tmp_path, "train")
    assert isinstance(_owner(large.image), np.memmap)
    assert [*(tmp_path / "cache").iterdir()] == []
    assert large.fingerprint == small.fingerprint
