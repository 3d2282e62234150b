"""The pictures: the report's sample, curves and 20 pairs; the errors of both ways to the photo; the arms."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

import jaxae as ae
from experiments.unmix.method import FIRST, FORMULA, IMAGES, LAST
from jaxae.report.curves import banded
from jaxae.report.figures import Bars, Curves, Histogram, Images, Mark, by_epoch

SAMPLE = 8  # pairs in the report's picture of a sample
LABELS = {"digit": "digit, its decoder", "photo": "photo, its decoder", FORMULA: FORMULA}


def figures(found: ae.Findings, arms: Sequence[str]) -> dict[str, Any]:
    """The report's pictures and curves, the errors of both ways to the photo, and the arms side by side."""
    drawn: dict[str, Any] = {"sample": triples(found, arms[0]), "losses": curves(found, arms)}
    drawn |= {f"unmixed_{number}": unmixed(found, arm) for number, arm in enumerate(arms)}
    drawn["errors"] = errors(found, arms[0])
    drawn |= ae.plots.ranked_figure(found, "PSNR of the photo", "dB")
    return drawn | ({"arms": side_by_side(found, arms)} if len(arms) > 1 else {})


def triples(found: ae.Findings, arm: str) -> Images:
    """The report's picture of a sample, for a few: digit, photo and their mean."""
    title = "Pairs of test images, and their means, which are all that the model sees."
    return Images(title, [(name, image[:SAMPLE]) for name, image in truth(found, arm).items()])


def truth(found: ae.Findings, arm: str) -> dict[str, np.ndarray]:
    """What the model is to find, and what it sees."""
    seen = found.arrays[arm]
    return {**{name: seen[f"true {name}"] for name in IMAGES}, "mean of both": seen["mean"]}


def unmixed(found: ae.Findings, arm: str) -> Images:
    """The report's 20 random samples: truth, mean, both decoders' images, and the photo by subtraction."""
    seen, given = found.arrays[arm], truth(found, arm)
    made = {"digit's decoder": "digit", "photo's decoder": "photo", FORMULA: FORMULA}
    rows = [*given.items(), *((label, seen[name]) for label, name in made.items())]
    decibels = [[f"{value:.1f} dB" for value in seen[f"{name} psnr"]] for name in made.values()]
    title = (
        f"{len(seen['mean'])} random test pairs, and what the arm {arm} makes of their means (first living seed), with "
        "the PSNR of what is shown, which is clipped to [0, 1]."
    )
    return Images(title, rows, captions=[[""] * len(seen["mean"])] * len(given) + decibels, columns=10)


def curves(found: ae.Findings, arms: Sequence[str]) -> Curves:
    """The report's three curves: total loss, and each decoder's, over the batches."""
    panels = {"both": "total", "digit": "digit's decoder", "photo": "photo's decoder"}
    lines = [
        by_epoch(arm, found.by_seed[arm][f"steps/{part}"], panel) for part, panel in panels.items() for arm in arms
    ]
    last = float(min(len(line.x) for line in lines))
    ends = ((FIRST, 1.0), (LAST, last)) if last > 1 else ()
    marks = [Mark("reported, first and last", number, x, "total") for number, x in ends]
    title = "The loss of every batch: the sum of both decoders', and each alone."
    return Curves(
        title, "step", "mean squared error of signed images", lines, marks, log=True, note=banded(found) * bool(marks)
    )


def errors(found: ae.Findings, arm: str) -> Histogram:
    """The distributions of the digit's errors, which are the formula's for the photo, and of the photo decoder's."""
    both = f"{LABELS['digit']}, and {FORMULA}: the same"
    groups = [
        (label, found.scores[arm][f"{name} psnr"].ravel())
        for name, label in (("digit", both), ("photo", LABELS["photo"]))
    ]
    title = (
        f"PSNR of every test pair before clipping ({arm}, all seeds): the photo by subtraction has the digit's errors."
    )
    return Histogram(title, "PSNR, dB (data range 1)", "pairs", groups)


def side_by_side(found: ae.Findings, arms: Sequence[str]) -> Bars:
    """How far each arm goes."""
    groups = [
        (label, np.stack([found.measures[arm][f"test/{name}, clipped psnr"] for arm in arms], 1))
        for name, label in LABELS.items()
    ]
    title = "PSNR over all test pairs, by arm, of images clipped to [0, 1]."
    return Bars(title, "arm", "PSNR, dB (data range 1)", [textwrap.fill(arm, 14) for arm in arms], groups)
