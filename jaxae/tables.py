"""The rows of results.json in words: as tables of a document, and for the terminal."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich import box
from rich import table as rich_table
from rich.console import Group, RenderableType
from rich.text import Text as Words

from jaxae import page
from jaxae.page import NONE, VERDICTS
from jaxae.results import SHARED, Row, from_json, measured

CLAIMS = (
    ("Arm", "text"), ("Measure", "code"), ("Reported", "number"), ("Reproduced", "number"), ("n", "number"),
    ("Verdict", "verdict"), ("Why", "detail"), ("Reading", "detail"), ("Source", "detail"),
)  # fmt: skip
OTHERS = (("Arm", "text"), ("Measure", "code"), ("Mean", "number"), ("n", "number"), ("Reading", "detail"))
COLOURS = {"reproduced": "green", "explained": "cyan", "differs": "red", "not comparable": "yellow"}
SYNTHETIC = (
    "SYNTHETIC DATA: this run used the embedded synthetic images, not the data of the report. "
    "Its numbers test the program and say nothing about the study."
)


def table(rows: Sequence[Row | Mapping[str, Any]]) -> str:
    """The Markdown table of reported against reproduced: the rows that have a reported number."""
    return page.markdown_table(claims(known(rows)))


def console(rows: Sequence[Row | Mapping[str, Any]], manifest: Mapping[str, Any]) -> RenderableType:
    """The same for the terminal, then why verdicts are what they are and the other measures; for 80 columns."""
    rows = known(rows)
    alarms = [Words(SYNTHETIC, "bold red")] if is_synthetic(manifest) else []
    alarms += [Words(f"Not the report's settings: {text}", "yellow") for text in manifest.get("deviations", ())]
    return Group(*_console_others(rows), *alarms, *_console_claims(rows), *_reasons(rows))


def number(value: float | None) -> str:
    """A measured number with 4 significant digits; large ones to the unit, with thousands separators."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= 9999.5:
        return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3e}"
    return f"{value:#.4g}".rstrip(".") if value else "0"


def printed(row: Row) -> str:
    """The reported number as the report prints it, to 6 significant digits at most."""
    if row.reported is None:
        return NONE
    if float(row.reported).is_integer() and (row.exact or isinstance(row.reported, int)):
        return f"{int(row.reported):,}"
    return min(repr(row.reported), f"{row.reported:.6g}", key=len)


def reproduced(row: Row) -> str:
    """The mean and the half-width of its 95% interval; of outcomes, which have no mean, each seed's."""
    if row.mean is None or not math.isfinite(row.mean):
        return number(row.mean)
    if row.categorical:
        return ", ".join(f"{value:g}" for value in row.values)
    if row.exact and len(set(row.values)) == 1:
        return f"{int(row.mean):,}" if row.mean.is_integer() else repr(row.mean)
    if row.reading == SHARED:
        return number(row.mean)
    if row.ci95 is None:
        return f"{number(row.mean)} (n = {row.n_seeds}, no interval)"
    half = (row.ci95[1] - row.ci95[0]) / 2
    return f"{number(row.mean)} ± {f'{half:#.2g}'.rstrip('.') if 0 < half < 99.5 else number(half)}"


def over_seeds(values: np.ndarray) -> str:
    """One number per seed, float[seeds], as their mean with its interval; one number, or equal ones, as that."""
    row, varies = measured("", "", values), np.ptp(values) > 1e-6 * np.abs(values).max()
    return reproduced(row) if varies and row.ci95 else number(row.mean)


def without(row: Row) -> str:
    """Which seeds the row leaves out, in words."""
    seeds = ", ".join(map(str, row.excluded))
    return f"without dead seed{'s' if len(row.excluded) > 1 else ''} {seeds}" if seeds else ""


def is_synthetic(manifest: Mapping[str, Any]) -> bool:
    """Whether any of the data is."""
    return any(data["source"] == "synthetic" for data in manifest.get("data", ()))


def known(rows: Sequence[Row | Mapping[str, Any]]) -> list[Row]:
    """Rows, whether they come from a run or from its file."""
    return [row if isinstance(row, Row) else from_json(row) for row in rows]


def claims(rows: Sequence[Row]) -> page.Table:
    """Reported against reproduced."""
    shown = [row for row in rows if row.reported is not None]
    cells = [
        (_arm(row), row.metric, printed(row), reproduced(row), str(row.n_seeds), row.verdict, row.reason, row.reading,
         row.source)
        for row in shown
    ]  # fmt: skip
    return page.Table(CLAIMS, cells)


def _console_claims(rows: Sequence[Row]) -> list[RenderableType]:
    shown = [row for row in rows if row.reported is not None]
    columns = ("arm", "left"), ("measure", "left"), ("reported", "right"), ("reproduced", "right"), ("verdict", "left")
    cells = [
        (row.arm, _measure(row), number(row.reported) if not row.exact else printed(row), reproduced(row),
         Words(f"{VERDICTS.get(row.verdict, '')} {row.verdict}".strip(), COLOURS.get(row.verdict, "")))
        for row in shown
    ]  # fmt: skip
    return _console_table(columns, cells)


def _console_others(rows: Sequence[Row]) -> list[RenderableType]:
    shown = [row for row in rows if row.reported is None]
    columns = ("arm", "left"), ("measure", "left"), ("mean", "right"), ("n", "right")
    return _console_table(columns, [(row.arm, _measure(row), reproduced(row), str(row.n_seeds)) for row in shown])


def _console_table(columns: Sequence[tuple[str, Any]], cells: Sequence[Sequence[Any]]) -> list[RenderableType]:
    shown = rich_table.Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name, justify in columns:
        shown.add_column(name, justify=justify, no_wrap=name in ("n", "reported", "verdict"))
    for row in cells:
        shown.add_row(*row)
    return [shown, Words()] if cells else []


def _measure(row: Row) -> str:
    """The measure's name in words, which wrap, and the seeds that it leaves out."""
    return "\n".join(filter(None, [row.metric.replace("/", " "), without(row)]))


def _arm(row: Row) -> str:
    return f"{row.arm} ({without(row)})" if row.excluded else row.arm


def others(rows: Sequence[Row]) -> page.Table:
    """What no report gave."""
    shown = [row for row in rows if row.reported is None]
    cells = [(_arm(row), row.metric, reproduced(row), str(row.n_seeds), row.reading) for row in shown]
    return page.Table(OTHERS, cells)


def _reasons(rows: Sequence[Row]) -> list[Words]:
    """Why verdicts are what they are, said once where rows share it."""
    shared: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.verdict and row.verdict != "reproduced" and row.reason:
            shared.setdefault((row.verdict, row.reason), []).append(row)
    return [
        Words.assemble(
            (f"{VERDICTS.get(verdict, '')} ", COLOURS.get(verdict, "")),
            f"{alike[0].arm} {alike[0].metric}" + (f" and {len(alike) - 1} more" if len(alike) > 1 else "") + ": ",
            (reason, "dim"),
        )
        for (verdict, reason), alike in shared.items()
    ]
