"""The disputed numbers, and the conventions on the way to each, as data."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import experiments.denoise.method as denoise
import experiments.digit_codes.method as digit_codes
import experiments.fc_vs_conv.method as fc_vs_conv
import experiments.unmix.method as unmix
import jaxae as ae
from experiments.digit_addition.method import all_settings
from experiments.digit_addition.nines import KINDS
from experiments.digit_addition.outcomes import NINES, NUMBER
from experiments.digit_addition.recipes import NUMBERED
from experiments.digit_addition.recipes import ROWS as TABLE
from experiments.unmix.ways import RUNGS, arm_name
from jaxae.report.numbers import listed

FEW = NINES, NUMBER  # outcomes: of one digit, and of two
Results = Mapping[str, ae.Findings]  # the committed ones, by name
Facts = Mapping[str, Any]  # what is stored beside the ladder


class Measure(NamedTuple):
    """A measure of the seeds that live, f64[n]; empty where a result hasn't it."""

    arm: str
    metric: str

    def __call__(self, found: ae.Findings) -> np.ndarray:
        """Its values."""
        return found.values(*self) if found.has(*self) else np.empty(0)


class Rung(NamedTuple):
    """A convention that is switched on, after those above it, and where its value is: f64[living seeds], or f64[].

    Without `result`, or where there is no committed result of that name, or the value is empty, it isn't measured.
    `otherwise` says that its result departs from the report otherwise than the rung's before, and that its words name
    that. `part` says in words what a result has of a rung that it doesn't measure whole; nothing where it has nothing.
    """

    switched: str
    result: str = ""
    value: Callable[[ae.Findings], Any] | None = None
    otherwise: bool = False
    part: Callable[[ae.Findings], str] | None = None


class Bound(NamedTuple):
    """A number that the rungs are to be seen beside: what it is, its value, and the result that this is of, if any."""

    words: str
    value: Callable[[Results, Facts], float]
    result: str = ""


class Ladder(NamedTuple):
    """A number of a report, as its study claims it, and the rungs to it; `near` is half of the last digit that the
    title gives. With `choices` every rung is the first one with what its own words say, and nothing of the others.
    `aside`: a sentence on what is no rung."""

    name: str
    title: str
    claim: ae.Claim
    near: float
    measure: str
    rungs: tuple[Rung, ...]
    bound: Bound | None = None
    choices: bool = False
    aside: Callable[[Results, Facts], str] | None = None

    @property
    def reported(self) -> float:
        """The number."""
        return self.claim.reported


def mean_over_epochs(found: ae.Findings) -> np.ndarray:
    """Of the training losses of report 004's Conv on images in [0, 1], whose results hold their sum."""
    return Measure("conv unit", "train/loss/sum over epochs")(found) / found.config.epochs


def by_author(found: ae.Findings) -> np.ndarray:
    """The loss of the author's own Conv, scored by our code; empty where it wasn't."""
    return np.asarray(found.facts.get("author", {}).get("conv", []), np.float64)


def of_few_digits(kind: str, *, nines: bool = True) -> Callable[[ae.Findings], Any]:
    """How many rows of report 003's table draw one digit or two, whatever the sum, on pairs of this kind, f64[seeds].

    In percent of the rows of which it says so, or of the others. A training that stands for two rows counts twice; rows
    in which a seed died don't count. Empty unless all rows were trained.
    """

    def value(found: ae.Findings) -> np.ndarray:
        settings = all_settings(found.config)
        arms = [arm for arm in settings if arm.startswith(KINDS[kind]) and arm in found.measures]
        if sum(map(rows_of, arms)) < len(NUMBERED):
            return np.empty(0)
        arms = [arm for arm in arms if (settings[arm].outcome in FEW) == nines]
        hits = np.stack([sum(found.measures[arm][f"outcome/{few}"] for few in FEW) for arm in arms])
        dead = np.stack([np.isin(found.seeds, found.dead.get(arm, ())) for arm in arms])
        counted = np.array([*map(rows_of, arms)])[:, None] * ~dead
        some = counted.any(0)
        return 100 * (hits * counted).sum(0)[some] / counted.sum(0)[some]

    return value


def rows_of(arm: str) -> int:
    """How many rows of the table a training stands for."""
    return sum(arm.endswith(f" {row}") for row in NUMBERED.values())


def some_rows(kind: str) -> Callable[[ae.Findings], str]:
    """In words, how many of the trainings of report 003's table a result has on pairs of this kind."""

    def part(found: ae.Findings) -> str:
        arms = [arm for arm in found.measures if arm.startswith(KINDS[kind])]
        ours = f"{len(arms)} of the {len(TABLE)} trainings that the table's {len(NUMBERED)} rows take"
        return f"{ours}, told row by row below" if arms else ""

    return part


def other_rows(results: Results, facts: Facts) -> str:
    """How many of the rows in which the report saw no nines draw one digit or two, too, at every rung that has all; ""
    where none has."""
    del facts
    told = [
        f"{shares.mean():.0f}% at rung {place}"
        for place, (_, result, kind) in enumerate(NINES_BY, 1)
        if result in results and (shares := of_few_digits(kind, nines=False)(results[result])).size
    ]
    count = sum(TABLE[row].outcome not in FEW for row in NUMBERED.values())
    rows = f"Of the {count} rows in which the report saw no nines, so many draw one digit or two, too"
    return f"{rows}: {listed(told)}." if told else ""


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
    return float(results["denoise_25_seeds"].values("dae deviation 0.1", "test/input mse, signed").mean())


def in_doubles(results: Results, facts: Facts) -> str:
    """That computing in doubles is no rung."""
    del results
    return (
        f"The report's many decimals are those of doubles; in floats the PSNR of no test photo at hand is off by more "
        f"than {1e-6 * math.ceil(1e6 * facts['doubles']):.0e} dB, with the mean training photo in place of a network: "
        "that is no rung."
    )


def rung_of_unmix(switched: str, name: str) -> Rung:
    """A training that may explain report 000's numbers: the PSNR of its photos, told a range of 255."""
    return Rung(switched, "unmix_rungs", Measure(arm_name(RUNGS[name]), WIDE))


def claim_of(claims: Sequence[ae.Claim], arm: str, metric: str) -> ae.Claim:
    """The one on this measure."""
    return next(claim for claim in claims if (claim.arm, claim.metric) == (arm, metric))


CONV, FORTY = "conv standardised", "fc_vs_conv_conv_40_seeds"
BATCHES_OF_32 = "digit_codes_batch_32"
WIDE, ALL_PAIRS = "128 test pairs/photo psnr, range 255", "test/photo psnr, range 255"
LOSS = claim_of(fc_vs_conv.claims(fc_vs_conv.Config()), CONV, fc_vs_conv.LOWEST)
PSNR = claim_of(unmix.claims(unmix.Config()), "plain", WIDE)
ENTROPY = claim_of(digit_codes.claims(digit_codes.Config()), "transposed 2 bce", "train/bce/last")
NOISE = claim_of(denoise.claims(denoise.Config()), "dae deviation 0.1", "test/mse, signed")
ROWS = ae.Claim("", "", 100.0, "Table 1")  # each of them
NINES_BY = (  # what is switched on, in which result, and the pairs
    ("the KL's mean over a batch of 32, balanced pairs", "digit_addition_table", "balanced"),
    ("its sum over the batch", "digit_addition_sum_32", "balanced"),
    ("batches of 64", "digit_addition_sum", "balanced"),
    ("natural pairs", "digit_addition_sum", "natural"),
    ("batches of 128", "digit_addition_sum_128", "natural"),
)
LADDERS = (
    Ladder(
        "loss_of_conv", f"{LOSS.reported:.4f}: the average loss of report 004's Conv", LOSS, 5e-5, "loss",
        (
            Rung("images in [0, 1], nearest upsampling: the mean over epochs", "fc_vs_conv", mean_over_epochs),
            Rung("standardised images", "fc_vs_conv", Measure(CONV, "train/loss/mean over epochs")),
            Rung("the test loss after the last epoch", "fc_vs_conv", Measure(CONV, "validation/loss/last")),
            Rung("bilinear upsampling", FORTY, Measure(CONV, "validation/loss/last")),
            Rung("the lowest test loss of the epochs", FORTY, Measure(CONV, LOSS.metric)),
            Rung("the author's own weights", FORTY, by_author),
        ),
        Bound("the least that a sigmoid can have on the test set; in training less", floor_of_sigmoids, "fc_vs_conv"),
    ),
    Ladder(
        "psnr_of_photos", f"{PSNR.reported:.2f} dB: the PSNR of report 000's photos", PSNR, 5e-3, "PSNR, dB",
        (
            Rung(
                "our network, images of range 1, 128 test pairs", "unmix",
                Measure("plain", "128 test pairs/photo psnr"),
            ),
            Rung("told a range of 255", "unmix", Measure("plain", WIDE)),
            Rung("all test pairs", "unmix", Measure("plain", ALL_PAIRS)),
            Rung(
                "not a convention, but another training: a part of the images, from JPEG", "unmix_pretrained",
                Measure("plain", ALL_PAIRS),
            ),
            Rung(
                "an encoder that begins with CIFAR-10's classes", "unmix_pretrained",
                Measure("plain from CIFAR-10", ALL_PAIRS),
            ),
            Rung("an encoder that begins with ImageNet's classes, as the report's"),
        ),
        Bound("the mean training photo, without any network", mean_photo, "unmix"), aside=in_doubles,
    ),
    Ladder(
        "trainings_of_photos", f"{PSNR.reported:.2f} dB again: trainings, each with something that may explain it",
        PSNR, 5e-3, "PSNR told 255, dB",
        (
            rung_of_unmix("our network: 128 features, from random weights", "plain"),
            rung_of_unmix("the encoder's 512 pooled features are the code, 2 x 16 x 16", "pooled"),
            rung_of_unmix("an encoder that stays at random weights", "frozen"),
            rung_of_unmix("Adam's betas 0.5 and 0.999", "betas"),
            rung_of_unmix("an encoder that begins with CIFAR-10's classes", "cifar"),
            rung_of_unmix("an encoder that stays at CIFAR-10's classes", "cifar-frozen"),
            rung_of_unmix("image i always with photo i", "aligned"),
            rung_of_unmix("512 features of an encoder that stays at CIFAR-10's classes, and betas", "together"),
            Rung(
                "an encoder that begins with ImageNet's classes in three of its four stages", "unmix_stages",
                Measure("plain from imagenet_unfolded in 3 of 4 stages", WIDE),
            ),
            Rung("an encoder that begins with ImageNet's classes, as the report's"),
        ),
        Bound("the mean training photo, without any network", mean_photo, "unmix"), True,
    ),
    Ladder(
        "cross_entropy", f"{ENTROPY.reported:.3f}: the training loss of report 003's networks trained on BCE",
        ENTROPY, 5e-4, "loss",
        (
            Rung("trained on the squared error: RMSE", BATCHES_OF_32, Measure("transposed 2 mse", "train/rmse/last")),
            Rung("trained on the cross-entropy: RMSE", BATCHES_OF_32, Measure("transposed 2 bce", "train/rmse/last")),
            Rung("the cross-entropy itself", BATCHES_OF_32, Measure("transposed 2 bce", "train/bce/last")),
            Rung(
                "batches of 128 in place of 32, as many epochs", "digit_codes",
                Measure("transposed 2 bce", "train/bce/last"),
            ),
            Rung(
                "100 epochs of all images", "digit_codes_100", Measure("transposed 2 bce", "train/bce/last"),
                otherwise=True,
            ),
        ),
        Bound("the least cross-entropy that any output can have on all training images", entropy),
    ),
    Ladder(
        "noise", f"{NOISE.reported:.3f}: the test error of report 001's denoiser", NOISE, 5e-4,
        "mean squared error of signed images",
        (
            Rung("no noise: the autoencoder", "denoise_25_seeds", Measure("ae", NOISE.metric)),
            Rung("variance 0.1, as its text says", "denoise_25_seeds", Measure("dae variance 0.1", NOISE.metric)),
            Rung("deviation 0.1, as its code has it", "denoise_25_seeds", Measure(NOISE.arm, NOISE.metric)),
            Rung("all of CIFAR-10's images"),
        ),
        Bound("the noisy image itself, deviation 0.1", noisy_image, "denoise_25_seeds"),
    ),
    Ladder(
        "nines", "Nines: of the rows of report 003's table with nines, those that draw one digit or two", ROWS, 0.5,
        "rows, %",
        (
            *(Rung(switched, result, of_few_digits(kind)) for switched, result, kind in NINES_BY),
            Rung(
                "the course's pairs in place of natural ones, in batches of 64", "digit_addition_sum_course",
                of_few_digits("course"), part=some_rows("course"),
            ),
        ),
        aside=other_rows,
    ),
)  # fmt: skip
