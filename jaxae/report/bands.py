"""What is drawn of values by seed: their mean, and the interval of the mean where there are seeds enough to tell."""

from typing import Any

import numpy as np

from jaxae.findings.statistics import interval_by_point
from jaxae.report.numbers import FEW


def within(bounds: Any, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean float[n] of float[seeds, n] and the ends of its interval, cut where no value can be; NaN of too few seeds.

    `bounds` are the least and the most that a value can be, or nothing.
    """
    mean, low, high = interval_by_point(values)
    least, most = bounds or (-np.inf, np.inf)
    told = np.isfinite(values).sum(0) >= FEW
    return mean, np.where(told, np.maximum(low, least), np.nan), np.where(told, np.minimum(high, most), np.nan)


def one_by_one(values: Any) -> bool:
    """Whether float[seeds, n] are too few seeds for an interval, and more than one."""
    return 1 < len(values) < FEW
