"""The disputed numbers, and the conventions on the way to each, as data."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import jaxae as ae
from experiments.digit_addition.method import all_settings

Results = Mapping[str, ae.Findings]  # the committed ones, by name
Facts = Mapping[str, Any]  # what is stored beside the ladder


class Rung(NamedTuple):
    """A convention that is switched on, after those above it, and where its value is: f64[living seeds], or f64[].

    Without `result`, or where there is no committed result of that name, it isn't measured.
    """

    switched: str
    result: str = ""
    value: Callable[[ae.Findings], Any] | None = None


class Bound(NamedTuple):
    """A number that the rungs are to be seen beside: what it is, and its value."""

    words: str
    value: Callable[[Results, Facts], float]


class Ladder(NamedTuple):
    """A number of a report and the rungs to it; `near` is half of the last digit that its title gives."""

    name: str
    title: str
    reported: float
    near: float
    measure: str
    rungs: tuple[Rung, ...]
    bound: Bound | None = None


def of(arm: str, metric: str) -> Callable[[ae.Findings], Any]:
    """A measure of the seeds that live."""
    return lambda found: found.values(arm, metric)


def mean_over_epochs(found: ae.Findings) -> np.ndarray:
    """Of the training losses of report 004's Conv on images in [0, 1], whose results hold their sum."""
    return found.values("conv unit", "train/loss/sum over epochs") / found.config.epochs


def by_author(found: ae.Findings) -> np.ndarray:
    """The loss of the author's own Conv, scored by our code."""
    return np.asarray(found.facts["author"]["conv"], np.float64)


def ends_as_reported(start: str) -> Callable[[ae.Findings], Any]:
    """How many rows of report 003's table, whose arms begin so, end as it says, in percent of those trained,
    f64[seeds]; dead ones don't count."""

    def value(found: ae.Findings) -> np.ndarray:
        settings = all_settings(found.config)
        rows = [arm for arm in settings if arm.startswith(start) and arm in found.measures]
        hits = np.stack([found.measures[arm][f"outcome/{settings[arm].outcome}"] for arm in rows])
        living = np.stack([found.living(arm) for arm in rows])
        return 100 * (hits * living).sum(0) / living.sum(0)

    return value


def floor_of_sigmoids(results: Results, facts: Facts) -> float:
    """Of standardised test images."""
    del facts
    return results["fc_vs_conv"].facts["floors"]["standardised"][1]


def mean_photo(results: Results, facts: Facts) -> float:
    """Its PSNR, told a range of 255."""
    del facts
    return float(results["unmix"].measures["no network: black digit, mean photo"]["test/photo psnr, range 255"])


def entropy(results: Results, facts: Facts) -> float:
    """Of the training digits' pixels."""
    del results
    return facts["entropy"]["train"]


def noisy_image(results: Results, facts: Facts) -> float:
    """Its own error."""
    del facts
    return float(results["denoise_10_seeds"].values("dae deviation 0.1", "test/input mse, signed").mean())


CONV, FORTY = "conv standardised", "fc_vs_conv_conv_40_seeds"
TABLE, NATURAL = "generative row", "generative natural row"
LADDERS = (
    Ladder(
        "loss_of_conv", "0.4761: the average loss of report 004's Conv", 0.47607351556420324, 5e-5, "loss",
        (
            Rung("images in [0, 1], nearest upsampling: the mean over epochs", "fc_vs_conv", mean_over_epochs),
            Rung("standardised images", "fc_vs_conv", of(CONV, "train/loss/mean over epochs")),
            Rung("the test loss after the last epoch", "fc_vs_conv", of(CONV, "validation/loss/last")),
            Rung("bilinear upsampling", FORTY, of(CONV, "validation/loss/last")),
            Rung("the lowest test loss of the epochs", FORTY, of(CONV, "validation/loss/best")),
            Rung("the author's own weights", FORTY, by_author),
        ),
        Bound("the least that a sigmoid can have on the test set", floor_of_sigmoids),
    ),
    Ladder(
        "psnr_of_photos", "62.79 dB: the PSNR of report 000's photos", 62.79011552553733, 5e-3, "PSNR, dB",
        (
            Rung("our network, images of range 1, 128 test pairs", "unmix", of("plain", "128 test pairs/photo psnr")),
            Rung("told a range of 255", "unmix", of("plain", "128 test pairs/photo psnr, range 255")),
            Rung("all test pairs", "unmix", of("plain", "test/photo psnr, range 255")),
            Rung("computed in doubles"),
            Rung(
                "an encoder that begins with CIFAR-10's classes, in another training", "unmix_pretrained",
                of("plain from CIFAR-10", "test/photo psnr, range 255"),
            ),
            Rung("an encoder that begins with ImageNet's classes, as the report's"),
        ),
        Bound("the mean training photo, without any network", mean_photo),
    ),
    Ladder(
        "cross_entropy", "0.155: the training \"RMSE\" of report 003's networks trained on BCE", 0.1546, 5e-4, "loss",
        (
            Rung("trained on the squared error: RMSE", "digit_codes", of("transposed 2 mse", "train/rmse/last")),
            Rung("trained on the cross-entropy: RMSE", "digit_codes", of("transposed 2 bce", "train/rmse/last")),
            Rung("the cross-entropy itself", "digit_codes", of("transposed 2 bce", "train/bce/last")),
            Rung("100 epochs of all images", "digit_codes_100", of("transposed 2 bce", "train/bce/last")),
        ),
        Bound("the least cross-entropy that any output can have", entropy),
    ),
    Ladder(
        "noise", "0.016: the test error of report 001's denoiser", 0.016, 5e-4, "mean squared error of signed images",
        (
            Rung("no noise: the autoencoder", "denoise_10_seeds", of("ae", "test/mse, signed")),
            Rung("variance 0.1, as its text says", "denoise_10_seeds", of("dae variance 0.1", "test/mse, signed")),
            Rung("deviation 0.1, as its code has it", "denoise_10_seeds", of("dae deviation 0.1", "test/mse, signed")),
            Rung("all of CIFAR-10's images"),
        ),
        Bound("the noisy image itself, deviation 0.1", noisy_image),
    ),
    Ladder(
        "nines", "Nines: the rows of report 003's table that end as it says", 100.0, 0.5, "rows, %",
        (
            Rung("the KL's mean over a batch of 32, balanced pairs", "digit_addition_table", ends_as_reported(TABLE)),
            Rung("its sum over the batch", "digit_addition_sum_32", ends_as_reported(TABLE)),
            Rung("batches of 64", "digit_addition_sum", ends_as_reported(TABLE)),
            Rung("natural pairs", "digit_addition_sum", ends_as_reported(NATURAL)),
            Rung("batches of 128", "digit_addition_sum_128", ends_as_reported(NATURAL)),
        ),
    ),
)  # fmt: skip
