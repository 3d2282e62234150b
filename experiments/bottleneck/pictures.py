"""The figures of the report, and those that go past it."""

from typing import Any

import numpy as np

import experiments.bottleneck.author as author
import jaxae as ae
from experiments import own_images
from experiments.bottleneck.measures import INPUTS, LIVING, METRICS, levels
from experiments.bottleneck.paths import DETOURS, DIFFERENT, SAME, STEPS, STRIPS
from jaxae.report.figures import Bars, Curves, Images, Line, by_epoch
from jaxae.report.look import MUTED, shades

COLOURS = {"noisy input": 4, "clipped input": 1}


def figures(found: ae.Findings, sizes: dict[int, str], shown: str) -> dict[str, Any]:
    """All of them, in the order of the report's steps."""
    drawn: dict[str, Any] = {"code_sizes": code_sizes(found, sizes)} if len(sizes) > 1 else {}
    drawn |= {"training": training(found)} if not own_images.is_own(found.config) and 8 in sizes else {}
    drawn |= {"reconstructions": reconstructions(found, sizes)}
    drawn |= {} if found.one_picture(shown) else {"code_units": code_units(found, shown)}
    drawn |= {f"denoising_{metric.lower()}": noise_curves(found, sizes, shown, metric) for metric in METRICS}
    drawn["denoising"] = denoised(found, shown)
    drawn |= ae.plots.ranked_figure(found, "PSNR", "dB")
    if own_images.is_own(found.config):
        return drawn
    return drawn | {
        "interpolation": strips(found, shown),
        "interpolation_probability": probabilities(found, shown),
        "interpolation_detours": detours(found, sizes, shown),
    }


def code_sizes(found: ae.Findings, sizes: dict[int, str]) -> Curves:
    """Test error by code size, beside PCA with as many components, and with as many as units live."""
    places, pca = list(sizes), np.asarray(found.facts["PCA"])
    ours, living = (
        np.stack([found.measures[name][metric] for name in sizes.values()], axis=1) for metric in ("test/mse", LIVING)
    )
    lines = (
        Line("autoencoder", places, ours),
        Line("PCA, the best linear autoencoder", places, pca[None, places], style="dashed"),
        Line("PCA with as many components as units live", places, pca[living.astype(int)], style="dotted"),
    )
    return Curves("Test error by code size", "numbers in the code", "test MSE", lines, log=True, log_x=True)


def training(found: ae.Findings) -> Curves:
    """The report's Figure 1, and the curve that it shows."""
    lines = (
        by_epoch("ours", found.by_seed["code 8"]["train/loss"], middle=True),
        by_epoch("the author's", author.curve(), middle=True, style="dashed"),
    )
    living = ", ".join(f"{count:.0f}" for count in found.values("code 8", LIVING))
    return Curves(
        "Training loss of code 8, and what the report's author plotted", "epoch", "mean squared error", lines, log=True,
        note=f"Ends differ by how many units of the code live: {living} of 8, by seed.",
    )  # fmt: skip


def reconstructions(found: ae.Findings, sizes: dict[int, str]) -> Images:
    """Step 4: digits and their reconstructions."""
    rows = [(name, found.arrays[name]["reconstructions"]) for name in sizes.values()]
    which = "Test images" if own_images.is_own(found.config) else "Two test digits per class"
    title = f"{which} and their reconstructions (the first seed that learns, if one does)"
    return Images(title, (("original", found.arrays[""]["digits"]), *rows))


def code_units(found: ae.Findings, shown: str) -> Images:
    """What each unit of the code does: one is varied, the others stay as a digit has them."""
    seen = found.arrays[shown]
    labels = [f"unit {i}" + " (dead)" * (not width) for i, width in enumerate(seen["units, width"], 1)]
    what = "image" if own_images.is_own(found.config) else "digit 3"
    return Images(
        f"A test {what} as one unit of its code changes ({shown}, the first seed that learns, if one does)",
        tuple(zip(labels, seen["units"], strict=True)),
        column_labels=[f"{percent:.1f}%" for percent in seen["units, percentiles"]],
        note="Columns: percentiles of the unit's values over the test set.",
    )  # fmt: skip


def noise_curves(found: ae.Findings, sizes: dict[int, str], shown: str, metric: str) -> Curves:
    """What goes in and what comes out, for more and more noise."""
    at, lines, of = levels(found.config.noise), [], "image" if own_images.is_own(found.config) else "digit"
    for name, colour in zip(sizes.values(), shades(len(sizes)), strict=True):
        for what in (*INPUTS, "output"):
            means = found.by_seed[name].get(f"noise/{metric}, {what}")
            if means is None:
                continue  # every arm is given the same
            means = means if name == shown else means.mean(0, keepdims=True)
            label, style = (what, "dashed") if what in INPUTS else (f"output, {name}", "solid")
            lines.append(Line(label, at, means, colour=COLOURS.get(what, colour), style=style))
    lines.sort(key=lambda line: line.style)  # the inputs first
    unit, more = (" in dB", " Without noise that of the input is infinite.") if metric == "PSNR" else ("", "")
    return Curves(
        f"{metric} against the clean test {of}, with and without the autoencoder",
        "standard deviation of the noise", metric + unit, lines,
        note=(f"Of codes other than {shown} the means over seeds are shown alone." * (len(sizes) > 1) + more).strip(),
    )  # fmt: skip


def denoised(found: ae.Findings, shown: str) -> Images:
    """The report's figures 4 and 5: the digit, the digit with noise, the output."""
    seen = found.arrays[shown]
    rows = [(what, seen[f"denoising, {what}"]) for what in ("original", "clipped input", "output")]
    captions = [
        [f"{a:.1f}, {b:.2f}" for a, b in zip(*(seen[f"denoising, {m}, {what}"] for m in METRICS), strict=True)]
        for what, _ in rows[1:]
    ]
    return Images(
        f"Test images with noise of {found.config.noise:g}, and what {shown} makes of them "
        "(the first seed that learns, if one does)",
        tuple(rows), captions=([], *captions),
        note="Below: PSNR in dB, SSIM. The input is shown and scored clipped to [0, 1]; the model gets it unclipped.",
    )  # fmt: skip


def strips(found: ae.Findings, shown: str) -> Images:
    """The report's figures 6 and 7."""
    seen = found.arrays[shown]
    read = zip(seen["strips, digit read"], seen["strips, probability"], strict=True)
    return Images(
        f"Eight steps between the codes of two digits, as a classifier reads them ({shown}, "
        "the first seed that learns, if one does)",
        tuple((f"{a} to {b}", row) for (a, b), row in zip(STRIPS, seen["strips"], strict=True)),
        column_labels=("start", *(f"{i}/9" for i in range(1, 9)), "end"),
        captions=[[f"{digit} ({sure:.0%})" for digit, sure in zip(*row, strict=True)] for row in read],
    )


def probabilities(found: ae.Findings, shown: str) -> Curves:
    """What is read at each point of the straight line between codes."""
    lines = [
        Line(label, STEPS, found.by_seed[shown][f"lines between {kind}"][:, i], panel=f"between {kind}")
        for kind in (SAME, DIFFERENT)
        for i, label in enumerate(("the start's digit", "the end's digit", "any other digit"))
        if kind == DIFFERENT or i != 1
    ]
    title = f"What a classifier reads along the line between two codes ({shown})"
    unread = {line.panel for line in lines} - {line.panel for line in lines if np.isfinite(line.values).any()}
    words = ["Of lines whose two ends are read right", *(f"there are none {panel}" for panel in sorted(unread))]
    note = "; ".join(words) + "."
    return Curves(title, "place on the line", "mean probability, %", lines, within=(0, 100), note=note)


def detours(found: ae.Findings, sizes: dict[int, str], shown: str) -> Bars:
    """How many paths show another digit."""
    walks = [("pixels", "line"), *((name, "line") for name in sizes.values()), (shown, "arc")]
    groups = [
        (
            f"{arm}, {walk}",
            np.array(
                [np.atleast_1d(found.measures[arm][f"{walk} between {k}/{DETOURS}"]) for k in (SAME, DIFFERENT)]
            ).T,
        )
        for arm, walk in walks
    ]
    return Bars(
        "Paths on which a classifier reads a digit that is at neither end", "path between", "paths, %",
        (SAME, DIFFERENT), groups, colours=(MUTED, *shades(len(groups) - 2), 1), within=(0, 100),
        note="Of paths whose two ends are read right.",
    )  # fmt: skip
