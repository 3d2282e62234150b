"""The models of the studies of digits, their pairs and losses; and each of them trains."""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxae as ae
from experiments.digit_addition import method as addition
from experiments.digit_addition import reading
from experiments.digit_codes import method as codes
from jaxae.errors import UsageError
from jaxae.models.addition import Gaussian, Sum
from jaxae.study import Batch


def test_arms_of_equal_flags_are_equal_and_compile_once():
    assert codes.arms(codes.Config()) == codes.arms(codes.Config())
    assert addition.arms(addition.Config(table=True)) == addition.arms(addition.Config(table=True))
    (arm,) = addition.arms(addition.Config(arms=("vae",)))
    assert reading.judged(arm.study, sampled=True) == reading.judged(arm.study, sampled=True)
    assert reading.judged(arm.study, sampled=True) != reading.judged(arm.study)


def test_every_row_of_the_reports_table_is_claimed_once():
    claims = addition.claims(addition.Config(table=True, arms=("generative",)))
    outcomes = [claim.metric for claim in claims if claim.source.startswith("Table 1, row")]
    assert len(outcomes) == 14  # two rows stand there twice
    trained = addition.weights("generative", addition.Config(table=True))
    assert {*trained} == {*addition.ROWS}
    assert {*addition.weights("generative", addition.Config())} == {"row 16"}
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
        for name, row in addition.ROWS.items()
        for number in re.findall(r"\d+", name)
    }
    reported = (re.fullmatch(r"(\d+): (\S+) (\S+) (\S+) (\S+) (.*)", line) for line in TABLE.strip().splitlines())
    lines = [match.groups() for match in reported if match]
    assert ours == {number: (*(f"{float(weight):g}" for weight in weights), words) for number, *weights, words in lines}


def test_arms_differ_as_the_report_says():
    parts = {
        name: (arm.model.variational, arm.model.generative, arm.model.value_to_latent, arm.pairs)
        for name, arm in addition.RECIPES.items()
    }
    assert parts == {
        "adder": (False, False, False, "natural"), "adder-course": (False, False, False, "course"),
        "vae": (True, False, True, "balanced"), "vae-natural": (True, False, True, "natural"),
        "vae-course": (True, False, True, "course"), "vae-plain": (True, False, False, "balanced"),
        "vae-natural-plain": (True, False, False, "natural"), "vae-course-plain": (True, False, False, "course"),
        "generative": (True, True, True, "balanced"), "generative-natural": (True, True, True, "natural"),
        "generative-course": (True, True, True, "course"),
    }  # fmt: skip
    assert not any("natural" in name for name in addition.Config().arms)  # nothing says that the report drew so


def test_rows_of_the_table_are_chosen_and_what_does_not_decide_is_another_reading():
    arms = "vae-natural", "generative", "generative-natural"
    config = addition.Config(arms=arms, rows=(9, 2, 10), kl="sum", batch_size=64)
    rows = {arm.study.name: arm.settings for arm in addition.arms(config)}
    assert [[*of] for of in rows.values()] == 3 * [["row 2", "rows 9 and 10"]]
    assert rows["vae natural"]["row 2"] == pytest.approx((0.1, 0.5, 64e-4, 0))  # a VAE has no KL of P
    assert rows["generative"] == rows["generative natural"]
    assert rows["generative"]["row 2"] == pytest.approx((0.1, 0.5, 64e-4, 64e-4))
    by_mean = addition.claims(dataclasses.replace(config, kl="mean"))
    assert {claim.arm for claim in by_mean if claim.primary} == {"generative row 2", "generative rows 9 and 10"}
    assert not any(claim.primary for claim in addition.claims(config))


def test_the_loss_weighs_both_images_and_both_divergences():
    ones, code = jnp.ones((2, 4, 4, 1)), jnp.ones((2, 3))
    posterior, sum_posterior = (
        Gaussian(code, 0 * code),
        Gaussian(2 * code, 0 * code),
    )  # KL 0.5 and 2 for each of 3 units
    outputs = Sum(0 * ones, 0 * ones, code, posterior, sum_posterior)
    batch = Batch((ones, code[:, 0]), (0.5 * ones, ones))
    total, parts = addition.loss(outputs, batch, addition.Weights(2, 3, 5, 7))
    np.testing.assert_allclose(total, 2 * 1 + 3 * 0.25 + 5 * 1.5 + 7 * 6)
    np.testing.assert_allclose(parts["KL of P, unit 3"], 2)
    config = addition.Config(kl="sum", batch_size=10)
    assert addition.weights("vae", config)[""] == pytest.approx((0.1, 1, 1e-4, 0))


@pytest.mark.parametrize("balanced", [False, True])
def test_batches_are_of_pairs_and_the_means_of_their_sums(balanced):
    pairs = addition.digits(SEEN, addition.class_means(SEEN))._replace(balanced=np.bool_(balanced))
    np.testing.assert_allclose(pairs.mean[3], (IMAGES[3] / 255 + IMAGES[13] / 255) / 2, rtol=1e-6)
    index = jnp.tile(jnp.arange(20), 100)
    (image, _), (_, mean), total, *_ = jax.jit(addition.batch)(ae.keys.root(0), jax.tree.map(jnp.asarray, pairs), index)
    np.testing.assert_array_equal(mean, pairs.mean[total])
    assert np.allclose(image, IMAGES[index] / 255) != balanced
    assert (abs(np.mean(total == 9) - 0.1) < 0.03) == balanced


def test_the_courses_pairs_are_all_that_an_epoch_has_and_keep_their_partners():
    pairs = addition.paired(addition.digits(SEEN, addition.class_means(SEEN)), "adder-course")
    count = addition.pairs_of(pairs)
    assert count == 55 * 2  # two images of each digit
    index = jnp.arange(count)
    drawn = [addition.batch(ae.keys.root(seed), jax.tree.map(jnp.asarray, pairs), index) for seed in (0, 1)]
    (image, value), (target, mean), total, *_ = drawn[0]
    np.testing.assert_array_equal(target, drawn[1].target[0])
    assert pairs.pairs is not None
    places = np.asarray(pairs.pairs.first), np.asarray(pairs.pairs.target)
    np.testing.assert_allclose(image, IMAGES[places[0]] / 255, rtol=1e-6)
    np.testing.assert_allclose(target, IMAGES[places[1]] / 255, rtol=1e-6)
    np.testing.assert_array_equal(SEEN.label[places[0]] + np.asarray(value), total)
    np.testing.assert_array_equal(SEEN.label[places[1]], total)
    np.testing.assert_array_equal(mean, pairs.mean[total])


def test_arms_that_do_not_exist_are_refused():
    with pytest.raises(UsageError, match="--arms transposed-3-mse: give different ones of transposed-2-mse"):
        codes.Config(arms=("transposed-3-mse",))
    with pytest.raises(UsageError, match="--arms vae vae"):
        addition.Config(arms=("vae", "vae"))
    assert codes.Config(widths=(8, 8, 8)).widths == (8, 8, 8)  # one thing, not three to run
    with pytest.raises(UsageError, match="--table is of the generative arm"):
        addition.Config(arms=("vae",), table=True)
    with pytest.raises(UsageError, match="--rows 2 17: the report's table has the rows 1 to 16"):
        addition.Config(rows=(2, 17))
    with pytest.raises(UsageError, match="--rows 2: --table trains all rows"):
        addition.Config(rows=(2,), table=True)
    with pytest.raises(UsageError, match="--rows 2: the adder"):
        addition.Config(arms=("adder",), rows=(2,))
    with pytest.raises(UsageError, match="--kl sum: the adder"):
        addition.Config(arms=("adder",), kl="sum")
    with pytest.raises(UsageError, match="--widths is 4 0 8; it must be at least 1"):
        addition.Config(widths=(4, 0, 8))
    with pytest.raises(UsageError, match="--patience is 0; it must be at least 1"):
        codes.Config(patience=0)


SMALL = {"widths": (3, 4, 5), "batch_size": 20, "epochs": 1}
IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8)
SEEN = ae.data.Dataset(IMAGES, np.arange(20, dtype=np.int32) % 10, "", "train", "synthetic", (), "")


def wave(shape):
    """Numbers in [-0.3, 0.3] without a pattern."""
    return 0.3 * np.cos(np.arange(np.prod(shape)) ** 1.3).reshape(shape).astype(np.float32)


def of_kind(kind):
    """Study, data and weights of a kind of model that the contract of the studies doesn't train."""
    if kind in addition.RECIPES:
        config = addition.Config(**SMALL)
        pairs = addition.paired(addition.digits(SEEN, addition.class_means(SEEN)), kind)
        return addition.study(kind, config), pairs, addition.weights(kind, config)[""]
    decoder, *interpolation = kind.split()
    config = codes.Config(**SMALL, **({"interpolation": interpolation[0]} if interpolation else {}))
    return codes.study(decoder, 2, config), IMAGES, codes.LOSSES["bce"]


@pytest.mark.parametrize("kind", ["upsampling", "interpolation bilinear", "adder", "adder-course", "vae"])
def test_training_moves_every_parameter(kind):
    study, examples, weights = of_kind(kind)
    key = ae.keys.root(0)
    # drawing the parameters would take longer to compile than the step
    shapes = jax.eval_shape(lambda: ae.train.init(study, key, examples, weights))
    state = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    before = jax.tree.map(lambda leaf: wave(leaf.shape), shapes.params)

    @jax.jit
    def step(state, examples):
        return ae.train.step(study, key, state, examples, jnp.arange(20), weights)

    after, losses = step(state._replace(params=before), examples)
    still = jax.tree.map(lambda old, new: bool((old == new).all()), before, after.params)
    assert not any(jax.tree.leaves(still)), still
    assert np.isfinite(losses["loss"])
