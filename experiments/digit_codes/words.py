"""What is said of the report's three statements: on losses, on decoders, on overfitting."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import experiments.digit_codes.pictures as pictures
import experiments.digit_codes.stated as stated
import jaxae as ae
from experiments import own_images
from experiments.digit_codes.measures import GAP, LOWEST, PATIENCE, PLATEAU, RISE, SCATTER, loss_pairs
from experiments.digit_codes.method import DECODERS, LOSSES, REPORTED, SIZES, SPLITS, claims
from experiments.digit_codes.stated import RISEN, rounding, side
from jaxae.findings.claims import named_seeds
from jaxae.report import numbers
from jaxae.report.explorer import explorer_sections

TEMPLATE = Path(__file__).with_name("words.md")
LONG = 40  # epochs, from which the course of a curve can be told
TWINS = ("upsampling", "interpolation")  # decoders that are one network where interpolation is nearest
BEST, NOT_BEST, UNDECIDED = "best", "not best", "undecided"


class Rank(NamedTuple):
    """The three decoders with one code, loss and split: mean RMSE by decoder, and whether transposed is best."""

    size: int
    loss: str
    split: str
    means: list[float]
    word: str


def say(found: ae.Findings) -> ae.Document:
    """All of it."""
    ranks, sections = ranking(found), explorer_sections(found)
    drawn = pictures.figures(found) if found.arrays else {}
    if own_images.is_own(found.config):
        shown, measured = (*own_tables(found), *tables(found, ranks)), [own_errors(found), *own_overfitting(found)]
        return own_images.document(found, found.facts["images"][0], shown, drawn, sections, measured=measured)
    rows = found.rows(claims(found.config))
    words = ae.report.words(
        TEMPLATE,
        found=found,
        judged=found.judged,
        images=found.facts.get("images", ()),
        decided=decided(rows),
        losses={name: sides(found, f"validation/{name}/last") for name in pictures.NAMES},
        few=too_few(found),
        stated=stated.answers(found),
        **of_decoders(found, ranks),
        **of_curves(found),
    )
    beside = ("budget", words.line[1][0].lower() + words.line[1][1:]) if words.line and not found.judged else ("", "")
    return words.document(rows, tables(found, ranks), drawn, sections=sections, aside=beside)


def decided(rows: Sequence[ae.results.Row]) -> dict[str, list[str]]:
    """What the reported numbers that are judged came to, in words, {arm: a part of a sentence for each}."""
    told: dict[str, list[str]] = {}
    for row in rows:
        if row.primary and row.reported is not None and row.verdict != ae.results.NOT_COMPARABLE:
            split, name, _ = row.metric.split("/")
            verdict = f"{numbers.printed(row)} in the report: {row.verdict}"
            ours = f"{numbers.reproduced(row)} on {images_of(split)} ({verdict})"
            told.setdefault(f"{pictures.NAMES[name]} of {row.arm}", []).append(ours)
    return told


def images_of(split: str) -> str:
    """Which images they are, in words."""
    return f"{'training' if split == 'train' else split} images"


def of_decoders(found: ae.Findings, ranks: Sequence[Rank]) -> dict[str, Any]:
    """Which decoder is best, which two are one network, and what sizes of the code change."""
    return {
        "ranks": {word: labels(ranks, word) for word in (BEST, NOT_BEST, UNDECIDED)},
        "twins": twins(found),
        "by_size": stated.by_size(found),
        "own": stated.by_its_own(),
    }


def of_curves(found: ae.Findings) -> dict[str, Any]:
    """Whether losses turn up, and where there are epochs enough to tell, how they scatter and when they flatten out."""
    long = found.config.epochs >= LONG
    return {
        "epochs": by_arm(found, LOWEST),
        "overfitting": overfitting(found),
        "gaps": by_arm(found, GAP) if found.config.epochs > 1 else {},
        "scatter": by_arm(found, SCATTER) if long else {},
        "plateau": by_arm(found, PLATEAU) if long else {},
    }


def by_arm(found: ae.Findings, metric: str) -> dict[str, np.ndarray]:
    """A measure of every arm that has it."""
    return {arm: found.values(arm, metric) for arm in found.measures if found.has(arm, metric)}


# ---- of other images than the report's


def own_errors(found: ae.Findings) -> str:
    """Which arm ends with the lowest error, and which with the highest."""
    (best, lowest), *others = by_error(found)
    where = "of test images, with the weights of its lowest validation loss"
    if not others:
        return f"{best} has an RMSE of {lowest} {where}."
    worst, highest = others[-1]
    alone = "; they are of one seed each" * (len(found.seeds) == 1)
    return (
        f"Of {len(others) + 1} arms {best} has the lowest RMSE {where}, {lowest}, and {worst} the highest, "
        f"{highest}{alone}."
    )


def by_error(found: ae.Findings) -> list[tuple[str, str]]:
    """The arms and their RMSEs of test images in words, from the lowest to the highest."""
    errors = {arm: found.values(arm, "test/rmse") for arm in found.measures if found.has(arm, "test/rmse")}
    return [(arm, numbers.over_seeds(errors[arm])) for arm in sorted(errors, key=lambda arm: errors[arm].mean())]


def own_overfitting(found: ae.Findings) -> list[str]:
    """Which arms overfit in every seed, from when on and how far."""
    if found.config.epochs < 2:
        return []
    judged = [arm for arm in found.measures if found.has(arm, RISE)]
    arms = [arm for arm in judged if found.values(arm, RISE).min() > RISEN]
    if not arms:
        every = " in every seed" * (len(found.seeds) > 1)
        return [f"No arm's validation loss ends more than {RISEN}% above its lowest{every}."]
    who = f"All {len(arms)} arms" if len(arms) == len(judged) > 1 else numbers.listed(arms)
    rises, lowest, ended = (
        np.concatenate([found.values(arm, metric) for arm in arms])
        for metric in (RISE, LOWEST, "validation/epochs trained")
    )
    overfit, its = ("overfits", "its validation loss") if len(arms) == 1 else ("overfit", "their validation losses")
    early = "" if found.config.patience else f"; --patience {PATIENCE} stops soon after that"
    return [
        f"{who} {overfit}: {its} {'is' if len(arms) == 1 else 'are'} lowest after epoch {between(lowest)}, and "
        f"{'ends' if len(arms) == 1 else 'end'} {between(rises)}% higher, after {between(ended)}{early}."
    ]


def between(values: np.ndarray) -> str:
    """The least and the most, or the one that all are."""
    low, high = f"{values.min():,.0f}", f"{values.max():,.0f}"
    return low if low == high else f"{low} to {high}"


def own_tables(found: ae.Findings) -> tuple[ae.Table, ...]:
    """Every arm's errors, from the best to the worst, where there are several."""
    metrics = {"Test": "test/rmse", "Training": "best state, train/rmse", "Validation": "best state, validation/rmse",
               "Validation, last epoch": "validation/rmse/last"}  # fmt: skip
    cells = [
        [arm, *(numbers.over_seeds(found.values(arm, metric)) for metric in metrics.values())]
        for arm, _ in by_error(found)
    ]
    columns = (("Arm", "text"), *((name, "number") for name in metrics))
    note = "With the weights of the lowest validation loss, but for the last column."
    return (ae.Table("RMSE of every arm", columns, cells, note),) if len(cells) > 1 else ()


# ---- (a) that BCE converges to lower values than L2


def sides(found: ae.Findings, metric: str) -> dict[str, list[str]]:
    """The decoders that end lower in an error when trained on BCE in place of MSE, those that end higher, the others.

    Each with its code, where there are two sizes.
    """
    names = {-1: "lower", 1: "higher", 0: "undecided"}
    networks: dict[str, list[str]] = {name: [] for name in names.values()}
    for network, differences, least in by_network(found, metric):
        networks[names[ae.results.side_of_zero(differences, least)]].append(network)
    return networks


def by_network(found: ae.Findings, metric: str) -> list[tuple[str, np.ndarray, float]]:
    """By decoder, and code where there are two sizes: what BCE ends with less what MSE does, by living seed, and what
    of it is no difference.

    With nearest interpolation two decoders are one network, whose seeds are told together.
    """
    pairs = loss_pairs(stated.quick(found)) if len(found.seeds) > 1 else []
    several, found_in = len({bce.split()[1] for bce, _ in pairs}) > 1, {}
    for bce, mse in pairs:
        decoder, size, _ = bce.split()
        both = {f"{twin} {size} {loss}" for twin in TWINS for loss in LOSSES}
        one = decoder in TWINS and found.config.interpolation == "nearest" and found.measures.keys() >= both
        name = "/".join(TWINS) if one else decoder
        found_in.setdefault(f"{name} {size}" if several else name, []).append((bce, mse))
    return [
        (
            network,
            np.concatenate([found.difference(bce, mse, metric) for bce, mse in own]),
            max(rounding(found, mse, metric) for _, mse in own),
        )
        for network, own in found_in.items()
    ]


def too_few(found: ae.Findings) -> dict[str, str]:
    """The decoders with which no RMSE can be told to be the lower one though all seeds agree; what is said of them."""
    told = by_network(found, "validation/rmse/last")
    return {network: said for network, values, least in told if (said := numbers.undecided(values, least))}


def twins(found: ae.Findings) -> dict[str, int]:
    """By code and loss, on which side of the interpolation decoder's RMSE the upsampling one's lies, on validation
    images."""
    groups = itertools.product(SIZES, LOSSES) if len(found.seeds) > 1 else ()
    names = [(f"upsampling {size} {loss}", f"interpolation {size} {loss}") for size, loss in groups]
    there = [pair for pair in names if {*stated.quick(found)} >= {*pair}]
    return {
        first.removeprefix("upsampling "): side(found, first, second, "validation/rmse/last") for first, second in there
    }


# ---- (b) that the transposed decoder has the lowest RMSE on training and validation images


def ranking(found: ae.Findings) -> list[Rank]:
    """Of every code, loss and split whose three decoders were trained, and with several seeds."""
    ranks = []
    for size, loss, split in itertools.product(SIZES, LOSSES, SPLITS):
        first, *others = group = [f"{decoder} {size} {loss}" for decoder in DECODERS]
        if {*stated.quick(found)} >= {*group} and len(found.seeds) > 1:
            metric = f"{split}/rmse/last"
            signs = [side(found, first, other, metric) for other in others]
            word = BEST if max(signs) < 0 else NOT_BEST if max(signs) > 0 else UNDECIDED
            means = [float(found.values(name, metric).mean()) for name in group]
            ranks.append(Rank(size, loss, split, means, word))
    return ranks


def labels(ranks: Sequence[Rank], word: str) -> list[str]:
    """The losses of which `word` is said, with the code where there are two sizes, and with the images where it is said
    of one split alone."""
    found, several = [], len({rank.size for rank in ranks}) > 1
    for size, loss in itertools.product(SIZES, LOSSES):
        splits = [rank.split for rank in ranks if (rank.size, rank.loss, rank.word) == (size, loss, word)]
        where = f" with codes of {size}" * several + (f" ({images_of(splits[0])})" if len(splits) == 1 else "")
        found += [loss.upper() + where] if splits else []
    return found


def tables(found: ae.Findings, ranks: Sequence[Rank]) -> tuple[ae.Table, ...]:
    """RMSE by decoder, where there are decoders to compare."""
    if not ranks:
        return ()
    cells = [
        [str(rank.size), rank.loss.upper(), rank.split, *(f"{mean:.4f}" for mean in rank.means), rank.word]
        for rank in ranks
    ]
    head = ("Code", "number"), ("Loss", "text"), ("Images", "text")
    columns = (*head, *((decoder, "number") for decoder in DECODERS), ("Is transposed the best?", "text"))
    title = f"RMSE by decoder, at the last epoch, the mean over {len(found.seeds)} seeds but for dead ones"
    return (ae.Table(title, columns, cells, not_ranked(found)),)


def not_ranked(found: ae.Findings) -> str:
    """The arms that keep a code and loss out of the table; "" where none does."""
    slow = "; ".join(f"{arm}, {named_seeds(seeds)}" for arm, seeds in found.slow.items() if seeds)
    return f"Where one of three decoders shows one picture so far, none is compared: {slow}." if slow else ""


# ---- (c) that there are no clear signs of overfitting; one epoch can't show any


def overfitting(found: ae.Findings) -> Mapping[str, Any]:
    """The arms that were judged, those whose validation loss turns up, and by how much validation lies above training.

    None where an arm has but one epoch.
    """
    if found.config.epochs < 2:
        return {"judged": 0, "risen": [], "gaps": None}
    rises = {arm: ae.results.interval(found.values(arm, RISE)) for arm in stated.quick(found)}
    judged = {arm: interval for arm, interval in rises.items() if interval is not None}
    gaps = [round(float(found.values(arm, GAP).mean()), 1) + 0.0 for arm in stated.quick(found)]
    reported = [
        100 * (held_out / train - 1)
        for train, held_out in zip(REPORTED["mse", "train"], REPORTED["mse", "validation"], strict=True)
    ]
    return {
        "arms": len(rises), "judged": len(judged), "risen": [arm for arm, (low, _) in judged.items() if low > RISEN],
        "gaps": (min(gaps), max(gaps)) if gaps else None, "reported": (min(reported), max(reported)),
    }  # fmt: skip
