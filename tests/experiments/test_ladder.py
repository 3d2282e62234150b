"""The ladder: what is said of rungs, by hand; its committed page and pictures."""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import jaxae as ae
from experiments.digit_addition import method
from experiments.digit_addition.outcomes import NINES, NUMBER
from experiments.ladder import by_row, facts, pages, rungs
from experiments.ladder.rungs import Bound, Ladder, Measure, Rung
from experiments.tables.pages import RESULTS
from jaxae.run.flags import Flags


@dataclass(frozen=True, kw_only=True)
class Settings(Flags):
    """One that bars where it isn't the report's."""

    settings = ("epochs",)
    epochs: int = 3


def found(values, dead=(), epochs=3) -> ae.Findings:
    seeds, config = tuple(range(len(values))), Settings(epochs=epochs)
    return ae.Findings(ae.results.Origin(config, seeds, ()), {"a": {"m": np.array(values)}}, {"a": dead})


RESULT = {
    "far": found([0.10, 0.11, 0.12]), "near": found([0.47, 0.52, 9.0], dead=(2,)), "own": found([0.5004]),
    "held": found([0.497, 0.502, 0.505]), "other": found([0.49, 0.51], epochs=1),
}  # fmt: skip
M = Measure("a", "m")
LADDER = Ladder(
    "l", "0.5: it", ae.Claim("b", "n", 0.5, "Table", scale="log", alike=("b",)), 5e-4, "loss",
    (Rung("one", "far", M), Rung("two", "near", M), Rung("three"), Rung("four", "held", M), Rung("five", "absent", M)),
    Bound("the least", lambda results, facts: 0.25),
)  # fmt: skip


def said_of(*given: Rung) -> str:
    return pages.section(LADDER._replace(rungs=given), RESULT, {})


def test_a_ladder_says_what_moved_the_number_and_where_it_ends():
    said = pages.section(LADDER, RESULT, {})
    assert "The last rung that is measured, 4 (four), holds the report's number" in said
    assert "The longest step, 0.3850, is rung 2: two." in said
    assert "the least, 0.2500." in said
    assert "Not measured: rungs 3 and 5." in said
    steps = pages.climbed(LADDER, RESULT)
    assert steps[1].value.tolist() == [0.47, 0.52]  # of the seeds that live
    rows = [[row[2], row[3], row[5]] for row in pages.table(LADDER, steps).rows]
    assert rows[1][1:] == ["+0.385", "near"]
    assert rows[2] == ["not measured", "—", ""]
    assert rows[3][1:] == ["—", "held"]  # what lies between isn't measured, so the step is no rung's
    drawn = pages.figure(LADDER, RESULT, {})
    ae.plots.check(drawn)
    np.testing.assert_array_equal(np.isnan(drawn.lines[0].values).all(0), [False, False, True, False, True])


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("own", "gives the report's number"),
        ("far", "misses the report's number"),
        ("held", "holds the report's number: 0.501"),
        ("near", "decides nothing: 0.4700 and 0.5200, without dead seed 2: inside the range of a single run, 0.1625"),
        ("other", "is not comparable with the report: 0.4900 and 0.5100, with epochs 1 in place of 3."),
    ],
)
def test_a_rung_reaches_a_number_by_the_verdict_on_it(result, words):
    assert words in said_of(Rung("one", result, M)).splitlines()[2]


def test_what_departures_bar_is_shown_and_not_judged():
    given = Rung("one", "held", M), Rung("two", "other", M)
    said = said_of(*given)
    assert "The last rung that is measured and comparable, 1 (one), holds the report's number" in said
    assert "The last rung that is measured, 2 (two), is not comparable" in said
    assert "| not comparable: epochs 1 in place of 3 |" in said
    assert "The longest step" not in said  # it isn't the rung's alone, but where its words name the departures
    drawn = pages.figure(LADDER._replace(rungs=given), RESULT, {})
    assert [line.label for line in drawn.lines] == ["ours", "ours, not comparable with the report"]
    assert "The longest step, 0.001333, is rung 2: two." in said_of(given[0], given[1]._replace(otherwise=True))


def test_a_move_between_the_same_seeds_of_one_result_has_its_interval():
    both = found([0.10, 0.11, 0.12])
    both = dataclasses.replace(both, measures={"a": {**both.measures["a"], "n": np.array([0.31, 0.33, 0.32])}})
    results = {**RESULT, "far": both}
    ladder = LADDER._replace(rungs=(Rung("one", "far", M), Rung("two", "far", Measure("a", "n"))))
    assert [row[3] for row in pages.table(ladder, pages.climbed(ladder, results)).rows] == ["—", "+0.210 ± 0.025", "—"]


def test_choices_are_set_against_the_first_and_the_nearest_ends_them():
    given = Rung("one", "far", M), Rung("two", "near", M), Rung("three", "far", M)
    ladder = LADDER._replace(rungs=given, choices=True)
    said, steps = pages.section(ladder, RESULT, {}), pages.climbed(ladder, RESULT)
    assert "- The nearest of the rungs that are measured, 2 (two), decides nothing" in said
    assert [row[3] for row in pages.table(ladder, steps).rows] == ["—", "+0.385", "+0", "—"]


def test_a_ladder_without_any_result_has_neither_picture_nor_end():
    assert "Not measured: rungs 1, 2, 3, 4, 5 and 6." in pages.page({})
    assert pages.pictures({}) == {}


def rows_of_table(
    *outcomes: tuple[float, ...], kind: Any = "generative-natural", dead: tuple[int, ...] = ()
) -> ae.Findings:
    """All rows of report 003's table but the last, whose seeds draw one digit (1), or what isn't few (0)."""
    config, seeds = method.Config(arms=(kind,), table=True), tuple(range(len(outcomes[0])))
    settings = method.all_settings(config).items()
    measures = {
        arm: {f"outcome/{NINES}": np.array(seen), f"outcome/{NUMBER}": np.zeros(len(seen))}
        for (arm, _), seen in zip(settings, outcomes, strict=True)
    }
    return ae.Findings(ae.results.Origin(config, seeds, ()), measures, dict.fromkeys(measures, dead))


def test_rows_of_the_table_count_as_often_as_the_report_has_them():
    value, none = rungs.of_few_digits("natural"), [(0.0, 0.0)] * 14
    pair = [*none[:8], (1.0, 0.0), *none[9:]]  # rows 9 and 10 are one training
    np.testing.assert_allclose(value(rows_of_table(*pair)), [100 * 2 / 11, 0])
    np.testing.assert_allclose(value(rows_of_table(*pair, dead=(1,))), [100 * 2 / 11])
    others = rungs.of_few_digits("natural", nines=False)
    np.testing.assert_allclose(others(rows_of_table(*pair)), [0, 0])
    np.testing.assert_allclose(others(rows_of_table(*none[:13], (0.0, 1.0))), [0, 100 / 5])
    assert not rungs.of_few_digits("balanced")(rows_of_table(*pair)).size
    assert rungs.other_rows({"digit_addition_sum": rows_of_table(*pair)}, {}).endswith("too: 0% at rung 4.")
    assert rungs.other_rows({}, {}) == ""
    assert not value(rows_of_table(*none, kind="generative")).size
    some = rows_of_table(*none)
    fewer = dataclasses.replace(some, measures=dict([*some.measures.items()][:4]))
    assert not value(fewer).size
    assert rungs.some_rows("natural")(fewer).startswith("4 of the 14 trainings that the table's 16 rows take")
    rung = Rung("rows", "some", value, part=rungs.some_rows("natural"))
    said = pages.section(LADDER._replace(rungs=(rung, Rung("none"))), {"some": fewer}, {})
    assert "- Not measured: rung 2.\n- Rung 1 is measured in part: 4 of the 14" in said
    assert "| 1 | rows | measured in part | — | — | `some` | — |" in said


def test_the_stored_variances_are_of_the_images_that_a_result_was_trained_on():
    stored, config = facts.stored(), method.Config()
    train, test, *_ = stored["data"]
    other = {**train, "sha256": test["sha256"]}
    for data, has in (((train, test), True), ((other, test), False), (({**train, "role": "judge"}, test), False)):
        result = ae.Findings(ae.results.Origin(config, (0,), data), {})
        assert ("variances" in by_row.with_variances(result, stored).facts) == has


def test_the_entropy_of_pixels_is_the_least_cross_entropy():
    image = np.array([0, 255, 51, 51], np.uint8).reshape(1, 2, 2, 1)
    assert facts.entropy(image) == pytest.approx(-(0.2 * np.log(0.2) + 0.8 * np.log(0.8)) / 2)


def test_floats_are_held_against_doubles_by_the_photo_that_is_furthest_off():
    train, test = (
        np.zeros((2, 1, 1, 3), np.uint8),
        np.array([255, 3], np.uint8)[:, None, None, None] * np.ones(3, np.uint8),
    )
    # a white photo has 20 log10(255) dB in both; of 3 of 255 levels it is 20 log10(255 ** 2 / 3)
    float32 = 20 * np.log10(np.float32(255)) - 10 * np.log10(np.square(np.float32(3) / np.float32(255)))
    found = facts.off_by(train, test.reshape(2, 1, 1, 3))
    assert found >= abs(float(float32) - 20 * np.log10(255**2 / 3)) - 1e-12
    assert found < 2e-5


def test_the_committed_pictures_are_there_and_small():
    text = (RESULTS.parent / "ladder.md").read_text()
    shown = re.findall(r"\]\((pictures/.*?\.png)\)", text)
    assert len(shown) >= len(rungs.LADDERS) - 1
    assert all((RESULTS.parent / picture).stat().st_size < 150_000 for picture in shown)
