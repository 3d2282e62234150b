"""Figures for whoever makes their own: the records, and what draws, saves and loads them (`ae.plots`)."""

from typing import TYPE_CHECKING, Any

from jaxae.report import headless
from jaxae.report.figure_files import load, save
from jaxae.report.figures import Bars, Curves, Histogram, Images, Line, Mark, Scatter, by_epoch, check, per_class
from jaxae.report.look import MUTED, shades
from jaxae.report.ranking import best_to_worst, ranked, ranked_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "MUTED", "Bars", "Curves", "Histogram", "Images", "Line", "Mark", "Scatter", "best_to_worst", "by_epoch", "check",
    "draw", "load", "per_class", "png", "ranked", "ranked_figure", "save", "shades",
]  # fmt: skip


def draw(figure: Any, *, titled: bool = True) -> "Figure":
    """The figure as matplotlib draws it; see `drawing.draw`."""
    return headless.drawing().draw(figure, titled=titled)


def png(figure: Any, *, titled: bool = True) -> bytes:
    """The picture's file; see `drawing.png`."""
    return headless.drawing().png(figure, titled=titled)
