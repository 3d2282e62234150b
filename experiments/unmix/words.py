"""What is said: what the report's decibels are, whether subtraction is the better way, what the loss tells."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import experiments.unmix.errors as errors
import experiments.unmix.pictures as pictures
import jaxae as ae
from experiments import photo_classifier
from experiments.unmix.errors import STEP
from experiments.unmix.measures import BELOW, GAINED
from experiments.unmix.method import EPOCH_MEAN, FIRST, FORMULA, GUESSES, IMAGES, LAST, SAMPLE, SCORES, claims
from experiments.unmix.ways import STAGES, arm_name, ways
from jaxae.report import numbers

TEMPLATE = Path(__file__).with_name("words.md")
MOST = 50  # percent of the mean photo's error in the overall colour, above which it is called kept


def say(found: ae.Findings) -> ae.Document:
    """All of it."""
    stated = claims(found.config)
    rows = found.rows(stated, shares={f"{GAINED} {metric}, % of pairs": tested(found) for metric in ("psnr", "ssim")})
    arms = [arm for arm in found.measures if found.has(arm, f"{GAINED} psnr")]
    held = list(dict.fromkeys(claim.arm for claim in stated))
    shares = errors.shares(found, held)
    report, told = of_report(found), of_arms(found, rows, held)
    words = ae.report.words(
        TEMPLATE,
        found=found,
        shares=shares,
        most=MOST,
        **report,
        **told,
        **of_ways(found, arms),
    )
    tables = (
        *([errors.table(found, held, shares)] if held else []), *both_ranges(found, held), both_ways(found, arms),
    )  # fmt: skip
    drawn = pictures.figures(found, arms) if found.arrays else {}
    shown = ("unmixed_0", "losses", "errors")
    return words.document(rows, tables, drawn, key=shown[0], shown=shown, aside=aside(found, told["beside"], report))


def aside(found: ae.Findings, told: Sequence[Mapping[str, Any]], report: Mapping[str, Any]) -> tuple[str, str]:
    """For the table of all reports: what comes of most of the report's start; or nothing."""
    ours = [arm["ours"] for arm in told if arm["arm"] in report["starts"]["partly"]]
    if not ours:
        return "", ""
    scores = " and ".join(numbers.rounded(ours[0][image]) for image in ("photo", "digit"))
    how = f"{found.config.stages} of the encoder's {STAGES} stages from ImageNet"
    return "start", f"with {how} {scores} dB ({numbers.plural(len(found.seeds), 'seed')}, not comparable)."


def of_report(found: ae.Findings) -> dict[str, Any]:
    """The report's numbers, what they can mean, and what its encoder may have begun with."""
    return {
        "reported": {"first": FIRST, "last": LAST, "pairs": SAMPLE, "psnr": SCORES["psnr"]},
        "range": data_range(),
        "first": first_loss(found.facts.get("first losses", {})),
        "starts": starts(found.config),
        "known": found.measures.get(photo_classifier.NAME, {}).get("test/accuracy"),
    }


def of_arms(found: ae.Findings, rows: Sequence[ae.results.Row], held: Sequence[str]) -> dict[str, Any]:
    """The arms that are held against the report; told of are all, or where rungs compare them the first."""
    told = [beside(found, rows, arm) for arm in held]
    return {
        "beside": told,
        "told": told[:1] if found.config.rungs else told,
        "learned": [learned(found, arm) for arm in held],
        "nearest": nearest(found, held) if found.config.rungs else None,
    }


def of_ways(found: ae.Findings, arms: Sequence[str]) -> dict[str, Any]:
    """Decoding the photo and subtracting the digit, of each arm, and the arms compared."""
    return {
        "ways": [way(found, arm) for arm in arms],
        "compared": [compared(found, first, second) for first, second in pairs(found)],
        "guessed": guessed(found),
        "same": same_error([found.scores[arm] for arm in arms if arm in found.scores]),
    }


def data_range() -> dict[str, Any]:
    """What the report's decibels mean when they are taken at their word, and with the data range that fits them.

    Errors are mean squares of images in [0, 1]; on images in [-1, 1] they are four times as large.
    """
    told = SCORES["psnr"]
    right = {image: number - STEP for image, number in told.items()}
    errors = {image: 10 ** (-number / 10) for image, number in right.items()}
    return {
        "step": STEP,
        "right": right,
        "levels": {image: 255 * 10 ** (-number / 20) for image, number in told.items()},
        "rounding": 12**-0.5,  # the standard deviation of a number that is uniform between two levels
        "errors": errors,
        "loss": 4 * sum(errors.values()),
        "signed": sum(errors.values()),  # had images in [-1, 1] been scored with 255
    }


def first_loss(losses: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Where single runs' first losses lie in each value range, and the ranges in which the report's can be one."""
    spans = {name: ae.results.prediction_interval(values) for name, values in losses.items()}
    known = {name: span for name, span in spans.items() if span}
    fits = [name for name, (low, high) in known.items() if low <= FIRST <= high]
    return {"spans": known, "fits": fits, "seeds": max(map(len, losses.values()), default=0)}


def beside(found: ae.Findings, rows: Sequence[ae.results.Row], arm: str) -> dict[str, Any]:
    """An arm's losses and right decibels, and the verdicts on them; an arm as the report has it."""
    verdicts = {row.metric: row.verdict for row in rows if row.arm == arm and row.reported is not None}
    inside = {metric: word in (ae.results.REPRODUCED, ae.results.INCONCLUSIVE) for metric, word in verdicts.items()}
    seen = {metric: found.values(arm, metric) for metric in found.measures[arm]}
    steps = seen.get(BELOW, np.zeros(0))
    ours = {image: seen[f"{SAMPLE} test pairs/{image} psnr"] for image in IMAGES}
    wide = {image: f"{SAMPLE} test pairs/{image} psnr, range 255" for image in IMAGES}
    above = {image: ours[image].mean() > SCORES["psnr"][image] - STEP for image in IMAGES}
    sides = {
        image: "not told apart" if inside[wide[image]] else "better" if above[image] else "worse" for image in IMAGES
    }
    return {
        "arm": arm,
        "judged": ae.results.NOT_COMPARABLE not in verdicts.values(),
        "ours": ours,
        "sides": sides,
        "epoch": seen[EPOCH_MEAN],
        "tenth": seen["train/both/last tenth"],
        "test": seen["test/both"],
        "from decibels": 4 * sum(10 ** (-seen[f"test/{image} psnr"].mean() / 10) for image in IMAGES),
        "below": [int(step) for step in steps if np.isfinite(step)],
        "never": int(np.isnan(steps).sum()),
        "end": inside["train/both/last step"] or inside["train/both/last tenth"],
        "lower": seen["train/both/last tenth"].mean() < data_range()["loss"],
    }


def tested(found: ae.Findings) -> int:
    """How many test pairs there are."""
    return found.facts["pairs"][1] if "pairs" in found.facts else SAMPLE


def learned(found: ae.Findings, arm: str) -> dict[str, Any]:
    """What an arm's decoders gain on no network, SSIM by the right range, and how far the last batch is from the mean
    of the last tenth."""
    seen = {metric: found.values(arm, metric) for metric in found.measures[arm]}
    guesses = found.measures.get(GUESSES, {})
    unrest, kept = errors.unrest(found, arm), errors.colours(found, arm)
    last, tenth = seen["train/both/last step"], seen["train/both/last tenth"]
    gain = {i: seen[f"test/{i} psnr"] - guesses[f"test/{i} psnr"] for i in IMAGES if f"test/{i} psnr" in guesses}
    ahead = [seen[f"test/digit {metric}"] - seen[f"test/photo {metric}"] for metric in ("psnr", "ssim 7x7")]
    higher = dict(zip(("psnr", "ssim"), ahead, strict=True))
    ahead += [gain["digit"] - gain["photo"]] if gain else []
    return {
        "higher": higher,
        "digit": seen["test/digit psnr"],
        "arm": arm,
        "gain": gain,
        "ahead": [ae.results.side_of_zero(each) for each in ahead],
        "ssim": {image: seen[f"{SAMPLE} test pairs/{image} ssim 7x7"] for image in IMAGES},
        "off": 100 * np.abs(last / tenth - 1),
        "unrest": unrest,
        "unstable": [ae.results.side_of_zero(unrest["scatter"] - unrest["fall"])] if unrest else [],
        "kept": kept,
        "colours": [] if kept is None else [ae.results.side_of_zero(kept - MOST)],
    }


def nearest(found: ae.Findings, arms: Sequence[str]) -> dict[str, Any]:
    """The arm whose photos are nearest to the report's in decibels, of so many."""
    reported = SCORES["psnr"]["photo"] - STEP
    away = {arm: abs(found.values(arm, f"{SAMPLE} test pairs/photo psnr").mean() - reported) for arm in arms}
    arm = min(away, key=lambda name: away[name])
    scored = {image: found.values(arm, f"{SAMPLE} test pairs/{image} psnr") for image in IMAGES}
    digits = scored["digit"].mean() - (SCORES["psnr"]["digit"] - STEP)
    return {"arm": arm, "ours": scored, "of": len(arms), "digits": digits}


def way(found: ae.Findings, arm: str) -> dict[str, Any]:
    """What subtraction gains on the photo's decoder, of an arm's living seeds."""
    gain = found.values(arm, f"{GAINED} psnr")
    return {
        "arm": arm, "gain": gain, "share": found.values(arm, f"{GAINED} psnr, % of pairs"), "tested": tested(found),
        "side": ae.results.side_of_zero(gain),
    }  # fmt: skip


def pairs(found: ae.Findings) -> list[tuple[str, str]]:
    """The arms that are compared."""
    return list(dict.fromkeys((first, second) for first, second, *_ in found.differences))


def compared(found: ae.Findings, first: str, second: str) -> dict[str, Any]:
    """What an arm's decoders gain on another's, paired by seed."""
    gains = {image: found.difference(first, second, f"test/{image}, clipped psnr") for image in IMAGES}
    return {"first": first, "second": second, **gains, "side": ae.results.side_of_zero(gains["photo"])}


def guessed(found: ae.Findings) -> dict[str, dict[str, float]]:
    """The scores of a black digit and of the mean photo."""
    metrics = ("psnr", "psnr, range 255", "ssim 7x7, range 255")
    return {
        metric: {image: float(found.measures[GUESSES][f"test/{image} {metric}"]) for image in IMAGES}
        for metric in metrics
        if found.has(GUESSES, *(f"test/{image} {metric}" for image in IMAGES))
    }


def same_error(scores: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Any]:
    """How far the formula's mean squared error is from the digit's, as a share of it, at most, and in how many pairs.

    They differ by rounding alone.
    """
    both = [[np.asarray(of[f"{name} mse"], np.float64) for name in ("digit", FORMULA)] for of in scores]
    apart = [(np.abs(formula - digit) / np.maximum(digit, 1e-12)).max() for digit, formula in both]
    return {"apart": max(apart, default=0.0), "pairs": sum(digit.size for digit, _ in both)}


def starts(config: Any) -> dict[str, Any]:
    """What the encoders started from, whether the report's start is missing, and the arms that have a part of it."""
    sources = dict.fromkeys(way.source for way in ways(config))
    words = {
        "none": "random weights",
        "cifar": "weights trained here to classify the photos",
        "imagenet": "torchvision's weights, which are for images normalised in another way than to [-1, 1]",
    }
    return {
        "words": [words.get(source, f"the weights in {Path(source).name}") for source in sources],
        "partly": [
            arm_name(way) for way in ways(config) if way.stages < STAGES and way.source not in ("none", "cifar")
        ],
        "missing": {*sources} <= {"none", "cifar"},
    }


def both_ranges(found: ae.Findings, held: Sequence[str]) -> list[ae.Table]:
    """Each score as reported beside the right one, of the same pairs; and those of the guesses, of all images."""
    places = [(arm, f"{SAMPLE} test pairs") for arm in held]
    places += [(GUESSES, "test")] if GUESSES in found.measures else []
    tables = []
    for metric, words in (("psnr", "PSNR, dB"), ("ssim 7x7", "SSIM")):
        rows = []
        for (arm, split), (image, reported) in product(places, SCORES[metric].items()):
            name = f"{split}/{image} {metric}"
            right, wrong = (found.values(arm, name + end) for end in ("", ", range 255"))
            rows.append([arm, image, f"{reported:.6g}", *map(numbers.over_seeds, (wrong, right, wrong - right))])
        heads = ("reported", "range 255, as reported", "range 1, right", "difference")
        kinds = [("Arm", "text"), ("Image", "text"), *((f"{words}: {head}", "number") for head in heads)]
        title = f"{words}, under both data ranges, of {SAMPLE} random test pairs; without network, of all test images"
        tables.append(ae.Table(title, kinds, rows))
    return tables


def both_ways(found: ae.Findings, arms: Sequence[str]) -> ae.Table:
    """The photo by its decoder and by the report's formula, each as one would show it: clipped to [0, 1]."""
    rows = []
    for arm, metric in product(arms, ("psnr", "ssim")):
        names = [f"test/{name}, clipped {metric}" for name in (*IMAGES, FORMULA)]
        names.append(f"{GAINED} {metric}")
        better = numbers.portion(found.values(arm, f"{GAINED} {metric}, % of pairs"), tested(found))
        rows.append([arm, metric.upper(), *(numbers.over_seeds(found.values(arm, name)) for name in names), better])
    heads = ("Digit's decoder", "Photo's decoder", "Photo by subtraction", "Gained by it", "Pairs in which it gains")
    kinds = [("Arm", "text"), ("Score", "text"), *((head, "number") for head in heads)]
    return ae.Table("Both ways to the photo, over all test pairs, of images clipped to [0, 1]", kinds, rows)
