"""What a verdict rests on: the seeds that live, how narrow a range must be, and the error of few test images."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from jaxae.findings.claims import Claim, Measures, Rival
from jaxae.findings.scales import off_scale, on_scale, own_margin

OVER_IMAGES = ", deviation over images"  # what follows a metric's name in the measure that tells it
OF_IMAGES = ", standard error over images"  # likewise, where ours are other images than the report's: of validation


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
    """The standard error, on the claim's scale, that comes of testing on other images; 0 where it isn't known."""
    error = 0.0
    if _has(claim, tried, OF_IMAGES):
        error = float(tried.living(claim.arm, f"{claim.metric}{OF_IMAGES}").mean())
    elif (missing := tried.missing.get(claim.test_set, 0.0)) and _has(claim, tried, OVER_IMAGES):
        error = float(tried.living(claim.arm, f"{claim.metric}{OVER_IMAGES}").mean()) * missing**0.5
    return error / mean if claim.scale == "log" else error


def over_seeds_alone(claim: Claim, tried: Tried) -> str:
    """What is to be said of a range that lacks the error of few test images; nothing of one that has it or needn't."""
    if not tried.missing.get(claim.test_set) or _has(claim, tried, OF_IMAGES) or _has(claim, tried, OVER_IMAGES):
        return ""
    return " (over seeds only: the error of few images wasn't measured)"


def _has(claim: Claim, tried: Tried, suffix: str) -> bool:
    """Whether the claim's arm has the measure that is called as the claim's, and this suffix."""
    return f"{claim.metric}{suffix}" in tried.measures[claim.arm]


def brief(value: float, other: float) -> str:
    """Four digits of `value`, or as many as it takes to stay on its side of `other`."""
    for digits in range(4, 17):
        text = f"{value:.{digits}g}"
        if (float(text) > other) == (value > other) and (float(text) < other) == (value < other):
            break
    return text
