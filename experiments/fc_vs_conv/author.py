"""What the report's author made public: the log of his run, four digits each, and the weights of its best epochs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments.fc_vs_conv.method import Config, study
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


def files(config: Config) -> dict[str, Path]:
    """The file of each network's weights. Raises UsageError where one isn't there."""
    found = {name: Path(config.author_weights or "", f"{name}_best.pth") for name in config.arms}
    if absent := [path for path in found.values() if not path.is_file()]:
        raise ae.UsageError(f"--author-weights has no file {absent[0]}; name the folder that holds it")
    return found


def variables(name: str, path: Path) -> dict[str, Any]:
    """The author's network as ours has it. Raises UsageError for a file that holds another."""
    tensors, params = load_tensors(path), {}
    for part, layers in LAYERS[name].items():
        of_part = params.setdefault(part.lower(), {})
        for number, layer in enumerate(layers, 1):
            places = {"kernel": f"{name}{part}{number}.weight", "bias": f"{name}{part}{number}.bias"}
            if absent := [place for place in places.values() if place not in tensors]:
                raise ae.UsageError(f"{path} has no {absent[0]}; give the weights that the report's author published")
            of_part[layer] = {leaf: _ours(tensors[place]) for leaf, place in places.items()}
    return {"params": params}


def _ours(tensor: np.ndarray) -> np.ndarray:
    axes = {2: (1, 0), 4: (2, 3, 1, 0)}.get(tensor.ndim, (0,))
    return np.ascontiguousarray(tensor.transpose(axes), np.float32)


def test_losses(run: ae.Run) -> dict[str, float]:
    """What the author's weights score on our test set, by our code; nothing where they aren't given."""
    if run.config.author_weights is None:
        return {}
    test, scored = run.data("mnist", "test"), {}
    for name, path in files(run.config).items():
        run.file(f"the author's {name}", path)
        made = study(name, "standardised", run.config)
        state = ae.State(jnp.int32(0), variables(name, path)["params"], {}, ())
        losses = ae.evaluate.losses(made, ae.keys.root(0), state, test, {"learning_rate": np.float32(1)})
        scored[name] = float(losses["loss"])
    return scored


def curves(name: str) -> Mapping[str, np.ndarray]:
    """The log's losses of a network, {split: f64[1, 10]}."""
    return {split: np.array([losses]) for split, losses in LOG[name].items()}
