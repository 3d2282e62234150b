"""How far single runs lie apart: their deviation, pooled over like arms, and what number of seeds would decide."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxae.findings.scales import Scale, on_scale
from jaxae.findings.statistics import quantile, share_interval

ALIKE = 0.25  # p of the test from which deviations are pooled: the level advised for tests that come before
MOST = 1000  # seeds that are thought of


class Spread(NamedTuple):
    """The standard deviation of single runs, its degrees of freedom, and over how many arms it is pooled."""

    deviation: float
    freedom: float
    arms: int = 1

    def half_width(self, count: float | np.ndarray, error: float = 0.0, freedom: Any = None) -> Any:
        """Of the range in which 95% of further single runs fall, about the mean of `count` seeds.

        `error` is a further standard error that ours don't share with the report's, as of other test images.
        """
        return quantile(self.freedom if freedom is None else freedom) * np.sqrt(
            self.deviation**2 * (1 + 1 / count) + error**2
        )


def spread(values: Any, others: Sequence[Any] = ()) -> Spread | None:
    """That of one value per seed, f64[n], pooled with those of `others`, arms of one design, where all are alike.

    Two are alike where the test of Pitman and Morgan, which is of pairs, has p of at least ALIKE; more, where that of
    Bartlett has, which takes arms as independent: it is lenient, since arms share their seeds' draws. For the same
    reason their deviations tell partly the same: k arms have about (n - 1) k^2 / (the sum of all squared correlations)
    degrees of freedom, n - 1 if they are equal, k (n - 1) if they have nothing in common; the correlations are ours.
    None for fewer than two values, and where one isn't finite.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    groups = np.stack([values, *(np.asarray(other, np.float64) for other in others)])
    if len(groups) > 1 and _alike(groups):
        freedom = (len(values) - 1) * len(groups) ** 2 / (np.corrcoef(groups) ** 2).sum()
        return Spread(float(np.sqrt(groups.var(1, ddof=1).mean())), float(freedom), len(groups))
    return Spread(float(values.std(ddof=1)), len(values) - 1)


def deciding_seeds(found: Spread, count: int, margin: float, error: float = 0.0) -> int | None:
    """The least number of seeds at which the range of single runs is expected to be no wider than `margin` either side.

    At the deviation of the present `count` seeds. None where no number of seeds is enough: single runs differ by more,
    or MOST are too few.
    """
    seeds = np.arange(2, MOST + 1)
    widths = found.half_width(seeds, error, found.freedom * (seeds - 1) / (count - 1))
    return int(seeds[np.argmax(widths <= margin)]) if (widths <= margin).any() else None


def telling_seeds(values: Any) -> int | None:
    """The least number of seeds at which the mean's interval is expected to leave out 0, as `deciding_seeds`."""
    values = np.asarray(values, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    seeds = np.arange(2, MOST + 1)
    apart = quantile(seeds - 1) * values.std(ddof=1) / np.sqrt(seeds) < abs(values.mean())
    return int(seeds[np.argmax(apart)]) if apart.any() else None


def of_few(freedom: float) -> str:
    """What is to be added to a number of seeds that rests on the deviation of fewer than five."""
    words = f"{freedom:.1f}".removesuffix(".0")
    return f", of {words} degree{'s' * (words != '1')} of freedom" if freedom < 4 else ""


def deciding_share(hits: int, of: int) -> int | None:
    """The least number of seeds at which the exact interval of such a share is expected to leave out one half."""
    for seeds in range(of, MOST + 1):
        low, high = share_interval(round(seeds * hits / of), seeds)
        if low > 0.5 or high < 0.5:
            return seeds
    return None


def likelihood_ratio(number: float, first: Any, second: Any, scale: Scale = "plain") -> float:
    """How many times likelier `number` is as a further run of `first` than of `second`, each one value per seed.

    The ratio of Student-t predictive densities at `number`; NaN where there is none: of fewer than two seeds, or equal
    ones.

    >>> round(ae.results.likelihood_ratio(0.0, [-1.0, 1.0], [1.0, 3.0]), 6)  # t with 1 degree, 0 and 2/sqrt(3) away
    2.333333
    """
    one, other = (_log_density(float(on_scale(number, scale)), on_scale(values, scale)) for values in (first, second))
    return float(np.exp(np.clip(one - other, -700, 700)))


def _log_density(place: float, values: np.ndarray) -> float:
    from scipy.stats import t

    found = spread(values)
    if found is None or found.deviation == 0:
        return np.nan
    scale = found.deviation * np.sqrt(1 + 1 / len(values))
    return float(t.logpdf(place, found.freedom, values.mean(), scale))


def _alike(groups: np.ndarray) -> bool:
    from scipy.stats import bartlett, pearsonr

    if not np.isfinite(groups).all() or not groups.std(1).all():
        return False
    if len(groups) == 2:
        total, difference = groups[0] + groups[1], groups[0] - groups[1]
        same = min(np.ptp(total), np.ptp(difference)) <= 1e-9 * np.ptp(groups, axis=1).max()  # or mirrored
        return bool(same or pearsonr(total, difference).pvalue >= ALIKE)  # pyright: ignore[reportAttributeAccessIssue]
    return not bartlett(*groups).pvalue < ALIKE  # of equal deviations scipy gives NaN
