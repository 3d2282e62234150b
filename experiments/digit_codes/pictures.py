"""The report's figures: curves, reconstructions, and codes of two numbers."""

from typing import Any

import numpy as np

import jaxae as ae
from experiments import own_images
from experiments.digit_codes.measures import two_numbers
from experiments.digit_codes.method import DECODERS, READINGS, REPORTED, Config
from jaxae.report.curves import PLACES, banded, unlearned
from jaxae.report.figures import Curves, Images, Mark, Scatter, by_epoch

NAMES = {"rmse": "RMSE", "bce": "binary cross-entropy"}


def figures(found: ae.Findings) -> dict[str, Any]:
    """All of them."""
    drawn: dict[str, Any] = {f"curves_{name}": curves(found, name) for name in NAMES}
    drawn["reconstructions"] = reconstructions(found)
    drawn |= ae.plots.ranked_figure(found, "PSNR", "dB")
    for arm in two_numbers(found.measures):
        loss = arm.split()[2]
        drawn |= {f"codes_{loss}": codes(found, arm), f"codes_{loss}_decoded": decoded(found, arm)}
    return drawn


def curves(found: ae.Findings, name: str) -> Curves:
    """Training and validation curves of all arms in one error, with the reported numbers that may be of this error."""
    lines, marks = [], []
    judged = found.config.epochs == Config.epochs and not own_images.is_own(found.config)
    for arm, seen in found.by_seed.items():
        decoder, size, loss = arm.split()
        panel, colour = f"code {size}, trained on {loss.upper()}", DECODERS.index(decoder)
        for split, words in (("train", "training"), ("validation", "validation")):
            values = seen[f"{split}/mse"] ** 0.5 if name == "rmse" else seen[f"{split}/{name}"]
            values = values[found.living(arm)]
            if split == "train":  # its mean alone: six bands would hide each other
                values = values.mean(0, keepdims=True)
            style = "dashed" if split == "train" else "solid"
            look = {"middle": split == "train", "colour": colour, "style": style}
            lines.append(by_epoch(f"{decoder}, {words}", values, panel, **look))
            if size == "2" and name in READINGS[loss] and judged:
                value = REPORTED[loss, split][DECODERS.index(decoder)]
                marks.append(Mark(f"reported, {words}", value, float(found.config.epochs), panel, colour))
    title = f"{NAMES[name][0].upper()}{NAMES[name][1:]} by epoch"
    several = "Bands are of validation; the training curves are means over seeds. Seeds that died are left out."
    note = " ".join(filter(None, [PLACES, several, unlearned(found)])) if len(found.seeds) > 1 else PLACES
    if marks:
        title += ", and the numbers that the report prints"
        note += (
            f" The report's numbers, in the colours of its decoders, are of {Config.epochs} epochs; those of training "
            "on BCE, by its words a cross-entropy, which it compares with RMSEs, are drawn in both figures."
        )
        note += f" {banded(found)}" if banded(found) else ""
    return Curves(title, "epoch", f"{NAMES[name]} per pixel", lines, marks, note=note, within=(0, np.inf))


def reconstructions(found: ae.Findings) -> Images:
    """Figures 5 to 9, 12 to 16, 18 and 19: five digits by every arm."""
    shown = {arm: found.arrays[arm] for arm in found.by_seed}
    captions = [[f"{value:.3f}" for value in seen["reconstructions, RMSE"]] for seen in shown.values()]
    rows = [(name, seen["reconstructions"]) for name, seen in shown.items()]
    title = "Five test images, reconstructed by every arm (its first seed that learns, if one does), with their RMSE"
    return Images(title, (("original", found.arrays[""]["digits"]), *rows), captions=([], *captions))


def which(found: ae.Findings, arm: str) -> str:
    """The arm, and the seed that is shown."""
    return f"{arm}, seed {found.seeds[found.shown(arm)]}"


def codes(found: ae.Findings, arm: str) -> Scatter:
    """Where the digits lie in codes of two numbers."""
    return Scatter(
        f"Test images in the two-dimensional code ({which(found, arm)})", "first code number", "second code number",
        found.arrays[arm]["codes"], found.arrays[""]["labels"], tuple(found.facts.get("classes", "0123456789")),
        f"The grid in the next figure covers 96% of the test images in each direction: {which(found, arm)}.",
    )  # fmt: skip


def decoded(found: ae.Findings, arm: str) -> Images:
    """What is decoded there, seen as the scatter is."""
    seen = found.arrays[arm]
    up = seen["grid, upwards"][::-1]
    rows = [(f"{y:.3g}", np.asarray(row)) for y, row in zip(up, seen["grid"], strict=True)]
    title = f"What is decoded from a grid over the code: first number across, second upwards ({which(found, arm)})"
    labels = [f"{x:.3g}" for x in seen["grid, across"]]
    note = "Columns: the first code number; rows: the second, growing upwards, as in the figure before."
    return Images(title, rows, labels, columns=len(labels), note=note)
