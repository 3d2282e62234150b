"""Intervals against hand-computed values, verdicts, dead seeds."""

import json
from dataclasses import replace

import numpy as np
import pytest

from jaxae import findings as results
from jaxae.findings import Claim, Difference
from jaxae.findings.claims import row_to_json
from jaxae.findings.verdicts import paired
from jaxae.report.numbers import reproduced

CLAIM = Claim("fc", "loss", 0.5, "Results", reading="the mean")
SEEDS = [0, 1, 2]


def row(values, claim=CLAIM, **options):
    return results.judge({"fc": {"loss": np.array(values)}}, [claim], seeds=SEEDS[: len(values)], **options)


def judged_of(values, claim):
    return results.judge({"fc": {"loss": np.array(values)}}, [claim], seeds=range(len(values)))[0]


def test_intervals_are_students():
    # mean 2, deviation 1, t(0.975, 2) = 4.302653: 4.302653 / sqrt(3) = 2.484138 and 4.302653 * sqrt(4/3) = 4.968276
    assert results.interval([1, 2, 3]) == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)
    assert results.prediction_interval([1, 2, 3]) == pytest.approx((2 - 4.968276, 2 + 4.968276), abs=1e-6)
    assert results.interval([1]) is None


def test_a_number_is_reproduced_inside_the_range_of_a_single_run():
    assert row([0.49, 0.50, 0.52])[0].verdict == "reproduced"
    assert row([0.60, 0.61, 0.62])[0].verdict == "differs"
    assert "below the range" in row([0.60, 0.61, 0.62])[0].reason
    edge = results.prediction_interval([0.60, 0.61, 0.62])
    assert edge is not None
    near = replace(CLAIM, reported=edge[0] - 0.004)
    assert row([0.60, 0.61, 0.62], near)[0].verdict == "differs"
    assert row([0.60, 0.61, 0.62], replace(near, half_digit=0.005))[0].verdict == "reproduced"


def test_one_seed_other_settings_or_a_missing_arm_decide_nothing():
    assert row([0.5])[0].verdict == "not comparable"
    assert row([0.49, 0.50, 0.52], barred=["synthetic data"])[0].reason.endswith("synthetic data")
    missing = results.judge({}, [CLAIM], seeds=SEEDS)[0]
    assert (missing.verdict, missing.n_seeds, missing.mean) == ("not comparable", 0, None)


def test_exact_claims_are_judged_on_any_data():
    claim = Claim("fc", "loss", 468_368, "Results", exact=True)
    assert row([468_368.0] * 3, claim, barred=["synthetic data"])[0].verdict == "reproduced"
    assert row([468_369.0] * 3, claim)[0].verdict == "differs"


def test_an_outcome_is_reproduced_where_most_seeds_have_it():
    nine = replace(CLAIM, reported=9, categorical=True)
    found = row([9.0, 8.0, 9.0], nine)[0]
    assert (found.verdict, reproduced(found)) == ("inconclusive", "9, 8, 9")
    assert found.reason.startswith("in 2 of 3 seeds, which leaves any share from 9% to 99% open")
    # Clopper-Pearson's ends of 5 of 5 and 6 of 6 are 0.025^(1/5) = 0.478 and 0.025^(1/6) = 0.541
    five, six, none = (
        judged_of(seeds, nine) for seeds in ([9.0] * 5, [9.0] * 6, [8.0] * 6)
    )  # an interval over digits would hold 9 in either case
    assert five.verdict == "inconclusive"
    assert (five.reason.endswith("; about 6 seeds would decide at this share"), five.deciding) == (True, 6)
    assert (six.verdict, none.verdict) == ("reproduced", "differs")
    assert row([9.0, 9.0, 9.0], nine, barred=["synthetic data"])[0].verdict == "not comparable"


def test_a_dead_seed_is_named_and_never_silently_averaged():
    both = row([0.50, 1.00, 0.51], dead={"fc": [1]})
    assert [(r.n_seeds, r.excluded) for r in both] == [(3, ()), (2, (1,))]
    assert (both[0].mean, both[0].ci95, both[0].dead) == (None, None, (1,))  # two outcomes have no mean
    assert reproduced(both[0]) == "0.5000, 1.000 and 0.5100"
    assert both[1].mean == pytest.approx(0.505)
    assert [r.verdict for r in both] == ["not comparable", "reproduced"]  # the interval with it would hold any number
    assert "dead seed 1" in both[1].reason
    (every,) = row([1.0, 1.0], dead={"fc": [0, 1]})
    assert (every.verdict, every.n_seeds) == ("not comparable", 2)


def test_another_reading_that_reproduces_explains():
    measures = {"fc": {"loss": np.array([0.2, 0.21, 0.22]), "sum": np.array([0.49, 0.5, 0.51])}}
    claims = [replace(CLAIM, explained_by=(("fc", "sum"),)), replace(CLAIM, metric="sum", reading="the sum")]
    first, second = results.judge(measures, claims, seeds=SEEDS)
    assert (first.verdict, second.verdict) == ("explained", "reproduced")
    assert "the sum" in first.reason


def test_differences_are_paired_by_seed():
    difference = Difference("a", "b", "m", np.array([1.0, 1.0, 1.0]))
    (whole,) = paired(difference, seeds=SEEDS, dead={})
    assert (whole.arm, whole.mean, whole.ci95) == ("a - b", 1.0, (1.0, 1.0))
    every, alive = paired(difference, seeds=SEEDS, dead={"b": [2]})
    assert (every.n_seeds, alive.n_seeds, alive.excluded) == (3, 2, (2,))


def test_differences_that_leave_out_0_are_counted_and_named():
    apart, around, one_seed = [1.0, 1.1, 0.9], [1.0, -1.0, 0.5], [1.0]
    found = [results.measured("a - b", name, v) for name, v in (("m", apart), ("o", around), ("p", one_seed))]
    found += [replace(found[0], ci95=None, dead=(2,)), replace(found[1], metric="q"), replace(found[1], metric="r")]
    known, outside = results.leaving_out_zero(found)
    assert ([row.metric for row in known], [row.metric for row in outside]) == (["m", "o", "q", "r"], ["m"])


def test_the_side_of_zero_is_that_of_the_interval():
    sides = [results.side_of_zero(np.array(values)) for values in ([1, 1.1, 0.9], [-1, -1.1, -0.9], [1, -1, 0.5], [1])]
    assert sides == [1, -1, 0, 0]
    assert results.side_of_zero(np.array([1, 1.1, 0.9]), least=2) == 0


def test_rows_are_strict_json_whatever_their_values():
    for values, told in (([0.5, np.inf, -np.inf], [0.5, "inf", "-inf"]), ([0.5, np.nan], [0.5, None])):
        assert json.loads(json.dumps(row_to_json(row(values)[0]), allow_nan=False))["values"] == told


def test_infinite_psnr_is_called_what_it_is_and_not_a_failure():
    perfect, better, one = (
        results.judge({"fc": {"test/psnr": np.array(values)}}, [replace(CLAIM, metric="test/psnr")], seeds=SEEDS)[0]
        for values in ([np.inf] * 3, [30.0, np.inf, 31.0], [30.0, np.inf, np.nan])
    )
    assert perfect.reason == "infinite in 3 of 3 seeds: images without any error have no finite PSNR"
    assert better.reason.startswith("infinite in 1 of 3 seeds: ")
    assert one.reason == "not a number in 1 of 3 seeds"
    assert [reproduced(found) for found in (perfect, better, one)] == ["∞", "∞ in 1 of 3 seeds", "—"]
    assert row([0.5, np.inf, 0.5])[0].reason == "infinite in 1 of 3 seeds"
