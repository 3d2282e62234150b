"""On which side of what the reports state in words the seeds are, from measures whose answers are known."""

import numpy as np
import pytest

import jaxae as ae
from experiments.bottleneck import words as bottleneck
from experiments.bottleneck.measures import FALL
from experiments.bottleneck.method import Config as BottleneckConfig
from experiments.bottleneck.paths import DETOURS, DIFFERENT, ENDS, JUMP
from experiments.digit_addition.words import cures
from experiments.digit_codes import stated
from experiments.digit_codes.measures import GAP, LOWEST, PLATEAU
from experiments.digit_codes.method import Config as CodesConfig

SEEDS = tuple(range(6))
SPREAD = np.array([0.0, 0.001, -0.001, 0.002, 0.001, -0.002])
LINE = f"line between {DIFFERENT}/"


def found(config, measures) -> ae.Findings:
    return ae.Findings(ae.results.Origin(config, SEEDS, ()), measures)


@pytest.mark.parametrize(("epochs", "side"), [((14, 30), 1), ((14, 31), 0), ((13, 31), -1)])
def test_a_plateau_begins_at_roughly_20_epochs_within_a_factor_of_one_and_a_half(epochs, side):
    seen = found(CodesConfig(), {"a": {PLATEAU: np.resize(epochs, 6)}})
    assert stated.sides(seen, {"risen": [], "judged": 0})["plateaus"] == [side]


def test_larger_codes_are_held_against_smaller_ones_seed_by_seed():
    small = {stated.ERROR: 0.2 + SPREAD, GAP: 2 + SPREAD, LOWEST: np.full(6, 100)}
    large = {stated.ERROR: 0.1 + SPREAD[::-1], GAP: 5 - SPREAD, LOWEST: np.array([100, 100, 100, 99, 98, 97])}
    seen = found(CodesConfig(), {"transposed 2 mse": small, "transposed 7 mse": large})
    sides = stated.sides(seen, {"risen": ["transposed 7 mse"], "judged": 2})
    assert sides["larger"] == [1, 1]  # a lower error, and a wider gap
    assert sides["fits"] == [-1, 1]
    assert sides["ends"] == [0]  # 9 of 12: the exact interval begins at 0.43
    assert sides["smoother"] == sides["generalises"] == []  # no pair of losses
    assert stated.by_size(seen) == {
        "pairs": 1,
        "error": pytest.approx((-0.1,) * 2),
        "gap": pytest.approx((3,) * 2, abs=0.01),
    }


def test_what_cured_the_nines_is_for_the_report_where_balanced_pairs_left_them_and_both_changes_did_not():
    alone, both, neither = ("with balanced pairs alone", "with balanced pairs and ValueToLatent", "with neither")
    assert cures({}) == []
    assert cures({"collapsed": [both]}) == [0]  # nothing to cure
    assert cures({"collapsed": [neither, alone]}) == [1, 1]
    assert cures({"collapsed": [neither]}) == [-1, 1]
    assert cures({"collapsed": [neither, alone, both]}) == [1, -1]


def test_paths_and_curves_are_held_against_what_is_called_seamless_and_minimal():
    measures = {
        FALL: np.array([1.0, 4.9, 2, 3, 4, 0]), f"{LINE}{JUMP}": 1.3 + SPREAD, f"{LINE}{DETOURS}": np.full(6, 80.0),
        f"{LINE}{ENDS}": np.zeros(6), "test/mse": 0.03 + SPREAD,
    }  # fmt: skip
    sizes = {8: "code 8", 16: "code 16"}
    seen = found(BottleneckConfig(), {"code 8": measures, "code 16": {"test/mse": 0.02 - SPREAD}})
    expected = {"flat": 1, "seamless": 1, "uncommon": -1, "larger": [1]}
    assert bottleneck.sides(seen, sizes, "code 8") == expected
    steep = {**measures, FALL: np.full(6, 5.0), f"{LINE}{JUMP}": 3 + SPREAD}
    seen = found(BottleneckConfig(), {"code 8": steep})
    assert bottleneck.sides(seen, {8: "code 8"}, "code 8") == {**expected, "flat": -1, "seamless": -1, "larger": []}
