"""How fast training is on images that are read from their file (`--stream`), against images on the device.

    python -m experiments.benchmark.streaming --data-dir DIR --save streaming.json

Of every arm images per second both ways, in turns, each in a process of its own; it exits with 1 where reading takes
more than a fifth of the speed. PyTorch isn't needed.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import tyro

from experiments.benchmark.config import BATCHES, Name, refuse
from experiments.benchmark.parts import alternate, rates, tell
from experiments.benchmark.ratios import spread
from experiments.benchmark.sides import Sides, WorkerError
from jaxae.devices import cores
from jaxae.errors import UsageError
from jaxae.files import write_json
from jaxae.run.command_line import with_errors

LEAST = 0.8  # of the speed with images on the device


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is measured, and how long."""

    arms: tuple[Name, ...] = ("conv", "denoise", "transposed", "upsampling")
    """The arms, as in experiments.benchmark, each with its study's batches."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Where to compute."""
    threads: int | None = None
    """Threads; without it as many as there are cores."""
    repeats: int = 5
    """Runs of each, of which the medians are taken."""
    seconds: float = 2.0
    """The least that one run measures, after it has started."""
    source: Literal["tfds", "synthetic"] = "tfds"
    """The real sets, prepared by TFDS, or the embedded synthetic ones."""
    data_dir: Path | None = None
    """Folder of the prepared sets; without it $TFDS_DATA_DIR, or ~/tensorflow_datasets."""
    save: Path | None = None
    """Write what was measured to this file."""

    def __post_init__(self):
        refuse(self, "arms")


def measure(config: Config, sides: Sides) -> list[dict[str, Any]]:
    """A row for every arm: images per second of every run both ways, and the ratio of the medians and its range."""
    rows = []
    for arm in config.arms:
        batch = BATCHES[arm][0]
        found = alternate(config.repeats, {
            "resident": lambda arm=arm, batch=batch: sides.jaxae("steps", arm, batch),
            "streamed": lambda arm=arm, batch=batch: sides.jaxae("steps", arm, batch, stream=True),
        })  # fmt: skip
        speeds = {side: rates(answers) for side, answers in found.items()}
        ratio = median(speeds["streamed"]) / median(speeds["resident"])
        low, high = spread(speeds["streamed"], speeds["resident"])
        rows.append({"arm": arm, "batch": batch, **speeds, "ratio": ratio, "ratio_range": [low, high]})
        told = " and ".join(f"{median(values):,.0f} {side}" for side, values in speeds.items())
        tell(f"{arm}, batch {batch}: {told} images per second, {ratio:.2f} ({low:.2f} to {high:.2f})")
    return rows


def main(config: Config) -> None:
    """Measure, write, and judge."""
    with tempfile.TemporaryDirectory(prefix="jaxae-streaming-") as scratch:
        sides = Sides(
            torch_python=sys.executable, folder=Path(scratch), device=config.device, threads=config.threads or cores(),
            seconds=config.seconds, precision="float32", source=config.source, data_dir=config.data_dir,
        )  # fmt: skip
        try:
            machine = sides.jaxae("machine")
            rows = measure(config, sides)
        except WorkerError as error:
            raise UsageError(f"the measurement ended: {error}") from error
    if config.save is not None:
        write_json(config.save, {"machine": machine, "threads": sides.threads, "rows": rows})
    if slow := [row["arm"] for row in rows if row["ratio"] < LEAST]:
        sys.exit(f"{', '.join(slow)}: under {LEAST:.0%} of the speed with images on the device")


if __name__ == "__main__":
    with_errors(lambda: main(tyro.cli(Config, description=__doc__)))
