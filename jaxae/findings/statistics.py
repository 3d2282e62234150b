"""Intervals over seeds.

A measure is one number per seed. What a report printed is *one* run, so it is held against the interval in which 95% of
single runs fall (the prediction interval), not against the interval of the mean, which shrinks to nothing as seeds are
added and would refuse a perfect reproduction.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxae.errors import UsageError

LEVEL = 0.95

Interval = tuple[float, float]


def interval(values: Sequence[float] | np.ndarray) -> Interval | None:
    """The 95% Student-t interval of the mean of `values` (one per seed); None for fewer than two, or without end.

    >>> low, high = ae.results.interval([1.0, 2.0, 3.0])
    >>> round(low, 2), round(high, 2)
    (-0.48, 4.48)
    """
    return _student(values, 1 / np.sqrt(max(len(values), 1)))


def prediction_interval(values: Sequence[float] | np.ndarray) -> Interval | None:
    """The interval in which a further single run falls with 95% probability; None for fewer than two values.

    >>> low, high = ae.results.prediction_interval([1.0, 2.0, 3.0])
    >>> round(low, 2), round(high, 2)
    (-2.97, 6.97)
    """
    return _student(values, np.sqrt(1 + 1 / max(len(values), 1)))


def difference_interval(first: np.ndarray, second: np.ndarray) -> Interval | None:
    """The 95% interval (Welch, 1947) of the mean of `first` less that of `second`, one value per seed, which needn't be
    as many or vary alike; None for fewer than two in either, or without end.

    >>> low, high = ae.results.difference_interval(np.array([1.0, 2.0, 3.0]), np.array([4.0, 6.0]))
    >>> round(low, 2), round(high, 2)
    (-8.98, 2.98)
    """
    if min(len(first), len(second)) < 2 or not np.isfinite([*first, *second]).all():
        return None
    errors = [float(np.var(values, ddof=1)) / len(values) for values in (first, second)]
    middle, error = float(np.mean(first) - np.mean(second)), sum(errors)
    if not error:
        return middle, middle
    parts = [part**2 / (len(values) - 1) for part, values in zip(errors, (first, second), strict=True)]
    half = float(quantile(error**2 / sum(parts)) * np.sqrt(error))
    return middle - half, middle + half


def interval_by_point(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean float[n] of float[seeds, n] and the ends of its 95% interval; values that aren't finite don't count.

    The ends are NaN where fewer than two values count, the mean where none does.
    """
    known = np.isfinite(values)
    count = known.sum(0)
    some, several = np.maximum(count, 1), np.maximum(count, 2)
    mean = np.where(count > 0, np.where(known, values, 0.0).sum(0) / some, np.nan)
    spread = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(0) / (several - 1))
    half = np.where(count > 1, quantile(several - 1) * spread / np.sqrt(several), np.nan)
    return mean, mean - half, mean + half


def side_of_zero(values: np.ndarray, least: float = 0.0) -> int:
    """-1 or 1 where the 95% interval of the mean lies below or above 0, and the mean at least `least` away; else 0."""
    found = interval(values)
    if found is None or abs(np.mean(values)) < least:
        return 0
    return int(found[0] > 0) - int(found[1] < 0)


def share_interval(count: float, of: float) -> Interval:
    """The exact 95% interval (Clopper-Pearson) of a share, seen in `count` of `of` cases, whole numbers or not.

    Raises UsageError for a count that isn't between 0 and `of`, and for no cases.

    >>> low, high = ae.results.share_interval(2, 3)
    >>> round(low, 3), round(high, 3)
    (0.094, 0.992)
    """
    from scipy.special import betaincinv

    if not 0 <= count <= of or of < 1:
        raise UsageError(f"{count} of {of} is no share; give a count from 0 up to the number of cases, at least 1")
    tail = (1 - LEVEL) / 2
    low = float(betaincinv(count, of - count + 1, tail)) if count > 0 else 0.0
    high = float(betaincinv(count + 1, of - count, 1 - tail)) if count < of else 1.0
    return low, high


def share_over_seeds(shares: Sequence[float] | np.ndarray, cases: int) -> Interval | None:
    """The 95% interval of the mean of shares, one per seed, all of the same `cases` images; it stays within 0 and 1.

    Images of one seed are read alike, so they count for fewer: Clopper-Pearson's interval for the effective number of
    cases, that at which a share would vary as ours does over seeds, less what so few seeds leave unknown (Korn and
    Graubard, 1998). That is at most `cases`: further seeds show no further images. None where a share isn't finite, or
    there is none.

    >>> low, high = ae.results.share_over_seeds([0.169, 0.10, 0.302], 10_000)
    >>> 0 < low < 0.05 and 0.4 < high < 0.6
    True
    """
    shares = np.asarray(shares, np.float64)
    if not shares.size or not np.isfinite(shares).all():
        return None
    mean, known = float(np.clip(shares.mean(), 0, 1)), float(cases)
    variance = shares.var(ddof=1) / len(shares) if len(shares) > 1 else 0.0
    if variance > 0 and 0 < mean < 1:
        few = quantile(max(known - 1, 1)) / quantile(len(shares) - 1)
        known = max(min(known, mean * (1 - mean) / variance * few**2), 1.0)
    return share_interval(mean * known, known)


def _student(values: Sequence[float] | np.ndarray, factor: float) -> Interval | None:
    values = np.asarray(values, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    half = float(quantile(len(values) - 1)) * values.std(ddof=1) * factor
    return float(values.mean() - half), float(values.mean() + half)


def quantile(freedom: Any) -> Any:
    """Student's t at the upper end of the interval, by degrees of freedom."""
    from scipy.special import stdtrit

    return stdtrit(freedom, (1 + LEVEL) / 2)
