"""The loss curves of a run, drawn of every study."""

from collections.abc import Mapping

import numpy as np

from jaxae.findings import Findings
from jaxae.findings.claims import named_seeds
from jaxae.report.figures import Curves, Line, by_epoch
from jaxae.report.numbers import FEW

PLACES = (
    "Training begins at 0, and epoch 1 ends at 1. A training loss is the mean over an epoch's steps, drawn at its "
    "middle, the first at 0.5; a validation or test loss is drawn when it was measured."
)

WIDE = 3.0  # times the lowest loss, from which a logarithmic axis shows the end of training better

BANDS = (  # of curves beside a reported number
    "Bands are 95% intervals of the mean; a verdict holds a reported number against the range of single runs, which is "
    "wider."
)


def loss_curves(found: Findings) -> Curves | None:
    """Training and validation losses by epoch, a panel for each arm; None where no arm has a curve, or none is at hand.

    A training loss is the mean over an epoch's steps, drawn at its middle. Seeds that died are left out and named.
    """
    if not found.arrays:
        return None
    lines = [line for arm, curves in found.by_seed.items() for line in _lines(found, arm, curves)]
    values = np.concatenate([np.ravel(line.values) for line in lines]) if lines else np.zeros(0)
    values = values[np.isfinite(values)]
    if not any(len(line.x) > 1 for line in lines) or not len(values):  # points alone are no curves
        return None
    log = bool(values.min() > 0 and values.max() > WIDE * values.min())
    arms = list(dict.fromkeys(line.panel for line in lines))
    title = f"The loss of {arms[0]}, epoch by epoch." if len(arms) == 1 else "The loss of each arm, epoch by epoch."
    trained = any(line.label == "train" for line in lines)
    means = PLACES if trained else ""
    return Curves(
        title,
        "epoch",
        "loss",
        lines,
        log=log,
        within=(0.0, np.inf) if values.min() >= 0 else (),  # as losses that are above 0 in all seeds are everywhere
        note=" ".join(filter(None, [means, _ended_early(found), unlearned(found)])),
    )


def _lines(found: Findings, arm: str, curves: Mapping[str, np.ndarray]) -> list[Line]:
    """Training and validation of the seeds that live; the panel's title says which died."""
    dead, panel, lines = found.dead.get(arm, ()), arm, []
    if dead:
        panel += f" ({'all seeds' if len(dead) == len(found.seeds) else named_seeds(dead)} died)"
    if "train/loss" in curves:
        values = curves["train/loss"]
        lines.append(by_epoch("train", values[found.living(arm)], panel, middle=True))
    if "validation/loss" in curves:
        x = found.arrays[arm]["validation epochs"]
        lines.append(Line("validation", x, curves["validation/loss"][found.living(arm)], panel))
    return lines


def banded(found: Findings) -> str:
    """What bands are and verdicts aren't, for a caption of curves beside reported numbers; "" of too few seeds."""
    return BANDS if len(found.seeds) >= FEW else ""


def unlearned(found: Findings) -> str:
    """Which seeds don't learn yet and are among those that means are of; "" where there are none, or no others."""
    several = {arm: seeds for arm, seeds in found.slow.items() if 0 < len(seeds) < found.living(arm).sum()}
    told = "; ".join(f"{arm}, {named_seeds(seeds)}" for arm, seeds in several.items())
    return f"Means are also of seeds that show one picture so far: {told}." if told else ""


def _ended_early(found: Findings) -> str:
    """Which seeds died or stopped early."""
    words = []
    for arm, curves in found.by_seed.items():
        dead = found.dead.get(arm, ())
        if dead:
            out = f" and {'is' if len(dead) == 1 else 'are'} left out of the mean" * (len(dead) < len(found.seeds))
            words.append(f"{arm}: {named_seeds(dead)} died{out}")
        for seed, losses in zip(found.seeds, curves.get("train/loss", ()), strict=False):
            if np.isnan(losses).any():
                words.append(f"{arm}: seed {seed} stopped at epoch {np.isfinite(losses).sum():g}")
    return "; ".join(words) + "." if words else ""
