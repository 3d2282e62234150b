"""Whether what the reports state in words is what seeds do, from measures whose answers are known."""

import numpy as np
import pytest

import jaxae as ae
from experiments.bottleneck import words as bottleneck
from experiments.bottleneck.measures import FALL
from experiments.bottleneck.method import Config as BottleneckConfig
from experiments.bottleneck.paths import DETOURS, DIFFERENT, ENDS, JUMP
from experiments.digit_addition import cures
from experiments.digit_addition.method import Config as AdditionConfig
from experiments.digit_addition.outcomes import NINES, NUMBER
from experiments.digit_codes import stated
from experiments.digit_codes.measures import GAP, LOWEST, PLATEAU, RISE
from experiments.digit_codes.method import Config as CodesConfig

SEEDS = tuple(range(6))
SPREAD = np.array([0.0, 0.001, -0.001, 0.002, 0.001, -0.002])
LINE = f"line between {DIFFERENT}/"


def found(config, measures) -> ae.Findings:
    return ae.Findings(ae.results.Origin(config, SEEDS, ()), measures)


@pytest.mark.parametrize(("epochs", "side"), [((14, 30), 1), ((14, 31), 0), ((13, 31), -1)])
def test_a_plateau_begins_at_roughly_20_epochs_within_a_factor_of_one_and_a_half(epochs, side):
    seen = found(CodesConfig(), {"a mse": {PLATEAU: np.resize(epochs, 6)}, "a bce": {PLATEAU: np.full(6, 99)}})
    assert stated.answers(seen)["plateaus"] == [side]  # of MSE alone, of which the report says it


def test_larger_codes_are_held_against_smaller_ones_seed_by_seed():
    small = {stated.ERROR: 0.2 + SPREAD, GAP: 2 + SPREAD, LOWEST: np.full(6, 100), RISE: 0.5 + SPREAD}
    last = np.array([100, 100, 100, 99, 98, 97])
    large = {stated.ERROR: 0.1 + SPREAD[::-1], GAP: 5 - SPREAD, LOWEST: last, RISE: 1.5 + SPREAD}
    seen = found(CodesConfig(), {"transposed 2 mse": small, "transposed 7 mse": large})
    answers = stated.answers(seen)
    assert answers["larger"] == [1, 1]  # a lower error, and a wider gap
    assert answers["fits"] == [1, -1]
    assert answers["ends last"] == [0]  # in 3 of 6 seeds
    assert answers["smoother"] == answers["generalises"] == []  # no pair of losses
    assert stated.by_size(seen) == {
        "pairs": 1, "error": pytest.approx((-0.1, -0.1), abs=1e-3), "gap": pytest.approx((3, 3), abs=0.01),
    }  # fmt: skip


def test_by_its_own_numbers_report_003_has_the_transposed_decoder_lowest_in_training_alone():
    assert stated.by_its_own()["sides"] == [1, -1]


@pytest.mark.parametrize(
    ("one", "answer"),
    [
        ({"vae": 1, "vae plain": 1, "vae natural": 1, "vae natural plain": 0}, [0]),  # nothing to cure
        ({"vae": 0, "vae plain": 1, "vae natural": 0, "vae natural plain": 1}, [1, 1]),
        ({"vae": 0, "vae plain": 0, "vae natural": 0, "vae natural plain": 1}, [-1, 1]),
        ({"vae": 1, "vae plain": 1, "vae natural": 1, "vae natural plain": 1}, [1, -1]),
        ({"vae": 1, "vae plain": 1}, []),
    ],
)
@pytest.mark.parametrize("kind", [NINES, NUMBER])
def test_what_cured_the_nines_is_for_the_report_where_balanced_pairs_left_them_and_both_changes_did_not(
    one, answer, kind
):
    measures = {
        arm: {f"outcome/{name}": np.full(6, each * (name == kind)) for name in (NINES, NUMBER)}
        for arm, each in one.items()
    }
    assert cures.answers(found(AdditionConfig(), measures)) == answer


def test_paths_and_curves_are_held_against_what_is_called_seamless_and_minimal():
    measures = {
        FALL: np.array([1.0, 4.9, 2, 3, 4, 0]), f"{LINE}{JUMP}": 1.3 + SPREAD, f"{LINE}{DETOURS}": np.full(6, 80.0),
        f"{LINE}{ENDS}": np.zeros(6), "test/mse": 0.03 + SPREAD,
    }  # fmt: skip
    sizes = {8: "code 8", 16: "code 16"}
    seen = found(BottleneckConfig(), {"code 8": measures, "code 16": {"test/mse": 0.02 - SPREAD}})
    expected = {"flat": 1, "seamless": 1, "uncommon": -1, "larger": [1]}
    assert bottleneck.answers(seen, sizes, "code 8") == expected
    steep = {**measures, FALL: np.full(6, 5.0), f"{LINE}{JUMP}": 3 + SPREAD}
    seen = found(BottleneckConfig(), {"code 8": steep})
    assert bottleneck.answers(seen, {8: "code 8"}, "code 8") == {**expected, "flat": -1, "seamless": -1, "larger": []}
