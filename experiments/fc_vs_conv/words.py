"""What is said: which reading gives the reported losses, how conv compares with fc, which seeds died."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import experiments.fc_vs_conv.author as author
import jaxae as ae
from experiments import author_weights
from experiments.fc_vs_conv.measures import NOT_BELOW, epoch_name
from experiments.fc_vs_conv.method import REPORTED, SIZES, claims
from jaxae.report.curves import PLACES, banded
from jaxae.report.figures import Curves, Images, by_epoch
from jaxae.report.statements import mostly

FEW = 3  # seeds, from which a range of single runs tells something
ENDS = {"first": 0, "last": -1}  # epochs, by the names that measures have for them
TEMPLATE = Path(__file__).with_name("words.md")


def say(found: ae.Findings) -> ae.Document:
    """Conclusions on the two printed numbers and on the two networks."""
    rows = found.rows(measured(found))
    words = ae.report.words(
        TEMPLATE,
        found=found,
        readings=[reading(rows, arm, number) for arm, number in REPORTED.items()],
        printed_by=REPORTED,
        side_of_zero=ae.results.side_of_zero,
        **beside_report(found),
        **of_networks(found),
        **of_slow_rate(found),
    )
    return words.document((*rows, *of_author(found)), figures=figures(found) if found.arrays else {})


def beside_report(found: ae.Findings) -> dict[str, Any]:
    """The author's own networks, his log, and his printed numbers above the floor that no sigmoid gets below."""
    return {
        "author": [(arm, loss, REPORTED[arm]) for arm, loss in authors_losses(found).items()],
        "below_fc": below_fc(found),
        "above": [number - found.facts["floors"]["standardised"][1] for number in REPORTED.values() if whole(found)],
        "inside": {model: told for model in author.LOG if (told := inside(found, model))} if found.judged else {},
    }


def of_networks(found: ae.Findings) -> dict[str, Any]:
    """How the two networks compare, their parameters, and how many of the seeds live."""
    return {
        "rivals": rivals(found),
        "lower": [lower(found, arm) for arm in found.measures if found.has(arm, NOT_BELOW["validation"])],
        "consistently": consistently(found),
        "less_accurate": less_accurate(found),
        "counts": {model: sizes["parameters"] for model, sizes in SIZES.items()},
        "lives": [life(found, arm) for arm in found.dead if found.dead[arm]],
    }


def of_slow_rate(found: ae.Findings) -> dict[str, Any]:
    """Where the rate that the report calls too slow ends, and on which side of its numbers."""
    arms = {model: f"{model} standardised rate 0.1" for model in REPORTED}
    slow = {model: found.values(arm, "validation/loss/last") for model, arm in arms.items() if arm in found.measures}
    sides = [ae.results.side_of_zero(loss - REPORTED[model]) for model, loss in slow.items()]
    return {"slow": slow, "too_slow": sides}


def of_author(found: ae.Findings) -> list[ae.results.Row]:
    """The author's own networks, which nothing here has trained, beside what he printed for them."""
    return [
        author_weights.row(f"{arm}, its author's", "test/loss", loss, printed=REPORTED[arm], source="Results")
        for arm, loss in authors_losses(found).items()
    ]


def authors_losses(found: ae.Findings) -> dict[str, float]:
    """The test losses of the author's own networks; of other test images than his they aren't those that he printed."""
    return found.facts.get("author", {}) if whole(found) else {}


def whole(found: ae.Findings) -> bool:
    """Whether the test images are all of MNIST's, as the author's were."""
    tests = [entry for entry in found.origin.data if entry["split"].startswith("test")]
    return found.config.source == "tfds" and not any("of" in entry for entry in tests)


def measured(found: ae.Findings) -> list[ae.Claim]:
    """The claims without the readings that files of earlier versions don't hold."""
    return [
        dataclasses.replace(claim, explained_by=tuple(other for other in claim.explained_by if found.has(*other)))
        for claim in claims(found.config)
        if found.has(claim.arm, claim.metric)
    ]


def reading(rows: Sequence[ae.results.Row], arm: str, number: float) -> dict[str, Any]:
    """How an arm's reported loss can be read: the row that decides, the others that reproduce it, and the nearest.

    Where a row stands without the seeds that died, that one counts. Without rows where the settings bar a verdict.
    """
    own = [row for row in rows if row.reported == number and row.mean is not None]
    own = [row for row in own if not row.reason.startswith("not the report's settings")]
    without = {(row.arm, row.metric) for row in own if row.excluded}
    own = [row for row in own if row.excluded or (row.arm, row.metric) not in without]
    found = [row for row in own if row.verdict == ae.results.REPRODUCED and not row.primary]
    near = min(own, key=lambda row: abs((row.mean or 0) - number), default=None)
    return {
        "arm": arm,
        "number": number,
        "row": next((r for r in own if r.primary), None),
        "found": found,
        "near": near,
    }


def rivals(found: ae.Findings) -> list[dict[str, Any]]:
    """The networks compared, but for those that show one picture because they were trained too little."""
    pairs = [names for *names, _ in found.differences if names[2] == "test/psnr"]
    return [rival(found, *names) for names in pairs if not any(map(found.slow.get, names[:2]))]


def rival(found: ae.Findings, first: str, second: str, metric: str) -> dict[str, Any]:
    """Two networks on the same targets, of the seeds that live in both."""
    gain = found.difference(first, second, metric)
    return {"first": first, "second": second, "gain": gain, "side": ae.results.side_of_zero(gain)}


def lower(found: ae.Findings, arm: str) -> dict[str, Any]:
    """In how many living seeds conv's loss lies below fc's in every epoch, by split; older results have the test's."""
    below = {split: found.values(arm, name) == 0 for split, name in NOT_BELOW.items() if found.has(arm, name)}
    both, of = np.all([*below.values()], axis=0), len(below["validation"])
    known = len(below) == len(NOT_BELOW) and len(found.dead.get(arm, ())) < len(found.seeds)
    always = {split: int(values.sum()) for split, values in below.items()}
    return {"arm": arm, "always": always, "of": of, "side": mostly(int(both.sum()), of) if known else 0}


def below_fc(found: ae.Findings) -> dict[str, Any]:
    """How many of conv's living seeds lie below what the author's log has of fc, on training and test images, of how
    many, and in which epochs: older results tell of the first and the last; and how many end below it on test images.
    Empty where nothing is held against it."""
    arm, log = "conv standardised", author.LOG["fc"]
    died = len(found.dead.get(arm, ()))
    if not found.judged or arm not in found.measures or died == len(found.seeds):
        return {}
    every = {epoch_name(split, epoch): loss for split, of in log.items() for epoch, loss in enumerate(of, 1)}
    ends = {f"{split}/loss/{name}": of[place] for split, of in log.items() for name, place in ENDS.items()}
    for told, epochs in ((every, "every"), (ends, "the first and the last")):
        if found.has(arm, *told):
            lower = np.all([found.values(arm, name) < loss for name, loss in told.items()], axis=0)
            ended = found.values(arm, "validation/loss/last") < log["validation"][-1]
            counts = {"below": int(lower.sum()), "ended": int(ended.sum()), "of": len(lower), "died": died}
            return {**counts, "epochs": epochs, "known": told is every}
    return {}


def consistently(found: ae.Findings) -> list[int]:
    """Whether conv's loss lies below fc's in every epoch, in the report's setting: below our own fc's, or else below
    the author's log."""
    if found.has("conv standardised", NOT_BELOW["validation"]):
        return [lower(found, "conv standardised")["side"]]
    if not (told := below_fc(found)):
        return []
    return [mostly(told["below"], told["of"]) if told["known"] else 0]


def less_accurate(found: ae.Findings) -> list[int]:
    """Whether fc is: of the seeds that live in both, or of conv's against what is printed for fc; and of all
    trainings, where most of conv's died."""
    own = [rival["side"] for rival in rivals(found) if rival["first"] == "conv standardised"]
    if own or not (told := below_fc(found)):
        return own
    died = [-1] if mostly(told["died"], len(found.seeds)) == 1 else []
    return [mostly(told["ended"], told["of"]), *died]


def inside(found: ae.Findings, model: str) -> tuple[int, int] | None:
    """How many of the losses in the author's log of a network lie in the range of our single runs, on the scale of
    their logarithms, and of how many; None for fewer than FEW living seeds, and of older results."""
    arm, log = f"{model} standardised", author.LOG[model]
    if arm not in found.measures or not found.has(arm, epoch_name("train", len(log["train"]))):
        return None
    within = []
    for split, losses in log.items():
        for epoch, printed in enumerate(losses, 1):
            ours = np.log(found.values(arm, epoch_name(split, epoch)))
            if len(ours) < FEW or (ends := ae.results.prediction_interval(ours)) is None:
                return None
            within.append(ends[0] <= np.log(printed) <= ends[1])
    return sum(within), len(within)


def life(found: ae.Findings, arm: str) -> dict[str, Any]:
    """How many seeds live, and between which shares of all seeds that leaves the truth."""
    alive, count = len(found.seeds) - len(found.dead[arm]), len(found.seeds)
    return {"arm": arm, "alive": alive, "share": ae.results.share_interval(alive, count)}


def figures(found: ae.Findings) -> Mapping[str, Any]:
    """The report's curves, less what no sigmoid can pass, its 20 reconstructions, digits from the best to the worst."""
    ranked = ae.plots.ranked_figure(found, "PSNR", "dB")
    return {"loss_above_floor": loss_above_floor(found), "reconstructions": reconstructions(found), **ranked}


def loss_above_floor(found: ae.Findings) -> Curves:
    """FC and Conv in the same axes."""
    lines = []
    for arm, curves in found.by_seed.items():
        model, targets, *rate = arm.split(" ", 2)
        panel = ", ".join([f"{targets} targets", *rate])
        for split, lowest in zip(("train", "validation"), found.facts["floors"][targets], strict=True):
            label = "test" if split == "validation" else split
            values = (curves[f"{split}/loss"] - lowest)[found.living(arm)]
            place = {"panel": panel, "middle": split == "train"}
            lines.append(by_epoch(f"{model} {label}", values, **place))
            if targets == "standardised" and not rate and model in author.LOG and whole(found):
                lines.append(by_epoch(f"{model} {label}, the author's", author.curves(model)[split] - lowest, **place))
    return Curves(
        "Mean squared error above the least that a sigmoid can reach", "epoch", "loss - floor", lines, log=True,
        note=f"{PLACES} Seeds that died are left out, except where all did. {banded(found)}".strip(),
    )  # fmt: skip


def reconstructions(found: ae.Findings) -> Images:
    """20 test digits, two per class, above what each autoencoder makes of them."""
    rows = [("original", found.arrays[""]["digits"])]
    for arm in found.by_seed:
        place = found.shown(arm)
        rows.append((f"{arm}, seed {found.seeds[place]}" if place else arm, found.arrays[arm]["reconstructions"]))
    return Images("Two test digits per class and their reconstructions (first living seed)", tuple(rows))
