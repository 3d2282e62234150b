"""Figures as data: records of arrays and strings, drawn when a page is made.

A figure's title is a sentence that says what is seen. `note` is a paragraph for the report's caption.
Arrays are anything numpy reads; NaN is a value that doesn't exist (a seed that stopped, say) and isn't drawn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxae.errors import UsageError


class Mark(NamedTuple):
    """A number from elsewhere: a horizontal line at `y`, or a point where `x` is given; in one panel, or in all.

    `colour` is that of the line which a point belongs to, an index of the palette.
    """

    label: str
    y: float
    x: float | None = None
    panel: str | None = None
    colour: int | None = None


@dataclass(frozen=True)
class Line:
    """One curve with a value per seed: `x` float[n], `values` float[seeds, n].

    Lines of one `panel` share axes; lines of one `label` share a colour, in whichever panel they are.
    `colour` is an index of the palette, or a colour, as of `shades`; `style` is "solid", "dashed", "dotted" or
    "dashdot".
    """

    label: str
    x: Any
    values: Any
    panel: str = ""
    colour: int | str | None = None
    style: str = "solid"


def by_epoch(label: str, values: Any, panel: str = "", *, middle: bool = False, **look: Any) -> Line:
    """The curve of `values`, float[seeds, epochs], each at its epoch's end, the first at 1; `look`: colour and style.

    Means over an epoch's steps stand in its `middle`, the first at 0.5.
    """
    return Line(label, np.arange(1, np.shape(values)[1] + 1) - middle / 2, values, panel, **look)


@dataclass(frozen=True)
class Curves:
    """Means over seeds with the 95% Student-t interval of the mean; up to five seeds are drawn one by one too, and
    of two nothing else.

    `references` holds marks, or plain (label, y). With `share` all panels have the same scale. `log` is the y axis;
    `log_x` the x axis, in powers of two with ticks where the lines have points. `within` is the least and the most that
    a value can be, where it has bounds: intervals are cut there, and the legend says so.
    """

    title: str
    xlabel: str
    ylabel: str
    lines: Sequence[Line]
    references: Sequence[Any] = ()
    log: bool = False
    share: bool = True
    note: str = ""
    log_x: bool = False
    within: Sequence[float] = ()


@dataclass(frozen=True)
class Images:
    """A grid of pictures, all on one scale: `rows` holds (label, images[n, h, w, c]), c being 1 or 3.

    Black is `low` and white `high`, after integers (0 to 255) are divided by 255. `columns` is how many stand side by
    side before the grid wraps (0: up to 12); `captions` holds, per row, a short text per image, or nothing.
    """

    title: str
    rows: Sequence[tuple[str, Any]]
    column_labels: Sequence[str] = ()
    low: float = 0.0
    high: float = 1.0
    captions: Sequence[Sequence[str]] = ()
    columns: int = 0
    note: str = ""


@dataclass(frozen=True)
class Histogram:
    """How many values fall where: `groups` holds (label, values float[n]), all on the same `bins`."""

    title: str
    xlabel: str
    ylabel: str
    groups: Sequence[tuple[str, Any]]
    bins: int = 40
    note: str = ""


@dataclass(frozen=True)
class Bars:
    """A bar per category: `groups` holds (label, heights float[k]), or float[seeds, k]: means, with their intervals, or
    with both seeds where there are two.

    `colours` holds one for each group, as in `Line`; `within` is as in `Curves`.
    """

    title: str
    xlabel: str
    ylabel: str
    categories: Sequence[str]
    groups: Sequence[tuple[str, Any]]
    note: str = ""
    colours: Sequence[int | str] = ()
    within: Sequence[float] = ()


@dataclass(frozen=True)
class Scatter:
    """Points float[n, 2] in the colours of their `classes` int[n]; `names` holds a name for each class, from 0."""

    title: str
    xlabel: str
    ylabel: str
    points: Any
    classes: Any
    names: Sequence[str] = ()
    note: str = ""


Figure = Curves | Images | Histogram | Bars | Scatter
KINDS: dict[str, type] = {kind.__name__: kind for kind in (Curves, Images, Histogram, Bars, Scatter)}


def per_class(images: Any, labels: Any, count: int) -> np.ndarray:
    """Indices int[classes * count] of the first `count` images of each class, class by class."""
    labels = np.asarray(labels)
    if labels.shape != (len(images),):
        raise UsageError(f"{len(images)} images need as many labels, not an array of shape {labels.shape}")
    found = {int(label): np.flatnonzero(labels == label)[:count] for label in np.unique(labels)}
    short = [str(label) for label, index in found.items() if len(index) < count]
    if short:
        raise UsageError(f"class {', '.join(short)} has fewer than {count} images; ask for fewer, or give more images")
    return np.concatenate(list(found.values())) if found else np.zeros(0, int)


def check(figure: Any) -> None:
    """Raises UsageError, in one sentence, unless this is a figure whose parts fit together."""
    kind = type(figure).__name__
    if KINDS.get(kind) is not type(figure):
        raise UsageError(f"a {kind} is no figure; the kinds are {', '.join(KINDS)}")
    wrong = next(CHECKS[kind](figure), None)
    if wrong:
        raise UsageError(f"figure {figure.title!r}: {wrong}")


def _numeric(array: Any) -> bool:
    return np.asarray(array).dtype.kind in "biuf"


def _wrong_curves(figure: Curves):
    if not figure.lines:
        yield "it has no lines; give at least one"
    for line in figure.lines:
        x, values = np.shape(line.x), np.shape(line.values)
        if not (len(x) == 1 and len(values) == 2 and values[1:] == x and values[0] and _numeric(line.values)):
            yield f"line {line.label!r} has x {list(x)} and values {list(values)}; give [n] and [seeds, n]"
    for mark in figure.references:
        if not np.isfinite(mark[1]):
            yield f"reference {mark[0]!r} is {mark[1]}; give a finite number"


def _wrong_images(figure: Images):
    shapes = [np.shape(images) for _, images in figure.rows]
    if not shapes or any(len(s) != 4 or s[3] not in (1, 3) or 0 in s or s[:3] != shapes[0][:3] for s in shapes):
        yield f"its rows have shapes {[list(s) for s in shapes]}; give [n, h, w, 1 or 3] with one n, h and w"
    if not all(_numeric(images) for _, images in figure.rows):
        yield "its images aren't numbers; give floats or uint8"
    if len(figure.column_labels) not in (0, shapes[0][0]):
        yield f"it has {len(figure.column_labels)} column labels for {shapes[0][0]} images; give one for each"
    if figure.captions and [len(texts) or shapes[0][0] for texts in figure.captions] != [s[0] for s in shapes]:
        yield "its captions don't match its rows; give a sequence per row, of one text per image or of none"
    if not figure.low < figure.high:
        yield f"black ({figure.low}) must be below white ({figure.high})"


def _wrong_histogram(figure: Histogram):
    if not figure.groups:
        yield "it has no groups; give at least one"
    for label, values in figure.groups:
        if np.ndim(values) != 1 or not _numeric(values) or not np.isfinite(values).any():
            yield f"group {label!r} has shape {list(np.shape(values))}; give some finite numbers [n]"


def _wrong_bars(figure: Bars):
    if not figure.groups or not figure.categories:
        yield "it has no groups or no categories; give at least one"
    for label, values in figure.groups:
        shape = np.shape(values)
        if len(shape) not in (1, 2) or shape[-1] != len(figure.categories) or 0 in shape or not _numeric(values):
            yield f"group {label!r} has shape {list(shape)}; give {len(figure.categories)} heights, one per category"
    if len(figure.colours) not in (0, len(figure.groups)):
        yield f"it has {len(figure.colours)} colours for {len(figure.groups)} groups; give one for each, or none"


def _wrong_scatter(figure: Scatter):
    points, classes = np.asarray(figure.points), np.asarray(figure.classes)
    if points.ndim != 2 or points.shape[1:] != (2,) or not _numeric(points) or classes.shape != points.shape[:1]:
        yield f"it has points {list(points.shape)} and classes {list(classes.shape)}; give [n, 2] and [n]"
    elif not len(points) or classes.dtype.kind not in "iu":
        yield "its classes must be integers, of at least one point"
    elif figure.names and not 0 <= classes.min() <= classes.max() < len(figure.names):
        yield f"it has names for classes 0 to {len(figure.names) - 1} only; name every class"


CHECKS: dict[str, Callable[[Any], Any]] = {
    "Curves": _wrong_curves,
    "Images": _wrong_images,
    "Histogram": _wrong_histogram,
    "Bars": _wrong_bars,
    "Scatter": _wrong_scatter,
}
