"""Grids of images as a page lays them out: strips of their own pixels, and text around them that stays text.

A line of the grid is cut into pieces of at most NARROW images, which stand side by side on a wide screen and below each
other on a narrow one. What has more columns than MOST was laid out by its study, a map say, and isn't cut.
"""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np

from jaxae.report.figures import Images

MOST, NARROW = 12, 6
SMOOTH = 100  # pixels: images that are wider are scaled smoothly, smaller ones keep the edges of their pixels


class Cell(NamedTuple):
    """Some images of a row, or the labels of their columns.

    wide, narrow  its line, from 1, where pieces stand side by side, and where they stand below each other
    piece         which of a line's pieces it is, from 0
    label         the row's, or nothing
    source        the images, side by side with gaps that are transparent, as an address; nothing for labels
    count         of images
    texts         one for each column, or none
    starts        what begins here, by its class: a "block" below others where pieces stand side by side, a "piece"
    """

    wide: int
    narrow: int
    piece: int
    label: str
    source: str
    count: int
    texts: Sequence[str]
    starts: str


class Tiles(NamedTuple):
    """A grid: the cells, how many pieces a line has, how many columns a piece; whether pixels are shown as they are."""

    cells: Sequence[Cell]
    pieces: int
    columns: int
    pixelated: bool


def tiles_of(figure: Images) -> Tiles:
    """A figure as a grid; a last piece may be shorter than the others."""
    rows = [to_rgb(images, figure.low, figure.high) for _, images in figure.rows]
    count = len(rows[0])
    blocks = -(-count // (figure.columns or MOST))
    line = -(-count // blocks)
    pieces = 1 if line > MOST else -(-line // NARROW)
    columns = -(-line // pieces)
    captions = figure.captions or [()] * len(rows)
    lines: list[tuple[str, Any, Sequence[str]]] = [("", None, figure.column_labels)] if figure.column_labels else []
    lines += [(label, pixels, texts) for (label, _), pixels, texts in zip(figure.rows, rows, captions, strict=True)]
    cells = []
    for block in range(blocks):
        for piece in range(pieces):
            start = block * line + piece * columns
            held = slice(start, min(start + columns, (block + 1) * line, count))
            for place, (label, pixels, texts) in enumerate(lines):
                if held.start < held.stop:
                    source = "" if pixels is None else _strip(pixels[held])
                    wide, narrow = (at * len(lines) + place + 1 for at in (block, block * pieces + piece))
                    begun = ["block"] * (wide > 1) + ["piece"] * (narrow > 1) if place == 0 else []
                    starts, own = " ".join(begun), [*texts[held]]
                    cells.append(Cell(wide, narrow, piece, label, source, held.stop - held.start, own, starts))
    return Tiles(cells, pieces, columns, rows[0].shape[2] <= SMOOTH)


def to_rgb(images: Any, low: float, high: float) -> np.ndarray:
    """uint8[n, h, w, 3], rounded; values that aren't finite are mid-gray."""
    images = np.asarray(images)
    values = images.astype(np.float32) / (255 if images.dtype.kind in "biu" else 1)
    values = np.nan_to_num(np.clip((values - low) / (high - low), 0, 1), nan=0.5)
    return np.broadcast_to(np.round(values * 255).astype(np.uint8), (*values.shape[:3], 3))


def _strip(images: np.ndarray) -> str:
    """Images uint8[n, h, w, 3] side by side, each within a transparent margin."""
    from PIL import Image

    margin = max(1, images.shape[2] // 28)
    opaque = np.concatenate([images, np.full_like(images[..., :1], 255)], axis=-1)
    framed = np.pad(opaque, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    out = BytesIO()
    strip = Image.fromarray(np.concatenate([*framed], axis=1))
    (strip.convert("LA") if _is_gray(images) else strip).save(out, "png", optimize=True)
    return f"data:image/png;base64,{b64encode(out.getvalue()).decode()}"


def _is_gray(images: np.ndarray) -> bool:
    return bool((images == images[..., :1]).all())
