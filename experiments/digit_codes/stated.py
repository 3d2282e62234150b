"""On which side of what the report states in words the seeds are: 1 for it, -1 against it, 0 where they don't tell."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import jaxae as ae
from experiments.digit_codes.measures import GAP, LOWEST, PLATEAU, SCATTER, loss_pairs, size_pairs
from jaxae.report.statements import mostly

PLATEAUS = 20 / 1.5, 20 * 1.5  # epochs that are called "roughly 20 steps"
ERROR = "validation/rmse/last"


def sides(found: ae.Findings, overfitting: Mapping[str, Any]) -> dict[str, list[int]]:
    """Of every statement that this run can tell of; empty lists where it can't."""
    risen, judged = len(overfitting["risen"]), overfitting["judged"]
    losses = loss_pairs(found.measures)
    return {
        "fits": [*[-1] * risen, *[1] * (judged - risen)],
        "ends": ends_last(found),
        "smoother": below(found, losses, SCATTER),
        "plateaus": [within(found.values(arm, PLATEAU)) for arm in found.measures if found.has(arm, PLATEAU)],
        "generalises": below(found, losses, GAP),
        "larger": [*below(found, size_pairs(found.measures), ERROR), *above(found, size_pairs(found.measures), GAP)],
    }


def below(found: ae.Findings, pairs: Sequence[tuple[str, str]], metric: str) -> list[int]:
    """Whether the first of every pair of arms has less of a measure than the second, paired by living seed."""
    return [-side for side in above(found, pairs, metric)]


def above(found: ae.Findings, pairs: Sequence[tuple[str, str]], metric: str) -> list[int]:
    """Whether it has more."""
    told = [pair for pair in pairs if all(found.has(arm, metric) for arm in pair)]
    return [ae.results.side_of_zero(found.difference(*pair, metric)) for pair in told]


def within(epochs: np.ndarray) -> int:
    """Whether an arm's plateaus begin at roughly 20 epochs."""
    there = (epochs >= PLATEAUS[0]) & (epochs <= PLATEAUS[1])
    return 1 if there.all() else 0 if there.any() else -1


def ends_last(found: ae.Findings) -> list[int]:
    """Whether the lowest validation loss of most trainings is that of their last epoch."""
    last = [found.values(arm, LOWEST) == found.config.epochs for arm in found.measures if found.has(arm, LOWEST)]
    every = np.concatenate(last) if last else np.empty(0)
    return [mostly(int(every.sum()), len(every))] if len(every) else []


def by_size(found: ae.Findings) -> dict[str, Any]:
    """What codes of 7 change against codes of 2: the least and the most of the arms' means; nothing without pairs."""
    pairs = size_pairs(found.measures)
    words: dict[str, Any] = {"pairs": len(pairs)}
    for name, metric in (("error", ERROR), ("gap", GAP)):
        told = [pair for pair in pairs if all(found.has(arm, metric) for arm in pair)]
        means = [float(found.difference(*pair, metric).mean()) for pair in told]
        words |= {name: (min(means), max(means))} if means else {}
    return words
