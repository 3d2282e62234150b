"""Image comparisons from the best score to the worst: which images, and how they are shown."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxae.errors import UsageError
from jaxae.findings import Findings
from jaxae.report.figures import Images

SHOWN = 10
ORIGINAL, INPUT, OUTPUT, SCORES = "ranked, original", "ranked, input", "ranked, output", "ranked, scores"


def best_to_worst(scores: Any, count: int = SHOWN) -> np.ndarray:
    """Places int[n] of images, from the highest of their scores, float[images], to the lowest, at even steps of rank.

    Of at most `count` images; all, where there are no more. Raises UsageError for scores of another shape, and for
    fewer than two asked for.

    >>> ae.plots.best_to_worst([20.0, 35.0, 10.0, 30.0, 25.0], 3)
    array([1, 4, 2])
    """
    scores = np.asarray(scores, float)
    if scores.ndim != 1 or not len(scores) or count < 2:
        raise UsageError(f"scores {list(scores.shape)} and {count} images; give one score per image, and 2 or more")
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf, posinf=np.inf, neginf=-np.inf), kind="stable")
    return order[np.round(np.linspace(0, len(order) - 1, min(count, len(order)))).astype(int)]


def ranked(scores: Any, **images: Any) -> dict[str, np.ndarray]:
    """Arrays of an arm for findings: its scores float[n], and its images [n, ...], sorted from best to worst.

    `images` are `original`, `output` and, where it differs from the original, `input`.
    """
    scores = np.asarray(scores, float)
    order = np.argsort(-scores, kind="stable")
    named = {f"ranked, {name}": np.asarray(array)[order] for name, array in images.items()}
    return {SCORES: scores[order], **named}


def ranked_figure(found: Findings, score: str, unit: str = "", digits: int = 1) -> dict[str, Images]:
    """The figure "best_to_worst" of the arms whose ranked images were kept, or none; `score` is what ranks them."""
    kept = {arm: arrays for arm, arrays in found.arrays.items() if OUTPUT in arrays}
    if not kept:
        return {}
    rows, captions = [], []
    for arm, seen in kept.items():
        for label, name in (("original", ORIGINAL), ("input", INPUT), (arm, OUTPUT)):
            if name in seen:
                rows.append((label, seen[name]))
                captions.append([_words(value, unit, digits) for value in seen[SCORES]] if name == OUTPUT else [])
    shown = {arm: found.seeds[found.shown(arm)] for arm in kept}
    which = ", ".join(f"{arm}: seed {seed}" for arm, seed in shown.items())
    images = next(len(seen[SCORES]) for seen in kept.values())
    title = f"Test images from the best to the worst {score} of each arm"
    note = f"At even steps of rank among all test images: the first column is the best, the last the worst. {which}."
    return {"best_to_worst": Images(title, rows, ranks(images), captions=captions, columns=images, note=note)}


def ranks(count: int) -> Sequence[str]:
    """The columns' labels: how many of all images are better."""
    inner = [f"{100 * place / (count - 1):.0f}%" for place in range(1, count - 1)]
    return ["best", *inner, "worst"][:count] if count > 1 else [""]


def _words(value: float, unit: str, digits: int) -> str:
    return f"{value:.{digits}f} {unit}".strip().replace("inf", "∞")
