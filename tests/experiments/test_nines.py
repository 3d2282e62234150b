"""What could make nines, on paper: ways to draw pairs, dimensions that survive a KL, and what is said of them."""

from collections import Counter
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import jaxae as ae
from experiments import digit_addition, digit_classifier
from experiments.digit_addition import measures, method, nines, outcomes, recipes, surviving, ways
from experiments.digit_addition.surviving import Prediction
from jaxae.transforms import addends

EVEN = np.full(10, 0.1)
MNIST = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)  # training images of each digit
VARIANCES = [3.14, 2.40, 1.84, 1.10, 0.8, 0.5, 0.3, 0.2, 0.1, 0.0]  # the first four as MNIST's class means have them


def test_pairs_are_drawn_as_their_tables_say():
    drawn, key = ways.shares(EVEN), ae.keys.root(0)
    digit = jnp.tile(jnp.arange(10), 3000)
    for way, balanced in ((ways.NATURAL, False), (ways.BALANCED, True)):
        a, b = (np.asarray(number) for number in addends(key, digit, balanced=balanced))
        for what, number in (("a", a), ("b", b), ("a + b", a + b)):
            np.testing.assert_allclose(np.bincount(number, minlength=10) / len(number), drawn[way][what], atol=0.01)
    natural, *_, course = drawn.values()
    np.testing.assert_allclose(natural["b"], natural["a + b"][::-1])  # what the report says of sums holds of numbers
    np.testing.assert_allclose(course["a + b"], np.arange(1, 11) / 55)
    fitting = ways.fitting(drawn)
    assert fitting == {"sums": [], "numbers": [*ways.WAYS], "images": [ways.NATURAL]}


def test_the_courses_pairs_are_as_many_as_published_and_stay_pairs():
    label = np.random.default_rng(0).permutation(np.repeat(np.arange(10), MNIST))
    first, target = ways.course(label)
    assert (np.bincount(label[target], minlength=10) == ways.PUBLISHED).all()
    a, b = label[first], label[target] - label[first]
    exact = ways.shares(np.bincount(label) / len(label))[ways.COURSE]
    for what, number in (("a", a), ("b", b), ("a + b", a + b)):
        np.testing.assert_allclose(np.bincount(number, minlength=10) / len(number), exact[what])
    alike = (a == 3) & (b == 0)
    np.testing.assert_array_equal(first[alike], target[alike])  # an image is its own partner where nothing is added
    assert (np.diff(first[(a == 2) & (b == 5)]) > 0).all()


def test_variances_are_between_class_means_weighted_by_how_common_they_are():
    mean = np.array([[[0.0, 0.0]], [[3.0, 4.0]]])
    np.testing.assert_allclose(surviving.variances(mean, np.array([0.2, 0.8])), [0.2 * 0.8 * 25, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("kl", "expected"),
    [
        ("sum", {2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 9: 1, 11: 3, 12: 0, 16: 7}),
        ("mean", {2: 7, 4: 6, 9: 7, 12: 7, 15: 5, 16: 7}),
    ],
)
def test_what_survives_follows_from_the_weights(kl, expected):
    config = method.Config(arms=("generative",), table=True, kl=kl, batch_size=64)
    weights = method.all_weights(config)
    found = {
        number: surviving.surviving(VARIANCES, surviving.threshold(weights[f"generative {row}"], 784), 7)
        for number, row in recipes.NUMBERED.items()
    }
    assert {number: found[number] for number in expected} == expected


def predicted(expected, seen):
    return [
        Prediction(f"row {i}", 1.0, n, np.array(units, float))
        for i, (n, units) in enumerate(zip(expected, seen, strict=True))
    ]


def test_what_is_read_in_the_one_picture_is_told_apart_from_what_it_is_nearest_to():
    of = {"digits": Counter([8, 8, 5]), "near": 2}
    assert nines.seen_as(of) == " (the classifier reads 8 in 2 and 5 in 1; nearest to the mean nine in 2)"
    assert nines.seen_as({**of, "near": None}) == " (the classifier reads 8 in 2 and 5 in 1)"
    assert nines.seen_as({"digits": Counter(), "near": 0}) == ""


def test_predictions_are_ranked_as_what_is_seen():
    rows = predicted([0, 1, 3, 5, 7], [[0, 0], [2, 4], [1, 3], [6, 6], [7, 7]])  # one exchange of neighbours
    found = surviving.ranked_alike(rows)
    assert found is not None
    assert found[0] == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert found[1] is not None
    assert found[1][0] < found[0] < found[1][1] <= 1
    assert surviving.by_seed(rows) == pytest.approx([0.9, 0.9])
    assert [row.fails for row in predicted([0, 0, 2, 2], [[0, 0], [1, 0], [0, 0], [1, 1]])] == [
        False,
        True,
        True,
        False,
    ]
    assert surviving.ranked_alike(predicted([7] * 5, [[7], [6], [7], [7], [7]])) is None  # all predicted alike
    whole = surviving.ranked_alike(predicted([0, 1, 3, 5], [[0], [1], [2], [7]]))
    assert whole == (pytest.approx(1), None)  # Fisher's transform has no ends there


@pytest.mark.parametrize(
    ("expected", "seen", "words"),
    [
        ([7, 7, 5], [7, 7, 0], "hold something in all of 3 rows, so that no row is told from another; it does in 2 of"),
        ([0, 0, 0], [0, 7, 0], "hold nothing in all of 3 rows, so that no row is told from another; it does in 2 of"),
        ([0, 1, 7], [0, 0, 7], "holds nothing in 1 of 3 rows, and tell in 2 whether it holds anything, all but row 1"),
    ],
)
def test_a_prediction_that_is_the_same_for_all_rows_tells_none(expected, seen, words):
    said = nines.of_codes(predicted(expected, [[units] for units in seen]))
    assert words in said
    assert ("tell in" in said) == (len({n > 0 for n in expected}) > 1)


def test_bars_of_both_kinds_of_pairs_are_of_rows_that_both_have():
    rows = predicted([1] * 4, [[1]] * 4)
    assert nines.common_rows([rows, rows[1:3]]) == ("1", "2")
    assert nines.common_rows([rows[:2], rows[2:]]) == ()
    assert nines.common_rows([]) == ()


def table(collapsed: dict[str, int], arms: Any = ("generative", "generative-natural"), epochs=100) -> ae.Findings:
    """Findings of three rows on these kinds of pairs, three seeds; these draw one digit and have no active unit."""
    config = method.Config(arms=arms, rows=(2, 9, 16), kl="sum", batch_size=64, epochs=epochs)
    found: dict[str, Any] = {digit_classifier.NAME: {"test/accuracy": np.asarray(0.995)}}
    for arm in method.all_settings(config):
        read = np.full((3, 10), 0.1)
        if arm in collapsed:
            read = np.tile(np.eye(10)[collapsed[arm]], (3, 1))
        accuracy = np.full(3, 0.1 if arm in collapsed else 0.9)
        found[arm] = outcomes.sum_measures(read, accuracy) | {"test/accuracy": accuracy, measures.SHARE: read.max(1)}
        if "natural" in arm:
            found[arm][outcomes.NEAR] = np.array([1.0, 1.0, 0.1])
        found[arm] |= {f"{measures.UNITS} {term}": np.full(3, 0.0 if arm in collapsed else 7.0) for term in "EP"}
        if arm == recipes.FINAL:
            line = {f"line/{part}, %": np.full(3, 50.0) for part, _, _ in outcomes.PARTS}
            probability = np.tile(np.eye(10)[[8, 9, 8, 9, 9]][None, :, None], (3, 1, 2, 1))
            found[arm] |= line | outcomes.fraction_measures(probability, np.zeros((3, 5)), recipes.FRACTIONS[arm])
    facts = {"variances": dict.fromkeys(nines.KINDS, VARIANCES)}
    return ae.Findings(ae.results.Origin(config, (0, 1, 2), ()), found, facts=facts)


def test_the_prediction_is_held_against_what_is_seen_row_by_row():
    found = table({"generative row 2": 5, "generative natural row 2": 9, "generative natural rows 9 and 10": 9})
    said = digit_addition.EXPERIMENT.document(found)
    assert (
        "On balanced pairs 1 of 3 rows draws one picture alone, whatever the sum (row 2); the report sees nines alone "
        "in row 2. The classifier reads it as 9 in 0." in said.conclusions
    )
    assert (
        "On natural pairs 2 of 3 rows draw one picture alone, whatever the sum (rows 2 and 9/10); of all digits' mean "
        "images that of 9 is the nearest to it in 4 of 6 trainings; the report sees nines alone in row 2. "
        "The classifier reads it as 9 in 6." in said.conclusions
    )
    assert (
        "holds nothing in 1 of 3 rows, and tell in 3 whether it holds anything; the same answer for every row would be "
        "right in 2: the prediction is borne out" in said.conclusions
    )
    assert (
        "holds nothing in 1 of 3 rows, and tell in 2 whether it holds anything, all but row 9/10;" in said.conclusions
    )
    assert said.conclusions.count("the report sees nines alone in row 2.") == 2
    (balanced, natural) = nines.tables(found)
    assert [row[2] for row in balanced.rows] == ["0", "1", "7"]
    assert [*natural.rows[1][3:6]] == ["0, 0, 0", "no", "9 (100.0%)"]
    assert all(not row.primary for row in said.rows if row.reported is not None)
    drawn = nines.figures(found)
    assert drawn.keys() == {"surviving_balanced", "surviving_natural", "one_digit"}
    for figure in drawn.values():
        ae.plots.check(figure)


def test_the_courses_pairs_are_named_so_and_decide_where_they_are_trained():
    found = table({"generative course row 2": 9}, ("generative-course",), epochs=4)
    said = digit_addition.EXPERIMENT.document(found)
    assert (
        "On the course's pairs 1 of 3 rows draws one picture alone, whatever the sum (row 2). "
        "The classifier reads it as 9 in 3." in said.conclusions
    )
    assert "321,802 pairs, 5,923 with the sum 0 and 58,700 with the sum 9 (" in said.notes
    assert [table.title for table in nines.tables(found)] == [
        "Which dimensions of P's code survive its KL, on the course's pairs, on paper and as seen"
    ]
    claims = method.claims(method.Config(arms=("adder", "adder-course", "vae-natural-plain", "vae-plain")))
    assert {claim.arm for claim in claims if claim.primary} == {"adder course", "vae plain"}


def test_one_kind_of_pairs_and_a_run_that_is_not_judged():
    found = table({"generative natural row 2": 9}, ("generative-natural",), epochs=4)
    said = digit_addition.EXPERIMENT.document(found)
    assert "On natural pairs 1 of 3 rows draws one picture alone, whatever the sum (row 2); of all" in said.conclusions
    assert "The classifier reads it as 9 in 3." in said.conclusions
    assert "the report sees nines" not in said.conclusions
    assert "balanced pairs" not in said.conclusions
    assert nines.figures(found).keys() == {"surviving_natural", "one_digit"}
