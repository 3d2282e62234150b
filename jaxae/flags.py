"""The flags that every experiment shares, and what they say about a run."""

import dataclasses
import math
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

import jax.numpy as jnp
import tyro

from jaxae.errors import UsageError
from jaxae.lanes import Mode

# Where a run is computed and kept, not what is computed: no number depends on them, and no report names them.
# Under --lanes split roundings depend on the devices: the manifest names their number, arm by arm, and so do refusals.
LOCAL = ("data_dir", "devices", "out", "resume", "force", "tensorboard", "quiet")

UNSET = tyro.conf.arg(help_behavior_hint="")  # the flag's text says what happens without it, not "default: None"


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Flags shared by every experiment; an experiment's Config extends them with its own.

    `settings` names those whose default is what the report did: with another value, its numbers aren't held against
    ours. `counts` names those that must be at least 1, all their values. A Config with such flags of its own extends
    them.
    """

    settings: ClassVar[tuple[str, ...]] = ("epochs", "batch_size", "precision")
    counts: ClassVar[tuple[str, ...]] = ("seeds", "epochs", "batch_size", "limit", "devices")

    seeds: int = 3
    """How many seeds, each trained from its own key."""
    seed: int = 0
    """The first of them; the others follow."""
    epochs: int = 10
    """Epochs of training."""
    batch_size: int = 128
    """Images per step."""
    limit: Annotated[int | None, UNSET] = None
    """Train on the first N images only; without it on all. What a study uses ready-made, such as the classifier that
    judges its pictures, is trained on all in either case."""
    source: Literal["tfds", "synthetic"] = "tfds"
    """The real sets, prepared by TFDS, or the embedded synthetic ones."""
    data_dir: Annotated[Path | None, UNSET] = None
    """Folder of the prepared sets; without it $TFDS_DATA_DIR, or ~/tensorflow_datasets."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the models' layers compute in. Parameters, normalisation and losses are float32 in either."""
    lanes: Mode = "map"
    """map: seeds one after another on each device, bitwise equal to solo runs. vmap: side by side (for accelerators).
    split: data parallel, all devices sharing the batches of one seed after another, where the model allows it."""
    devices: Annotated[int | None, UNSET] = None
    """Devices to spread the seeds, or the batches, over; without it as many as help."""
    out: Annotated[Path | None, UNSET] = None
    """The run's folder; without it a new one under runs/."""
    resume: bool = False
    """Go on with the interrupted run in --out."""
    force: bool = False
    """Resume although the jax version or the kind of device differs: no longer bitwise."""
    tensorboard: bool = False
    """Write TensorBoard events into the run's folder (needs the extra `tensorboard`)."""
    quiet: bool = False
    """Print nothing but the result."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            listed = Ellipsis in get_args(field.type)  # tuple[X, ...]: things to run, where (32, 32, 64) is one thing
            _refuse_values("--" + field.name.replace("_", "-"), getattr(self, field.name), field.default, listed)
        for name in self.counts:
            value = getattr(self, name)
            several = value if isinstance(value, tuple) else (value,)
            if value is not None and min(several) < 1:
                given = " ".join(map(str, several))
                raise UsageError(f"--{name.replace('_', '-')} is {given}; it must be at least 1")
        if not 0 <= self.seed <= 2**32 - self.seeds:
            last = 2**32 - self.seeds
            raise UsageError(f"--seed is {self.seed}; with {self.seeds} seeds, choose one from 0 to {last}")
        if self.resume and self.out is None:
            raise UsageError("--resume needs --out DIR, the folder of the interrupted run")
        if self.force and not self.resume:
            raise UsageError("--force is for --resume alone: a run that exists is never overwritten; leave it out")

    @property
    def dtype(self) -> Any:
        """`precision` as the models take it."""
        return {"float32": jnp.float32, "bfloat16": jnp.bfloat16}[self.precision]


def _refuse_values(flag: str, value: Any, default: Any, listed: bool) -> None:
    """Raise UsageError for what no flag can mean: NaN, infinity, a list with nothing in it or with something twice."""
    several = value if isinstance(value, tuple) else (value,)
    if listed and default and not value:
        raise UsageError(f"{flag} is given without a value; name at least one")
    if listed and len(set(several)) < len(several):
        raise UsageError(f"{flag} {' '.join(map(str, several))} names one twice; name each once")
    for number in several:
        if isinstance(number, float) and not math.isfinite(number):
            raise UsageError(f"{flag} is {number}; give a finite number")


def science(config: Flags) -> dict[str, Any]:
    """The flags that decide the numbers, as JSON values."""
    values = {f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.name not in LOCAL}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def module_name(config: Flags | type[Flags]) -> str:
    """The experiment's module, as `python -m` takes it."""
    name = (config if isinstance(config, type) else type(config)).__module__
    spec = getattr(sys.modules[name], "__spec__", None)
    return spec.name if name == "__main__" and spec is not None else name


def command(config: Flags, *, local: tuple[str, ...] = ()) -> str:
    """The shortest command line that gives this run, with those of the `local` flags that were given."""
    words = ["python", "-m", module_name(config)]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value == field.default or (field.name in LOCAL and field.name not in local):
            continue
        flag = "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else flag.replace("--", "--no-", 1))
        else:
            words += [flag, *(map(str, value) if isinstance(value, tuple) else [str(value)])]
    return shlex.join(words)


def deviations(config: Flags, sizes: dict[str, int]) -> list[str]:
    """How the run departs from the settings that the report states (the defaults), in words.

    `sizes` is the number of images there are to train on, by data set.
    """
    default = {field.name: field.default for field in dataclasses.fields(config)}
    words = ["synthetic data"] if config.source == "synthetic" else []
    changed = [name for name in config.settings if getattr(config, name) != default[name]]
    words += [f"{name.replace('_', ' ')} {getattr(config, name)} in place of {default[name]}" for name in changed]
    if config.limit is not None:
        words += [f"{config.limit:,} of {size:,} training images" for size in sizes.values() if config.limit < size]
    return words
