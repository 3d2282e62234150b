"""What the studies of digits call early stopping, a rise and an outcome, by hand; and each of their models trains."""

import re
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import digit_addition, digit_classifier, digit_codes, digit_reading
from jaxae import Flags, Run, arms, data, keys, train
from jaxae.errors import UsageError
from jaxae.models.addition import Gaussian, Sum
from jaxae.study import Batch


def test_early_stopping_ends_after_so_many_epochs_without_a_lower_loss():
    losses = np.array([3.0, 2.0, 2.0, 2.5, 1.0, 1.5, 1.4, 1.3])
    assert [digit_codes.stop(losses, patience) for patience in (1, 2, 3, 4)] == [3, 4, 8, 8]


def test_a_rise_is_of_the_last_tenth_over_the_lowest():
    falling, turning = np.linspace(2, 1, 20), np.array([*np.linspace(2, 1, 10), *np.linspace(1, 1.5, 10)])
    assert arms.rise(falling) == 0
    last, lowest = np.mean(turning[-2:]), 1.0  # the two 1s in the middle
    assert arms.rise(turning) == pytest.approx(100 * (last / lowest - 1))


def shares(**given):
    rest = (1 - sum(given.values())) / (10 - len(given))
    return np.array([given.get(f"d{digit}", rest) for digit in range(10)])


def opened(tmp_path, **dead):
    """A run of four seeds, with these arms' dead ones."""
    run = Run(Flags(seeds=4, seed=4, source="synthetic", out=tmp_path / "run"))
    run.dead = {"a": [], "b": [], **dead}
    return run


def test_dead_seeds_decide_nothing(tmp_path):
    run = opened(tmp_path, a=[4])
    run.measures = {"a": {"m": np.array([9.0, 1.0, 1.1, 1.2])}, "b": {"m": np.array([2.0, 2.1, 2.0, 2.2])}}
    assert run.living("a", "b").tolist() == [False, True, True, True]
    assert digit_codes.sign(run, "a", "b", "m") == -1  # with the dead seed nothing could be said
    run.dead["a"] = []
    assert digit_codes.sign(run, "a", "b", "m") == 0
    run.dead["b"] = [4, 5, 6, 7]
    assert run.living("b").all()


def decoders(transposed, others):
    """Measures of the arms with codes of 2, four seeds, by the means of those trained on BCE and on MSE."""
    spread = np.array([0.0, 0.001, -0.001, 0.002])
    measures = {}
    for decoder in digit_codes.DECODERS:
        for loss, mean in zip(("bce", "mse"), transposed if decoder == "transposed" else others, strict=True):
            values = mean + spread
            names = [f"{split}/{name}/last" for split in digit_codes.SPLITS for name in ("rmse", "bce")]
            measures[f"{decoder} 2 {loss}"] = dict.fromkeys(names, values)
    return measures


@pytest.mark.parametrize(
    ("transposed", "others", "statement", "word"),
    [
        ((0.15, 0.2), (0.16, 0.21), "reaches a lower value holds", "best"),
        ((0.2, 0.15), (0.19, 0.14), "reaches a lower value doesn't hold", "not best"),
        ((0.14, 0.15), (0.16, 0.15), "isn't decided for all pairs", "undecided"),
    ],
)
def test_losses_and_decoders_are_judged_by_pairs(transposed, others, statement, word, tmp_path):
    run = opened(tmp_path)
    run.measures = decoders(transposed, others)
    run.dead = {name: [] for name in run.measures}
    arms: Any = [SimpleNamespace(name=name) for name in run.measures]
    digit_codes.scales(run, arms)
    digit_codes.ranking(run, arms, digit_codes.Config())
    assert statement in run.manifest["notes"][0]
    assert run.manifest["tables"][0]["rows"][0][-1] == word  # of those trained on MSE


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
    arm: Any = SimpleNamespace(name="arm", living=np.array([True, True]))
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
    outcomes = [claim.metric for claim in claims if claim.source.startswith("Table 1, row")]
    assert len(outcomes) == 14  # two rows stand there twice
    trained = digit_addition.weights("generative", digit_addition.Config(table=True))
    assert {*trained} == {*digit_addition.ROWS}
    assert {*digit_addition.weights("generative", digit_addition.Config())} == {"row 16"}
    assert outcomes.count("outcome/only fuzzy nines") == 6


TABLE = """
1: 0.1 0.5 1e-5 1e-5 only fuzzy nines
2: 0.1 0.5 1e-4 1e-4 only fuzzy nines
3: 0.3 0.7 1e-4 2e-4 only fuzzy nines
4: 0.5 0.5 5e-4 5e-4 only fuzzy nines
5: 0.7 0.7 2e-4 2e-4 only fuzzy nines
6: 1 1 5e-4 5e-4 only fuzzy nines
7: 0.5 0.5 1e-4 2e-4 just a number with fuzzy nines
8: 0.6 0.8 1.5e-4 1.5e-4 just a number with fuzzy nines
9: 1 1 1e-4 1e-4 just a number with fuzzy nines
10: 1 1 1e-4 1e-4 just a number with fuzzy nines
11: 1.2 0.8 5e-5 5e-5 just a number with fuzzy nines
12: 1 0.2 1e-4 1e-4 different from the target
13: 1 0.4 1e-4 5e-4 different from the target
14: 1 0.4 1e-4 5e-4 different from the target
15: 0.9 0.1 2e-4 2e-4 different from the target
16: 0.1 1 1e-5 1e-5 correct
"""  # the report's Table 1


def test_the_table_is_the_reports():
    ours = {
        number: (*(f"{weight:g}" for weight in row.weights), row.outcome)
        for name, row in digit_addition.ROWS.items()
        for number in re.findall(r"\d+", name)
    }
    reported = (re.fullmatch(r"(\d+): (\S+) (\S+) (\S+) (\S+) (.*)", line) for line in TABLE.strip().splitlines())
    lines = [match.groups() for match in reported if match]
    assert ours == {number: (*(f"{float(weight):g}" for weight in weights), words) for number, *weights, words in lines}


def test_arms_differ_as_the_report_says():
    parts = {
        name: (arm.model.variational, arm.model.generative, arm.model.value_to_latent, arm.balanced)
        for name, arm in digit_addition.ARMS.items()
    }
    assert parts == {
        "adder": (False, False, False, False), "vae": (True, False, True, True),
        "vae-natural": (True, False, True, False), "vae-plain": (True, False, False, True),
        "vae-natural-plain": (True, False, False, False), "generative": (True, True, True, True),
    }  # fmt: skip


def test_the_loss_weighs_both_images_and_both_divergences():
    ones, code = jnp.ones((2, 4, 4, 1)), jnp.ones((2, 3))
    posterior, sum_posterior = (
        Gaussian(code, 0 * code),
        Gaussian(2 * code, 0 * code),
    )  # KL 0.5 and 2 for each of 3 units
    outputs = Sum(0 * ones, 0 * ones, code, posterior, sum_posterior)
    batch = Batch((ones, code[:, 0]), (0.5 * ones, ones))
    total, parts = digit_addition.loss(outputs, batch, digit_addition.Weights(2, 3, 5, 7))
    np.testing.assert_allclose(total, 2 * 1 + 3 * 0.25 + 5 * 1.5 + 7 * 6)
    np.testing.assert_allclose(parts["KL of P, unit 3"], 2)
    config = digit_addition.Config(kl="sum", batch_size=10)
    assert digit_addition.weights("vae", config)[""] == pytest.approx((0.1, 1, 1e-4, 0))


@pytest.mark.parametrize("balanced", [False, True])
def test_batches_are_of_pairs_and_the_means_of_their_sums(balanced):
    pairs = digit_addition.digits(SEEN, digit_addition.class_means(SEEN))._replace(balanced=np.bool_(balanced))
    np.testing.assert_allclose(pairs.mean[3], (IMAGES[3] / 255 + IMAGES[13] / 255) / 2, rtol=1e-6)
    index = jnp.tile(jnp.arange(20), 100)
    (image, _), (_, mean), total, *_ = jax.jit(digit_addition.batch)(
        keys.root(0), jax.tree.map(jnp.asarray, pairs), index
    )
    np.testing.assert_array_equal(mean, pairs.mean[total])
    assert np.allclose(image, IMAGES[index] / 255) != balanced
    assert (abs(np.mean(total == 9) - 0.1) < 0.03) == balanced


def test_arms_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="--arms transposed-3-mse: give different ones of transposed-2-mse"):
        digit_codes.Config(arms=("transposed-3-mse",))
    with pytest.raises(UsageError, match="--arms vae vae"):
        digit_addition.Config(arms=("vae", "vae"))
    assert digit_codes.Config(widths=(8, 8, 8)).widths == (8, 8, 8)  # one thing, not three to run
    with pytest.raises(UsageError, match="--table is of the generative arm"):
        digit_addition.Config(arms=("vae",), table=True)
    with pytest.raises(UsageError, match="--kl sum: the adder"):
        digit_addition.Config(arms=("adder",), kl="sum")
    with pytest.raises(UsageError, match="--widths is 4 0 8; it must be at least 1"):
        digit_addition.Config(widths=(4, 0, 8))
    with pytest.raises(UsageError, match="--patience is 0; it must be at least 1"):
        digit_codes.Config(patience=0)


# ---- what is read, with a reader of one pixel


def shown(digit, gray=0.0):
    """Images f32[n, 28, 28, 1] that the reader below reads as these digits."""
    images = np.full((len(digit), 28, 28, 1), gray, np.float32)
    images[:, 0, 0, 0] = np.asarray(digit) / 10
    return images


@pytest.fixture
def reader(monkeypatch):
    """A judge that reads the digit from the first pixel."""

    def logits(images):
        return 50 * jax.nn.one_hot(jnp.rint(10 * images[:, 0, 0, 0]).astype(int), 10)

    fake = SimpleNamespace(apply=lambda judge, images: logits(images))
    monkeypatch.setattr(digit_reading, "DigitClassifier", lambda: fake)
    monkeypatch.setattr(digit_classifier, "read", lambda judge, images: np.asarray(jax.nn.softmax(logits(images))))


def test_sums_are_scored_by_what_is_read(reader):
    outputs = SimpleNamespace(image=jnp.asarray(shown([3, 4])))
    target = jnp.asarray(shown([3, 7])), jnp.asarray(shown([4, 4]))
    found = digit_reading.judged_by({})(outputs, Batch((), target, jnp.array([3, 7])))
    assert (found["digit"].tolist(), found["accuracy"].tolist()) == ([3, 4], [1, 0])
    np.testing.assert_allclose(found["confidence"], 1, rtol=1e-6)
    np.testing.assert_allclose(found["mse to the target"], [0, 0.09 / 784], atol=1e-9)
    np.testing.assert_allclose(found["mse to the class mean"], [0.01 / 784, 0], atol=1e-9)


def test_fractions_count_where_whole_sums_are_read_right(reader, tmp_path, monkeypatch):
    def added(arm, image, number, lane):
        assert (image == 7).all()
        digit = {
            0: np.floor(7 + number),  # as reported
            1: np.full(len(number), 8),  # collapsed: three of five digits are the report's
            2: np.rint(7 + number),
            3: np.floor(7 + number),
        }[lane]
        return shown(digit, gray=0.5 if lane != 3 and number[0] > 1.45 and number[0] < 2 else 0.1)

    monkeypatch.setattr(digit_reading, "added", added)
    run, label = opened(tmp_path), np.arange(30) % 10
    arm: Any = SimpleNamespace(name="adder")
    test: Any = SimpleNamespace(image=label, label=label)
    reported = digit_addition.FRACTIONS["adder"]
    reading = digit_reading.fractions(run, arm, reported, test, {}, 2)
    assert reading.digit.tolist() == [[8, 9, 8, 8, 8], [8] * 5, [8, 9, 8, 8, 9], [8, 9, 8, 8, 8]]
    assert run.measures["adder"][digit_reading.DIGITS].tolist() == [1, 0, 0, 1]
    assert run.measures["adder"][digit_reading.BLUR].tolist() == [1, 0, 1, 0]
    assert run.measures["adder"]["7 + 2/read as 9, %"].tolist() == [100, 0, 100, 100]
    np.testing.assert_allclose(reading.gray[0, [0, 3]], [36, 100], atol=0.2)


def test_a_decoder_that_draws_a_single_colour_is_dead_and_one_that_draws_one_digit_is_not():
    digit = np.broadcast_to(wave((28, 28, 1)), (5, 28, 28, 1))
    original = {0: np.full_like(digit, 0.2), 1: digit}
    arm: Any = SimpleNamespace(
        keys=[0, 1],
        train={"loss": np.zeros((2, 1000))},
        sample=lambda test, index, lane: (SimpleNamespace(original=original[lane]), Batch((digit + 0.1,), ())),
    )
    assert digit_reading.blank(arm, SimpleNamespace(label=np.zeros(5))).tolist() == [True, False]
    arm.train["loss"] = np.zeros((2, 999))
    assert not digit_reading.blank(arm, SimpleNamespace(label=np.zeros(5))).any()  # a slow start, perhaps


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
        return digit_addition.study(kind, config), pairs, digit_addition.weights(kind, config)[""]
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
