"""From a figure's record to its picture, without pyplot or a backend, and whatever the user's style.

Imports matplotlib, so nothing imports this before something is drawn, and then by way of `headless`.
"""

from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any

from matplotlib import style
from matplotlib.figure import Figure

from jaxae.report.bar_drawing import draw_bars, draw_histogram, draw_scatter
from jaxae.report.curve_drawing import draw_curves
from jaxae.report.figures import Bars, Curves, Histogram, Images, Scatter, check
from jaxae.report.look import DPI, STYLE
from jaxae.report.mosaic import draw_images

DRAW: dict[type, Any] = {
    Curves: draw_curves,
    Images: draw_images,
    Histogram: draw_histogram,
    Bars: draw_bars,
    Scatter: draw_scatter,
}


def styled() -> AbstractContextManager[None]:
    """Within it, matplotlib draws and saves in our style alone, whatever the user's is."""
    return style.context(["default", STYLE])


def draw(figure: Any, *, titled: bool = True) -> Figure:
    """The figure as matplotlib draws it; `titled` shows its title.

    Raises UsageError for what isn't a figure or doesn't fit together.
    """
    check(figure)
    with styled():
        return DRAW[type(figure)](figure, titled)


def png(figure: Any, *, titled: bool = True, dpi: float = DPI, title: str = "") -> bytes:
    """The picture's file, with a title that isn't seen if one is given; the same bytes for the same figure and
    matplotlib."""
    out, held = BytesIO(), {"Software": None} | ({"Title": title} if title else {})
    with styled():
        draw(figure, titled=titled).savefig(out, format="png", dpi=dpi, metadata=held)
    return out.getvalue()
