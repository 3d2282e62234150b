"""The explorer as a section of a page: controls as HTML, what they need as a block of data, and the program.

Weights, codes and images are base64, since a page is text; the images are one PNG, a sheet of tiles.
"""

import io
import json
import math
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxae.findings import Findings
from jaxae.report.document import Section
from jaxae.report.explorer.gathering import NAME, explored_arms, value_of
from jaxae.report.numbers import listed, plural
from jaxae.report.rendering import read_template, render, script_of

TITLE = "Explore the code"
COLUMNS = 25  # of the sheet of images
SLIDERS = 32  # numbers of a code that have one, at most: those that vary most
PRECISIONS = {"float16": "16-bit floats", "int8": "8-bit numbers"}


def explorer_sections(found: Findings, first: str = "") -> tuple[Section, ...]:
    """The section of the arms that were gathered, `first` the one that shows at first; none where there are none.

    Arms whose every seed shows one picture are named, and left out.
    """
    gathered = explored_arms(found.arrays)
    still = [arm for arm in gathered if found.one_picture(arm)]
    arms = sorted((arm for arm in gathered if arm not in still), key=lambda arm: arm != first)
    if not arms:
        return ()
    shared = {name: found.arrays[""][NAME + name] for name in ("images", "labels", "classes", "arms")}
    models = [_model(found, arm) for arm in arms]
    data = {
        "size": shared["images"].shape[1:],
        "columns": COLUMNS,
        "sheet": _base64(_sheet(shared["images"])),
        "labels": shared["labels"].tolist(),
        "classes": value_of(shared["classes"]),
        "models": models,
    }
    facts = {
        "style": read_template("explorer.css"),
        "models": models,
        "left_out": int(shared["arms"]) - len(gathered),
        "still": _of_one_picture(still),
        "data": json.dumps(data).replace("<", r"\u003c"),
    }
    words = "The page beside this one, report.html, draws what the decoder makes of any code, in the browser."
    return (Section(TITLE, render("explorer.html", facts).strip(), script_of("network.js", "explorer.js"), words),)


def _model(found: Findings, arm: str) -> dict[str, Any]:
    """An arm as the page's program takes it."""
    codes, sums, weights, networks, error = (
        found.arrays[arm][NAME + name] for name in ("codes", "sums", "weights", "networks", "error")
    )
    reach = np.concatenate([codes, sums])
    kept, sliders = value_of(networks), _sliders(reach)
    return {
        "name": arm,
        "said": _said(found, arm, kept["precision"], float(error)),
        "codes": _base64(np.asarray(codes, "<f4").tobytes()),
        "numbers": codes.shape[1],
        "sliders": sliders,
        "still": _still(codes.shape[1], len(sliders)),
        "map": _map(reach),
        "precision": kept["precision"],
        "layers": kept["layers"],
        "weights": _base64(np.asarray(weights).tobytes()),
    }


def _said(found: Findings, arm: str, precision: str, error: float) -> str:
    """Which model it is, and how far the page's is from it."""
    seed = found.seeds[found.shown(arm)]
    which = _which(seed, len(found.seeds), found.dead.get(arm, ()), found.slow.get(arm, ()))
    return (
        f"{arm}, seed {seed}{which}. Its weights are rounded to {PRECISIONS[precision]}, which changes no pixel of "
        f"what is drawn for these test images by more than {_upwards(error)}, where black is 0 and white 1."
    )


def _which(seed: int, count: int, dead: Sequence[int], slow: Sequence[int]) -> str:
    """Which of so many seeds it is, and that it shows one picture so far: then there is little to explore.

    >>> _which(0, 3, (), ()), _which(2, 3, (0,), (1,)), _which(0, 2, (), (0,)), _which(0, 1, (), ())
    (', the first of 3', ', the first of 3 that learns', ' of 2, which shows one picture so far', '')
    >>> _which(1, 3, (), (0,))
    ', the first of 3 that learns'
    """
    if seed in slow:
        return f" of {count}, which shows one picture so far"
    return f", the first of {count}{' that learns' * bool(dead or slow)}" * (count > 1)


def _of_one_picture(arms: Sequence[str]) -> str:
    """That these arms aren't in the explorer, and why; nothing where there are none."""
    shows = "it shows" if len(arms) == 1 else "they show"
    return f"Not here: {listed(arms)}, since {shows} one picture, whatever the code." if arms else ""


def _upwards(error: float) -> str:
    """A bound of one digit.

    >>> [_upwards(error) for error in (0.0, 0.000031, 0.02, 0.095)]
    ['0', '0.00004', '0.02', '0.1']
    """
    if not error:
        return "0"
    unit = 10.0 ** math.floor(math.log10(error))
    return np.format_float_positional(float(f"{math.ceil(round(error / unit, 6)) * unit:.1g}"), trim="-")


def _sliders(codes: np.ndarray) -> list[dict[str, Any]]:
    """The numbers of the code that vary, each with its place and its range: all, or those that vary most."""
    spread = codes.std(0)
    most = np.argsort(-spread, kind="stable")[:SLIDERS]
    low, high = codes.min(0), codes.max(0)
    return [
        {"number": int(i), "low": _short(low[i]), "high": _short(high[i])} for i in np.sort(most) if high[i] > low[i]
    ]


def _still(numbers: int, sliders: int) -> str:
    """How many numbers of a code have no slider, and why; nothing where all have one.

    >>> _still(8, 6)
    '2 of 8 numbers have no slider: they are the same for all images shown.'
    >>> _still(8, 7)
    '1 of 8 numbers has no slider: it is the same for all images shown.'
    >>> _still(128, SLIDERS)
    '96 of 128 numbers have no slider: they vary least, or not at all.'
    """
    if not (still := numbers - sliders):
        return ""
    have, same, vary = ("has", "it is", "it varies") if still == 1 else ("have", "they are", "they vary")
    why = f"{same} the same for all images shown" if sliders < SLIDERS else f"{vary} least, or not at all"
    return f"{still} of {plural(numbers, 'number')} {have} no slider: {why}."


def _map(codes: np.ndarray) -> dict[str, Any]:
    """The plane that the map shows: a point of it, two directions of length 1, and the range along each.

    A code of two numbers is its own plane; of more it is that of the two principal components, through the mean.
    """
    center, axes = np.zeros(codes.shape[1]), np.eye(2, codes.shape[1])
    if codes.shape[1] > 2:
        center = codes.astype(np.float64).mean(0)
        axes = np.linalg.svd(codes - center, full_matrices=False)[2][:2]
        axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
        axes = np.pad(axes, ((0, 2 - len(axes)), (0, 0)))  # of a single image there is but one
    places = (codes - center) @ axes.T
    low, high = places.min(0), places.max(0)
    edge = np.where(high > low, 0.04 * (high - low), 1)
    return {
        "center": _short(center), "axes": _short(axes), "low": _short(low - edge), "high": _short(high + edge),
        "plane": codes.shape[1] > 2,
    }  # fmt: skip


def _short(values: Any) -> Any:
    """Numbers with six digits, as JSON values."""
    if np.ndim(values):
        return [_short(value) for value in values]
    return float(f"{values:.6g}")


def _sheet(images: np.ndarray) -> bytes:
    """Images as tiles of one PNG, row by row."""
    from PIL import Image

    count, height, width, channels = images.shape
    rows = -(-count // COLUMNS)
    tiles = np.zeros((rows * COLUMNS, height, width, channels), np.uint8)
    tiles[:count] = images
    sheet = tiles.reshape(rows, COLUMNS, height, width, channels).swapaxes(1, 2)
    sheet = sheet.reshape(rows * height, COLUMNS * width, channels)
    out = io.BytesIO()
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(out, "PNG", optimize=True)
    return out.getvalue()


def _base64(content: bytes) -> str:
    return b64encode(content).decode()
