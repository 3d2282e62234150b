"""What drawn figures share: the canvas, the legend below it, intervals over seeds."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from jaxae.findings.statistics import interval_by_point
from jaxae.report.bands import one_by_one
from jaxae.report.look import DPI, INK


def canvas(width: float, height: float, title: str = "") -> Figure:
    """An empty figure of this many inches, with room kept for the title, at the left."""
    figure = Figure((width, height), dpi=DPI, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    FigureCanvasAgg(figure)
    if title:
        wrapped = textwrap.fill(title, int(width * 9.8))
        figure.suptitle(wrapped, x=0.08 / width, ha="left", fontsize=12, fontweight="bold", linespacing=1.3)
    return figure


def single(data: Any, titled: bool, width: float = 8.0, height: float = 3.9) -> tuple[Figure, Any]:
    """One pair of named axes."""
    figure = canvas(width, height, data.title if titled else "")
    ax = figure.subplots()
    ax.set(xlabel=data.xlabel, ylabel=data.ylabel)
    return figure, ax


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


def spread_entry(values: list[Any], bounds: Any, look: Any, floored: bool = False) -> dict[str, Any]:
    """The legend's word for the intervals of float[seeds, n], where any has a width; `floored` by a log axis."""
    arrays = [np.asarray(array, float) for array in values if np.ndim(array) == 2 and len(array) > 1]
    few, values = ([array for array in arrays if one_by_one(array) == alone] for alone in (True, False))
    apart = {f"{seeds_of(few)}, one by one": Line2D([], [], color=INK, marker=".", linestyle="")} if few else {}
    if not any(_varies(array) for array in values):
        return apart
    least, most = bounds or (-np.inf, np.inf)
    cut = any((low < least).any() or (high > most).any() for _, low, high in map(interval_by_point, values))
    words = f", cut at {least:g} and {most:g}" * cut + ", cut at the lower end of the axis" * floored
    return {f"95% interval of the mean, {seeds_of(values)}{words}": look} | apart


def _varies(array: np.ndarray) -> bool:
    """Whether seeds differ anywhere."""
    known = array[:, np.isfinite(array).any(0)]
    return bool((np.nanmax(known, 0) > np.nanmin(known, 0)).any()) if known.size else False


def seeds_of(values: Any) -> str:
    """How many seeds stand behind arrays float[seeds, n], in words."""
    counts = sorted({np.shape(array)[0] for array in values} - {1})
    return f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"


def text_width(text: str, size: float) -> int:
    """In pixels, of the widest line."""
    lines = [line for line in str(text).splitlines() if line.strip()]
    widths = [TextPath((0, 0), line, size=size, usetex=False).get_extents().width for line in lines]
    return round(max(widths, default=0) * DPI / 72)
