"""What a verdict rests on: the seeds that live, how narrow a range must be, and the error of few test images."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxae.findings.claims import Claim, Measures, Rival
from jaxae.findings.scales import off_scale, on_scale, own_margin

OVER_IMAGES = ", deviation over images"  # what follows a metric's name in the measure that tells it


class Tried(NamedTuple):
    """What verdicts are made of: the measures, the seeds and the dead among them, by arm; what bars a comparison; and,
    by set, 1 / n - 1 / N of the n test images that were at hand of N."""

    measures: Measures
    seeds: Sequence[int]
    dead: Mapping[str, Sequence[int]]
    barred: Sequence[str]
    missing: Mapping[str, float]

    def living(self, arm: str, metric: str, *others: str) -> np.ndarray:
        """A measure of the seeds that live in the arm and in others, f64[n]; of all where that would leave none."""
        values = np.atleast_1d(self.measures[arm][metric])
        gone = {seed for name in (arm, *others) for seed in self.dead.get(name, ())}
        alive = np.array([seed not in gone for seed in self.seeds])
        return values[alive] if len(values) == len(alive) and alive.any() else values


def margin_of(claim: Claim, tried: Tried) -> tuple[float, str]:
    """The widest half width that decides, on the claim's scale, and what sets it."""
    margins = [(own_margin(claim.reported, claim.scale), "a quarter of the number")]
    place = float(on_scale(claim.reported, claim.scale))
    for rival in claim.rivals:
        if np.isfinite(there := _place(rival, claim, tried)):
            words = f"half the way to {rival.name}, {brief(off_scale(there, claim.scale), claim.reported)}"
            margins.append((abs(there - place) / 2, words))
    return min(margins)


def unknown_rivals(claim: Claim, tried: Tried) -> list[str]:
    """The names of those that this run didn't measure, so that nobody knows how near they are."""
    return list(dict.fromkeys(rival.name for rival in claim.rivals if np.isnan(_place(rival, claim, tried))))


def _place(rival: Rival, claim: Claim, tried: Tried) -> float:
    """Where a rival's mean lies on the claim's scale; NaN where it wasn't measured."""
    if rival.value is not None:
        return float(on_scale(rival.value, claim.scale))
    if rival.metric not in tried.measures.get(rival.arm, {}):
        return float("nan")
    return float(on_scale(tried.living(rival.arm, rival.metric), claim.scale).mean())


def error_of_images(claim: Claim, tried: Tried, mean: float) -> float:
    """The standard error, on the claim's scale, that comes of testing on a part of a set; 0 where it isn't known."""
    name = f"{claim.metric}{OVER_IMAGES}"
    if not tried.missing.get(claim.test_set) or name not in tried.measures[claim.arm]:
        return 0.0
    error = float(tried.living(claim.arm, name).mean()) * tried.missing[claim.test_set] ** 0.5
    return error / mean if claim.scale == "log" else error


def over_seeds_alone(claim: Claim, tried: Tried) -> str:
    """What is to be said of a range that lacks the error of few test images; nothing of one that has it or needn't."""
    if not tried.missing.get(claim.test_set) or f"{claim.metric}{OVER_IMAGES}" in tried.measures[claim.arm]:
        return ""
    return " (over seeds only: the error of few images wasn't measured)"


def brief(value: float, other: float) -> str:
    """Four digits of `value`, or as many as it takes to stay on its side of `other`."""
    for digits in range(4, 17):
        text = f"{value:.{digits}g}"
        if (float(text) > other) == (value > other) and (float(text) < other) == (value < other):
            break
    return text
