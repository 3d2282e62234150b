"""Grids of images, laid out in whole pixels."""

import functools
import textwrap
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from jaxae.report.canvas import text_width
from jaxae.report.figures import Images
from jaxae.report.look import DPI, INK, MUTED
from jaxae.report.tiles import to_rgb

WIDTH, MARGIN, BLOCK_GAP = 1500, 14, 26  # pixels
HAIRLINE = 204  # the gray around each image


def draw_images(data: Images, titled: bool) -> Figure:
    """All images in one array of pixels, each enlarged a whole number of times: nothing is interpolated."""
    rows = [(label, to_rgb(images, data.low, data.high)) for label, images in data.rows]
    layout = lay_out(data, rows, titled)
    picture = np.full((layout.height, layout.width, 3), 255, np.uint8)
    figure = Figure(((layout.width + 1e-3) / DPI, (layout.height + 1e-3) / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.axis("off")
    ax.text(MARGIN, MARGIN, layout.title, va="top", fontsize=12, fontweight="bold", linespacing=1.3)
    for row, (label, images) in enumerate(rows):
        for i, image in enumerate(images):
            x, y = layout.corner(row, i)
            tile = np.pad(
                image.repeat(layout.zoom, 0).repeat(layout.zoom, 1), ((1, 1), (1, 1), (0, 0)), constant_values=HAIRLINE
            )
            picture[y - 1 : y - 1 + tile.shape[0], x - 1 : x - 1 + tile.shape[1]] = tile
            write_around(ax, data, layout, row, i)
            if i % layout.columns == 0:
                ax.text(MARGIN, y + layout.tile[0] / 2, label, va="center", fontsize=10, linespacing=1.25)
    ax.imshow(picture, interpolation="nearest", extent=(0, layout.width, layout.height, 0), aspect="auto")
    return figure


class Layout(NamedTuple):
    """Where the images of a grid lie, in pixels."""

    title: str
    width: int
    height: int
    columns: int
    zoom: int
    tile: tuple[int, int]
    gap: int
    left: int
    tops: tuple[int, ...]  # of the rows in the first block
    block: int  # from one block to the next

    def corner(self, row: int, i: int) -> tuple[int, int]:
        """The upper left corner of image `i` of a row."""
        block, column = divmod(i, self.columns)
        return self.left + column * (self.tile[1] + self.gap), self.tops[row] + block * self.block


def lay_out(data: Images, rows: list[tuple[str, np.ndarray]], titled: bool) -> Layout:
    """The layout of a grid at most 1,500 pixels wide (unless its images are larger)."""
    count, h, w = rows[0][1].shape[:3]
    blocks = -(-count // (data.columns or 12))
    columns = -(-count // blocks)
    left = MARGIN + max((text_width(label, 10) + 18 for label, _ in rows if label), default=0)
    room = min(150, (WIDTH - MARGIN - left) // columns * 14 // 15)
    zoom = max(1, room // w)
    tile, gap = (h * zoom, w * zoom), max(4, w * zoom // 14)
    width = max(left + columns * (tile[1] + gap) - gap + MARGIN, 600)
    title = textwrap.fill(data.title, int(width / DPI * 9.2)) if titled else ""
    top = MARGIN + (len(title.splitlines()) * 34 + 14 if title else 0)
    above = 28 if data.column_labels else 0
    below = [24 if data.captions and len(data.captions[row]) else 0 for row in range(len(rows))]
    tops = [top + above + sum(below[:row]) + row * (tile[0] + gap) for row in range(len(rows))]
    inside = tops[-1] + tile[0] + below[-1] - top
    height = top + blocks * (inside + BLOCK_GAP) - BLOCK_GAP + MARGIN
    return Layout(title, width, height, columns, zoom, tile, gap, left, tuple(tops), inside + BLOCK_GAP)


def write_around(ax: Any, data: Images, layout: Layout, row: int, i: int) -> None:
    """The column's label above the first row, and the image's own caption below it."""
    x, y = layout.corner(row, i)
    middle = x + layout.tile[1] / 2
    if data.column_labels and row == 0:
        look = {"ha": "center", "va": "bottom", "fontsize": size(layout, tuple(data.column_labels)), "color": INK}
        ax.text(middle, y - 8, data.column_labels[i], **look)
    if data.captions and len(data.captions[row]):
        look = {"ha": "center", "va": "top", "fontsize": size(layout, tuple(data.captions[row])), "color": MUTED}
        ax.text(middle, y + layout.tile[0] + 5, data.captions[row][i], **look)


@functools.lru_cache(maxsize=64)
def size(layout: Layout, texts: tuple[str, ...]) -> float:
    """The one size of a row's texts at which each stays within its column, a letter's width from the next."""
    widest = max(text_width(text, 9) for text in texts) + text_width("n", 9)
    return max(4.5, min(9.0, 9.0 * (layout.tile[1] + layout.gap) / widest))
