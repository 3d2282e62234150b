"""What the report's author made public: the log of his run, four digits each, and the weights of its best epochs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments import author_weights

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
LAYERS = {  # of each part of ours, in the order of his, which are called encoder or decoder and numbered
    "fc": {"encoder": ("Dense_0", "Dense_1"), "decoder": ("Dense_0", "Dense_1")},
    "conv": {"encoder": ("Conv_0", "Conv_1"), "decoder": ("Conv_0", "UpsampleConv_0", "UpsampleConv_1")},
}


def variables(folder: Path, name: str) -> Mapping[str, Any]:
    """The author's network as ours has it. Raises UsageError where its file isn't there or lacks a layer."""
    named = {
        part: {own: f"{name}{part.capitalize()}{number}" for number, own in enumerate(layers, 1)}
        for part, layers in LAYERS[name].items()
    }
    return author_weights.variables(file(folder, name), named)


def file(folder: Path, name: str) -> Path:
    """Where a network's weights are."""
    return folder / f"{name}_best.pth"


def curves(name: str) -> Mapping[str, np.ndarray]:
    """The log's losses of a network, {split: f64[1, 10]}."""
    return {split: np.array([losses]) for split, losses in LOG[name].items()}
