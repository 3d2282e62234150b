"""What the studies of digits call early stopping, a rise and an outcome, by hand; and each of their models trains."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import digit_addition, digit_codes, digit_reading
from jaxae import data, keys, train
from jaxae.errors import UsageError


def test_early_stopping_ends_after_so_many_epochs_without_a_lower_loss():
    losses = np.array([3.0, 2.0, 2.0, 2.5, 1.0, 1.5, 1.4, 1.3])
    assert [digit_codes.stop(losses, patience) for patience in (1, 2, 3, 4)] == [3, 4, 8, 8]


def test_a_rise_is_of_the_last_tenth_over_the_lowest():
    falling, turning = np.linspace(2, 1, 20), np.array([*np.linspace(2, 1, 10), *np.linspace(1, 1.5, 10)])
    assert digit_codes.rise(falling) == 0
    last, lowest = np.mean(turning[-2:]), 1.0  # the two 1s in the middle
    assert digit_codes.rise(turning) == pytest.approx(100 * (last / lowest - 1))


def shares(**given):
    rest = (1 - sum(given.values())) / (10 - len(given))
    return np.array([given.get(f"d{digit}", rest) for digit in range(10)])


def test_dead_seeds_decide_nothing():
    measures = {"a": {"m": np.array([9.0, 1.0, 1.1, 1.2])}, "b": {"m": np.array([2.0, 2.1, 2.0, 2.2])}}
    run: Any = SimpleNamespace(seeds=[4, 5, 6, 7], measures=measures, dead={"a": [4], "b": []})
    assert digit_codes.living(run, "a", "b").tolist() == [False, True, True, True]
    assert digit_codes.sign(run, "a", "b", "m") == -1  # with the dead seed nothing could be said
    run.dead["a"] = []
    assert digit_codes.sign(run, "a", "b", "m") == 0
    run.dead["b"] = [4, 5, 6, 7]
    assert digit_codes.living(run, "b").all()


@pytest.mark.parametrize(
    ("read", "accuracy", "outcome"),
    [
        (shares(d9=0.95), 0.1, "only fuzzy nines"),
        (shares(d3=0.91), 0.1, "only fuzzy nines"),  # whichever digit it is
        (shares(d9=0.7, d2=0.25), 0.2, "just a number with fuzzy nines"),
        (shares(d9=0.5), 0.3, "different from the target"),
        (shares(), 0.79, "different from the target"),
        (shares(), 0.81, "correct"),
    ],
)
def test_outcomes_are_thresholds_on_what_is_read(read, accuracy, outcome):
    assert digit_reading.outcome(read, accuracy) == outcome


def test_the_line_is_judged_by_tenths(monkeypatch):
    def rounded(arm, image, tenths, judge, seeds):  # one seed rounds half up, the other down to the whole number
        up = np.stack([(tenths + 5) // 10, tenths // 10])
        return np.repeat((int(image[0]) + up)[..., None], len(image), axis=2)

    monkeypatch.setattr(digit_reading, "line_of", rounded)
    found = {}
    run: Any = SimpleNamespace(seeds=[0, 1], measure=lambda arm, metric, values: found.update({metric: list(values)}))
    label = np.arange(30) % 10
    arm: Any = SimpleNamespace(name="arm")
    test: Any = SimpleNamespace(image=label, label=label)
    curves = digit_reading.line(run, arm, test, {}, 2)
    assert found == {
        "line/whole numbers, a + b, %": [100, 100],
        "line/below .5, the lower digit, %": [100, 100],
        "line/at .5, the lower digit, %": [0, 100],
        "line/at .5, the next digit, %": [100, 0],
        "line/above .5, the next digit, %": [100, 0],
    }
    assert [len(line.x) for line in curves.lines[::2]] == [10 * (9 - a) + 1 for a in range(9)]


def test_every_row_of_the_reports_table_is_claimed_once():
    claims = digit_addition.claims(digit_addition.Config(table=True, arms=("generative",)))
    outcomes = [claim.metric for claim in claims if claim.source.startswith("Table 1")]
    numbers = [int(word) for row in digit_addition.ROWS for word in row.split(" and ")]
    assert numbers == list(range(1, 17))
    assert len(outcomes) == 14  # two rows stand there twice
    assert outcomes.count("outcome/only fuzzy nines") == 6


def test_arms_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="--arms transposed-3-mse: give different ones of transposed-2-mse"):
        digit_codes.Config(arms=("transposed-3-mse",))
    with pytest.raises(UsageError, match="--arms vae vae"):
        digit_addition.Config(arms=("vae", "vae"))
    assert digit_codes.Config(widths=(8, 8, 8)).widths == (8, 8, 8)  # one thing, not three to run


SMALL = {"widths": (3, 4, 5), "batch_size": 20, "epochs": 1}
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8)
SEEN = data.Dataset(IMAGES, np.arange(20, dtype=np.int32) % 10, "", "train", "synthetic", "", (), "")


def wave(shape):
    """Numbers in [-0.3, 0.3] without a pattern."""
    return 0.3 * np.cos(np.arange(np.prod(shape)) ** 1.3).reshape(shape).astype(np.float32)


def of_kind(kind):
    """Study, data and weights of a kind of model that the contract of the studies doesn't train."""
    if kind in digit_addition.ARMS:
        config = digit_addition.Config(**SMALL)
        pairs = digit_addition.digits(SEEN, digit_addition.class_means(SEEN))
        return digit_addition.study(kind, config), pairs, digit_addition.settings(kind, config)[""]
    decoder, *interpolation = kind.split()
    config = digit_codes.Config(**SMALL, **({"interpolation": interpolation[0]} if interpolation else {}))
    return digit_codes.study(decoder, 2, config), IMAGES, digit_codes.LOSSES["bce"]


@pytest.mark.parametrize("kind", ["upsampling", "interpolation bilinear", "adder", "vae"])
def test_training_moves_every_parameter(kind):
    study, examples, weights = of_kind(kind)
    key = keys.root(0)
    # drawing the parameters would take longer to compile than the step
    shapes = jax.eval_shape(lambda: train.init(study, key, examples, weights))
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    before = jax.tree.map(lambda leaf: wave(leaf.shape), shapes.params)

    @jax.jit
    def step(state, examples):
        return train.step(study, key, state, examples, jnp.arange(20), weights)

    after, losses = step(state._replace(params=before), examples)
    still = jax.tree.map(lambda old, new: bool((old == new).all()), before, after.params)
    assert not any(jax.tree.leaves(still)), still
    assert np.isfinite(losses["loss"])
