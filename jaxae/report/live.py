"""Curves as the page's script draws them: means, intervals and seeds, worked out here, as JSON."""

import json
from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import numpy as np

from jaxae.report.bands import within
from jaxae.report.figures import Curves, Line, Mark
from jaxae.report.look import DASHES, colour_of, variant_of
from jaxae.report.numbers import FEW

MOST = 60_000  # numbers of a figure, some 0.5 MB, above which the seeds aren't given one by one
DIGITS = 5


def curves_json(figure: Curves) -> str:
    """The figure, safe within <script type="application/json">."""
    seeds = sum(np.size(line.values) for line in figure.lines) <= MOST
    order = list(dict.fromkeys(line.label for line in figure.lines))
    marks = [Mark(*mark) for mark in figure.references]
    labels = list(dict.fromkeys(mark.label for mark in marks))
    lines = [_line(line, order.index(line.label), figure.within, seeds) for line in figure.lines]
    told = {
        "x": figure.xlabel, "y": figure.ylabel, "log": figure.log, "log_x": figure.log_x, "share": figure.share,
        "labels": order, "panels": list(dict.fromkeys(line.panel for line in figure.lines)), "lines": lines,
        "marks": [_mark(mark, labels.index(mark.label)) for mark in marks],
        "seeds": max(len(line.get("seeds", ())) for line in lines),
    }  # fmt: skip
    return json.dumps(told, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c").replace("&", "\\u0026")


def _line(line: Line, index: int, bounds: Any, seeds: bool) -> dict[str, Any]:
    """A line with its look; of one seed the mean is that seed, of two there are the seeds alone."""
    values = np.asarray(line.values, float)
    mean, low, high = within(bounds, values)
    place = index if line.colour is None else line.colour
    shape = line.colour if isinstance(line.colour, int) else index
    told: dict[str, Any] = {
        "label": line.label, "panel": line.panel, "colour": colour_of(place), "marker": variant_of(shape),
        "style": line.style, "x": _numbers(line.x), "mean": _numbers(mean), "few": 1 < len(values) < FEW,
    }  # fmt: skip
    if np.isfinite(low).any():
        told |= {"low": _numbers(low), "high": _numbers(high)}
    if len(values) > 1 and (seeds or told["few"]):
        told["seeds"] = [_numbers(seed) for seed in values]
    return told


def _mark(mark: Mark, index: int) -> dict[str, Any]:
    x = None if mark.x is None else float(mark.x)
    colour = None if mark.colour is None else colour_of(mark.colour)
    dash = " ".join(map(str, DASHES[index % len(DASHES)][1]))
    return {
        "label": mark.label, "y": float(mark.y), "x": x, "panel": mark.panel, "colour": colour, "dash": dash,
    }  # fmt: skip


def _numbers(values: Any) -> list[float | None]:
    """With 5 significant digits; null for what isn't finite."""
    given = (float(value) for value in np.asarray(values, float))
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in given]


def policy(scripts: Iterable[str]) -> str:
    """The page's Content-Security-Policy: these scripts and no other run, and nothing is loaded."""
    hashes = " ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts)
    running = f"script-src {hashes}; " if hashes else ""
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; {running}base-uri 'none'; form-action 'none'"
