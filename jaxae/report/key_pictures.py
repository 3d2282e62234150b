"""The key figures of a saved result: small pictures in a folder beside its file, which say themselves what they show.

<folder of NAME.json>/pictures/NAME/1_unmixed.png, 2_losses.png ..., in the order in which a page shows them
"""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from jaxae.errors import UsageError
from jaxae.files import write_whole
from jaxae.report import headless
from jaxae.report.document import Document
from jaxae.report.page import in_order

FOLDER = "pictures"  # beside results files, where they have any
MOST = 3  # figures of a document that doesn't name them
LARGEST = 150_000  # bytes of a file
DOTS = (150, 120, 96, 72)  # an inch, of which a picture has the most with which it is small enough


class Shown(NamedTuple):
    """A picture: its place, from the results' folder, what it is called and what is seen."""

    file: str
    name: str
    title: str


def key_pictures(document: Document) -> dict[str, bytes]:
    """The files of the figures that a page of results shows, in their order, by their names.

    Raises UsageError for one that can't be drawn small enough.
    """
    named = [name for name in document.shown if name in document.figures] or in_order(document)[:MOST]
    return {f"{place}_{name}.png": small(name, document.figures[name]) for place, name in enumerate(named, 1)}


def small(name: str, figure: Any) -> bytes:
    """A figure as a PNG of at most LARGEST bytes, which holds its title; in 256 colours and coarser where need be."""
    content = b""
    for dots in DOTS:
        content = headless.drawing().png(figure, titled=False, dpi=dots, title=figure.title)
        if len(content) <= LARGEST:
            return content
        content = in_256_colours(content, figure.title)
        if len(content) <= LARGEST:
            return content
    raise UsageError(f"the picture {name!r} takes {len(content):,} bytes, however coarse; draw less in it")


def in_256_colours(png: bytes, title: str) -> bytes:
    """The same picture in the 256 colours that suit it best."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    held, out = PngInfo(), BytesIO()
    held.add_text("Title", title)
    with Image.open(BytesIO(png)) as image:
        image.convert("RGB").quantize(256).save(out, "png", optimize=True, pnginfo=held)
    return out.getvalue()


def write_pictures(result: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write the pictures of a results file in the place of older ones; their paths."""
    folder = result.parent / FOLDER / result.stem
    folder.mkdir(exist_ok=True)
    written = [write_whole(folder / name, content) for name, content in files.items()]
    for path in {*folder.glob("[0-9]_*.png")} - {*written}:
        path.unlink()
    return written


def pictures_of(result: Path) -> list[Shown]:
    """The pictures that are there for a results file."""
    from PIL import Image

    found = []
    for path in sorted((result.parent / FOLDER / result.stem).glob("[0-9]_*.png")):
        with Image.open(path) as image:
            title = str(image.info.get("Title", ""))
        found.append(Shown(path.relative_to(result.parent).as_posix(), path.stem[2:].replace("_", " "), title))
    return found
