"""What the study `unmix` says of its numbers, and the report's facts that they are held against."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import jaxae as ae

IMAGES = ("digit", "photo")  # in the order in which the model gives them
FORMULA = "photo by subtraction"
FIRST, LAST = 1.094, 0.228  # the report's losses
SAMPLE = 128  # test pairs that the report scores
SCORES = {
    "psnr": {"photo": 62.79011552553733, "digit": 65.22051003145367},
    "ssim 7x7": {"photo": 0.9962222993689486, "digit": 0.99826334636813},
}
BELOW = f"train/both/first step below {LAST}"
GUESSES = "no network: black digit, mean photo"


def notes(run: ae.Run, trained: Sequence[ae.Trained], train, test, first: Any, held: Sequence[str]) -> list[str]:
    """What the numbers say; `first` losses by value range, and the arms that are held against the report."""
    found = [amount(run.config, train, test), encoders(run.config), value_range(first)]
    found += [same_errors(done) for done in trained]
    return [*found, data_range(), *(beside_the_report(run, arm) for arm in held), guesses(run)]


def amount(config: Any, train: ae.data.Pairs, test: ae.data.Pairs) -> str:
    """How much data there was, against the report's."""
    steps, each = len(train) // config.batch_size, len(train) / len(train.second)
    paired = "of images with the same number, as in" if config.aligned else "drawn at random, not by number as in"
    return (
        f"An epoch is {steps} steps on {len(train):,} pairs of {len(train.first):,} digits and {len(train.second):,} "
        f"photos, each photo {each:.1f} times; the report's was about 400 steps on 50,000 pairs of 60,000 and 50,000. "
        f"Tested on {len(test):,} pairs; {min(SAMPLE, len(test))} of them, others for each seed, stand for the "
        f"report's {SAMPLE}. Pairs are {paired} the report's loader."
    )


def encoders(config: Any) -> str:
    """What the encoders started from."""
    words = {
        "none": "random weights",
        "cifar": "weights trained here to classify the photos",
        "imagenet": "torchvision's weights, which are for images normalised in another way than to [-1, 1]",
    }
    sources = [words.get(source, f"the weights in {Path(source).name}") for source in config.pretrained]
    without = set(config.pretrained) <= {"none", "cifar"}
    missing = "; the report's, pretrained on ImageNet, is not among these" * without
    return f"The encoder started from {', and from '.join(sources)}{missing}."


def value_range(first: Mapping[str, np.ndarray]) -> str:
    """Which value range gives the report's first loss: {range: losses of the first batch, f32[seeds]}."""
    seeds, words = 0, []
    for name, values in first.items():
        seeds, (low, high) = len(values), ae.results.prediction_interval(values) or (np.nan, np.nan)
        words.append(f"{low:.3f} to {high:.3f} on images in {name}")
    return (
        f"The value range isn't stated, and the report's first loss, {FIRST}, tells it. By {seeds} seeds with random "
        f"weights, the first batch's loss is in 95% of single runs {', and '.join(words)}."
    )


def same_errors(done: ae.Trained) -> str:
    """That the formula's error is the digit's."""
    digit, formula = (np.asarray(done.scores[f"{name} mse"], np.float64) for name in ("digit", FORMULA))
    apart = (np.abs(formula - digit) / np.maximum(digit, 1e-12)).max()
    return (
        f"{done.name}: 2 * mean - digit has the digit's error with the opposite sign; the two mean squared errors "
        f"differ by at most {apart:.1e} of their size in {digit.size:,} pairs, before clipping."
    )


def data_range() -> str:
    """Why both columns differ by a constant, and what the report's numbers are without it."""
    step = 20 * np.log10(255)
    photo, digit = SCORES["psnr"].values()
    right = {image: number - step for image, number in SCORES["psnr"].items()}
    total = 4 * sum(10 ** (-number / 10) for number in right.values())
    return (
        f"PSNR with data range 255 is 20 log10(255) = {step:.2f} dB above PSNR with data range 1, for any pair of "
        f"images. With range 1 the report's {photo:.2f} dB (photo) and {digit:.2f} dB (digit) would be errors of "
        f"{255 * 10 ** (-photo / 20):.2f} and {255 * 10 ** (-digit / 20):.2f} grey levels of 255 (root mean square), "
        f"where rounding to whole levels alone makes {12**-0.5:.2f}: no blurred photo has that. {step:.2f} dB lower "
        f"they are {right['photo']:.2f} and {right['digit']:.2f} dB: squared errors whose sum on images in [-1, 1] is "
        f"at least {total:.3f}, for a mean of decibels gives the geometric mean of the errors; its last training loss "
        f"is {LAST}, which as the mean of an epoch that began at {FIRST} would lie further above its end. Scored with "
        f"255 on images in [-1, 1], the same numbers would mean a sum of {total / 4:.3f}, which that loss excludes. "
        "SSIM with range 255 is at least 0.85 for any images in [0, 1], whose means and variances are small beside its "
        "constants."
    )


def beside_the_report(run: ae.Run, arm: str) -> str:
    """An arm's losses and scores beside the report's."""
    values, image = run.measures[arm], f"{SAMPLE} test pairs/{{}} psnr, range 255"
    above = {name: values[image.format(name)].mean() - number for name, number in SCORES["psnr"].items()}
    steps = run.words(arm, BELOW, by_seed=True) if BELOW in values else ""
    reached = f" and is first below the report's, {LAST}, at step {steps}" * bool(steps)
    return (
        f"{arm}: the training loss is {run.words(arm, 'train/both/last')} over the epoch, "
        f"{run.words(arm, 'train/both/last tenth')} over its last tenth{reached}; the test loss is "
        f"{run.words(arm, 'test/both')}, or {geometric(values):.3f} from the mean decibels. With data range 255 the "
        f"mean PSNR of the photo is {above['photo']:+.2f} dB from the report's and that of the digit "
        f"{above['digit']:+.2f} dB: the range accounts for the size of the report's numbers, and what is left is how "
        "much better or worse the networks are."
    )


def geometric(values: Mapping[str, np.ndarray]) -> float:
    """The loss that follows from mean PSNRs as if they were of the mean squared errors."""
    return 4 * sum(10 ** (-values[f"test/{image} psnr"].mean() / 10) for image in IMAGES)


def guesses(run: ae.Run) -> str:
    """What the scores stand beside."""
    digit, photo, *wide = (
        run.measures[GUESSES][f"test/{name} {metric}"][0]
        for metric in ("psnr", "psnr, range 255", "ssim 7x7, range 255")
        for name in IMAGES
    )
    return (
        f"Without any network, a black digit scores {digit:.2f} dB, and so does the photo by subtraction of it; the "
        f"mean training photo scores {photo:.2f} dB on the test photos. With data range 255 these are {wide[0]:.2f} "
        f"and {wide[1]:.2f} dB, and their SSIM is {wide[2]:.4f} and {wide[3]:.4f}."
    )
