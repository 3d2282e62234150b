"""The ladder's page and its pictures, made of committed results."""

import dataclasses
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import numpy as np

import experiments.digit_addition.nines as nines
import jaxae as ae
from experiments.ladder.by_row import FOLDER, rows_section, tables_of
from experiments.ladder.facts import stored
from experiments.ladder.rungs import LADDERS, Facts, Ladder, Measure, Results, Rung
from jaxae.findings import INCONCLUSIVE, REPRODUCED
from jaxae.report import headless
from jaxae.report.figures import Curves, Line, Mark
from jaxae.report.numbers import NONE, listed, number, over_seeds, rounded
from jaxae.report.page import markdown_table

UNMEASURED = "not measured"
FAR = 0.1  # of the longest step: later ones that are shorter have a panel of their own
INTRO = """# The ladder

Made by `python -m experiments.tables` from the JSON files of this folder, never by hand.

The numbers of the reports that ours disagreed with, and the conventions that lie between, switched on one after
another. A rung keeps what the rungs above it have switched on, except where its words say otherwise. Each value is of
a committed result, the mean over its living seeds with the 95% interval; a rung that none measures says so. A result
that departs from the report in what bars a comparison is shown, but not held against the report. A rung moves the
number where the rung just before it is measured too, with the same departures or ones that its words name; a move has
a 95% interval where both are of one result and of the same three seeds or more, and without one it can be chance. Where
the rungs are choices, each is the first one with its own words alone, and moves the number from there. Bands in the
pictures are intervals of the mean; a verdict holds the report's number against the wider range of single runs."""


class Climbed(NamedTuple):
    """A rung's value f64[n], empty where it isn't measured, its mean, the result and the seeds that it is of, where it
    is one's measure, and in words how its result departs from the report: what bars a comparison, and what doesn't."""

    value: np.ndarray
    mean: float = np.nan
    of: tuple[Any, ...] = ()
    bars: tuple[str, ...] = ()
    listed: tuple[str, ...] = ()


def page(results: Results) -> str:
    """The whole page, Markdown."""
    facts = stored()
    parts = [section(ladder, results, facts) for ladder in LADDERS]
    parts += [rows_section(name, found) for name, found in tables_of(results, facts).items()]
    return "\n\n".join([INTRO, *parts]) + "\n"


def pictures(results: Results) -> dict[str, bytes]:
    """The pictures of the page, by the names of their files."""
    facts = stored()
    drawn = {
        f"ladder_{ladder.name}": figure(ladder, results, facts)
        for ladder in LADDERS
        if measured(climbed(ladder, results))
    }
    for name, found in tables_of(results, facts).items():
        drawn |= {f"{name}_{what}": shown for what, shown in nines.figures(found).items()}
    return {f"{FOLDER}/{name}.png": headless.drawing().png(shown, titled=False) for name, shown in drawn.items()}


def climbed(ladder: Ladder, results: Results) -> list[Climbed]:
    """The rungs' values."""
    return [climbed_to(rung, results.get(rung.result)) for rung in ladder.rungs]


def climbed_to(rung: Rung, found: ae.Findings | None) -> Climbed:
    """A rung's value, of its result."""
    value = np.empty(0) if found is None or rung.value is None else np.atleast_1d(rung.value(found))
    if found is None or not value.size:
        return Climbed(np.empty(0))
    bars, listed = (tuple(each.words for each in found.departures if each.bars == bar) for bar in (True, False))
    of = (rung.result, *found.living(rung.value.arm)) if isinstance(rung.value, Measure) else ()
    return Climbed(value.astype(np.float64), float(value.mean()), of, bars, listed)


# ---- the page


def section(ladder: Ladder, results: Results, facts: Facts) -> str:
    """A number: what its ladder shows, the picture, the rungs."""
    steps, parts = climbed(ladder, results), parts_of(ladder, results)
    picture = f"![{ladder.title}]({FOLDER}/ladder_{ladder.name}.png)"
    parts = (
        f"## {ladder.title}",
        conclusion(ladder, steps, results, facts),
        picture if measured(steps) else "",
        markdown_table(table(ladder, steps, parts)),
    )
    return "\n\n".join(filter(None, parts))


def conclusion(ladder: Ladder, steps: Sequence[Climbed], results: Results, facts: Facts) -> str:
    """How near the last rung that can be judged comes, which one takes the longest step, what isn't measured."""
    known, moves, parts = measured(steps), moves_of(ladder, steps), parts_of(ladder, results)
    comparable = [place for place in known if not steps[place].bars]
    ends, said = {*end_of(ladder, steps, comparable), *end_of(ladder, steps, known)}, []
    for place in sorted(ends):
        kind = " and comparable" if len(ends) > 1 and place in comparable else ""
        words = reached(ladder, ladder.rungs[place], steps[place], results)
        which = "nearest of the rungs that are" if ladder.choices else "last rung that is"
        said.append(f"- The {which} measured{kind}, {place + 1} ({ladder.rungs[place].switched}), {words}.")
    if moves:
        longest = max(moves, key=lambda place: abs(moves[place]))
        words = f"is rung {longest + 1}: {ladder.rungs[longest].switched}"
        said.append(f"- The longest step, {number(abs(moves[longest]))}, {words}.")
    if ladder.bound and (beside := bound_of(ladder, results, facts)) is not None:
        said.append(f"- Beside it: {ladder.bound.words}, {number(beside)}.")
    if ladder.aside and known and (aside := ladder.aside(results, facts)):
        said.append(f"- {aside}")
    if len(known) + len(parts) < len(steps):
        open_ = [str(place + 1) for place in range(len(steps)) if place not in known and place not in parts]
        said.append(f"- Not measured: rung{'s' * (len(open_) > 1)} {listed(open_)}.")
    said += [
        f"- Rung {place + 1} is measured in part: {words} ({ladder.rungs[place].result})."
        for place, words in parts.items()
    ]
    return "\n".join(said)


def parts_of(ladder: Ladder, results: Results) -> dict[int, str]:
    """What results have of rungs that they don't measure whole, in words, by place."""
    told = {
        place: rung.part(results[rung.result])
        for place, (rung, step) in enumerate(zip(ladder.rungs, climbed(ladder, results), strict=True))
        if rung.part and rung.result in results and not step.value.size
    }
    return {place: words for place, words in told.items() if words}


def end_of(ladder: Ladder, steps: Sequence[Climbed], places: Sequence[int]) -> Sequence[int]:
    """Of these places the last one, or of choices the nearest to the report; none of none."""
    if not ladder.choices:
        return places[-1:]
    return sorted(places, key=lambda place: abs(steps[place].mean - ladder.reported))[:1]


def measured(steps: Sequence[Climbed]) -> list[int]:
    """The places of the rungs that are measured."""
    return [place for place, step in enumerate(steps) if step.value.size]


def moves_of(ladder: Ladder, steps: Sequence[Climbed]) -> dict[int, float]:
    """How far each rung moves the number from the rung just before, of choices from the first, by place; where both
    are measured, and their results depart alike from the report or the rung's words name that they don't."""
    found = {}
    for here in measured(steps):
        before = steps[0 if ladder.choices else here - 1]
        if here and before.value.size and (steps[here].bars == before.bars or ladder.rungs[here].otherwise):
            found[here] = steps[here].mean - before.mean
    return found


def bound_of(ladder: Ladder, results: Results, facts: Facts) -> float | None:
    """What stands beside the rungs; None where there is nothing, or its result isn't there."""
    bound = ladder.bound
    return None if bound is None or (bound.result and bound.result not in results) else bound.value(results, facts)


def reached(ladder: Ladder, rung: Rung, last: Climbed, results: Results) -> str:
    """Whether a rung gives the report's number: to what is `near`, or by the verdict on it; else how far off."""
    if last.bars:
        return f"is not comparable with the report: {value_of(last)}, with {'; '.join(last.bars)}"
    away = last.mean - ladder.reported
    if abs(away) <= ladder.near:
        return f"gives the report's number to its last digit: {value_of(last)}"
    verdict, reason = verdict_on(ladder, rung, results[rung.result])
    if verdict == REPRODUCED:
        return f"holds the report's number: {value_of(last)}, {reason}"
    if verdict == INCONCLUSIVE:
        return f"decides nothing: {value_of(last)}, {reason}"
    return (
        f"misses the report's number: {value_of(last)} lies {number(abs(away))} {'above' if away > 0 else 'below'} it"
    )


def verdict_on(ladder: Ladder, rung: Rung, found: ae.Findings) -> tuple[str, str]:
    """The verdict on the report's number as a claim on the rung's measure, and its reason; empty of a value that is
    none."""
    if not isinstance(rung.value, Measure):
        return "", ""
    place = rung.value
    rivals = tuple(rival for rival in ladder.claim.rivals if (rival.arm, rival.metric) != place)
    claim = dataclasses.replace(
        ladder.claim, arm=place.arm, metric=place.metric, rivals=rivals, explained_by=(), reason=""
    )
    row = [row for row in found.rows([claim]) if row.reported is not None][-1]  # where seeds died, without them
    return row.verdict, row.reason


def value_of(step: Climbed) -> str:
    """A rung's value in words."""
    return over_seeds(step.value) if step.value.size else UNMEASURED


def table(ladder: Ladder, steps: Sequence[Climbed], parts: Container[int] = ()) -> ae.Table:
    """The rungs, what each gives, by how much it moves the number, how its result departs from the report; `parts` are
    the places of those that are measured in part."""
    cells, moves = [], moves_of(ladder, steps)
    for place, (rung, step) in enumerate(zip(ladder.rungs, steps, strict=True)):
        known = bool(step.value.size)
        cells.append([
            str(place + 1), rung.switched, "measured in part" if place in parts else value_of(step),
            moved(moves[place], steps[0 if ladder.choices else place - 1], step) if place in moves else NONE,
            str(step.value.size) if known else NONE, rung.result if known or place in parts else "",
            departed(step) if known else "",
        ])  # fmt: skip
    cells.append(["", "the report", f"{ladder.reported:.4g}", NONE, NONE, "", ""])
    columns = (
        ("Rung", "number"), ("Switched on", "text"), (ladder.measure, "number"), ("Moves it by", "number"),
        ("n", "number"), ("Result", "code"), ("Departs from the report's settings", "text"),
    )  # fmt: skip
    return ae.Table(ladder.title, columns, cells)


def moved(by: float, before: Climbed, after: Climbed) -> str:
    """By how much a number is moved: with its 95% interval where both are of the same seeds, else in three digits."""
    if before.of and before.of == after.of and after.value.size > 2:
        return "+" * (by >= 0) + rounded(after.value - before.value)
    return np.format_float_positional(float(f"{by:.3g}"), sign=True, trim="-")


def departed(step: Climbed) -> str:
    """How a rung's result departs from the report, in words."""
    barring = f"not comparable: {'; '.join(step.bars)}" if step.bars else ""
    return "; ".join(filter(None, [barring, *step.listed])) or "none known"


# ---- the pictures


def figure(ladder: Ladder, results: Results, facts: Facts) -> Curves:
    """The rungs in a row, of which some are measured, beside the report's number."""
    steps = climbed(ladder, results)
    most = max(step.value.size for step in steps)
    values = np.full((most, len(steps)), np.nan)
    for place, step in enumerate(steps):
        values[: step.value.size, place] = step.value
    marks: list[Any] = [Mark("the report", ladder.reported)]
    if ladder.bound and (beside := bound_of(ladder, results, facts)) is not None:
        marks.append(Mark(ladder.bound.words, beside))
    panels = {"all rungs": 0, **close(ladder, steps)} if close(ladder, steps) else {"": 0}
    barred = np.array([bool(step.bars) for step in steps])
    kinds = {"ours": ~barred, "ours, not comparable with the report": barred}
    lines = [
        Line(kind, np.arange(first + 1, len(steps) + 1), shown[:, first:], panel, colour)
        for panel, first in panels.items()
        for colour, (kind, which) in enumerate(kinds.items())
        if np.isfinite(shown := np.where(which, values, np.nan))[:, first:].any()
    ]
    if ladder.choices:  # no way leads from one to the next
        lines = [
            dataclasses.replace(line, x=line.x[i : i + 1], values=line.values[:, i : i + 1])
            for line in lines
            for i in np.flatnonzero(np.isfinite(line.values).any(0))
        ]
    return Curves(ladder.title, "rung", ladder.measure, lines, marks, share=False)


def close(ladder: Ladder, steps: Sequence[Climbed]) -> dict[str, int]:
    """A panel for the rungs from the longest step on, where beside it their own steps can't be seen."""
    moves = {place: abs(move) for place, move in moves_of(ladder, steps).items()}
    first = max(moves, key=moves.__getitem__, default=0)
    later = [move for place, move in moves.items() if place > first and not ladder.choices]
    return {f"from rung {first + 1} on": first} if later and max(later) < FAR * moves[first] else {}
