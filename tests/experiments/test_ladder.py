"""The ladder: what is said of rungs, by hand; its committed page and pictures."""

import numpy as np
import pytest

import jaxae as ae
from experiments.ladder import facts, pages, rungs
from experiments.ladder.rungs import Bound, Ladder, Rung
from experiments.tables.pages import RESULTS
from jaxae.run.flags import Flags


def found(values, dead=()) -> ae.Findings:
    seeds = tuple(range(len(values)))
    return ae.Findings(ae.results.Origin(Flags(), seeds, ()), {"a": {"m": np.array(values)}}, {"a": dead})


RESULT = {"far": found([0.10, 0.12]), "near": found([0.47, 0.52, 9.0], dead=(2,)), "own": found([0.5004])}
M = rungs.of("a", "m")
LADDER = Ladder(
    "l", "0.5: it", 0.5, 5e-4, "loss",
    (Rung("one", "far", M), Rung("two"), Rung("three", "near", M), Rung("four", "absent", M)),
    Bound("the least", lambda results, facts: 0.25),
)  # fmt: skip


def test_a_ladder_says_what_moved_the_number_and_where_it_ends():
    said = pages.section(LADDER, RESULT, {})
    assert "The last rung that is measured, 3, holds the report's number in the range of a single run" in said
    assert "The longest step, 0.3850, is rung 3: three." in said
    assert "the least, 0.2500." in said
    assert "Not measured: rungs 2 and 4." in said
    steps = pages.climbed(LADDER, RESULT)
    assert steps[2].value.tolist() == [0.47, 0.52]  # of the seeds that live
    assert [row[2:5] for row in pages.table(LADDER, steps).rows][1] == ["not measured", "—", "—"]
    drawn = pages.figure(LADDER, RESULT, {})
    ae.plots.check(drawn)
    np.testing.assert_array_equal(np.isnan(drawn.lines[0].values).all(0), [False, True, False, True])


@pytest.mark.parametrize(
    ("result", "words"), [("own", "gives the report's number"), ("far", "ends short of the report's number")]
)
def test_a_rung_reaches_a_number_to_its_last_digit_or_ends_short(result, words):
    ladder = LADDER._replace(rungs=(Rung("one", result, M),))
    assert words in pages.conclusion(ladder, pages.climbed(ladder, RESULT), RESULT, {})


def test_the_entropy_of_pixels_is_the_least_cross_entropy():
    image = np.array([0, 255, 51, 51], np.uint8).reshape(1, 2, 2, 1)
    assert facts.entropy(image) == pytest.approx(-(0.2 * np.log(0.2) + 0.8 * np.log(0.8)) / 2)


def test_the_committed_pictures_are_there_and_small():
    text = (RESULTS.parent / "ladder.md").read_text()
    for ladder in rungs.LADDERS:
        picture = f"{pages.FOLDER}/ladder_{ladder.name}.png"
        assert f"]({picture})" in text
        assert (RESULTS.parent / picture).stat().st_size < 150_000
