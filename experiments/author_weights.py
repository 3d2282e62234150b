"""Networks that the authors of reports made public, read as ours have them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jaxae as ae
from jaxae.models.weights import from_torch
from jaxae.models.weights.files import load_tensors

ROUNDING = 1e-6  # of a loss below 1, a mean over 10,000 images in float32


def variables(path: Path, layers: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """The author's network as ours has it: `layers` are his names of the layers of each of its parts.

    Raises UsageError where the file isn't there or lacks a layer.
    """
    if not path.is_file():
        raise ae.UsageError(f"--author-weights has no file {path}; name the folder that holds it")
    tensors = load_tensors(path)
    return {
        "params": {part: {own: _layer(path, tensors, his) for own, his in of.items()} for part, of in layers.items()}
    }


def row(name: str, metric: str, value: float, *, printed: float | None = None, source: str = "") -> ae.results.Row:
    """What the network of this name scores by our code: no training of ours, so that it decides nothing of one.

    Beside what its author `printed` it is reproduced where they are alike but for the order of float32's sums.
    """
    reading = "the author's own weights, scored by our code"
    if printed is None:
        return ae.results.measured(name, metric, [value], reading=reading)
    apart = abs(value - printed)
    verdict = ae.results.REPRODUCED if apart <= ROUNDING else ae.results.DIFFERS
    told = {"verdict": verdict, "reason": f"{apart:.0e} apart", "source": source, "primary": False}
    return ae.results.measured(name, metric, [value], reading=reading, reported=printed, **told)


def _layer(path: Path, tensors: Mapping[str, Any], name: str) -> dict[str, Any]:
    places = {"kernel": f"{name}.weight", "bias": f"{name}.bias"}
    if absent := [place for place in places.values() if place not in tensors]:
        raise ae.UsageError(f"{path} has no {absent[0]}; give the weights that the report's author published")
    return {leaf: from_torch(tensors[place]) for leaf, place in places.items()}
