"""Bars, histograms and scatter plots."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from jaxae.report.bands import one_by_one, within
from jaxae.report.canvas import legend, single, spread_entry
from jaxae.report.figures import Bars, Histogram, Scatter
from jaxae.report.look import CLASSES, HATCHES, INK, MUTED, PALETTE, STYLES, colour_of, variant_of


def draw_histogram(data: Histogram, titled: bool) -> Figure:
    """Outlined, lightly filled steps on common bins."""
    figure, ax = single(data, titled)
    values = [(label, np.asarray(array, float)) for label, array in data.groups]
    values = [(label, array[np.isfinite(array)]) for label, array in values]
    edges = np.histogram_bin_edges(np.concatenate([array for _, array in values]), data.bins)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))  # of counts
    entries = {}
    for i, (label, array) in enumerate(values):
        colour, counts = PALETTE[i % len(PALETTE)], np.histogram(array, edges)[0]
        ax.stairs(counts, edges, fill=True, color=colour, alpha=0.22)
        style = STYLES[i % len(STYLES)]
        ax.stairs(counts, edges, color=colour, linewidth=1.5, linestyle=style)
        entries[label] = Patch(facecolor=(colour, 0.22), edgecolor=colour, linewidth=1.5, linestyle=style)
    legend(figure, entries if len(entries) > 1 else {})
    return figure


def draw_bars(data: Bars, titled: bool) -> Figure:
    """Bars side by side within each category, with the interval of the mean where there are seeds."""
    figure, ax = single(data, titled)
    width, at = 0.8 / len(data.groups), np.arange(len(data.categories))
    known, entries = np.isfinite(np.vstack([array for _, array in data.groups])).any(0), {}
    for place in at[~known]:
        ax.text(place, 0.02, "no values", transform=ax.get_xaxis_transform(), ha="center", color=MUTED)
    for i, (label, array) in enumerate(data.groups):
        values = np.atleast_2d(np.asarray(array, float))
        mean, low, high = within(data.within, values)
        error = None if len(values) == 1 or one_by_one(values) else np.nan_to_num([mean - low, high - mean])
        colour = colour_of(data.colours[i] if data.colours else i)
        look = {"color": colour, "ecolor": INK, "capsize": 2, "error_kw": {"linewidth": 0.9}}
        look |= {"hatch": HATCHES[variant_of(i)], "edgecolor": "white", "linewidth": 0}
        place = at + (i - (len(data.groups) - 1) / 2) * width
        entries[label] = ax.bar(place, mean, width * 0.92, yerr=error, **look)
        for x in place[known & np.isnan(mean)]:
            ax.text(x, 0.02, "none", transform=ax.get_xaxis_transform(), ha="center", rotation=90, color=MUTED)
        if one_by_one(values):
            ax.plot(place, values.T, ".", color=INK, markersize=5)
    ax.set_xticks(at, data.categories)
    ax.grid(False, axis="x")
    ax.set_xlim(-0.5, len(at) - 0.5)  # bars without values would have taken their room
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
