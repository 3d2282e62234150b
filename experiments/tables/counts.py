"""How many numbers of the reports were tried, in how many readings, with which verdicts, and what chance would give."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from experiments.tables.sources import Source, source_of
from jaxae.findings import INCONCLUSIVE, NOT_COMPARABLE, REPRODUCED, VERDICTS, Departure, Row
from jaxae.findings.scales import on_scale, own_margin
from jaxae.findings.spread import MOST
from jaxae.report import statements
from jaxae.report.document import Document
from jaxae.report.numbers import listed, number, plural
from jaxae.report.tables import EQUAL, claimed, judged, shown_verdict
from jaxae.run.saved import Saved

UNTRIED = "judged in no run"
STATED = (*statements.TOLD, NOT_COMPARABLE, UNTRIED, statements.JUDGEMENT)
ELSEWHERE = "a number or a picture"  # what the other statements are, which stand among these
APART = 2.0  # the factor within which a number is thought of as drawn by chance


class Said(NamedTuple):
    """A results file: its name, what it holds and what is said of it."""

    name: str
    saved: Saved
    document: Document

    @property
    def source(self) -> Source | None:
        """The report that the study's card names."""
        return source_of(self.saved.experiment.card)

    @property
    def departures(self) -> tuple[Departure, ...]:
        """How the run departs from what the report did."""
        return self.saved.experiment.departures(self.saved.findings)

    @property
    def report(self) -> str:
        """Its number; nothing where there is none."""
        return self.source.report if self.source else ""


def numbers_of(results: Sequence[Said]) -> dict[str, list[Row]]:
    """The reports' numbers, each once, {report: rows}.

    Where several files hold one, the row with the most seeds that can be judged counts. One that no file has tried in
    the reading that decides isn't comparable yet.
    """
    best: dict[tuple[Any, ...], tuple[str, Row]] = {}
    for said in results:
        for row in judged(said.document.rows):
            arm = "" if row.exact else row.arm  # arms of one network have one count
            key = said.saved.experiment.name, arm, row.metric, row.reported
            if key not in best or _weight(row) > _weight(best[key][1]):
                best[key] = said.report, row
    found: dict[str, list[Row]] = {}
    tried = {_number(study, row) for (study, *_), (_, row) in best.items()}
    for report, row in [*best.values(), *untried(results, tried)]:
        found.setdefault(report, []).append(row)
    return dict(sorted(found.items()))


def _number(study: str, row: Row) -> tuple[Any, ...]:
    """What is one number, whatever its readings: by what is reported, or, of an outcome, by what it is and where."""
    return (study, row.metric, row.source) if row.categorical else (study, row.reported)


def untried(results: Sequence[Said], tried: Collection[tuple[Any, ...]]) -> list[tuple[str, Row]]:
    """The numbers, (report, row), that only other readings hold; `tried` are the others."""
    found: dict[tuple[Any, ...], tuple[str, Row]] = {}
    for said in results:
        for row in claimed(said.document.rows):
            number = _number(said.saved.experiment.name, row)
            if number not in tried:
                reason = "not tried in the reading that decides"
                found.setdefault(number, (said.report, replace(row, verdict=NOT_COMPARABLE, reason=reason)))
    return list(found.values())


def readings_of(results: Sequence[Said], report: str) -> int:
    """In how many readings a report's numbers were tried, those that decide among them."""
    return len(
        {
            (said.saved.experiment.name, "" if row.exact else row.arm, row.metric, row.reported, row.reading)
            for said in results
            if said.report == report
            for row in claimed(said.document.rows)
        }
    )


def verdicts_table(results: Sequence[Said]) -> list[list[str]]:
    """By report, and of all: numbers, readings, how many are mere counts that are equal, and the others' verdicts."""
    lines, total = [], Counter[str]()
    for report, rows in numbers_of(results).items():
        counts = Counter({"numbers": len(rows), "readings": readings_of(results, report)})
        counts.update(map(shown_verdict, rows))
        total += counts
        lines.append([report, *_cells(counts)])
    return [*lines, ["all", *_cells(total)]]


def _cells(counts: Counter[str]) -> list[str]:
    return [str(counts[name]) for name in ("numbers", "readings", EQUAL, *VERDICTS)]


def statements_table(results: Sequence[Said]) -> list[list[str]]:
    """By report, and of all: what it states in words, and how many of these hold; each counts once, as `statements_of`
    has it."""
    lines, total = [], Counter[str]()
    for report, words in statements_of(results).items():
        counts = Counter({"statements": len(words)})
        counts.update(_column(word) for word in words)
        total += counts
        lines.append([report, *(str(counts[name]) for name in ("statements", *STATED, ELSEWHERE))])
    return [*lines, ["all", *(str(total[name]) for name in ("statements", *STATED, ELSEWHERE))]]


def statements_of(results: Sequence[Said]) -> dict[str, list[str]]:
    """What is said of each of the reports' statements, {report: verdicts}.

    Where several files tell of one, that counts which can be judged, of these the one of the most living seeds.
    """
    best: dict[tuple[str, str], tuple[Any, str, str]] = {}
    for said in results:
        run = said.saved.findings
        living = len(run.seeds) - max(map(len, run.dead.values()), default=0)
        for says, _, word, _ in statements.of_document(said.document):
            key, weight = (said.saved.experiment.name, says), (word != statements.ABSENT, run.judged, living)
            if key not in best or weight > best[key][0]:
                best[key] = weight, said.report, word
    found: dict[str, list[str]] = {}
    for _, report, word in best.values():
        found.setdefault(report, []).append(word)
    return dict(sorted(found.items()))


def _column(word: str) -> str:
    """Under which head a verdict on a statement is counted."""
    if word == statements.ABSENT:
        return UNTRIED
    return word if word in STATED else ELSEWHERE


def chance(results: Sequence[Said]) -> dict[str, float]:
    """What chance alone would give of the numbers with an interval.

    Were every reading right, 5% of them would lie outside. Had each been drawn evenly (on its logarithm) within a
    factor of APART of where it is, some would be called reproduced: as many as narrow ranges cover of that.
    """
    rows = [row for rows in numbers_of(results).values() for row in rows if row.pi95 and row.verdict != NOT_COMPARABLE]
    rows = [row for row in rows if not (row.exact or row.categorical)]
    return {
        "judged": len(rows),
        "outside": 0.05 * len(rows),
        "lucky": sum(_covered(row) for row in rows),
        "reproduced": sum(row.verdict == REPRODUCED for row in rows),
    }


def _covered(row: Row) -> float:
    """How much of the numbers within a factor of APART lies in the row's range, where that is narrow enough."""
    assert row.pi95 is not None and row.reported is not None
    low, high = (float(on_scale(end, row.scale)) for end in row.pi95)
    if (high - low) / 2 > (own_margin(row.reported, row.scale) if row.margin is None else row.margin):
        return 0.0
    if row.scale == "decibel":
        apart = 10 * np.log10(APART) * np.array([-1, 1])
        low, high = np.array([low, high]) - row.reported
    else:
        apart = np.log(APART) * np.array([-1, 1])
        low, high = (np.log(max(float(end) / row.reported, 1 / APART)) for end in row.pi95)
    low, high = np.clip([low, high], *apart)
    return float((high - low) / np.ptp(apart))


def of_the_living(results: Sequence[Said]) -> str:
    """In words, which verdicts rest on the trainings that lived alone, where others died; "" where none does."""
    rows = [(report, row) for report, of in numbers_of(results).items() for row in of if row.excluded and row.pi95]
    told = [
        f"{number(row.reported)} of {row.arm} (report {report}), {row.verdict} by the {row.n_seeds} of "
        f"{row.n_seeds + len(row.excluded)} that lived"
        for report, row in rows
        if row.verdict != NOT_COMPARABLE and row.reported is not None
    ]
    return f"Judged by living trainings alone: {'; '.join(told)}." if told else ""


def tally(results: Sequence[Said]) -> str:
    """How many numbers there are in all, and with which verdicts, in a sentence."""
    counts = Counter(shown_verdict(row) for rows in numbers_of(results).values() for row in rows)
    told = [f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict]]
    told += [plural(counts[EQUAL], EQUAL)] if counts[EQUAL] else []
    return f"Of {plural(counts.total(), 'reported number')}: {listed(told)}."


def left_open(results: Sequence[Said]) -> str:
    """In words, how many of the inconclusive numbers no number of seeds would decide, and how many the others take; ""
    where it isn't a question of seeds."""
    rows = [row for rows in numbers_of(results).values() for row in rows if row.verdict == INCONCLUSIVE]
    needed = sorted(row.deciding for row in rows if row.deciding)
    never, told = sum(row.deciding == 0 for row in rows), []
    if never:
        told.append(
            f"{never} would stay so with any number of seeds up to {MOST:,}, since single runs scatter too far, "
            "another reading is too near or test images are too few"
        )
    if needed:
        told.append(f"{len(needed)} would take about {listed([f'{seeds:,}' for seeds in needed])} seeds")
    return f"Of {plural(len(rows), 'inconclusive number')}, {'; '.join(told)}." if told else ""


def _weight(row: Row) -> tuple[bool, int]:
    return row.verdict != NOT_COMPARABLE, row.n_seeds
