"""The report's figures: the logged losses, the first ten test images; and what each denoiser gains."""

from typing import Any

import numpy as np

import jaxae as ae
from experiments import own_images
from experiments.denoise.measures import changed
from experiments.denoise.method import ARMS, LOG, claims, logged_steps, shown_steps
from jaxae.report.curves import banded
from jaxae.report.figures import Bars, Curves, Images, Line, Mark
from jaxae.report.numbers import plural


def figures(found: ae.Findings, base: str) -> dict[str, Any]:
    """All of them; `base` is the arm that the others improve on."""
    reported = [name for name in found.by_seed if name in ARMS.values()]
    denoisers = [name for name in found.by_seed if found.has(name, "test/psnr, 8-bit gained")]
    drawn: dict[str, Any] = {}
    if reported:
        drawn |= {"logged_losses": logged(found, reported), "test_images": pictures(found, reported)}
    drawn |= ae.plots.ranked_figure(found, "PSNR", "dB")
    for metric, words in (("psnr", "PSNR, dB"), ("ssim", "SSIM")):
        if denoisers:
            drawn[f"gains_{metric}"] = gains(found, denoisers, metric, words)
    changes = changed(found.by_seed, base)
    return drawn | ({"convergence": convergence(found, base, changes)} if changes else {})


def short(arm: str) -> str:
    """An arm's name where the noise is named elsewhere."""
    return arm.partition(", ")[2] or arm.removeprefix("dae ")


def logged(found: ae.Findings, arms: list[str]) -> Curves:
    """Figures 2 and 13, with the printed numbers as points."""
    lines, marks = [], []
    for name in arms:
        epochs = found.arrays[name]["validation epochs"]
        every = logged_steps(found.config, found.facts["images"][1])
        steps = np.round(epochs * steps_per_epoch(found))
        lines.append(Line(f"training, mean of {plural(every, 'step')}", steps, found.by_seed[name]["logged"], name))
        lines.append(Line("validation", steps, found.by_seed[name]["validation/loss"], name, style="dashed"))
        stated = claims(found.config) if found.judged else []  # of other steps than the report's they have no place
        printed = {claim.metric: claim.reported for claim in stated if claim.arm == name}
        for place, x in (("first", steps[0]), ("last", steps[-1])):
            for words, metric in (("training", f"train/loss of {LOG} steps"), ("validation", "validation/loss")):
                if (number := printed.get(f"{metric}/{place}")) is not None:
                    marks.append(Mark(f"reported, {words}", number, float(x), name))
    title = "The losses as the report logs them" + ", and the numbers that it prints" * bool(marks)
    if own_images.is_own(found.config):
        title = "The losses, training and validation"
    return Curves(
        title, "step", "mean squared error of signed images", lines, marks, log=True, note=banded(found) * bool(marks)
    )


def steps_per_epoch(found: ae.Findings) -> int:
    """Of every arm."""
    return shown_steps(found.config, found.facts["images"][1])


def pictures(found: ae.Findings, arms: list[str]) -> Images:
    """Figures 3 to 12 and 17 to 26: the first ten test images, what the models are given and what they make of it."""
    original = found.arrays[""]["images"]
    rows, captions = [("original", original)], [[""] * len(original)]
    for name in arms:
        seen = found.arrays[name]
        given = [] if name == ARMS["ae"] else [(f"noise of {name}", "input")]
        for label, kind in (*given, (name, "output")):
            rows.append((label, seen[kind]))
            captions.append([f"{value:.1f} dB" for value in seen[f"{kind} psnr"]])
    several = f"The first {len(original)} test images here, the noisy ones"
    which = several if len(original) > 1 else "The first test image here, with noise"
    title = f"{which}, and the outputs (the first seed that learns, if one does), with their PSNR"
    return Images(title, rows, captions=captions, columns=10)


def gains(found: ae.Findings, names: list[str], metric: str, words: str) -> Bars:
    """How much more than its noisy input each denoiser's output resembles the original."""
    values = np.stack([found.measures[name][f"test/{metric}, 8-bit gained"] for name in names], axis=1)
    title = f"{words[:4]} gained on the noisy image; below 0, the noisy image is closer to the original"
    labels = ["\n".join(short(name).rsplit(" ", 1)) for name in names]
    return Bars(title, "denoiser", f"{words}: output less input", labels, [("gain", values)])


def convergence(found: ae.Findings, base: str, changes: list[str]) -> Curves:
    """How fast each change learns, beside the report's settings."""
    before = "without the change" if own_images.is_own(found.config) else "as reported"
    lines = []
    for name in changes:
        for label, arm, style in ((before, base, "dashed"), ("with the change", name, "solid")):
            epochs, loss = found.arrays[arm]["validation epochs"], found.by_seed[arm]["validation/loss"]
            lines.append(Line(label, epochs, loss, short(name), int(arm == name), style))
    return Curves(f"Validation loss of {base} and with each change", "epoch", "MSE, signed images", lines, log=True)
