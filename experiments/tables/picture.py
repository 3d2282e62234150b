"""The README's picture: every number of a report that is held against an interval, and where in it that lies."""

from collections.abc import Sequence
from html import escape

from experiments.tables.counts import Said, numbers_of
from jaxae.findings import DIFFERS, EXPLAINED, INCONCLUSIVE, REPRODUCED, Row
from jaxae.report.numbers import printed
from jaxae.report.strips import half_widths, is_held

LABEL, WIDTH, STEP, TOP = 430, 860, 21, 62  # pixels: of the names, of all, of a line, above the first
MIDDLE, UNIT, MOST = (LABEL + WIDTH) / 2, 56, 3.2  # of the bars; half a bar's length; the farthest dot, in halves
LEGEND = 330  # where its marks begin
SHOWN = REPRODUCED, EXPLAINED, INCONCLUSIVE, DIFFERS  # what a legend tells of, where it is drawn
STYLE = """text { font: 12.5px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.head { font-weight: 600; } .soft { fill: #59636e; } .band { fill: #c8d3dd; } .axis { stroke: #8c959f; }
.far { fill: #59636e; } .reproduced { fill: #116329; } .differs { fill: #a40e26; }
.explained { fill: #0550ae; } .inconclusive { fill: none; stroke: #7d4e00; stroke-width: 2; }
@media (prefers-color-scheme: dark) { text { fill: #e6e9ed; } .soft, .far { fill: #9aa4af; } .band { fill: #3b4652; }
.reproduced { fill: #7ee2a0; } .differs { fill: #ffa7a1; }
.explained { fill: #8cc7ff; } .inconclusive { fill: none; stroke: #ecc56a; } }"""


def picture(results: Sequence[Said]) -> str:
    """An SVG: a line for every number; its bar is the range in which 95% of single runs fall, the mark the report's."""
    rows = drawn_rows(results)
    verdicts = [verdict for verdict in SHOWN if any(row.verdict == verdict for _, row in rows)]
    bottom = TOP + STEP * len(rows)
    height = bottom + 58
    far = any(abs(half_widths(row, row.reported or 0.0)) > MOST for _, row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        f"<style>{STYLE}</style>",
        *_heads(),
        *(_line(report, row, TOP + STEP * place) for place, (report, row) in enumerate(rows)),
        f'<path class="axis" stroke-dasharray="2 3" d="M{MIDDLE:g} {TOP - 16} V{bottom - 8}"/>',
        f'<text class="head" x="0" y="{bottom + 22}">The report\'s number, and what we say of it:</text>',
        *(_key(verdict, LEGEND + 115 * place, bottom + 18, verdict) for place, verdict in enumerate(verdicts)),
        *([_key("far", LEGEND + 115, bottom + 42, "further out than there is room", 1)] if far else []),
        f'<rect class="band" x="0" y="{bottom + 36}" width="40" height="10" rx="2"/>',
        f'<text class="soft" x="50" y="{bottom + 46}">95% of our single runs, each drawn equally long</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def drawn_rows(results: Sequence[Said]) -> list[tuple[str, Row]]:
    """The numbers that it shows, (report, row): those that are held against a range."""
    return [(report, row) for report, of in numbers_of(results).items() for row in of if is_held(row)]


def _heads() -> list[str]:
    """What stands in the columns, and on which side a number is higher."""
    edge = UNIT * MOST
    return [
        '<text class="head" x="0" y="16">Report, arm and measure</text>',
        f'<text class="head" x="{LABEL - 12}" y="16" text-anchor="end">It says</text>',
        f'<text class="head" x="{MIDDLE:g}" y="16" text-anchor="middle">Where that lies among our own runs</text>',
        f'<text class="soft" x="{MIDDLE - edge:g}" y="35">\u2190 lower than ours</text>',
        f'<text class="soft" x="{MIDDLE:g}" y="35" text-anchor="middle">as ours</text>',
        f'<text class="soft" x="{MIDDLE + edge:g}" y="35" text-anchor="end">higher than ours \u2192</text>',
    ]


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


def _key(kind: str, x: int, y: int, words: str, far: int = 0) -> str:
    return f'{_mark(kind, x, y, far)}<text class="soft" x="{x + 14}" y="{y + 4}">{words}</text>'
