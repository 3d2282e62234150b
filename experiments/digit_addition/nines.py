"""What could make nines: the dimensions of P's code that survive on paper, beside its active units and digits read."""

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

import experiments.digit_addition.pictures as pictures
import experiments.digit_addition.surviving as surviving
import jaxae as ae
from experiments.digit_addition.measures import SHARE, SURE, UNITS
from experiments.digit_addition.method import all_settings, all_weights
from experiments.digit_addition.outcomes import NEAR, NINES
from experiments.digit_addition.recipes import GENERATIVE
from experiments.digit_addition.surviving import Prediction
from jaxae.report.figures import Bars
from jaxae.report.numbers import listed, plural

KINDS = {  # pairs, and how the names of the rows that are trained on them begin
    "balanced": "generative row", "natural": "generative natural row", "course": "generative course row",
}  # fmt: skip
CALLED = {kind: "the course's" if kind == "course" else kind for kind in KINDS}  # in words
PIXELS = math.prod(GENERATIVE.image_shape)
ACTIVE = f"{UNITS} P"
CLAIMED = 0.5  # share of the seeds
OWN_DIGIT = (
    "A bar is the mean over seeds of the share of each one's own commonest digit; the table has the digit that is "
    "commonest in the images of all seeds together."
)


def predictions(found: ae.Findings) -> dict[str, list[Prediction]]:
    """Of every row of the report's table, by the pairs that it was trained on; without one row alone, and nothing where
    a result doesn't tell the variances of its class means."""
    weights, kinds = all_weights(found.config), {}
    for kind, variances in found.facts.get("variances", {}).items():
        arms = [arm for arm in weights if arm.startswith(KINDS[kind]) and found.has(arm, ACTIVE)]
        least = {arm: surviving.threshold(weights[arm], PIXELS) for arm in arms}
        kinds[kind] = [
            Prediction(
                arm, least[arm], surviving.surviving(variances, least[arm], found.config.code_size),
                found.values(arm, ACTIVE),
            )
            for arm in arms
        ]  # fmt: skip
    return {kind: rows for kind, rows in kinds.items() if len(rows) > 1}


def row_of(arm: str) -> str:
    """The number of a row, "9/10" of "generative natural rows 9 and 10"."""
    return "/".join(re.findall(r"\d+", arm))


def grouped(arms: Sequence[str]) -> list[str]:
    """The names of arms, with all rows of the table on one kind of pairs in one.

    >>> grouped(["vae", "generative row 1", "generative row 2", "generative rows 9 and 10", "generative natural row 3"])
    ['vae', 'rows 1, 2 and 9/10 on balanced pairs', 'row 3 on natural pairs']
    """
    rows = {kind: [row_of(arm) for arm in arms if arm.startswith(start)] for kind, start in KINDS.items()}
    told = [f"row{'s' * (len(of) > 1)} {listed(of)} on {CALLED[kind]} pairs" for kind, of in rows.items() if of]
    return [*(arm for arm in arms if not arm.startswith(tuple(KINDS.values()))), *told]


def verdict(found: ae.Findings, predicted: list[Prediction]) -> dict[str, Any]:
    """What is said of the rows of one kind of pairs."""
    rank = surviving.ranked_alike(predicted)
    collapsed = [each.arm for each in predicted if found.values(each.arm, f"outcome/{NINES}").mean() > CLAIMED]
    digits = [digit for arm in collapsed for digit in pictures.shares(found, arm)[found.living(arm)].argmax(1)]
    near = [share for arm in collapsed if found.has(arm, NEAR) for share in found.values(arm, NEAR)]
    sure = [found.values(arm, SURE).mean() for arm in collapsed if found.has(arm, SURE)]
    return {
        "rows": len(predicted),
        "codes": of_codes(predicted),
        "rank": rank and rank[0],
        "ends": rank and rank[1],
        "seeds": [] if any(found.dead.get(each.arm) for each in predicted) else surviving.by_seed(predicted),
        "collapsed": [row_of(arm) for arm in collapsed],
        "reported": [row_of(each.arm) for each in predicted if all_settings(found.config)[each.arm].outcome == NINES],
        "read": len(digits),
        "digits": Counter(map(int, digits)),
        "nines": sum(digit == 9 for digit in digits),
        "near": sum(share > CLAIMED for share in near) if len(near) == len(digits) else None,
        "sure": np.mean(sure) if sure else None,
    }


def of_codes(predicted: Sequence[Prediction]) -> str:
    """In words, in how many rows P's code is predicted to hold nothing, and in how many the prediction is right.

    Where it is the same for all rows it tells them from nothing, and is no praise.
    """
    empty, rows = sum(each.surviving == 0 for each in predicted), len(predicted)
    wrong = [row_of(each.arm) for each in predicted if each.fails]
    but = f", all but row{'s' * (len(wrong) > 1)} {listed(wrong)}" if wrong else ""
    if empty in (0, rows):
        what = "nothing" if empty else "something"
        told = f"so that no row is told from another; it does in {rows - len(wrong)} of them{but}"
        return f"P's code is predicted to hold {what} in all of {rows} rows, {told}"
    held = sum((each.surviving > 0) != each.fails for each in predicted)
    constant = max(held, rows - held)
    more = "borne out" if rows - len(wrong) > constant else "no better than that"
    return (
        f"the variances between class means predict that P's code holds nothing in {empty} of {rows} rows, and tell in "
        f"{rows - len(wrong)} whether it holds anything{but}; the same answer for every row would be right in "
        f"{constant}: the prediction is {more}"
    )


def verdicts(found: ae.Findings) -> dict[str, dict[str, Any]]:
    """The same by kind of pairs, in words."""
    return {CALLED[kind]: verdict(found, rows) for kind, rows in predictions(found).items()}


def aside(found: ae.Findings) -> tuple[str, str]:
    """For the table of all reports, of a KL that is summed: in how many rows one picture is drawn; or nothing."""
    told = [
        f"{len(of['collapsed'])} of {of['rows']} rows on {kind} pairs{seen_as(of)}"
        for kind, of in verdicts(found).items()
    ]
    if found.config.kl != "sum" or not told:
        return "", ""
    batch, seeds = found.config.batch_size, plural(len(found.seeds), "seed")
    how = f"{seeds}, {plural(found.config.epochs, 'epoch')}{'' if found.judged else ', not comparable'}"
    return "sum", f"with the KL summed over batches of {batch} ({how}) one picture alone is drawn in {listed(told)}."


def seen_as(of: Mapping[str, Any]) -> str:
    """What the one picture of those rows is like, in brackets: the classifier reads one thing, and to the means of
    digits it can be nearest by another."""
    if not of["digits"]:
        return ""
    read = listed([f"{digit} in {count}" for digit, count in of["digits"].most_common()])
    near = "" if of["near"] is None else f"; nearest to the mean nine in {of['near'] or 'none'}"
    return f" (the classifier reads {read}{near})"


def tables(found: ae.Findings) -> list[ae.Table]:
    """Row by row: what the weights leave on paper, what is seen, what the report saw."""
    columns = (
        ("Row", "text"), ("Threshold", "number"), ("Dimensions that survive, predicted", "number"),
        ("Active units of P, by seed", "text"), ("Collapse as predicted", "text"),
        ("Commonest digit, all seeds", "text"), ("Reported", "text"),
    )  # fmt: skip
    made = []
    for kind, rows in predictions(found).items():
        variances = ", ".join(f"{value:.2f}" for value in found.facts["variances"][kind][: found.config.code_size])
        note = f"Variances between the class means of the sums, along their principal directions: {variances}."
        title = f"Which dimensions of P's code survive its KL, on {CALLED[kind]} pairs, on paper and as seen"
        made.append(ae.Table(title, columns, [cells(found, each) for each in rows], note))
    return made


def cells(found: ae.Findings, each: Prediction) -> list[str]:
    """A row of the table."""
    share = pictures.shares(found, each.arm)[found.living(each.arm)].mean(0)
    return [
        row_of(each.arm), f"{each.threshold:.3g}", str(each.surviving), ", ".join(f"{n:.0f}" for n in each.active),
        "no" if each.fails else "yes", f"{share.argmax()} ({share.max():.1%})",
        all_settings(found.config)[each.arm].outcome,
    ]  # fmt: skip


def figures(found: ae.Findings) -> Mapping[str, Any]:
    """Predicted and active, row by row, by kind of pairs; how common the commonest digit is, in the rows that all kinds
    have."""
    axis, drawn, kinds = "row of the report's table", {}, predictions(found)
    for kind, rows in kinds.items():
        names = tuple(row_of(each.arm) for each in rows)
        predicted = np.array([float(each.surviving) for each in rows])
        groups = [("predicted", predicted), ("active", by_row(found, rows, ACTIVE))]
        title = f"Dimensions of P's code that survive its KL on paper, and its active units ({CALLED[kind]} pairs)"
        drawn[f"surviving_{kind}"] = Bars(title, axis, "dimensions", names, groups)
    if common := common_rows(kinds.values()):
        title = "How many images of sums are read as the commonest digit; a perfect model has 10% of each"
        alike = {kind: [each for each in rows if row_of(each.arm) in common] for kind, rows in kinds.items()}
        groups = [(f"{CALLED[kind]} pairs", 100 * by_row(found, rows, SHARE)) for kind, rows in alike.items()]
        note = OWN_DIGIT if len(found.seeds) > 1 else ""
        drawn["one_digit"] = Bars(title, axis, "images, %", common, groups, note, within=(0, 100))
    return drawn


def common_rows(kinds: Collection[Sequence[Prediction]]) -> tuple[str, ...]:
    """The numbers of the rows that all kinds of pairs have, in the order of the table."""
    numbers = [[row_of(each.arm) for each in rows] for rows in kinds]
    return tuple(name for name in numbers[0] if all(name in others for others in numbers)) if numbers else ()


def by_row(found: ae.Findings, rows: list[Prediction], metric: str) -> np.ndarray:
    """A measure of these rows, f64[seeds, rows]; NaN where a seed died."""
    values = [np.where(found.living(each.arm), found.measures[each.arm][metric], np.nan) for each in rows]
    return np.stack(values, axis=1)
