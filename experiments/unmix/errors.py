"""Where the photo's error lies: at low frequencies, as an average photo's, or in the details; and what else may explain
the report's scores, arm by arm."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

import jaxae as ae
from experiments.unmix.measures import DRAWN, FALL, KEPT, SCATTER
from experiments.unmix.method import COARSE, EPOCH_MEAN, GUESSES, LAST, SCORES
from jaxae.report import numbers

PSNR, SSIM = "test/photo psnr", "test/photo ssim 7x7, range 255"  # of which the share follows
DIRECT = f"test/photo {COARSE}"
STEP = 20 * np.log10(255)  # decibels between the two data ranges
SQUARES = 0.5  # the mean square of two photos' 7x7 means, added up; of CIFAR-10's it is 0.26 each
C1, C2, PIXELS = (0.01 * 255) ** 2, (0.03 * 255) ** 2, 49  # of SSIM with range 255, and of its windows


def implied_share(psnr: Any, ssim: Any, squares: float = SQUARES) -> np.ndarray:
    """The share of unit images' squared error that lies in 7x7 means, by PSNR in decibels and SSIM with range 255.

    With that range the constants outweigh the images, and 1 - SSIM is a sum, of the squared error of the windows' means
    over C1 + `squares`, and of the rest, times 49/48 for the sample's covariance, over C2. PSNR gives what both are
    together. Of means over images it is too high by some hundredths: decibels' mean stands for the geometric mean.
    """
    error = 10 ** (-np.asarray(psnr, np.float64) / 10)
    coarse, fine = 1 / (C1 + squares), PIXELS / (PIXELS - 1) / C2
    return ((1 - np.asarray(ssim, np.float64)) / error - fine) / (coarse - fine)


def shares(found: ae.Findings, arms: Sequence[str]) -> dict[str, Any]:
    """The share of the photo's error at low frequencies in percent, of the report, of no network and of the arms; and
    how large the report's error is there, in percent of that of the mean photo."""
    reported = SCORES["psnr"]["photo"] - STEP, SCORES["ssim 7x7"]["photo"]
    have = {arm: [found.values(arm, name) for name in (PSNR, SSIM)] for arm in arms if found.has(arm, PSNR, SSIM)}
    said: dict[str, Any] = {arm: 100 * implied_share(psnr, ssim) for arm, (psnr, ssim) in have.items()}
    said |= {"report": 100 * implied_share(*reported), "guess": None, "left": None}  # without the guess unknown
    if found.has(GUESSES, PSNR, SSIM):
        psnr, ssim = (float(found.measures[GUESSES][name]) for name in (PSNR, SSIM))
        said["guess"] = 100 * implied_share(psnr, ssim)
        said["left"] = 100 * said["report"] / said["guess"] * 10 ** ((psnr - reported[0]) / 10)
    return said


def unrest(found: ae.Findings, arm: str) -> dict[str, np.ndarray]:
    """How the loss of an arm scatters; empty where that wasn't measured."""
    names = {"scatter": SCATTER, "drawn": DRAWN, "fall": FALL}
    return {key: found.values(arm, name) for key, name in names.items()} if found.has(arm, *names.values()) else {}


def colours(found: ae.Findings, arm: str) -> np.ndarray | None:
    """How well an arm keeps the overall colours, in percent; None where that wasn't measured."""
    return found.values(arm, KEPT) if found.has(arm, KEPT) else None


def table(found: ae.Findings, arms: Sequence[str], said: Mapping[str, Any]) -> ae.Table:
    """The report's photos and loss beside those of no network and of every arm."""
    psnr, ssim = (SCORES[metric]["photo"] for metric in ("psnr", "ssim 7x7"))
    none = numbers.NONE
    first = f"{psnr - STEP:.2f}", f"{ssim:.6g}", f"{said['report']:.0f}", none, none, f"{LAST:g}", none, none
    rows = [["the report", *first]]
    if said["guess"] is not None:
        rows.append(["mean photo, no network", *_cells(found, GUESSES, said["guess"])])
    rows += [[arm, *_cells(found, arm, said[arm])] for arm in arms if arm in said]
    heads = (
        "PSNR of photos, dB", "SSIM, range 255", "Error at low frequencies by both, %", "as measured, %",
        "Overall colours kept, %", "Last step's loss", "Epoch's mean loss", "Scatter of batches, %",
    )  # fmt: skip
    columns = [("Arm", "text"), *((head, "number") for head in heads)]
    title = "The report's photos and loss, and ours; of all test pairs"
    return ae.Table(title, columns, rows)


def _cells(found: ae.Findings, arm: str, share: Any) -> list[str]:
    measures = PSNR, SSIM, None, DIRECT, KEPT, "train/both/last step", EPOCH_MEAN, SCATTER
    return [
        numbers.over_seeds(share) if name is None
        else numbers.over_seeds((100 if name == DIRECT else 1) * found.values(arm, name)) if found.has(arm, name)
        else numbers.NONE
        for name in measures
    ]  # fmt: skip
