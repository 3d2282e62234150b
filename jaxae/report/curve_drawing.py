"""Curves: panels of lines with bands, marks for numbers from elsewhere, and logarithmic axes."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from jaxae.findings.statistics import interval_by_point
from jaxae.report.bands import one_by_one, within
from jaxae.report.canvas import canvas, legend, spread_entry
from jaxae.report.figures import Curves, Line, Mark
from jaxae.report.look import DASHES, INK, LOG_TICKS, MARKERS, MUTED, PALETTE, POINTS, colour_of, variant_of

EACH = 12  # whole steps of an axis that is no longer, each of which has its number


def draw_curves(data: Curves, titled: bool) -> Figure:
    """Panels of lines, with one legend below them all."""
    panels = list(dict.fromkeys(line.panel for line in data.lines))
    rows, columns = grid(len(panels))
    height = 3.9 if rows == 1 else 0.5 + 2.4 * rows
    figure = canvas(8.0 if len(panels) == 1 else 10.0, height, data.title if titled else "")
    axes = figure.subplots(rows, columns, sharey=data.share, squeeze=False).ravel()
    named = dict(zip(panels, axes, strict=False))
    for i, (panel, ax) in enumerate(named.items()):
        set_axes(ax, data, height / rows, bottom=i + columns >= len(panels), left=i % columns == 0)
        ax.set_title(textwrap.fill(panel, int(105 / columns)))
    floors = {panel: floor_of(data, panel) for panel in panels}
    entries = draw_lines(named, data, floors) | draw_marks(named, data, floors, height / rows)
    for ax in axes[len(panels) :]:
        ax.remove()
    band = Patch(facecolor="#8c959f", alpha=0.35, linewidth=0)
    floored = any(cut for _, cut in floors.values())
    legend(figure, entries | spread_entry([line.values for line in data.lines], data.within, band, floored))
    return figure


def floor_of(data: Curves, panel: str) -> tuple[float, bool]:
    """Where a panel's axis ends at the bottom, if it is logarithmic, and whether bands reach below it."""
    lines = [line for line in data.lines if data.share or line.panel == panel]
    return log_floor(lines, [Mark(*mark) for mark in data.references]) if data.log else (-np.inf, False)


def draw_lines(axes: dict[str, Any], data: Curves, floors: dict[str, tuple[float, bool]]) -> dict[str, Any]:
    """Every panel's lines; the legend's entries."""
    order = list(dict.fromkeys(line.label for line in data.lines))
    least, most = data.within or (-np.inf, np.inf)
    entries: dict[str, Any] = {}
    for panel, ax in axes.items():
        bounds = max(least, floors[panel][0]), most
        own = [line for line in data.lines if line.panel == panel]
        if not any(np.isfinite(np.asarray(line.values, float)).any() for line in own):
            ax.text(0.5, 0.5, "no values", transform=ax.transAxes, ha="center", va="center", color=MUTED)
            ax.set_xticks([])
        for line in own:
            entries.setdefault(line.label, draw_line(ax, line, order.index(line.label), bounds))
    return entries


def draw_marks(
    axes: dict[str, Any], data: Curves, floors: dict[str, tuple[float, bool]], height: float
) -> dict[str, Any]:
    """The numbers from elsewhere, with their values beside the axes, whose ends are set; the legend's entries."""
    marks = [Mark(*mark) for mark in data.references]
    labels = list(dict.fromkeys(mark.label for mark in marks))
    shown = {panel: [mark for mark in marks if mark.panel in (None, panel)] for panel in axes}
    entries: dict[str, Any] = {}
    for panel, ax in axes.items():
        for mark in shown[panel]:
            entries.setdefault(mark.label, draw_mark(ax, mark, labels.index(mark.label)))
    for panel, ax in axes.items():  # when all is drawn, since panels may share their scale
        floor, cut = floors[panel]
        ax.set_ylim(bottom=floor if cut else None)
    for panel, ax in axes.items():
        write_values(ax, [mark for mark in shown[panel] if mark.x is None], height)
    return entries


def set_axes(ax: Any, data: Curves, height: float, *, bottom: bool, left: bool) -> None:
    """Names and scales, of a panel so many inches high."""
    ax.set_xlabel(data.xlabel if bottom else "")
    ax.set_ylabel(data.ylabel if left else "")
    whole = all(np.equal(np.mod(line.x, 1), 0).all() for line in data.lines)
    span = np.ptp(np.concatenate([np.asarray(line.x, float) for line in data.lines])) if data.lines else 0.0
    each = int(span) + 1 if whole and span <= EACH else 7
    ax.xaxis.set_major_locator(MaxNLocator(nbins=each, integer=whole, steps=[1, 2, 5, 10], min_n_ticks=1))
    if data.log_x:
        ax.set_xscale("log", base=2)
        places = sorted({float(x) for line in data.lines for x in line.x})
        ax.set_xticks(places, [f"{place:g}" for place in places])
        ax.xaxis.set_minor_locator(NullLocator())
    if data.log:
        room = height / max(decades(data), 1e-3)  # inches a decade
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=LOG_TICKS[(room < 3.9) + (room < 1.2)]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_locator(NullLocator())


def decades(data: Curves) -> float:
    """How many powers of ten the means of the lines and the marks span."""
    means = [interval_by_point(np.asarray(line.values, float))[0] for line in data.lines]
    drawn = np.concatenate([*means, [Mark(*mark).y for mark in data.references]])
    drawn = drawn[drawn > 0]
    return float(np.log10(drawn.max() / drawn.min())) if len(drawn) else 0.0


def draw_line(ax: Any, line: Line, index: int, bounds: Any) -> Any:
    """The mean, its band and, when they are few, the seeds themselves; too few for a mean, those alone."""
    x, values = np.asarray(line.x, float), np.asarray(line.values, float)
    values = np.where(np.isfinite(values), values, np.nan)
    place = index if line.colour is None else line.colour
    again = isinstance(place, int) and place >= len(PALETTE)  # in a colour that another line has
    style = "dashdot" if again and line.style == "solid" else line.style
    colour, look = colour_of(place), marks_of(line, index)
    mean, low, high = within(bounds, values)
    if one_by_one(values):
        return ax.plot(x, values.T, color=colour, linewidth=1.2, linestyle=style, **look)[0]
    if 1 < len(values) <= 5:
        ax.plot(x, values.T, color=colour, linewidth=0.5, alpha=0.45, marker="." if len(x) == 1 else "")
    if len(values) > 1 and len(x) == 1:  # a band has no width there
        ax.errorbar(x, mean, [mean - low, high - mean], color=colour, linewidth=1, capsize=3)
    elif len(values) > 1:
        ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    return ax.plot(x, mean, color=colour, linewidth=1.7, linestyle=style, **look)[0]


def marks_of(line: Line, index: int) -> dict[str, Any]:
    """The marker of a line, that of its colour: at every point of few, else at some seven, each line's elsewhere."""
    place = line.colour if isinstance(line.colour, int) else index
    known = int(np.isfinite(np.asarray(line.values, float)).any(0).sum())
    every = 1 if known <= 12 else -(-len(line.x) // 7)
    marker = MARKERS[variant_of(place)]
    return {"marker": marker, "markersize": 4, "markevery": (index * every // 7 % every, every)}


def draw_mark(ax: Any, mark: Mark, index: int) -> Any:
    """A number from elsewhere: a dashed line, or a hollow point; for the legend, the point in black."""
    if mark.x is None:
        return ax.axhline(mark.y, color=INK, linewidth=1.1, linestyle=DASHES[index % len(DASHES)], zorder=1.5)
    shape = POINTS[index % len(POINTS)]
    shown = {"marker": shape, "markersize": 7, "markerfacecolor": "white", "linestyle": ""}
    edge = INK if mark.colour is None else colour_of(mark.colour)
    ax.plot([mark.x], [mark.y], zorder=4, markeredgecolor=edge, **shown)
    return Line2D([], [], markeredgecolor=INK, **shown)


def write_values(ax: Any, marks: list[Mark], height: float) -> None:
    """The marks' values to the right of the axes, kept apart where the lines are close."""
    ax.set_ylim(ax.get_ylim())
    place, gap = -1.0, 0.2 / height
    to_fraction = (ax.transScale + ax.transLimits).transform
    for y in sorted({float(mark.y) for mark in marks}):
        place = max(float(to_fraction((0.0, y))[1]), place + gap)
        ax.text(1.01, place, f"{y:.4g}", transform=ax.transAxes, va="center", fontsize=8, color=MUTED)


def log_floor(lines: list[Line], marks: list[Mark]) -> tuple[float, bool]:
    """Where a logarithmic axis ends at the bottom, half the lowest value drawn, and whether bands reach below it.

    A band that reaches 0 or less has no lower end there, and one that nearly does would stretch the axis without end.
    """
    values = [np.asarray(line.values, float) for line in lines]
    drawn = np.concatenate([*map(np.ravel, values), [mark.y for mark in marks]])
    shown = drawn[np.isfinite(drawn) & (drawn > 0)]
    if not shown.size:
        return 0.0, False
    floor = float(shown.min()) / 2
    return floor, any(bool((within(None, array)[1] < floor).any()) for array in values)


def grid(count: int) -> tuple[int, int]:
    """Rows and columns of so many panels: at most four side by side, as even as can be."""
    rows = -(-count // 4)
    return rows, -(-count // rows)
