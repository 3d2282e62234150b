"""The ladder's page and its pictures, made of committed results."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import experiments.digit_addition.nines as nines
import jaxae as ae
from experiments.ladder.facts import stored
from experiments.ladder.rungs import LADDERS, Facts, Ladder, Results
from jaxae.report import headless
from jaxae.report.figures import Curves, Line, Mark
from jaxae.report.numbers import NONE, listed, number, over_seeds, plural
from jaxae.report.page import markdown_table

FOLDER = "pictures"  # beside the page
UNMEASURED = "not measured"
FAR = 0.1  # of the longest step: later ones that are shorter have a panel of their own
TABLES = ("digit_addition_table", "digit_addition_sum_32", "digit_addition_sum", "digit_addition_sum_128")
INTRO = """# The ladder

Made by `python -m experiments.tables` from the JSON files of this folder, never by hand.

The numbers of the reports that ours disagreed with, and the conventions that lie between, switched on one after
another. A rung keeps what the rungs above it have switched on, except where its words say otherwise. Each value is of
a committed result, the mean over its living seeds with the 95% interval; a rung that none measures says so."""


class Climbed(NamedTuple):
    """A rung's value f64[n], empty where it isn't measured, and its mean."""

    value: np.ndarray
    mean: float


def page(results: Results) -> str:
    """The whole page, Markdown."""
    facts = stored()
    parts = [section(ladder, results, facts) for ladder in LADDERS]
    parts += [rows_section(name, found) for name, found in tables_of(results, facts).items()]
    return "\n\n".join([INTRO, *parts]) + "\n"


def pictures(results: Results) -> dict[str, bytes]:
    """The pictures of the page, by the names of their files."""
    facts = stored()
    drawn = {f"ladder_{ladder.name}": figure(ladder, results, facts) for ladder in LADDERS}
    for name, found in tables_of(results, facts).items():
        drawn |= {f"{name}_{what}": shown for what, shown in nines.figures(found).items()}
    return {f"{FOLDER}/{name}.png": headless.drawing().png(shown, titled=False) for name, shown in drawn.items()}


def climbed(ladder: Ladder, results: Results) -> list[Climbed]:
    """The rungs' values."""
    values = [
        np.atleast_1d(np.asarray(rung.value(results[rung.result]), np.float64))
        if rung.value and rung.result in results
        else np.empty(0)
        for rung in ladder.rungs
    ]
    return [Climbed(value, float(value.mean()) if value.size else np.nan) for value in values]


# ---- the page


def section(ladder: Ladder, results: Results, facts: Facts) -> str:
    """A number: what its ladder shows, the picture, the rungs."""
    steps = climbed(ladder, results)
    picture = f"![{ladder.title}]({FOLDER}/ladder_{ladder.name}.png)"
    parts = (
        f"## {ladder.title}",
        conclusion(ladder, steps, results, facts),
        picture,
        markdown_table(table(ladder, steps)),
    )
    return "\n\n".join(parts)


def conclusion(ladder: Ladder, steps: Sequence[Climbed], results: Results, facts: Facts) -> str:
    """How near the last rung that is measured comes, which one takes the longest step, what isn't measured."""
    known, moves = measured(steps), moves_of(steps)
    last = steps[known[-1]]
    said = [f"- The last rung that is measured, {known[-1] + 1}, {reached(ladder, last)}."]
    if moves:
        longest = max(moves, key=moves.__getitem__)
        said.append(
            f"- The longest step, {number(moves[longest])}, is rung {longest + 1}: {ladder.rungs[longest].switched}."
        )
    if ladder.bound:
        said.append(f"- Beside it: {ladder.bound.words}, {number(ladder.bound.value(results, facts))}.")
    if len(known) < len(steps):
        open_ = [str(place + 1) for place in range(len(steps)) if place not in known]
        said.append(f"- Not measured: rung{'s' * (len(open_) > 1)} {listed(open_)}.")
    return "\n".join(said)


def measured(steps: Sequence[Climbed]) -> list[int]:
    """The places of the rungs that are measured."""
    return [place for place, step in enumerate(steps) if step.value.size]


def moves_of(steps: Sequence[Climbed]) -> dict[int, float]:
    """How far each rung moves the number from the rung before, by place."""
    pairs = itertools.pairwise(measured(steps))
    return {here: abs(steps[here].mean - steps[before].mean) for before, here in pairs}


def reached(ladder: Ladder, last: Climbed) -> str:
    """Whether a rung gives the report's number: to its last digit, or in the range of single runs; else how far off."""
    away = last.mean - ladder.reported
    if abs(away) <= ladder.near:
        return f"gives the report's number: {value_of(last)}, {number(abs(away))} away"
    within = ae.results.prediction_interval(last.value)
    if within and within[0] <= ladder.reported <= within[1]:
        return f"holds the report's number in the range of a single run: {value_of(last)}"
    return (
        f"ends short of the report's number: {value_of(last)}, {number(abs(away))} {'above' if away > 0 else 'below'}"
    )


def value_of(step: Climbed) -> str:
    """A rung's value in words."""
    return over_seeds(step.value) if step.value.size else UNMEASURED


def table(ladder: Ladder, steps: Sequence[Climbed]) -> ae.Table:
    """The rungs, what each gives and by how much it moves the number."""
    cells, before = [], np.nan
    for place, (rung, step) in enumerate(zip(ladder.rungs, steps, strict=True), 1):
        move = step.mean - before
        cells.append([
            str(place), rung.switched, value_of(step), NONE if np.isnan(move) else f"{move:+.3g}",
            str(step.value.size) if step.value.size else NONE, rung.result if step.value.size else "",
        ])  # fmt: skip
        before = before if np.isnan(step.mean) else step.mean
    cells.append(["", "the report", f"{ladder.reported:.4g}", NONE, NONE, ""])
    columns = (
        ("Rung", "number"), ("Switched on", "text"), (ladder.measure, "number"), ("Moves it by", "number"),
        ("n", "number"), ("Result", "code"),
    )  # fmt: skip
    return ae.Table(ladder.title, columns, cells)


# ---- the nines, row by row


def tables_of(results: Results, facts: Facts) -> dict[str, ae.Findings]:
    """The results that have report 003's table, and the variances of class means.

    These follow from the training images, so they hold for a result that doesn't tell them.
    """
    return {
        name: dataclasses.replace(results[name], facts={"variances": facts["variances"], **results[name].facts})
        for name in TABLES
        if name in results
    }


def rows_section(name: str, found: ae.Findings) -> str:
    """What survives on paper beside what was seen."""
    said = [f"- {told(kind, of)}" for kind, of in nines.verdicts(found).items()]
    shown = [f"![{each.title}]({FOLDER}/{name}_{what}.png)" for what, each in nines.figures(found).items()]
    tables = [
        f"<details><summary>{each.title}</summary>\n\n{each.note}\n\n{markdown_table(each)}\n\n</details>"
        for each in nines.tables(found)
    ]
    config = found.config
    head = f"## Nines, row by row: the KL's {config.kl} over batches of {config.batch_size} ({name})"
    return "\n\n".join([head, "\n".join(said), *shown, *tables])


def told(kind: str, of: Mapping[str, Any]) -> str:
    """The verdict on the prediction, of one kind of pairs."""
    wrong = f", all but {listed(of['wrong'])}" if of["wrong"] else ""
    rank = "dimensions and active units have no rank correlation, one being the same in all rows"
    if of["rank"] is not None:
        low, high = of["ends"]
        rank = f"the rank correlation of dimensions with active units is {of['rank']:+.2f} ({low:+.2f} to {high:+.2f})"
    drawn = "no row draws one digit alone"
    if of["collapsed"]:
        read = f"read as 9 in {of['nines']} of {plural(of['read'], 'living seed')}"
        drawn = f"one digit alone is drawn in rows {listed(of['collapsed'])}, {read}"
    return (
        f"On {kind} pairs the variances between class means tell in {of['right']} of {of['rows']} rows whether "
        f"P's code holds anything{wrong}; {rank}; {drawn}."
    )


# ---- the pictures


def figure(ladder: Ladder, results: Results, facts: Facts) -> Curves:
    """The rungs in a row, beside the report's number."""
    steps = climbed(ladder, results)
    most = max(step.value.size for step in steps)
    values = np.full((most, len(steps)), np.nan)
    for place, step in enumerate(steps):
        values[: step.value.size, place] = step.value
    marks: list[Any] = [Mark("the report", ladder.reported)]
    if ladder.bound:
        marks.append(Mark(ladder.bound.words, ladder.bound.value(results, facts)))
    panels = {"all rungs": 0, **close(steps)} if close(steps) else {"": 0}
    lines = [
        Line("ours", np.arange(first + 1, len(steps) + 1), values[:, first:], panel) for panel, first in panels.items()
    ]
    return Curves(ladder.title, "rung", ladder.measure, lines, marks, share=False)


def close(steps: Sequence[Climbed]) -> dict[str, int]:
    """A panel for the rungs from the longest step on, where beside it their own steps can't be seen."""
    moves = moves_of(steps)
    first = max(moves, key=moves.__getitem__, default=0)
    later = [move for place, move in moves.items() if place > first]
    return {f"from rung {first + 1} on": first} if later and max(later) < FAR * moves[first] else {}
