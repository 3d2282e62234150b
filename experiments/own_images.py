"""Other images than a report's, for the studies that take `--dataset`: what is asked of them, and what is said."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import jaxae as ae

Shape = tuple[int, int, int]


def shape_of(images: ae.data.Dataset) -> Shape:
    """Height, width and channels."""
    height, width, channels = images.image.shape[1:]
    return height, width, channels


def is_own(config: Any) -> bool:
    """Whether the images are others than the report's; its numbers then aren't held against the run."""
    return config.dataset != type(config).dataset


def load(run: ae.Run) -> tuple[ae.data.Dataset, ae.data.Dataset]:
    """The images to train on and those to test on. Raises UsageError where they differ in size."""
    config = run.config
    train, test = (run.data(config.dataset, split, size=config.image_size) for split in ("train", "test"))
    if train.image.shape[1:] != test.image.shape[1:]:
        raise ae.UsageError(f"{config.dataset} has test images of another size than its training images; give one size")
    return train, test


def refuse_size(config: Any) -> None:
    """Raise UsageError for --image-size without a folder of images."""
    if config.image_size is not None and not ae.data.is_folder(config.dataset):
        raise ae.UsageError("--image-size is for --dataset with a folder of images, such as ./photos; leave it out")


def some(test: ae.data.Dataset, count: int) -> np.ndarray:
    """The places of the first test images, int[count]."""
    return np.arange(min(count, len(test)))


def document(
    found: ae.Findings, tables: Sequence[ae.Table] = (), figures: Any = None, sections: Sequence[Any] = ()
) -> ae.Document:
    """What was measured of them, without a word on the report."""
    train, test = (next(entry for entry in found.origin.data if entry["role"].endswith(f" {split}"))
                   for split in ("train", "test"))  # fmt: skip
    words = (
        f"- Trained on {train['n']:,} images of {train['name']} and tested on {test['n']:,}; no report has numbers of "
        "these images, so that none are judged."
    )
    return ae.Document(words, found.rows(), tuple(tables), figures or {}, sections=tuple(sections))


def about(title: str, summary: str) -> Callable[[Any], str]:
    """For an Experiment: title and summary of a run on other images than its report's, with their name in the title."""

    def told(config: Any) -> str:
        name = Path(os.path.realpath(os.path.expanduser(config.dataset))).name
        return f"{title} {name if ae.data.is_folder(config.dataset) else config.dataset}.\n\n{summary}"

    return lambda config: told(config) if is_own(config) else ""
