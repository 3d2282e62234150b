"""The intervals of claims against the reported numbers, each a small drawing beside its row."""

from collections.abc import Sequence
from typing import Any

from jaxae.findings import NOT_COMPARABLE, Row
from jaxae.findings.scales import on_scale
from jaxae.report.numbers import FEW, number, printed

WIDTH, HEIGHT, MOST = 240, 26, 3.0  # MOST: half widths from the middle, beyond which an arrow points outwards
LEGEND = (
    "In the drawings the bar is the range in which 95% of single runs fall, each drawn equally long; its dark part is "
    "the interval of the mean, the ticks are the seeds, and the diamond is the reported number, an arrow where that "
    "lies further out."
)


def strips(rows: Sequence[Row]) -> list[str]:
    """SVG for each row, or nothing where no number is held against a range: of outcomes, counts and few seeds."""
    return [strip(row) if is_held(row) else "" for row in rows]


def is_held(row: Row) -> bool:
    """Whether the reported number is held against a range of single runs."""
    apart = row.exact or row.categorical or row.dead or row.verdict == NOT_COMPARABLE
    return not apart and row.n_seeds >= FEW and row.pi95 is not None and row.pi95[0] < row.pi95[1]


def half_widths(row: Row, value: float) -> float:
    """Where a value lies, from the middle of the range of single runs, on the scale on which the verdict compares."""
    assert row.pi95 is not None
    low, high, place = (float(on_scale(number, row.scale)) for number in (*row.pi95, value))
    return (place - (low + high) / 2) / ((high - low) / 2)


def strip(row: Row) -> str:
    """The drawing; places are on the scale on which the verdict compares, in half widths of the range."""
    assert row.pi95 is not None and row.ci95 is not None and row.reported is not None

    def place(value: float) -> float:
        return round(WIDTH / 2 + max(-MOST, min(MOST, half_widths(row, value))) * (WIDTH / 2 - 10) / MOST, 1)

    words = f"reported {printed(row)}; 95% of single runs: {number(row.pi95[0])} to {number(row.pi95[1])}"
    seeds = "".join(_line("seed", place(value), 8, 18) for value in row.values)
    parts = [
        f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{words}"><title>{words}</title>',
        f'<path class="axis" d="M4 13H{WIDTH - 4}"/>',
        _bar("range", place(row.pi95[0]), place(row.pi95[1]), 7, 12),
        _bar("mean", place(row.ci95[0]), place(row.ci95[1]), 10, 6),
        seeds,
        _reported(place(row.reported), half_widths(row, row.reported)),
    ]
    return "".join(parts) + "</svg>"


def _bar(name: str, left: float, right: float, top: int, height: int) -> str:
    return f'<rect class="{name}" x="{left}" y="{top}" width="{right - left:.1f}" height="{height}"/>'


def _line(name: str, x: float, top: int, bottom: int) -> str:
    return f'<path class="{name}" d="M{x} {top}V{bottom}"/>'


def _reported(x: float, moved: float) -> str:
    """A diamond, or an arrow that points to where there is no room."""
    if abs(moved) <= MOST:
        return f'<path class="reported" d="M{x} 5l7 8l-7 8l-7 -8z"/>'
    side = 1 if moved > 0 else -1
    return f'<path class="reported" d="M{x + 8 * side:.1f} 13l{-13 * side} -8v16z"/>'


def legend_of(drawn: Sequence[Any]) -> str:
    """What the drawings show, where there are any."""
    return LEGEND if any(drawn) else ""
