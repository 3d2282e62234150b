"""The contracts of training: no chunking, lane, interruption or consumer changes a number."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny import (
    ADAM,
    DATA,
    HELD_OUT,
    Tiny,
    Wide,
    assert_same_bits,
    batch,
    by_rate,
    lane,
    loss,
    noiseless,
    result,
    roots,
    study,
)  # fmt: skip
from tiny import scores as tiny_scores

from jaxae import checkpoint, evaluate, keys, train
from jaxae.errors import UsageError
from jaxae.run.terminal import compilations
from jaxae.study import Study
from jaxae.train import lanes
from jaxae.train.finite import NonFiniteLossError
from jaxae.train.lanes import Lanes, resident

pytestmark = pytest.mark.usefixtures("optimised")


init = jax.jit(train.init, static_argnames="study")
steps = jax.jit(train.steps, static_argnames=("study", "count"))
scores = jax.jit(evaluate.scores, static_argnames="study")


def test_steps_in_several_calls_equal_steps_in_one_across_epochs():
    tiny, key = study(), keys.root(3)
    start = init(tiny, key, DATA)
    whole, losses = steps(tiny, key, start, DATA, 9)
    state, calls = start, []
    for _ in range(3):  # epochs have 4 steps
        state, part = steps(tiny, key, state, DATA, 3)
        calls.append(part["loss"])
    assert_same_bits(whole, state)
    assert_same_bits(losses["loss"], jnp.concatenate(calls))


@pytest.mark.parametrize(("unroll", "size", "held_out"), [(1, 5, HELD_OUT), (3, 4, None)])
def test_no_chunk_length_changes_a_number(unroll, size, held_out):
    tiny = study(unroll=unroll, batch_size=size)  # 4 steps an epoch, or 5: chunks of 3 and of 2
    one, whole = (train.fit(tiny, roots(1), DATA, validation=held_out, chunk=chunk) for chunk in (1, 22 // size))
    assert_same_bits(result(one), result(whole))


@pytest.mark.parametrize("devices", [1, 2])
def test_a_mapped_lane_equals_its_solo_run_bitwise(devices):
    three = train.fit(study(), roots(3), DATA, validation=HELD_OUT, devices=devices)
    for seed in range(3):
        solo = train.fit(study(), roots(3)[seed : seed + 1], DATA, validation=HELD_OUT)
        assert_same_bits(lane(result(three), seed), lane(result(solo), 0))


@pytest.mark.parametrize(("count", "devices"), [(1, 1), (2, 2), (3, 2)])
def test_nothing_is_compiled_after_the_first_epoch(count, devices):
    how, seen = Lanes("map", devices), compilations()
    epochs = train.progress(study(), roots(count), DATA, train.Plan(3), validation=HELD_OUT, how=how)
    compiled = [len(seen) for _ in epochs]
    assert len(compiled) == 3
    assert compiled[0] == compiled[-1]


def test_studies_built_alike_compile_once():
    def made():
        return Study("alike", Tiny(), batch, loss, ADAM, batch_size=5, epochs=1, scores=tiny_scores)

    start = len(compilations())
    train.fit(made(), roots(1), DATA, validation=HELD_OUT)
    before = len(compilations())
    assert before > start
    train.fit(dataclasses.replace(made(), name="of another name"), roots(1), DATA, validation=HELD_OUT)
    assert len(compilations()) == before


def test_vmapped_lanes_equal_mapped_ones_to_rounding():
    # SGD: Adam blows the rounding error of a gradient that is 0 up to a full step
    rates = {"rate": np.full(2, 0.1, np.float32)}
    tiny = study(optimizer=by_rate)
    mapped, side_by_side = (train.fit(tiny, roots(2), DATA, lanes=mode, hparams=rates) for mode in ("map", "vmap"))
    for a, b in zip(jax.tree.leaves(mapped.state), jax.tree.leaves(side_by_side.state), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-3, atol=1e-5)


def test_fit_takes_the_steps_of_steps():
    fitted = train.fit(study(), roots(1), DATA)
    key = roots(1)[0]
    losses = steps(study(), key, init(study(), key, DATA), DATA, 9)[1]
    np.testing.assert_allclose(fitted.train["loss"][0, :9], losses["loss"], rtol=1e-5)
    assert np.asarray(fitted.state.step).tolist() == [12]


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_going_on_from_a_saved_checkpoint_equals_never_stopping(tmp_path, stop):
    options = {"validation": HELD_OUT, "how": Lanes("map", 2)}
    plan = train.Plan(3, chunk=1)
    *_, whole = train.progress(study(), roots(3), DATA, plan, **options)
    for number, now in enumerate(train.progress(study(), roots(3), DATA, plan, **options), 1):
        if number == stop:
            checkpoint.save(tmp_path / "tiny", now)
            break
    like = train.begin(study(), roots(3), DATA, plan, validate=True)
    saved = checkpoint.restore(tmp_path / "tiny", like)
    assert saved is not None
    assert int(saved.done) == stop
    *_, resumed = train.progress(study(), roots(3), DATA, plan, start=saved, **options)
    assert_same_bits(result(whole), result(resumed))


def test_the_training_loss_has_hparams_of_its_step_and_validation_those_that_are_given():
    def weighed(outputs, batch, hparams):
        values, _ = loss(outputs, batch, hparams)
        return values, {"weight": jnp.full(len(values), hparams["weight"])}

    def warmed(hparams, step):
        return {"weight": hparams["weight"] * jnp.minimum(step / 6, 1)}

    slow = study(loss=weighed, schedule=warmed)
    done = train.fit(
        slow, roots(2), DATA, validation=HELD_OUT, hparams={"weight": np.array([1, 3], np.float32)}, chunk=3
    )
    ramp = np.minimum(np.arange(12) / 6, 1)
    np.testing.assert_allclose(done.train["weight"], [ramp, 3 * ramp], rtol=1e-6)
    np.testing.assert_allclose(done.validation["weight"], [[1] * 3, [3] * 3], rtol=1e-6)


def test_an_epoch_shows_every_example_at_most_once_and_none_is_favoured():
    orders = np.stack([np.asarray(train.order(study(), keys.root(0), DATA, epoch)) for epoch in range(400)])
    assert orders.shape == (400, 4, 5)
    assert all(len(set(epoch.ravel())) == 20 for epoch in orders)
    seen = np.bincount(orders.ravel(), minlength=22)  # each is left out of 2 epochs in 22: 364 +- 6 are expected
    assert seen.min() > 330
    assert seen.max() < 395


def curious(key, data, index):
    return batch(key, data, index)._replace(label=jax.random.normal(keys.stream(key, "more"), index.shape))


def seen(outputs, batch, hparams):
    more = {} if batch.label is None else {"more": batch.label}
    mix = jnp.array([1.0, 2.0, 4.0])
    return loss(outputs, batch, hparams)[0], {
        "order": batch.target @ mix,
        "noise": (batch.inputs - batch.target) @ mix,
        **more,
    }


def test_arms_share_data_order_and_noise_whatever_their_model_and_what_else_it_draws():
    arms = study(loss=seen), dataclasses.replace(study(loss=seen), model=Wide(), batch=curious)
    one, other = (train.fit(arm, roots(2), DATA).train for arm in arms)
    for name in ("order", "noise"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-6)
    for values in (one["order"], one["noise"], other["more"]):
        assert len(np.unique(values)) == values.size == 24  # every step of every seed has its own


def test_training_changes_batch_statistics_and_evaluation_does_not_depend_on_the_batch():
    state = lane(train.fit(study(), roots(1), DATA).state, 0)
    assert not np.allclose(state.batch_stats["BatchNorm_0"]["mean"], 0)
    quiet = study(batch=noiseless)
    few, many = (scores(quiet, keys.root(0), state, data)["mse"] for data in (DATA[:3], DATA))
    np.testing.assert_allclose(few, many[:3], rtol=1e-5)
    assert many.shape == (22,)


def test_evaluation_keeps_the_remainder_of_the_last_chunk(monkeypatch):
    quiet = study(batch=noiseless)
    state = init(quiet, keys.root(0), DATA)
    whole = scores(quiet, keys.root(0), state, DATA)["mse"]
    monkeypatch.setattr(evaluate, "CHUNK", 8)
    by_chunks = jax.jit(lambda state: evaluate.scores(quiet, keys.root(0), state, DATA))(state)["mse"]
    np.testing.assert_allclose(by_chunks, whole, rtol=1e-5)


def test_the_first_loss_that_is_not_finite_is_named():
    rates = {"rate": np.array([0.01, 1e38], np.float32)}
    fragile = study(optimizer=by_rate)
    with pytest.raises(NonFiniteLossError) as caught:
        train.fit(fragile, roots(2), DATA, hparams=rates)
    hot = {"rate": jnp.float32(1e38)}
    start = init(fragile, roots(2)[1], DATA, hot)
    values = steps(fragile, roots(2)[1], start, DATA, 4, hot)[1]["loss"]
    first = 1 + int(np.argmax(~np.isfinite(np.asarray(values))))
    assert (caught.value.lane, caught.value.epoch, caught.value.step) == (1, 1, first)


def test_validation_happens_where_it_is_asked_for():
    done = train.fit(study(), roots(1), DATA, validation=HELD_OUT, validate_every=3)
    assert done.validation["loss"].shape == (1, 3)  # after step 3 of each of three epochs of 4
    assert set(done.validation) == {"loss", "l1"}
    assert np.isfinite(done.validation["l1"]).all()


def test_the_best_holds_what_it_takes_to_use_the_model_and_nothing_where_there_is_no_validation():
    assert train.fit(study(), roots(1), DATA, epochs=1).best is None
    best = train.fit(study(), roots(1), DATA, epochs=1, validation=HELD_OUT).best
    assert best is not None
    assert (best.opt_state, [*best.params]) == ((), [*init(study(), keys.root(0), DATA).params])


def test_parameters_that_are_not_finite_stop_the_training_though_the_loss_was():
    def huge(hparams):
        return optax.sgd(float("inf"))  # the first loss is finite, and so is no parameter after it

    with pytest.raises(NonFiniteLossError, match="not finite after step 1 of epoch 1; try a smaller learning"):
        train.fit(study(optimizer=huge), roots(1), DATA, chunk=1)


def test_validation_that_is_not_finite_stops_the_training_and_nan_in_data_begins_none():
    def fragile(outputs, batch, hparams):
        values, more = loss(outputs, batch, hparams)
        return jnp.where(batch.target[:, 0] > 2, jnp.nan, values), more

    odd = np.full_like(HELD_OUT, 3.0)
    with pytest.raises(NonFiniteLossError, match="the validation loss is nan after step 4 of epoch 1"):
        train.fit(study(loss=fragile), roots(1), DATA, validation=odd)
    with pytest.raises(UsageError, match=r"the validation data hold NaN or infinity, first in example 0"):
        train.fit(study(), roots(1), DATA, validation=odd * np.nan)


def test_validating_less_often_than_once_an_epoch_is_refused():
    with pytest.raises(UsageError, match="validate_every is 5 and an epoch has 4 steps"):
        train.fit(study(), roots(1), DATA, validation=HELD_OUT, validate_every=5)


def test_what_cannot_be_written_is_moved_to_the_devices_once():
    fixed, how = DATA.copy(), Lanes("map", 2)
    fixed.flags.writeable = False
    (first,), (again,) = resident([fixed], how), resident([fixed], how)
    assert first is again
    (one,), (other,) = resident([DATA], how), resident([DATA], how)
    assert one is not other


@pytest.mark.parametrize("made", ["its own", "of jax", "of a file"])
def test_a_copy_on_the_devices_goes_with_its_array(made, tmp_path):
    np.save(tmp_path / "data.npy", DATA)
    fixed = {
        "its own": lambda: DATA.copy(), "of jax": lambda: np.asarray(jnp.asarray(DATA)),
        "of a file": lambda: np.load(tmp_path / "data.npy", mmap_mode="r"),
    }[made]()  # fmt: skip
    fixed.flags.writeable = False
    kept, place = len(lanes._COPIES), Lanes("map", 2)
    np.testing.assert_array_equal(resident(fixed, place), DATA)
    assert len(lanes._COPIES) == kept + 1
    del fixed
    assert len(lanes._COPIES) == kept


def test_an_aligned_array_is_where_it_is_for_all_devices():
    fixed = lanes.aligned(DATA)
    placed = resident(fixed, Lanes("map", 2))
    assert {shard.data.unsafe_buffer_pointer() for shard in placed.addressable_shards} == {fixed.ctypes.data}
    np.testing.assert_array_equal(fixed, DATA)
    with pytest.raises(ValueError, match="read-only"):
        fixed[0] = 1


@pytest.mark.parametrize("how", [lanes.SOLO, Lanes("map", 2), Lanes("map", 2, shared=True)])
def test_what_is_trained_begins_with_the_bits_of_init(how):
    model: Any = Wide()
    wide = study(model=model, batch=noiseless, batch_size=4, parts=2)
    begun = train.begin(wide, roots(2), DATA, train.Plan(1), how=how)
    for seed in range(2):
        assert_same_bits(lane(begun.state, seed), init(wide, keys.root(seed), DATA))
