"""Curves of losses: the mean over an epoch, one number for a curve, how far it rises, as history.json has them."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxae.files import number_in_json
from jaxae.study import State


def epoch_means(losses: np.ndarray, per_epoch: int) -> np.ndarray:
    """f32[lanes, steps] -> f64[lanes, epochs]: the mean over each epoch's steps, as they were trained."""
    return np.asarray(losses, np.float64).reshape(len(losses), -1, per_epoch).mean(2)


def summaries(values: np.ndarray) -> dict[str, np.ndarray]:
    """One number per lane from f[lanes, points]; points after an early stop are NaN and left out."""
    values = np.asarray(values, np.float64)
    last = np.maximum((~np.isnan(values)).sum(1) - 1, 0)
    return {
        "first": values[:, 0],
        "last": np.take_along_axis(values, last[:, None], 1)[:, 0],
        "best": np.nanmin(values, 1),
        "mean over epochs": np.nanmean(values, 1),
        "sum over epochs": np.nansum(values, 1),
    }


def rise(losses: np.ndarray) -> float:
    """By how many percent the mean over a curve's last tenth lies above that over its lowest tenth, float[epochs]."""
    width = max(1, len(losses) // 10)
    means = np.convolve(losses, np.ones(width) / width, "valid")
    return float(100 * (means[-1] / means.min() - 1))


def epoch_line(name: str, now: Any, per_epoch: int, epochs: int) -> str:
    """The epoch that a Progress ends with, in a line: its losses are means over the lanes that trained in it."""
    done = int(now.done)
    losses = now.train["loss"][:, done - per_epoch : done]
    loss, trained = float(np.nanmean(losses)), ~np.isnan(losses).any(1)
    line = f"{name}: epoch {done // per_epoch}/{epochs}, loss {loss:.5f}"
    seen = now.validation["loss"][~np.isnan(now.validation["loss"])] if now.validation else np.zeros(0)
    if not seen.size:
        return line
    lowest = "lowest validation loss" + (", mean over the seeds," if trained.sum() > 1 else "")
    return f"{line}, {lowest} {float(np.mean(np.asarray(now.best_loss)[trained])):.5f}"


def parameters(state: State) -> int:
    """Parameters of one lane's model."""
    return sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(state.params))


def as_json(tree: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """{name: [[number, "inf" or null for NaN]]}: see `number_in_json`."""
    return {name: [[number_in_json(value) for value in row] for row in values] for name, values in tree.items()}
