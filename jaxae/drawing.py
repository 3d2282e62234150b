"""How each kind of figure is drawn; `plots` holds the kinds themselves and is the door to this.

Imports matplotlib, so nothing imports this before something is drawn.
"""

import textwrap
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from jaxae.mosaic import draw_images, text_width
from jaxae.plots import DPI, INK, MUTED, Bars, Curves, Histogram, Line, Mark, Scatter

FAINT = "#e3e6ea"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#666666")  # Okabe and Ito 2008
CLASSES = ("#332288", "#88CCEE", "#44AA99", "#117733", "#999933", "#DDCC77", "#CC6677", "#882255", "#AA4499", "#777777")
DASHES = ((0, (5, 3)), (0, (1, 2)), (0, (5, 2, 1, 2)), (0, (9, 3)))
POINTS = "Ds^v"
LOG_TICKS = ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0,))  # of a decade, by how much room there is for it
STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#b6bdc5",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "font.size": 10,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "legend.borderaxespad": 0.5,
    "legend.columnspacing": 1.6,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": "#b6bdc5",
    "xtick.labelcolor": MUTED,
    "xtick.labelsize": 9,
    "ytick.color": "#b6bdc5",
    "ytick.labelcolor": MUTED,
    "ytick.labelsize": 9,
}


def styled() -> AbstractContextManager[None]:
    """Within it, matplotlib draws and saves in our style alone, whatever the user's is."""
    return style.context(["default", STYLE])


def canvas(width: float, height: float, title: str = "") -> Figure:
    """An empty figure of this many inches, with room kept for the title, at the left."""
    figure = Figure((width, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    FigureCanvasAgg(figure)
    if title:
        wrapped = textwrap.fill(title, int(width * 9.8))
        figure.suptitle(wrapped, x=0.08 / width, ha="left", fontsize=12, fontweight="bold", linespacing=1.3)
    return figure


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean float[n] of float[seeds, n] and the ends of its 95% interval; values that aren't finite don't count."""
    from scipy.special import stdtrit

    known = np.isfinite(values)
    count = known.sum(0)
    some, several = np.maximum(count, 1), np.maximum(count, 2)
    mean = np.where(count > 0, np.where(known, values, 0.0).sum(0) / some, np.nan)
    spread = np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(0) / (several - 1))
    half = np.where(count > 1, stdtrit(several - 1, 0.975) * spread / np.sqrt(several), np.nan)
    return mean, mean - half, mean + half


def within(bounds: Any, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same, the interval cut where no value can be."""
    mean, low, high = interval(values)
    least, most = bounds or (-np.inf, np.inf)
    return mean, np.maximum(low, least), np.minimum(high, most)


def seeds_of(values: Any) -> str:
    """How many seeds stand behind arrays float[seeds, n], in words."""
    counts = sorted({np.shape(array)[0] for array in values} - {1})
    return f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"


def legend(figure: Figure, entries: dict[str, Any]) -> None:
    """Below the axes, never over the data; the figure grows by the legend's height."""
    if not entries:
        return
    width, height = figure.get_size_inches()
    columns = legend_columns(list(entries), width)
    figure.set_size_inches(width, height + 0.08 + 0.2 * -(-len(entries) // columns))
    figure.legend(list(entries.values()), list(entries), loc="outside lower left", ncols=columns, labelcolor=INK)


def legend_columns(labels: list[str], width: float) -> int:
    """As many as fit side by side in so many inches; a legend is filled column by column, evenly."""
    sizes = [text_width(label, 9.5) / DPI + 0.65 for label in labels]
    for columns in range(len(labels), 1, -1):
        parts = np.array_split(sizes, columns)
        if sum(part.max() for part in parts) < width - 0.2:
            return columns
    return 1


def grid(count: int) -> tuple[int, int]:
    """Rows and columns of so many panels: at most four side by side, as even as can be."""
    rows = -(-count // 4)
    return rows, -(-count // rows)


def spread_entry(values: list[Any], bounds: Any, look: Any, floored: bool = False) -> dict[str, Any]:
    """The legend's word for the intervals of float[seeds, n], where there are any; `floored` by a log axis."""
    values = [np.asarray(array, float) for array in values if np.ndim(array) == 2 and len(array) > 1]
    if not values:
        return {}
    least, most = bounds or (-np.inf, np.inf)
    cut = any((low < least).any() or (high > most).any() for _, low, high in map(interval, values))
    words = f", cut at {least:g} and {most:g}" * cut + ", cut at the lower end of the axis" * floored
    return {f"95% interval of the mean, {seeds_of(values)}{words}": look}


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
    return floor, any(bool((interval(array)[1] < floor).any()) for array in values)


def draw_curves(data: Curves, titled: bool) -> Figure:
    """Panels of lines, with one legend below them all."""
    panels = list(dict.fromkeys(line.panel for line in data.lines))
    rows, columns = grid(len(panels))
    height = 3.9 if rows == 1 else 0.5 + 2.4 * rows
    figure = canvas(8.0 if len(panels) == 1 else 10.0, height, data.title if titled else "")
    axes = figure.subplots(rows, columns, sharey=data.share, squeeze=False).ravel()
    order = list(dict.fromkeys(line.label for line in data.lines))
    marks = [Mark(*mark) for mark in data.references]
    entries: dict[str, Any] = {}
    floors = {}
    for i, (panel, ax) in enumerate(zip(panels, axes, strict=False)):
        set_axes(ax, data, height / rows, bottom=i + columns >= len(panels), left=i % columns == 0)
        ax.set_title(textwrap.fill(panel, int(105 / columns)))
        here = [line for line in data.lines if line.panel == panel]
        floors[panel] = log_floor(list(data.lines) if data.share else here, marks) if data.log else (-np.inf, False)
        least, most = data.within or (-np.inf, np.inf)
        bounds = max(least, floors[panel][0]), most
        for line in here:
            entries.setdefault(line.label, draw_line(ax, line, order.index(line.label), bounds))
    labels = list(dict.fromkeys(mark.label for mark in marks))
    for panel, ax in zip(panels, axes, strict=False):
        here = [mark for mark in marks if mark.panel in (None, panel)]
        for mark in here:
            entries.setdefault(mark.label, draw_mark(ax, mark, labels.index(mark.label)))
    for panel, ax in zip(panels, axes, strict=False):
        floor, cut = floors[panel]
        ax.set_ylim(bottom=floor if cut else None)
    for panel, ax in zip(panels, axes, strict=False):
        write_values(ax, [mark for mark in marks if mark.panel in (None, panel) and mark.x is None], height / rows)
    for ax in axes[len(panels) :]:
        ax.remove()
    band = Patch(facecolor="#8c959f", alpha=0.35, linewidth=0)
    floored = any(cut for _, cut in floors.values())
    legend(figure, entries | spread_entry([line.values for line in data.lines], data.within, band, floored))
    return figure


def set_axes(ax: Any, data: Curves, height: float, *, bottom: bool, left: bool) -> None:
    """Names and scales, of a panel so many inches high."""
    ax.set_xlabel(data.xlabel if bottom else "")
    ax.set_ylabel(data.ylabel if left else "")
    whole = all(np.equal(np.mod(line.x, 1), 0).all() for line in data.lines)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=7, integer=whole, steps=[1, 2, 5, 10], min_n_ticks=1))
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
    means = [interval(np.asarray(line.values, float))[0] for line in data.lines]
    drawn = np.concatenate([*means, [Mark(*mark).y for mark in data.references]])
    drawn = drawn[drawn > 0]
    return float(np.log10(drawn.max() / drawn.min())) if len(drawn) else 0.0


def colour_of(colour: int | str) -> str:
    """A colour, or that of the palette with this index."""
    return colour if isinstance(colour, str) else PALETTE[colour % len(PALETTE)]


def draw_line(ax: Any, line: Line, index: int, bounds: Any) -> Any:
    """The mean, its band and, when they are few, the seeds themselves."""
    x, values = np.asarray(line.x, float), np.asarray(line.values, float)
    values = np.where(np.isfinite(values), values, np.nan)
    colour = colour_of(index if line.colour is None else line.colour)
    mean, low, high = within(bounds, values)
    if 1 < len(values) <= 5:
        ax.plot(x, values.T, color=colour, linewidth=0.5, alpha=0.45)
    if len(values) > 1 and len(x) == 1:  # a band has no width there
        ax.errorbar(x, mean, [mean - low, high - mean], color=colour, linewidth=1, capsize=3)
    elif len(values) > 1:
        ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    marker = "o" if len(x) <= 12 else ""
    return ax.plot(x, mean, color=colour, linewidth=1.7, linestyle=line.style, marker=marker, markersize=3)[0]


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


def draw_histogram(data: Histogram, titled: bool) -> Figure:
    """Outlined, lightly filled steps on common bins."""
    figure, ax = single(data, titled)
    values = [(label, np.asarray(array, float)) for label, array in data.groups]
    values = [(label, array[np.isfinite(array)]) for label, array in values]
    edges = np.histogram_bin_edges(np.concatenate([array for _, array in values]), data.bins)
    entries = {}
    for i, (label, array) in enumerate(values):
        colour, counts = PALETTE[i % len(PALETTE)], np.histogram(array, edges)[0]
        ax.stairs(counts, edges, fill=True, color=colour, alpha=0.22)
        ax.stairs(counts, edges, color=colour, linewidth=1.5)
        entries[label] = Patch(facecolor=colour, alpha=0.6)
    legend(figure, entries if len(entries) > 1 else {})
    return figure


def draw_bars(data: Bars, titled: bool) -> Figure:
    """Bars side by side within each category, with the interval of the mean where there are seeds."""
    figure, ax = single(data, titled)
    width, at = 0.8 / len(data.groups), np.arange(len(data.categories))
    entries = {}
    for i, (label, array) in enumerate(data.groups):
        values = np.atleast_2d(np.asarray(array, float))
        mean, low, high = within(data.within, values)
        error = np.nan_to_num([mean - low, high - mean]) if len(values) > 1 else None
        colour = colour_of(data.colours[i] if data.colours else i)
        look = {"color": colour, "ecolor": INK, "capsize": 2, "error_kw": {"linewidth": 0.9}}
        entries[label] = ax.bar(at + (i - (len(data.groups) - 1) / 2) * width, mean, width * 0.92, yerr=error, **look)
    ax.set_xticks(at, data.categories)
    ax.grid(False, axis="x")
    bar = Line2D([], [], color=INK, marker="|", linestyle="")
    spread = spread_entry([array for _, array in data.groups], data.within, bar)
    legend(figure, (entries if len(entries) > 1 else {}) | spread)
    return figure


def draw_scatter(data: Scatter, titled: bool) -> Figure:
    """Points in the order given, so that no class lies on top; each class's name stands at its median too."""
    figure, ax = single(data, titled, 7.5, 6.0)
    points, classes = np.asarray(data.points, float), np.asarray(data.classes)
    present = np.unique(classes)
    colour = {int(c): CLASSES[i % len(CLASSES)] for i, c in enumerate(present)}
    size = float(np.clip(30_000 / len(points), 3, 28))
    ax.scatter(*points.T, s=size, c=[colour[int(c)] for c in classes], alpha=0.75, linewidths=0)
    entries = {}
    for c in colour:
        name = str(data.names[c] if data.names else c)
        box = {"boxstyle": "circle,pad=0.25" if len(name) < 3 else "round,pad=0.25", "fc": "white", "ec": colour[c]}
        middle = np.nanmedian(points[classes == c], axis=0)
        if np.isfinite(middle).all():
            ax.text(*middle, name, ha="center", va="center", fontsize=8, fontweight="bold", color=INK, bbox=box)
        entries[name] = Line2D([], [], color=colour[c], marker="o", linestyle="", markersize=6)
    figure.legend(list(entries.values()), list(entries), loc="outside right center", labelcolor=INK)
    return figure


def single(data: Any, titled: bool, width: float = 8.0, height: float = 3.9) -> tuple[Figure, Any]:
    """One pair of named axes."""
    figure = canvas(width, height, data.title if titled else "")
    ax = figure.subplots()
    ax.set(xlabel=data.xlabel, ylabel=data.ylabel)
    return figure, ax


DRAW: dict[str, Any] = {
    "Curves": draw_curves,
    "Images": draw_images,
    "Histogram": draw_histogram,
    "Bars": draw_bars,
    "Scatter": draw_scatter,
}
