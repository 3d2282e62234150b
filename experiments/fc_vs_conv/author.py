"""What the report's author made public: the log of his run, four digits each, and the weights of its best epochs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import jaxae as ae
from jaxae.models.weights import from_torch
from jaxae.models.weights.files import load_tensors

LOG = {  # losses by epoch: of training, the mean over its steps; of the test set, after it
    "fc": {
        "train": (0.5983, 0.5288, 0.5120, 0.5049, 0.5007, 0.4980, 0.4962, 0.4948, 0.4934, 0.4925),
        "validation": (0.5485, 0.5226, 0.5140, 0.5079, 0.5057, 0.5021, 0.5006, 0.4996, 0.4996, 0.4988),
    },
    "conv": {
        "train": (0.4975, 0.4763, 0.4739, 0.4727, 0.4719, 0.4714, 0.4709, 0.4706, 0.4703, 0.4700),
        "validation": (0.4840, 0.4816, 0.4795, 0.4785, 0.4777, 0.4775, 0.4771, 0.4769, 0.4771, 0.4761),
    },
}
LAYERS = {  # our layers, in the order of his, which are called encoder or decoder and numbered
    "fc": {"Encoder": ("Dense_0", "Dense_1"), "Decoder": ("Dense_0", "Dense_1")},
    "conv": {"Encoder": ("Conv_0", "Conv_1"), "Decoder": ("Conv_0", "UpsampleConv_0", "UpsampleConv_1")},
}


def variables(folder: Path, name: str) -> dict[str, Any]:
    """The author's network as ours has it. Raises UsageError where its file isn't there or lacks a layer."""
    path = file(folder, name)
    if not path.is_file():
        raise ae.UsageError(f"--author-weights has no file {path}; name the folder that holds it")
    tensors, params = load_tensors(path), {}
    for part, layers in LAYERS[name].items():
        of_part = params.setdefault(part.lower(), {})
        for number, layer in enumerate(layers, 1):
            places = {"kernel": f"{name}{part}{number}.weight", "bias": f"{name}{part}{number}.bias"}
            if absent := [place for place in places.values() if place not in tensors]:
                raise ae.UsageError(f"{path} has no {absent[0]}; give the weights that the report's author published")
            of_part[layer] = {leaf: from_torch(tensors[place]) for leaf, place in places.items()}
    return {"params": params}


def file(folder: Path, name: str) -> Path:
    """Where a network's weights are."""
    return folder / f"{name}_best.pth"


def curves(name: str) -> Mapping[str, np.ndarray]:
    """The log's losses of a network, {split: f64[1, 10]}."""
    return {split: np.array([losses]) for split, losses in LOG[name].items()}
