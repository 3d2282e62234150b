"""Measures: by arm and metric, one number per seed or one that all seeds share."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxae.errors import UsageError
from jaxae.train.curves import parameters, summaries
from jaxae.train.trained import Trained


def of_training(arm: Trained) -> dict[str, np.ndarray]:
    """What is measured of every arm, {metric: f64[seeds], or f64[]}.

    "parameters"; of every loss and part of it, "train/NAME/..." and "validation/NAME/..." with first, last, best, mean
    over epochs, sum over epochs; the mean of every score over images, "test/NAME".
    """
    found = {"parameters": as_measure(parameters(arm.state))}
    for split, losses in (("train", arm.epochs), ("validation", arm.validation)):
        for name, values in losses.items():
            found |= {f"{split}/{name}/{summary}": value for summary, value in summaries(values).items()}
    found |= {f"test/{name}": np.asarray(values, np.float64).mean(1) for name, values in arm.scores.items()}
    return found


def as_measure(values: Any) -> np.ndarray:
    """Numbers as a measure keeps them: f64[seeds], or f64[] for a single one, which is the same for all seeds."""
    return np.asarray(values, np.float64)


def combined(*parts: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, np.ndarray]]:
    """{arm: {name: array}} of all parts, in their order.

    Raises UsageError where two parts have the same name of the same arm.
    """
    found: dict[str, dict[str, np.ndarray]] = {}
    for part in parts:
        for arm, values in part.items():
            there = found.setdefault(arm, {})
            if twice := there.keys() & values.keys():
                raise UsageError(f"{arm}, {min(twice)} is measured twice; give each its own name")
            there |= values
    return found
