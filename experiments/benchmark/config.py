"""What can be measured, and the flags that choose from it."""

import dataclasses
import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from jaxae.errors import UsageError
from jaxae.run.flags import flag
from jaxae.train.lanes import Mode

BATCHES = {  # the study's own first
    "fc": (10, 128), "conv": (10, 128), "bottleneck": (2048,), "denoise": (16, 128), "transposed": (128,),
    "upsampling": (128,), "addition": (128,), "unmix": (128,),
}  # fmt: skip
LOCAL = ("torch_python", "data_dir", "out", "save", "check")  # not in the file
Name = Literal["fc", "conv", "bottleneck", "denoise", "transposed", "upsampling", "addition", "unmix"]
Part = Literal["steps", "lanes", "startup", "evaluation", "memory", "operations"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is measured, and how long."""

    parts: tuple[Part, ...] = get_args(Part)
    """Training steps, many seeds at once, from the start to the first training steps, evaluation, memory by images,
    what a step spends its time on (on CPU)."""
    arms: tuple[Name, ...] = tuple(BATCHES)  # pyright: ignore[reportAssignmentType]
    """fc and conv of fc_vs_conv, bottleneck, denoise, digit_codes by decoder, the adder of digit_addition, unmix."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Where both compute. On a GPU, PyTorch may use CUDA graphs."""
    threads: int | None = None
    """Threads of either side; without it as many as there are cores."""
    repeats: int = 5
    """Runs of each side, of which the medians are taken; other parts than the steps have at most three."""
    seconds: float = 2.0
    """The least that one run measures, after it has started."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What layers compute in; in PyTorch by autocast."""
    lane_arms: tuple[Name, ...] = ("fc", "conv")
    """The arms that train many seeds at once."""
    lanes: tuple[int, ...] = (1, 2, 4, 8, 16)
    """How many."""
    modes: tuple[Mode, ...] = get_args(Mode)
    """How they run, as in every experiment's --lanes."""
    images: tuple[int, ...] = (1_000, 10_000, 60_000, 240_000)
    """Training images when memory is measured."""
    source: Literal["tfds", "synthetic"] = "tfds"
    """The real sets, prepared by TFDS, or the embedded synthetic ones."""
    data_dir: Path | None = None
    """Folder of the prepared sets; without it $TFDS_DATA_DIR, or ~/tensorflow_datasets."""
    torch_python: Path | None = None
    """The Python that has torch; without it this one."""
    out: Path | None = None
    """Folder for benchmark.json, its table and its figures; without it a new one under runs/."""
    save: Path | None = None
    """Write the JSON to this file too, row by row. One that exists is gone on with: what it holds is not measured
    again, and what it lacks is added."""
    check: Path | None = None
    """Measure the steps of this file's rows again, with its device, precision, source, seconds, repeats and threads,
    and exit with 1 where a ratio to PyTorch has fallen."""

    def __post_init__(self):
        refuse(self, "parts", "arms", "lane_arms", "lanes", "modes", "images")
        if not measurable(self):
            raise UsageError("--parts operations can't be measured on a GPU; choose other parts, or --device cpu")
        if self.check is not None and self.save is not None:
            raise UsageError("--check measures all that a file holds, --save what it lacks; give one of them")


def refuse(config: Any, *lists: str) -> None:
    """Raise UsageError for flags of these names that list nothing or one thing twice, for counts under 1, and for
    seconds that nothing can last."""
    for name in lists:
        values = getattr(config, name)
        if not values or len(set(values)) < len(values):
            raise UsageError(f"{flag(name)} {' '.join(map(str, values))}: name at least one, and each once")
    named = {name: getattr(config, name, ()) for name in ("repeats", "threads", "lanes", "images")}
    counts = [count for value in named.values() for count in (value if isinstance(value, tuple) else (value,))]
    if min(count for count in counts if count is not None) < 1 or not 0 <= config.seconds < math.inf:
        there = ", ".join(flag(name) for name, value in named.items() if value != ())
        raise UsageError(f"{there} must be at least 1, and --seconds a number from 0 on")


def measurable(config: Config) -> list[Part]:
    """The parts that can be measured: the profiles' names of operations are known of CPUs alone."""
    return [part for part in config.parts if (part, config.device) != ("operations", "gpu")]


def work(config: Config) -> Iterator[tuple[str, str, int]]:
    """What is to be measured: part, arm, batch size."""
    for part in measurable(config):
        for arm in {"lanes": config.lane_arms, "memory": config.arms[:1]}.get(part, config.arms):
            for batch in BATCHES[arm] if part in ("steps", "operations") else BATCHES[arm][:1]:
                yield part, arm, batch


def command(config: Config) -> str:
    """The command line, but for paths."""
    words = ["python", "-m", "experiments.benchmark"]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != field.default and field.name not in LOCAL:
            values = value if isinstance(value, tuple) else (value,)
            words += [flag(field.name), *map(str, values)]
    return shlex.join(words)
