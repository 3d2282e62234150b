"""Which dimensions of P's code survive its KL, on paper: what could make one picture of every sum.

Take D as linear and P's code as normal. With an error of w |x - D z|^2 / n of an image x of n pixels, and k times the
KL of P in the loss, a dimension survives where the variance between the class means of the sums along it exceeds
n k / (2 w): below that the bits that carry it cost more than they save. (It is the condition under which probabilistic
PCA keeps a direction.) Where the KL is summed over the batch, k is as many times larger as a batch has images.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxae.findings.statistics import LEVEL

WHOLE = 1 - 1e-9  # a correlation from which Fisher's transform has no end
ONE = 0.5  # active units, mean over seeds, from which a code is said to hold something


class Prediction(NamedTuple):
    """Of an arm: the threshold, how many dimensions survive it, and the active units of P by living seed f64[n]."""

    arm: str
    threshold: float
    surviving: int
    active: np.ndarray

    @property
    def fails(self) -> bool:
        """Whether a code that holds nothing was predicted and isn't seen, or the other way round."""
        return (self.surviving > 0) != (self.active.mean() >= ONE)


def variances(mean: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Between class means, along their principal directions, the largest first: f64[classes], in summed squared units.

    `mean` float[classes, ...] are the images, `share` f64[classes] how common each is.
    """
    flat = np.asarray(mean, np.float64).reshape(len(mean), -1)
    apart = flat - share @ flat
    within = np.sqrt(share)[:, None] * apart
    return np.linalg.eigvalsh(within @ within.T)[::-1].clip(0)


def threshold(weights: Any, pixels: int) -> float:
    """The variance that a dimension must exceed, with these weights of the loss, that of the KL as it is reduced."""
    return pixels * weights.P / (2 * weights.added)


def surviving(found: Sequence[float], least: float, code_size: int) -> int:
    """How many of the variances exceed the threshold; at most as many as a code has numbers."""
    return min(sum(variance > least for variance in found), code_size)


def ranked_alike(predictions: Sequence[Prediction]) -> tuple[float, tuple[float, float] | None] | None:
    """Spearman's correlation over the rows of what was predicted with the mean of what was seen, and its 95% interval.

    By Fisher's transform with the deviation of Bonett and Wright (2000), which tells no ends of 1 and -1. None for
    fewer than four rows, and where one of the two is the same in all of them.
    """
    from scipy.special import ndtri

    expected, seen = [each.surviving for each in predictions], [each.active.mean() for each in predictions]
    if len(predictions) < 4 or len({*expected}) < 2 or len({*seen}) < 2:
        return None
    found = spearman(expected, seen)
    if abs(found) >= WHOLE:
        return found, None
    centre = math.atanh(found)
    half = float(ndtri((1 + LEVEL) / 2)) * math.sqrt((1 + found**2 / 2) / (len(predictions) - 3))
    return found, (math.tanh(centre - half), math.tanh(centre + half))


def by_seed(predictions: Sequence[Prediction]) -> list[float]:
    """The same correlation of each seed alone, where all rows have the same ones; empty where there is none to tell."""
    expected, seen = [each.surviving for each in predictions], [each.active for each in predictions]
    if len({len(values) for values in seen}) != 1 or len({*expected}) < 2:
        return []
    return [spearman(expected, seed) for seed in zip(*seen, strict=True) if len({*seed}) > 1]


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    """The rank correlation of two lists, neither of which is all the same."""
    from scipy.stats import spearmanr

    found: Any = spearmanr(one, other)
    return float(found.statistic)
