"""The learning rates of ReduceLROnPlateau, against PyTorch 2.13's on 40 loss sequences (stored) and by hand."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny import DATA, lane, roots, study

from jaxae import schedules, train
from jaxae.errors import UsageError

EPOCHS, EACH = 60, 5
SETTINGS = (
    {},
    {"patience": 0},
    {"patience": 2, "factor": 0.5},
    {"patience": 3, "cooldown": 4},
    {"patience": 1, "cooldown": 1, "factor": 0.7},
    {"patience": 2, "threshold": 0.05},
    {"patience": 1, "min_rate": 2e-4, "factor": 0.3},
    {"patience": 1, "factor": 0.5, "eps": 1e-4, "threshold": 0.0},
)


def losses(number):
    """f32[60]: a noisy loss that falls, more or less, and now and then stands still."""
    random = np.random.RandomState(number)  # its numbers are the same in every NumPy
    values = np.exp(-np.arange(EPOCHS) / random.uniform(1, 12)) + random.uniform(0, 0.2) * random.rand(EPOCHS)
    stands = random.rand(EPOCHS) < 0.2
    for i in range(1, EPOCHS):
        values[i] = values[i - 1] if stands[i] else values[i]
    return values.astype(np.float32)


# The epochs after which torch lowered the rate, and the last rate: an entry for each sequence, settings apart by ";".
FROM_TORCH = """
52 0.0001, 36 0.0001, 0.001, 44 55 1e-05, 0.001;
3 5 8 9 12 1e-08, 1 8 10 11 14 1e-08, 6 7 8 9 12 1e-08, 2 3 6 10 15 1e-08, 3 5 7 8 9 1e-08;
52 55 0.00025, 25 29 32 35 41 44 47 50 57 1.953125e-06, 11 15 18 22 25 28 31 34 37 40 43 46 49 52 55 58
1.525879e-08, 25 32 46 49 54 57 1.5625e-05, 18 34 37 40 44 47 50 53 56 59 9.765625e-07;
46 54 1e-05, 22 34 42 50 58 1e-08, 22 30 38 46 54 1e-08, 16 37 46 54 1e-07, 16 24 32 44 52 1e-08;
10 19 22 25 31 38 41 46 49 52 55 58 1.384129e-05, 8 12 15 18 21 24 27 30 33 36 39 42 45 48 51 54 57
2.326305e-06, 10 14 19 22 27 32 35 38 41 44 47 50 53 56 59 4.747562e-06, 13 19 22 25 28 31 34 37 40 43 46 49 52
55 58 4.747562e-06, 11 15 18 23 27 30 35 43 46 51 54 57 1.384129e-05;
15 26 30 35 41 1e-08, 16 20 24 27 30 1e-08, 15 25 28 31 34 1e-08, 33 36 41 46 49 1e-08, 21 31 35 45 48 1e-08;
12 19 0.0002, 8 14 0.0002, 2 17 0.0002, 14 18 0.0002, 10 12 0.0002;
11 16 19 0.000125, 21 28 34 0.000125, 6 15 22 0.000125, 11 18 20 0.000125, 13 17 20 0.000125
"""


def from_torch(number):
    """(epochs, last rate) of the sequences of one setting."""
    entries = [entry.split() for entry in FROM_TORCH.split(";")[number].split(",")]
    return [([int(epoch) for epoch in epochs], float(last)) for *epochs, last in entries]


def rates(settings: dict, sequences):
    """The rate after every epoch: f32[n, epochs] -> f32[n, epochs], a lane for each sequence."""
    schedule: Any = schedules.reduce_on_plateau(1e-3, every=1, **settings)

    def epoch(state, loss):
        state = schedule.update({}, state, value=loss)[1]
        return state, state.rate

    run = jax.jit(jax.vmap(lambda sequence: jax.lax.scan(epoch, schedule.init({}), sequence)[1]))
    return np.asarray(run(sequences))


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_rates_are_torchs(number):
    found = rates(SETTINGS[number], np.stack([losses(number * EACH + i) for i in range(EACH)]))
    before = np.concatenate([np.full((EACH, 1), 1e-3, np.float32), found[:, :-1]], axis=1)
    for (epochs, last), row, changed in zip(from_torch(number), found, found != before, strict=True):
        assert np.flatnonzero(changed).tolist() == epochs
        np.testing.assert_allclose(row[-1], last, rtol=1e-5)


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_the_stored_rates_are_torchs(number):
    torch = pytest.importorskip("torch")
    names = {"min_rate": "min_lr"}
    settings: dict[str, Any] = {names.get(name) or name: value for name, value in SETTINGS[number].items()}
    for i, (epochs, last) in enumerate(from_torch(number)):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-3)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="min", **settings)
        seen = [1e-3]
        for loss in losses(number * EACH + i):
            optimizer.step()
            schedule.step(float(loss))
            seen.append(optimizer.param_groups[0]["lr"])
        assert (np.flatnonzero(np.diff(seen)).tolist(), f"{seen[-1]:.7g}") == (epochs, f"{last:.7g}")


def test_the_mean_of_an_epoch_decides_and_the_next_epoch_is_slower():
    # epoch means 2, 1.5, 1.5: the third isn't below the second, so the seventh update is the first slow one
    schedule: Any = schedules.reduce_on_plateau(1.0, every=2, patience=0)
    state, seen = schedule.init({"w": jnp.ones(2)}), []
    for loss in (3.0, 1.0, 1.0, 2.0, 0.5, 2.5, 9.0, 9.0):
        updates, state = schedule.update({"w": jnp.ones(2)}, state, value=jnp.float32(loss))
        seen.append(float(updates["w"][1]))
    np.testing.assert_allclose(seen, [-1] * 6 + [-0.1] * 2, rtol=1e-6)
    assert (float(state.best), float(state.total), int(state.count)) == (1.5, 0.0, 0)


def test_lanes_in_training_have_their_own_rates():
    # a rate of 0 leaves the loss where it is: of 4 epochs, two bad ones in a row come twice
    def optimizer(hparams):
        return schedules.reduce_on_plateau(hparams["rate"], every=4, patience=1, threshold=0.5)

    done = train.fit(
        study(optimizer=optimizer, epochs=5), roots(2), DATA, hparams={"rate": np.array([1e-3, 1e-2], np.float32)}
    )
    means = done.train["loss"].reshape(2, 5, 4).mean(2)
    for number, first in enumerate((1e-3, 1e-2)):
        expected = rates({"patience": 1, "threshold": 0.5}, means[number : number + 1])[0, -1] / 1e-3 * first
        np.testing.assert_allclose(lane(done.state, number).opt_state.rate, expected, rtol=1e-5)
    assert np.asarray(done.state.opt_state.rate)[0] < 1e-3


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"every": 0}, "every=0"), ({"patience": -1}, "patience=-1"), ({"factor": 1.0}, "factor of 1.0 doesn't reduce")],
)
def test_settings_that_cannot_be_are_refused(settings, words):
    with pytest.raises(UsageError, match=words):
        schedules.reduce_on_plateau(1e-3, **{"every": 1, **settings})


def test_an_update_without_the_loss_is_refused():
    link = schedules.reduce_on_plateau(1e-3, every=2)
    with pytest.raises(UsageError, match="no value of the loss; give it to update"):
        link.update(jnp.ones(1), link.init(jnp.ones(1)))


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_cosine_is_optaxs_and_constant_without_steps(steps):
    ours = jax.jit(lambda count, steps: schedules.cosine(1e-3, steps)(count))
    counts = np.arange(10)
    expected = optax.cosine_decay_schedule(1e-3, steps) if steps else lambda count: 1e-3
    found = [ours(count, np.float32(steps)) for count in counts]
    values = [float(np.asarray(expected(int(count)))) for count in counts]
    np.testing.assert_allclose(np.asarray(found), values, rtol=1e-5, atol=1e-10)


def test_a_plateau_counts_epochs_of_a_traced_length():
    def rates(every):
        made = schedules.reduce_on_plateau(1.0, every=every, patience=0)
        state, seen = made.init({}), []
        for value in (1.0, 1.0, 2.0, 2.0, 2.0, 2.0):
            _, state = made.update({}, state, value=jnp.float32(value))
            seen.append(getattr(state, "rate"))  # noqa: B009  optax calls a state any tree
        return jnp.stack(seen)

    np.testing.assert_array_equal(jax.jit(rates)(jnp.float32(2)), rates(2))
    assert float(rates(2)[-1]) < 0.5
