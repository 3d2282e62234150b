"""What the report's author made public: the weights of his network after its last epoch, and the plot of its losses."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments import author_weights

LOSSES = (  # of training by epoch, the mean over its steps; read off the plot, each to within READ
    0.1076, 0.0630, 0.0534, 0.0484, 0.0452, 0.0426, 0.0402, 0.0384, 0.0367, 0.0355, 0.0347, 0.0340, 0.0334, 0.0330,
    0.0326, 0.0322, 0.0319, 0.0316, 0.0313, 0.0311, 0.0308, 0.0306, 0.0305, 0.0303, 0.0302, 0.0300, 0.0299, 0.0298,
    0.0296, 0.0295, 0.0294, 0.0293, 0.0292, 0.0292, 0.0291, 0.0290, 0.0289, 0.0288, 0.0287, 0.0286, 0.0286, 0.0285,
    0.0284, 0.0284, 0.0283, 0.0282, 0.0282, 0.0281, 0.0281, 0.0280,
)  # fmt: skip
READ = 1e-4
LAYERS = {"encoder": {"Dense_0": "fc1", "Dense_1": "fc2"}, "decoder": {"Dense_0": "fc3", "Dense_1": "fc4"}}


def file(folder: Path) -> Path:
    """Where the weights are."""
    return folder / "MLP.8.pth"


def variables(folder: Path) -> Mapping[str, Any]:
    """The author's network as ours has it. Raises UsageError where its file isn't there or lacks a layer."""
    return author_weights.variables(file(folder), LAYERS)


def curve() -> np.ndarray:
    """The plot's losses, f64[1, 50]."""
    return np.array([LOSSES])
