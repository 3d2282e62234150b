"""The rows of results as tables of a document."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from jaxae.findings import NOT_COMPARABLE, PAIRED, REPRODUCED, VERDICTS, Row, leaving_out_zero, likelihood_ratio
from jaxae.report.document import Table, plain
from jaxae.report.numbers import FEW, of_lone, plural, printed, ratio, reproduced, without

CLAIMS = (
    ("Arm", "text"), ("Measure", "code"), ("Reported", "number"), ("Ours", "number"), ("n", "number"),
    ("Verdict", "verdict"), ("Why", "detail"), ("Reading", "detail"), ("Source", "detail"),
)  # fmt: skip
READINGS = (*CLAIMS[:6], ("Likelier", "number"), *CLAIMS[6:])
EQUAL = "equal count"  # in place of "reproduced": a count says nothing of what was trained
OTHERS = (("Arm", "text"), ("Measure", "code"), ("Mean", "number"), ("n", "number"), ("Reading", "detail"))
EXPLANATION = (
    "Ours: the mean over n seeds ± the half-width of its 95% Student-t interval; of losses, which are compared "
    "by their logarithms, the geometric mean and the interval's ends. The verdict holds the reported number, which is "
    "one run, against the range in which 95% of single runs fall. Inside it the number is reproduced if the range is "
    "narrow enough: its half width at most a quarter of the number and half the way to the nearest other reading or "
    "baseline. Inside a wider one it is inconclusive. An outcome is reproduced where the exact interval of the share "
    "of seeds that have it lies above one half."
)


def claimed(rows: Sequence[Row]) -> list[Row]:
    """The rows that hold a reported number."""
    return [row for row in rows if row.reported is not None]


def differing(rows: Sequence[Row]) -> list[Row]:
    """The rows of paired differences."""
    return [row for row in rows if row.reported is None and PAIRED in row.arm]


def primary(rows: Sequence[Row]) -> list[Row]:
    """The rows that hold a reported number in the reading that decides."""
    return [row for row in claimed(rows) if row.primary]


def judged(rows: Sequence[Row]) -> list[Row]:
    """The rows whose verdicts count: one for every number; where seeds died, that without them."""
    return list({(row.arm, row.metric, row.reported): row for row in primary(rows)}.values())  # it is the later one


def tally_of(rows: Sequence[Row]) -> list[tuple[str, int]]:
    """How many numbers of a report have which verdict, as they are shown."""
    counts = Counter(map(shown_verdict, judged(rows)))
    return [(verdict, counts[verdict]) for verdict in (*VERDICTS, EQUAL) if counts[verdict]]


def has_verdicts(rows: Sequence[Row]) -> bool:
    """Whether any number of a report was held against an interval, or another number."""
    return any(row.verdict != NOT_COMPARABLE for row in judged(rows))


def shown_verdict(row: Row) -> str:
    """The verdict as tables say it: mere counts that are equal aren't said to be reproduced."""
    return EQUAL if row.exact and row.verdict == REPRODUCED else row.verdict


def claims_table(rows: Sequence[Row]) -> Table:
    """Reported against reproduced, each number once; a verdict and a reason that all share are said once, below."""
    rows = primary(rows)
    if len(rows) > 1 and len({(row.verdict, row.reason) for row in rows}) == 1:
        note = (
            f"All {len(rows)} numbers tried in the deciding reading: {shown_verdict(rows[0])}, {plain(rows[0].reason)}."
        )
        rows = [dataclasses.replace(row, reason="") for row in rows]
    else:
        rows, note = said_once(rows)
    return Table("Reported against reproduced", CLAIMS, _cells(rows), _noted(note, rows))


def said_once(rows: Sequence[Row]) -> tuple[list[Row], str]:
    """The rows, with a number for a reason that several share, and these reasons; none for equal counts."""
    rows = [dataclasses.replace(row, reason="") if shown_verdict(row) == EQUAL else row for row in rows]
    counts = Counter(row.reason for row in rows if row.reason)
    shared = [reason for reason, count in counts.items() if count > 1]
    numbered = {reason: f"({place})" for place, reason in enumerate(shared, 1)}
    note = "\n\n".join(f"{number} {plain(reason)}." for reason, number in numbered.items())
    return [dataclasses.replace(row, reason=numbered.get(row.reason, row.reason)) for row in rows], note


def readings_table(rows: Sequence[Row]) -> Table:
    """The same numbers in other readings, which don't decide, and how these compare with the one that does."""
    others = [row for row in claimed(rows) if not row.primary]
    note = "They were tried beside the one that decides; where a number differs, one of them can explain it."
    likelier = [_likelier(row, judged(rows)) for row in others]
    others, reasons = said_once(others)
    columns, cells = CLAIMS, _cells(others)
    if any(likelier):
        columns, cells = READINGS, [(*cell[:6], told, *cell[6:]) for cell, told in zip(cells, likelier, strict=True)]
        note += (
            " Likelier: how many times likelier the number is as a further run of this reading than of that one, by "
            "Student-t densities over the seeds of each."
        )
    return Table("Other readings of these numbers", columns, cells, _noted(f"{note}\n\n{reasons}".strip(), others))


def _likelier(row: Row, deciding: Sequence[Row]) -> str:
    """The likelihood ratio of a reading against that which decides, where both are judged by their spread over seeds;
    empty elsewhere."""
    same = [rival for rival in deciding if (rival.reported, rival.scale) == (row.reported, row.scale)]
    pairs = [rival for rival in same if row.pi95 and rival.pi95 and not rival.categorical]
    pairs = [rival for rival in pairs if rival.metric == row.metric] or pairs
    if len(pairs) != 1 or row.categorical or NOT_COMPARABLE in (row.verdict, pairs[0].verdict):
        return ""
    return ratio(likelihood_ratio(row.reported or 0.0, row.values, pairs[0].values, row.scale))


def _cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [
        (arm_of(row), row.metric, printed(row), reproduced(row), str(row.n_seeds), shown_verdict(row), row.reason,
         row.reading, row.source)
        for row in rows
    ]  # fmt: skip


def measures_table(rows: Sequence[Row]) -> Table:
    """What no report gave."""
    apart = {id(row) for row in [*claimed(rows), *differing(rows)]}
    return _others("Other measures", [row for row in rows if id(row) not in apart])


def differences_table(rows: Sequence[Row]) -> Table:
    """Paired differences, and how many of them have an interval that leaves out 0."""
    shown = differing(rows)
    known, apart = leaving_out_zero([row for row in shown if row.n_seeds >= FEW])  # whose intervals are shown
    note = "Paired by seed, the first arm's measure less the second's."
    if known:
        leave = "leaves" if len(apart) < 2 else "leave"
        note += f" Of {plural(len(known), 'interval')}, {len(apart) or 'none'} {leave} out 0"
        note += f"; by chance alone {0.05 * len(known):.1f} would." if len(known) > 2 else "."
    return _others("Paired differences", shown, note)


def arm_of(row: Row) -> str:
    """The arm, and the seeds that the row leaves out, or that died and are among the others."""
    return f"{row.arm} ({told})" if (told := without(row)) else row.arm


def _others(title: str, rows: Sequence[Row], note: str = "") -> Table:
    return Table(
        title, OTHERS, [(arm_of(row), row.metric, reproduced(row), str(row.n_seeds), row.reading) for row in rows],
        _noted(note, rows),
    )  # fmt: skip


def _noted(note: str, rows: Sequence[Row]) -> str:
    """The note, and that one seed has no interval."""
    return f"{note}\n\n{of_lone(rows)}".strip()
