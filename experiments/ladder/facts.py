"""What follows from MNIST's images alone, stored beside this file with the fingerprints of the images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import jaxae as ae
from experiments.digit_addition import ways
from experiments.digit_addition.method import class_means
from experiments.digit_addition.surviving import variances
from jaxae.files import load_json
from jaxae.run.manifest import describe_data

STORED = Path(__file__).with_name("facts.json")


def stored() -> Mapping[str, Any]:
    """The file of `measure`."""
    return load_json(STORED, {"data": [dict], "entropy": dict, "variances": dict}, "run: python -m experiments.ladder")


def measure(data_dir: Path | None) -> dict[str, Any]:
    """{"data": fingerprints, "entropy": by split, "variances": between class means, by the pairs drawn}."""
    sets = {split: ae.data.load("mnist", split, data_dir=data_dir) for split in ("train", "test")}
    train = sets["train"]
    mean, drawn = class_means(train), ways.shares(np.bincount(train.label, minlength=10) / len(train))
    kinds = {"balanced": ways.BALANCED, "natural": ways.NATURAL, "course": ways.COURSE}
    return {
        "data": [describe_data(f"mnist {split}", data) for split, data in sets.items()],
        "entropy": {split: entropy(np.asarray(data.image)) for split, data in sets.items()},
        "variances": {kind: variances(mean, drawn[way]["a + b"]).tolist() for kind, way in kinds.items()},
    }


def entropy(image: np.ndarray) -> float:
    """The mean over pixels of the least cross-entropy that any output can have, in nats, of images uint8[...]."""
    from scipy.special import entr

    gray = np.arange(256) / 255
    return float((entr(gray) + entr(1 - gray)) @ (np.bincount(image.ravel(), minlength=256) / image.size))
