"""What decides: margins, the seeds that would decide, scales, pooled deviations, shares, likelihood ratios."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from jaxae import findings as results
from jaxae.errors import UsageError
from jaxae.findings import Claim, Rival
from jaxae.report.numbers import portion, ratio, reproduced, undecided

VALUES = [99.0, 100.0, 101.0]  # deviation 1; single runs fall within 4.302653 * sqrt(4 / 3) = 4.968276 of their mean
HALF = 4.968276
CLAIM = Claim("a", "m", 101.0, "Table 1", "as it is")


def told_from(way, claim=CLAIM):
    """A claim whose rival is twice so far away."""
    return replace(claim, rivals=(Rival("the other", value=claim.reported + 2 * way),))


def judge(claim, values=VALUES, others=None, **options):
    measures = {
        "a": {"m": np.array(values)},
        **{name: {"m": np.array(seeds)} for name, seeds in (others or {}).items()},
    }
    measures["a"] |= {name: np.asarray(value) for name, value in options.pop("more", {}).items()}
    return results.judge(measures, [claim], seeds=range(len(values)), **options)[0]


def test_inside_a_range_that_is_too_wide_nothing_is_decided():
    narrow, wide = (judge(told_from(HALF + step)) for step in (1e-6, -1e-3))
    assert (narrow.verdict, wide.verdict) == ("reproduced", "inconclusive")
    assert "its half width of 4.97 is above 4.97, half the way to the other, 110.9" in wide.reason
    outside = judge(told_from(0.1, replace(CLAIM, reported=100 + HALF + 1e-3)))
    assert outside.verdict == "differs"  # however wide the range is


@pytest.mark.parametrize(("rival", "verdict"), [(101 + 2.01 * HALF, "reproduced"), (101 - 1.99 * HALF, "inconclusive")])
def test_a_range_must_be_narrower_than_half_the_way_to_the_nearest_rival(rival, verdict):
    claim = replace(CLAIM, rivals=(Rival("far", value=1e3), Rival("the sum", "b", "m")))
    found = judge(claim, others={"b": [rival - 1, rival, rival + 1]})
    assert found.verdict == verdict
    assert ("half the way to the sum" in found.reason) == (verdict == "inconclusive")


def test_a_rival_that_was_not_measured_leaves_a_number_open():
    claim = replace(CLAIM, rivals=(Rival("the variance", "b", "m"),))
    assert judge(claim, others={"b": [1e3, 1e3, 1e3]}).verdict == "reproduced"
    alone = judge(claim)
    assert alone.verdict == "inconclusive"
    assert alone.reason.endswith("but the variance, from which it must be told, was not measured in this run")
    wide = judge(replace(claim, reported=3.99 * HALF), [x - 80 for x in VALUES])  # more seeds alone don't decide
    assert (wide.reason.endswith("a quarter of the number; " + alone.reason.partition(", but ")[2]), wide.deciding) == (
        True, None,
    )  # fmt: skip
    assert judge(replace(claim, reported=200.0)).verdict == "differs"  # wherever the rival lies


def test_a_rivals_mean_is_that_on_the_scale():
    claim = replace(CLAIM, reported=1.0, scale="log", rivals=(Rival("other", "b", "m"),))
    values = np.exp([-0.03, 0.0, 0.03])  # 0.03 * HALF = 0.149 on either side
    # half the way to the geometric mean 10^0.12 is 0.138, to the arithmetic one, 1.430, it would be 0.179
    found = judge(claim, values, others={"b": [1.0, 1.0, 10**0.36]})
    assert (found.verdict, "other, 1.318" in found.reason) == ("inconclusive", True)


def test_a_quarter_of_the_number_is_the_margin_where_no_rival_is_nearer():
    assert judge(replace(CLAIM, reported=4 * HALF), [x - 80 for x in VALUES]).verdict == "reproduced"
    assert judge(replace(CLAIM, reported=3.99 * HALF), [x - 80 for x in VALUES]).verdict == "inconclusive"


def test_the_seeds_that_would_decide_are_the_least_whose_range_is_narrow_enough():
    # t(0.975, n - 1) sqrt(1 + 1 / n) is 2.365 * 1.061 = 2.508 for 8 seeds and 2.306 * 1.054 = 2.431 for 9
    found = results.spread(VALUES)
    assert found is not None
    assert found == (1, 2, 1)
    assert results.deciding_seeds(found, 3, 2.5) == 9
    assert results.deciding_seeds(found, 3, 1.9) is None  # 1.96 is what is left of it
    would = "; about 9 seeds would decide at this spread, of 2 degrees of freedom"
    assert judge(told_from(2.5)).reason.endswith(would)
    assert [judge(told_from(margin)).deciding for margin in (2.5, 1.9, 2 * HALF)] == [9, 0, None]
    assert results.telling_seeds([1.0, 2.0, 3.0]) == 4  # 3.182 / 2 is below the mean, 4.303 / sqrt(3) isn't
    assert results.telling_seeds([-1.0, 1.0]) is None


def test_losses_are_compared_by_their_logarithms():
    values = [math.exp(x) for x in (1, 2, 3)]
    found = judge(replace(CLAIM, reported=math.exp(2), scale="log"), values)
    assert found.mean == pytest.approx(math.exp(2))
    assert found.pi95 == pytest.approx((math.exp(2 - HALF), math.exp(2 + HALF)), rel=1e-5)
    assert reproduced(found) == "7.4 (0.6 to 88.6)"  # exp(2 - 2.484138) and exp(2 + 2.484138)
    assert judge(replace(CLAIM, scale="log"), [1.0, 2.0, 0.0]).verdict == "not comparable"
    for factor, verdict in ((1.249, "reproduced"), (1.251, "inconclusive")):  # a quarter, whatever the unit
        steps = np.log(factor) * np.array([-1, 0, 1]) / HALF
        narrow = replace(CLAIM, reported=0.012, scale="log")
        assert judge(narrow, 0.012 * np.exp(steps)).verdict == verdict
    with pytest.raises(UsageError, match="scale 'ln' isn't known"):
        replace(CLAIM, scale="ln")
    with pytest.raises(UsageError, match="-1 has no place on the scale 'log'"):
        replace(CLAIM, scale="log", reported=-1.0)


def test_a_quarter_of_the_error_is_the_margin_in_decibels():
    for factor, verdict in ((0.99, "reproduced"), (1.01, "inconclusive")):
        steps = factor * 10 * np.log10(1.25) * np.array([-1, 0, 1]) / HALF
        assert judge(replace(CLAIM, reported=24.48, scale="decibel"), 24.48 + steps).verdict == verdict


def test_like_arms_have_one_deviation_with_the_freedom_that_they_have_together():
    apart = [1.0, -2.0, 1.0] / np.sqrt(3)  # as far apart as -1, 0 and 1, and uncorrelated with them
    assert results.spread(VALUES, [VALUES]) == pytest.approx((1, 2, 2))  # equal arms tell nothing new
    assert results.spread(VALUES, [apart]) == pytest.approx((1, 4, 2))
    assert results.spread(VALUES, [10 * np.array(VALUES)]) == (1, 2, 1)
    # Pitman and Morgan: 1 + 100 and 1 - 100 make a correlation of -0.980, t = -4.95 with 1 degree, p = 0.127
    assert results.spread(VALUES, [10 * apart]) == (1, 2, 1)
    assert stats.bartlett(VALUES, 1.3 * np.array(VALUES)).pvalue > 0.25  # which is blind to it that they are pairs
    assert results.spread(VALUES, [1.3 * np.array(VALUES)]) == (1, 2, 1)
    pooled = judge(replace(CLAIM, alike=("a", "b")), others={"b": apart})
    assert "pooled over 2 arms that are alike, 4.0 degrees of freedom" in pooled.reason
    half = 2.776445 * np.sqrt(4 / 3)  # t(0.975, 4)
    assert pooled.pi95 == pytest.approx((100 - half, 100 + half), abs=1e-5)
    alone = judge(replace(CLAIM, alike=("a", "b")), others={"b": apart}, dead={"b": [0]})
    assert alone.pi95 == pytest.approx((100 - HALF, 100 + HALF), abs=1e-5)  # a seed of the other died


def test_the_error_of_few_test_images_is_added():
    claim, more = replace(CLAIM, test_set="photos"), {f"m{results.OVER_IMAGES}": [3.0, 3.0, 3.0]}
    missing = {"photos": 1 / 1000 - 1 / 10_000}
    half = 4.302653 * np.sqrt(4 / 3 + 9 * 0.0009)
    assert judge(claim, more=more, missing=missing).pi95 == pytest.approx((100 - half, 100 + half), abs=1e-5)
    for options in ({"more": more}, {"missing": missing}, {"more": more, "missing": {"photos": 0.0}}):
        assert judge(claim, **options).pi95 == pytest.approx((100 - HALF, 100 + HALF), abs=1e-5)


def test_the_error_of_other_images_than_the_reports_is_added_as_it_was_measured():
    claim, more = replace(CLAIM, test_set="photos"), {f"m{results.OF_IMAGES}": [0.2, 0.3, 0.4]}
    half = 4.302653 * np.sqrt(4 / 3 + 0.09)
    for missing in ({}, {"photos": 0.0009}):  # whatever is missing of the set
        row = judge(claim, more=more, missing=missing)
        assert row.pi95 == pytest.approx((100 - half, 100 + half), abs=1e-5)
        assert "over seeds only" not in row.reason


def test_without_the_error_of_few_test_images_the_range_is_said_to_be_over_seeds_only():
    claim, more = replace(CLAIM, test_set="photos"), {f"m{results.OVER_IMAGES}": [3.0, 3.0, 3.0]}
    for options, said in (
        ({}, True), ({"more": more}, False), ({"missing": {"photos": 0.0}}, False), ({"missing": {}}, False),
    ):  # fmt: skip
        assert ("over seeds only" in judge(claim, **{"missing": {"photos": 0.0009}, **options}).reason) == said


def test_the_rounding_of_the_printed_number_is_said_where_it_decides():
    for step, said in ((-0.01, False), (0.01, True)):
        row = judge(replace(CLAIM, reported=22 + HALF + step, half_digit=0.05), [x - 78 for x in VALUES])
        assert row.verdict == "reproduced"
        assert ("17.03 to 26.97" in row.reason, "with the rounding" in row.reason) == (True, said)


def test_readings_that_do_not_decide_are_judged_and_marked():
    row = judge(replace(CLAIM, primary=False))
    assert (row.primary, row.verdict) == (False, "reproduced")


def test_the_likelihood_ratio_is_that_of_students_predictive_densities():
    first, second = np.array([1.0, 2.0, 3.0, 5.0]), np.array([4.0, 4.5, 6.0])
    density = [stats.t.pdf(4.2, len(x) - 1, x.mean(), x.std(ddof=1) * np.sqrt(1 + 1 / len(x))) for x in (first, second)]
    assert results.likelihood_ratio(4.2, first, second) == pytest.approx(density[0] / density[1])
    same = results.likelihood_ratio(4.2, np.exp(first), np.exp(first) * 1.0, "log")
    assert same == pytest.approx(1)
    assert math.isnan(results.likelihood_ratio(4.2, first, [1.0]))
    assert [ratio(value) for value in (math.nan, 1e-9, 1.06, 0.914, 176.7, 3669.0)] == [
        "—",
        "under 0.001",
        "1.1",
        "0.91",
        "177",
        "over 1,000",
    ]


def test_shares_over_seeds_stay_within_0_and_1():
    # mean 0.19033, variance of the mean 0.0106563 / 3: 43.9 cases, times (1.96 / 4.30265)^2 = 9.1
    shares = np.array([0.169, 0.1, 0.302])
    mean, few = shares.mean(), (stats.t.ppf(0.975, 9_999) / 4.302653) ** 2
    known = mean * (1 - mean) / (shares.var(ddof=1) / 3) * few
    x = mean * known
    expected = stats.beta.ppf(0.025, x, known - x + 1), stats.beta.ppf(0.975, x + 1, known - x)
    assert known == pytest.approx(9.1, abs=0.05)
    assert results.share_over_seeds(shares, 10_000) == pytest.approx(expected, rel=1e-4)
    assert portion(100 * shares, 10_000) == f"19% ({100 * expected[0]:.3g} to {100 * expected[1]:.3g}%)"
    assert results.share_over_seeds([0.0, 0.0], 50) == results.share_interval(0, 50)  # no seed differs: all cases, once
    assert results.share_over_seeds([0.2], 50) == results.share_interval(10, 50)
    assert results.share_over_seeds([np.nan, 0.1], 50) is None


def test_seeds_on_one_side_of_zero_are_too_few_where_they_cannot_tell():
    few = "all 3 seeds agree, but so few can do so by chance: "
    assert undecided([1.0, 2.0, 3.0]) == f"{few}perhaps 4 would tell, if they scatter as these do"
    assert [undecided(values) for values in ([-1.0, 2.0, 3.0], [2.0, 2.1, 2.2], [1.0])] == ["", "", ""]
