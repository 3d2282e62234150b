"""Pairs of two sets: what a pass holds, and the contracts of training and evaluation on them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny import ADAM, Tiny, assert_same_bits, lane, loss, roots, scores

from jaxae import data, evaluate, keys, train
from jaxae.data import dataset
from jaxae.errors import UsageError
from jaxae.study import Batch, Study


def images(name, count):
    values = np.random.default_rng(count).integers(0, 256, (count, 1, 1, 3)).astype(np.uint8)
    return dataset.create(
        values, np.arange(count, dtype=np.int32), name=name, split="train", source="synthetic", classes="0", version="1"
    )


DIGITS, PHOTOS = images("digits", 9), images("photos", 7)


def batch(key, pairs, index):
    first, second = pairs.first.image[index[:, 0], 0, 0], pairs.second.image[index[:, 1], 0, 0]
    image = (first.astype(jnp.float32) - second.astype(jnp.float32)) / 255
    return Batch(inputs=image, target=image, label=index)


def draw(key, pairs):
    return pairs.draw(key)


def drawn(seed, pairs):
    """The pairs of a pass."""
    return np.asarray(jax.jit(draw)(keys.root(seed), pairs))


def label(outputs, batch):
    return {"first": batch.label[:, 0], "second": batch.label[:, 1]}


STUDY = Study("pairs", Tiny(), batch, loss, ADAM, 3, 3, scores=scores, index=draw, examples=len)


def test_a_pass_runs_through_both_sets_before_any_image_comes_again():
    first, again, other = (drawn(seed, data.pairs(DIGITS, PHOTOS)) for seed in (0, 0, 1))
    assert first.shape == (7, 2)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    many = drawn(0, data.pairs(DIGITS, PHOTOS, count=20))
    assert sorted(many[:9, 0]) == sorted(many[9:18, 0]) == list(range(9))
    assert sorted(many[:7, 1]) == sorted(many[7:14, 1]) == list(range(7))
    assert (many[:7, 1] != many[7:14, 1]).any()


def test_aligned_pairs_have_the_same_number():
    index = drawn(0, data.pairs(DIGITS, PHOTOS, count=10, aligned=True))
    assert index.tolist() == [[i % 9, i % 7] for i in range(10)]


def test_no_pairs_are_refused():
    with pytest.raises(UsageError, match="0 pairs were asked for"):
        data.pairs(DIGITS, PHOTOS, count=0)


def test_epochs_have_other_pairs_and_evaluation_always_the_same():
    pairs, key = data.pairs(DIGITS, PHOTOS), keys.root(0)
    order = jax.jit(train.order, static_argnums=0)
    epochs = [np.asarray(order(STUDY, key, pairs, epoch)) for epoch in (0, 1)]
    assert [epoch.shape for epoch in epochs] == [(2, 3, 2), (2, 3, 2)]
    assert len(set(map(tuple, np.concatenate(epochs).reshape(-1, 2)))) > 8  # of 12; the same pairs would make 7
    state = jax.jit(train.init, static_argnums=0)(STUDY, key, pairs)
    found = jax.jit(evaluate.over, static_argnums=(0, 4))(STUDY, key, state, pairs, label)
    seen = evaluate.sample(STUDY, key, state, pairs, np.arange(7))[1].label
    assert sorted(np.asarray(seen)[:, 1]) == list(range(7))
    np.testing.assert_array_equal(np.stack([found["first"], found["second"]], 1), seen)


def test_no_chunk_length_changes_a_number():
    whole, parts = (train.fit(STUDY, roots(1), data.pairs(DIGITS, PHOTOS), chunk=chunk) for chunk in (2, 1))
    assert_same_bits((whole.state, whole.train), (parts.state, parts.train))


def test_given_variables_replace_the_drawn_ones():
    pairs, key = data.pairs(DIGITS, PHOTOS), keys.root(0)
    alone = jax.jit(train.init, static_argnums=0)(STUDY, key, pairs)
    kernel = np.full((3, 4), 0.5, np.float32)
    given = {
        "params": {"Dense_0": {"kernel": kernel}},
        "batch_stats": {"BatchNorm_0": {"mean": np.ones(4, np.float32)}},
    }
    began = train.begin(STUDY, roots(2), pairs, train.Plan(1), initial=given)
    for place in range(2):
        np.testing.assert_array_equal(began.state.params["Dense_0"]["kernel"][place], kernel)
        np.testing.assert_array_equal(began.state.batch_stats["BatchNorm_0"]["mean"][place], np.ones(4))
    assert_same_bits(lane(began.state.params, 0)["Dense_1"], alone.params["Dense_1"])
    for wrong in ({"Dense_0": {"kernel": np.zeros((4, 3))}}, {"Dense_9": {"kernel": kernel}}):
        with pytest.raises(
            UsageError, match=r"initial variables hold params/Dense_\d/kernel of shape .* the model has"
        ):
            train.init(STUDY, key, pairs, initial={"params": wrong})
