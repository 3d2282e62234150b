"""Other images than a report's, for the studies that take `--dataset`: what is asked of them, and what is said."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import jaxae as ae
from jaxae.report.numbers import listed, plural
from jaxae.train.dying import SLOW_START

Shape = tuple[int, int, int]
C = TypeVar("C", bound=ae.Flags)

WINDOW = 11  # pixels of SSIM's
STEPS = SLOW_START  # that a training has by default at least: of fewer one picture can be all that comes
SMALLEST = 4  # images to which a batch is made smaller for that


def shape_of(images: ae.data.Dataset) -> Shape:
    """Height, width and channels."""
    height, width, channels = images.image.shape[1:]
    return height, width, channels


def is_own(config: Any) -> bool:
    """Whether the images are others than the report's; its numbers then aren't held against the run."""
    return config.dataset != type(config).dataset


def load(run: ae.Run, least: int = 1) -> tuple[ae.data.Dataset, ae.data.Dataset]:
    """The images to train on and those to test on. Raises UsageError where they differ in size, and where a side has
    fewer than `least` pixels."""
    config = run.config
    train, test = (run.data(config.dataset, split, size=config.image_size) for split in ("train", "test"))
    if train.image.shape[1:] != test.image.shape[1:]:
        raise ae.UsageError(
            f"{config.dataset} has test images of another size than its training images; add --image-size 32, or "
            "another size"
        )
    height, width, _ = shape_of(train)
    if min(height, width) < least:
        raise ae.UsageError(
            f"{config.dataset} has images of {height}x{width}, and SSIM's window has {least}x{least}: give larger "
            f"ones, those of a folder by --image-size {least} or more"
        )
    return train, test


def refuse_size(config: Any) -> None:
    """Raise UsageError for --image-size without a folder of images."""
    if config.image_size is not None and not ae.data.is_folder(config.dataset):
        named = f"write ./{config.dataset}" if Path(config.dataset).is_dir() else "name one, as in --dataset ./photos"
        raise ae.UsageError(f"--image-size is for a folder of images; {named}, or leave it out")


def paced(config: C, count: int) -> C:
    """The flags with the batch and the epochs in which `count` own images are trained on; of a report's, as they are.

    Defaults are for a report's many images. Where they would make fewer than STEPS steps of these, the batch is halved,
    down to SMALLEST, and then epochs are added; what differs from its default was asked for, and stays. A batch is
    at most as large as the set.
    """
    batch, epochs, default = config.batch_size, config.epochs, type(config)
    if not is_own(config):
        return config
    while batch > SMALLEST and default.batch_size == config.batch_size and epochs * (count // batch) < STEPS:
        batch //= 2
    if epochs == default.epochs:
        epochs = max(epochs, -(-STEPS // _steps(count, batch)))
    return dataclasses.replace(config, batch_size=max(1, min(batch, count)), epochs=epochs)


def pace(config: Any, count: int) -> str:
    """How many steps `count` own images make, in words, and what to do where they are few."""
    used = paced(config, count)
    steps, epochs = _steps(count, used.batch_size), used.epochs
    batches = f"{plural(count, 'image')} in batches of {used.batch_size:,}"
    said = f"{batches} make {plural(steps, 'step')} an epoch, {steps * epochs:,} in {plural(epochs, 'epoch')}"
    whole = dataclasses.replace(config, batch_size=max(1, min(config.batch_size, count)))
    if whole != config and config.batch_size != type(config).batch_size:
        said += f"; --batch-size {config.batch_size:,} is cut to the set"
    if steps * epochs < STEPS:
        smaller = ", or a smaller --batch-size" if used.batch_size > SMALLEST else ""
        few = f"fewer than {STEPS:,} steps, which may be too few"
        return f"{said}: {few}; try --epochs {-(-STEPS // steps)}{smaller}"
    if used == whole:
        return said
    return (
        f"{said}; the defaults, batches of {type(config).batch_size:,} and {plural(type(config).epochs, 'epoch')}, "
        "are for more images, so they are adapted, even where they were given"
    )


def trained_with(config: Any, count: int) -> str:
    """In which batches, and how often, `count` own images are trained on, whatever the flags say."""
    used = paced(config, count)
    return f"batches of {used.batch_size:,}, {plural(used.epochs, 'epoch')}"


def say_pace(run: ae.Run, count: int, held_out: int = 0) -> None:
    """Say it before a training on own images, and where it is planned; `held_out` are those for validation."""
    if is_own(run.config):
        rest = f"; {plural(held_out, 'other')} {'is' if held_out == 1 else 'are'} for validation" if held_out else ""
        run.say(f"{pace(run.config, count)}{rest}")


def _steps(count: int, batch: int) -> int:
    return max(1, count // batch)


def some(test: ae.data.Dataset, count: int) -> np.ndarray:
    """The places of the first test images, int[count]."""
    return np.arange(min(count, len(test)))


def document(
    found: ae.Findings,
    count: int,
    tables: Sequence[ae.Table] = (),
    figures: Any = None,
    sections: Sequence[Any] = (),
    *,
    measured: Sequence[str] = (),
    revive: str = "train longer, by --epochs, or other seeds, by --seed",
) -> ae.Document:
    """What was measured of them, without a word on the report, what came out first. `count` are those of the images
    that were trained on, `measured` sentences on what came out, `revive` what to do about a seed that shows one
    picture."""
    train, test = (next(entry for entry in found.origin.data if entry["role"].endswith(f" {split}"))
                   for split in ("train", "test"))  # fmt: skip
    held_out = train["n"] - count
    validated = f", validated on {held_out:,} and " if held_out else " and "
    words = [
        *one_picture(found, revive),
        *measured,
        f"Trained on {plural(count, 'image')} of {train['name']}{validated}tested on {test['n']:,}; no report has "
        "numbers of these images, so that none are judged.",
        f"{pace(found.config, count)}.",
    ]  # fmt: skip
    lines = "\n".join(f"- {line}" for line in words)
    return ae.Document(lines, found.rows(), tuple(tables), figures or {}, sections=tuple(sections),
                       trained_with=trained_with(found.config, count))  # fmt: skip


def one_picture(found: ae.Findings, revive: str) -> list[str]:
    """Sentences on the arms with seeds that show one picture; those of as many seeds share one."""
    groups: dict[int, list[str]] = {}
    for arm, seeds in (*found.slow.items(), *found.dead.items()):
        groups.setdefault(len(seeds), []).append(arm)
    of = plural(len(found.seeds), "seed")
    return [
        f"{listed(arms)} {'shows' if len(arms) == 1 else 'show'} one picture, whatever the image, in {count} of {of}: "
        f"{revive}."
        for count, arms in groups.items() if count
    ]  # fmt: skip


def about(title: str, summary: str) -> Callable[[Any], str]:
    """For an Experiment: title and summary of a run on other images than its report's, with their name in the title."""

    def told(config: Any) -> str:
        name = Path(os.path.realpath(os.path.expanduser(config.dataset))).name
        return f"{title} {name if ae.data.is_folder(config.dataset) else config.dataset}.\n\n{summary}"

    return lambda config: told(config) if is_own(config) else ""
