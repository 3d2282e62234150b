"""What follows from the images alone, stored beside this file with their fingerprints."""

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

SETS = "mnist", "cifar10"
STORED = Path(__file__).with_name("facts.json")


def stored() -> Mapping[str, Any]:
    """The file of `measure`."""
    return load_json(
        STORED,
        {"data": [dict], "entropy": dict, "variances": dict, "doubles": float},
        "run: python -m experiments.ladder",
    )


def measure(data_dir: Path | None) -> dict[str, Any]:
    """{"data": fingerprints, "entropy": by split, "variances": between class means, by the pairs drawn, "doubles": how
    far floats are off, in dB}."""
    digits, photos = (
        {split: ae.data.load(name, split, data_dir=data_dir) for split in ("train", "test")} for name in SETS
    )
    train = digits["train"]
    mean, drawn = class_means(train), ways.shares(np.bincount(train.label, minlength=10) / len(train))
    kinds = {"balanced": ways.BALANCED, "natural": ways.NATURAL, "course": ways.COURSE}
    return {
        "data": [
            describe_data(f"{name} {split}", data)
            for name, sets in zip(SETS, (digits, photos), strict=True)
            for split, data in sets.items()
        ],
        "entropy": {split: entropy(np.asarray(data.image)) for split, data in digits.items()},
        "doubles": off_by(np.asarray(photos["train"].image), np.asarray(photos["test"].image)),
        "variances": {kind: variances(mean, drawn[way]["a + b"]).tolist() for kind, way in kinds.items()},
    }


def off_by(train: np.ndarray, test: np.ndarray) -> float:
    """By how many dB at most the PSNR of a photo, told a range of 255, differs in float32 from that in doubles: of the
    mean training photo, held against test photos, uint8[n, h, w, c]."""
    both = []
    for kind in (np.float32, np.float64):
        squares = np.square(test.astype(kind) / kind(255) - (train.mean(0, np.float64) / 255).astype(kind))
        both.append(20 * np.log10(kind(255)) - 10 * np.log10(squares.mean((1, 2, 3), dtype=kind)))
    return float(np.abs(both[0] - both[1]).max())


def entropy(image: np.ndarray) -> float:
    """The mean over pixels of the least cross-entropy that any output can have, in nats, of images uint8[...]."""
    from scipy.special import entr

    gray = np.arange(256) / 255
    return float((entr(gray) + entr(1 - gray)) @ (np.bincount(image.ravel(), minlength=256) / image.size))
