"""What lies between two runs: against SciPy's own intervals, paired where seeds are the same."""

import numpy as np
import pytest
from scipy import stats

import jaxae as ae
from jaxae.findings import Findings, Origin, contrasts

FIRST, SECOND = np.array([0.31, 0.35, 0.28, 0.33]), np.array([0.25, 0.30, 0.29, 0.24])


def found(values, seeds=(0, 1, 2, 3), dead=(), size=100.0):
    measures = {"fc": {"loss": np.asarray(values), "size": np.asarray(size)}}
    return Findings(Origin(ae.Flags(), seeds, ()), measures, {"fc": dead})


def test_runs_of_the_same_seeds_are_compared_in_pairs_and_others_by_welch():
    paired, size = contrasts(found(FIRST), found(SECOND))
    ends = stats.ttest_rel(FIRST, SECOND).confidence_interval()
    assert (paired.paired, paired.apart) == (True, bool(ends.low > 0))
    assert paired.ends == pytest.approx((ends.low, ends.high), rel=1e-9)
    assert (size.same, size.apart, size.ends) == (True, False, None)
    for other in (found(SECOND[:3], (4, 5, 6)), found(SECOND, dead=(3,))):
        apart, _ = contrasts(found(FIRST), other)
        ends = stats.ttest_ind(FIRST, SECOND[:3], equal_var=False).confidence_interval()
        assert not apart.paired
        assert apart.ends == pytest.approx((ends.low, ends.high), rel=1e-9)


def test_what_has_no_interval_says_none_and_shared_numbers_differ_where_they_are_others():
    one, other = found([0.3], (0,)), found([0.2], (0,), size=200.0)
    loss, size = contrasts(one, other)
    assert (loss.ends, loss.apart, loss.same) == (None, False, False)
    assert (size.apart, size.difference) == (True, -100.0)
    infinite, _ = contrasts(found([np.inf] * 4), found([np.inf] * 4))
    assert (infinite.same, infinite.apart) == (True, False)
    assert contrasts(found(FIRST), Findings(Origin(ae.Flags(), (0,), ()), {"conv": {}})) == []
