"""The results for the terminal: reported against reproduced, why verdicts are what they are, the other measures."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich import table as rich_table
from rich.console import Group, RenderableType
from rich.text import Text

from jaxae.findings import Departure, Row
from jaxae.report.document import Document
from jaxae.report.numbers import number, of_lone, printed, reproduced, without
from jaxae.report.page import MARKS, SYNTHETIC, is_synthetic
from jaxae.report.rendering import MANY
from jaxae.report.tables import claimed, shown_verdict

COLOURS = {
    "reproduced": "green",
    "explained": "cyan",
    "differs": "red",
    "inconclusive": "magenta",
    "not comparable": "yellow",
}


def console(document: Document, manifest: Mapping[str, Any], departures: Sequence[Departure]) -> RenderableType:
    """What must not be overlooked, then the claims and the reasons, then the other measures; for 80 columns.

    Where no number of a report is held against the run, what was found is said in sentences, last, and in place of
    very many measures.
    """
    alarms = [Text(SYNTHETIC, "bold red")] if is_synthetic(manifest) else []
    alarms += [
        Text(f"Not the report's settings: {departure.words}", "yellow") for departure in departures if departure.bars
    ]
    parts = [*alarms, *_claims(document.rows), *_reasons(document.rows)]
    lone = [Text(words, "dim")] if (words := of_lone(document.rows)) else []
    said = [] if claimed(document.rows) else [Text(html.unescape(line)) for line in document.conclusions.splitlines()]
    if said and len(document.rows) > MANY:
        return Group(*parts, *said, Text(f"{len(document.rows)} measures and differences are in the report", "dim"))
    return Group(*parts, *([Text()] if parts else []), *_others(document.rows), *lone, *said)


def _claims(rows: Sequence[Row]) -> list[RenderableType]:
    columns = ("arm", "left"), ("measure", "left"), ("reported", "right"), ("ours", "right"), ("verdict", "left")
    cells = [
        (row.arm, _measure(row), number(row.reported) if not row.exact else printed(row), reproduced(row),
         _verdict(shown_verdict(row)))
        for row in sorted(claimed(rows), key=lambda row: not row.primary)
    ]  # fmt: skip
    return _table(columns, cells)


def _verdict(verdict: str) -> Text:
    return Text(f"{MARKS.get(verdict, '')} {verdict}".strip(), COLOURS.get(verdict, ""))


def _others(rows: Sequence[Row]) -> list[RenderableType]:
    shown = [row for row in rows if row.reported is None]
    columns = ("arm", "left"), ("measure", "left"), ("ours", "right"), ("n", "right")
    return _table(columns, [(row.arm, _measure(row), reproduced(row), str(row.n_seeds)) for row in shown])


def _table(columns: Sequence[tuple[str, Any]], cells: Sequence[Sequence[Any]]) -> list[RenderableType]:
    shown = rich_table.Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name, justify in columns:
        shown.add_column(name, justify=justify, no_wrap=name in ("n", "reported", "verdict"))
    for row in cells:
        shown.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))  # brackets are no markup
    return [shown, Text()] if cells else []


def _measure(row: Row) -> str:
    """The measure's name in words, which wrap, the seeds that it leaves out, and whether it is not what decides."""
    died = "" if len(row.dead) == row.n_seeds else without(row)  # of all seeds the row that counts them tells it
    return "\n".join(filter(None, [row.metric.replace("/", " "), died, "" if row.primary else "other reading"]))


def _reasons(rows: Sequence[Row]) -> list[Text]:
    """Why verdicts are what they are, said once where rows share it."""
    shared: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.verdict and row.verdict != "reproduced" and row.reason:
            shared.setdefault((row.verdict, row.reason), []).append(row)
    return [
        Text.assemble(
            (f"{MARKS.get(verdict, '')} ", COLOURS.get(verdict, "")),
            f"{alike[0].arm} {alike[0].metric}" + (f" and {len(alike) - 1} more" if len(alike) > 1 else "") + ": ",
            (reason, "dim"),
        )
        for (verdict, reason), alike in shared.items()
    ]
