"""The README's picture: every number of a report that is held against an interval, and where in it that lies."""

from collections.abc import Sequence
from html import escape

from experiments.tables.counts import Said, numbers_of
from jaxae.findings import DIFFERS, EXPLAINED, INCONCLUSIVE, REPRODUCED, Row
from jaxae.report.numbers import printed
from jaxae.report.strips import half_widths, is_held

LABEL, WIDTH, STEP, TOP = 430, 860, 21, 44  # pixels: of the names, of all, of a line, above the first
MIDDLE, UNIT, MOST = (LABEL + WIDTH) / 2, 56, 3.2  # of the bars; half a bar's length; the farthest dot, in halves
SHOWN = REPRODUCED, EXPLAINED, INCONCLUSIVE, DIFFERS  # what a legend tells of, where it is drawn
STYLE = """text { font: 12.5px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.head { font-weight: 600; } .soft { fill: #59636e; } .band { fill: #c8d3dd; } .axis { stroke: #8c959f; }
.reproduced { fill: #116329; } .differs { fill: #a40e26; }
.explained { fill: #0550ae; } .inconclusive { fill: none; stroke: #7d4e00; stroke-width: 2; }
@media (prefers-color-scheme: dark) { text { fill: #e6e9ed; } .soft { fill: #9aa4af; } .band { fill: #3b4652; }
.reproduced { fill: #7ee2a0; } .differs { fill: #ffa7a1; }
.explained { fill: #8cc7ff; } .inconclusive { fill: none; stroke: #ecc56a; } }"""


def picture(results: Sequence[Said]) -> str:
    """An SVG: a line for every number; its bar is the range in which 95% of single runs fall, the dot the report's."""
    rows = [(report, row) for report, of in numbers_of(results).items() for row in of if is_held(row)]
    verdicts = [verdict for verdict in SHOWN if any(row.verdict == verdict for _, row in rows)]
    height = TOP + STEP * len(rows) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        f"<style>{STYLE}</style>",
        '<text class="head" x="0" y="16">Numbers of the reports</text>',
        f'<text class="head" x="{MIDDLE:g}" y="16" text-anchor="middle">against the range of single runs</text>',
        *(_line(report, row, TOP + STEP * place) for place, (report, row) in enumerate(rows)),
        f'<path class="axis" stroke-dasharray="2 3" d="M{MIDDLE:g} {TOP - 16} V{height - 32}"/>',
        f'<text class="soft" x="{MIDDLE:g}" y="{height - 12}" text-anchor="middle">'
        "bar: 95% of our single runs; mark: the report's number</text>",
        *(_key(verdict, 12 + 115 * place, height - 16) for place, verdict in enumerate(verdicts)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _line(report: str, row: Row, y: int) -> str:
    """A number's name, its bar and its mark."""
    assert row.reported is not None
    place = half_widths(row, row.reported)
    at = MIDDLE + UNIT * max(-MOST, min(MOST, place))
    name = f"{row.arm}, {row.metric.replace('/', ' ')}"
    far = 0 if abs(place) <= MOST else 1 if place > 0 else -1
    mark = _mark(row.verdict, at, y - 4, far)
    return (
        f'<text x="0" y="{y}"><tspan class="soft">{escape(report)}</tspan> {escape(name)}</text>'
        f'<text class="soft" x="{LABEL - 12}" y="{y}" text-anchor="end">{escape(printed(row))}</text>'
        f'<rect class="band" x="{MIDDLE - UNIT:g}" y="{y - 9}" width="{2 * UNIT}" height="10" rx="2"/>{mark}'
    )


def _mark(verdict: str, x: float, y: float, far: int = 0) -> str:
    """A dot, a ring where nothing is decided, a diamond where it differs; an arrow where it lies far out."""
    if far:
        return f'<path class="{verdict}" d="M{x:.1f} {y - 6} l{9 * far} 6 l{-9 * far} 6 z"/>'
    if verdict == DIFFERS:
        return f'<path class="{verdict}" d="M{x:.1f} {y - 6:g} l6 6 l-6 6 l-6 -6 z"/>'
    return f'<circle class="{verdict}" cx="{x:.1f}" cy="{y:g}" r="4.5"/>'


def _key(verdict: str, x: int, y: int) -> str:
    return f'{_mark(verdict, x, y)}<text class="soft" x="{x + 12}" y="{y + 4}">{verdict}</text>'
