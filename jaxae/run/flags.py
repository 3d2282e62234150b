"""The flags that every experiment shares, and what they say about a run."""

import dataclasses
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import tyro

from jaxae.errors import UsageError
from jaxae.train.lanes import Mode

# Where a run is computed and kept, not what is computed: no number hangs on them, and no report names them.
LOCAL = (
    "data_dir", "devices", "out", "resume", "force", "tensorboard", "quiet", "plan", "jobs", "job",
    "stream", "distributed", "coordinator", "processes", "process",
)  # fmt: skip

# Above these nothing is allocated: more is a slip of the finger, or takes more than a life
MOST = {
    "seeds": 10_000, "epochs": 1_000_000, "batch_size": 10**6, "limit": 10**9, "test_limit": 10**9,
    "judge_limit": 10**9, "devices": 4096, "processes": 4096,
}  # fmt: skip
MOST_OTHERS = 100_000

ALIASES = {"plan": ["--dry-run"]}  # other names of flags
UNSET = tyro.conf.arg(help_behavior_hint="")  # the flag's text says what happens without it, not "default: None"


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Flags shared by every experiment; an experiment's Config extends them with its own.

    `settings` names those whose default is what the report did: with another value, its numbers aren't held against
    ours; `listed` those with which they are, and which are told beside them; `reported` has what the report did where
    that isn't the default. `counts` names those that must be at least 1, all their values, and at most what `MOST`
    says. A Config with such flags of its own extends them.
    """

    settings: ClassVar[tuple[str, ...]] = ("epochs", "batch_size", "precision")
    listed: ClassVar[tuple[str, ...]] = ()
    reported: ClassVar[Mapping[str, Any]] = {}
    fewest: ClassVar[int] = 1  # seeds that a run takes
    counts: ClassVar[tuple[str, ...]] = (
        "seeds", "epochs", "batch_size", "limit", "test_limit", "judge_limit", "devices", "jobs", "processes",
    )  # fmt: skip

    seeds: int = 3
    """How many seeds, each trained from its own key."""
    seed: int = 0
    """The first of them; the others follow."""
    epochs: int = 10
    """Epochs of training."""
    batch_size: int = 128
    """Images per step."""
    limit: Annotated[int | None, UNSET] = None
    """Train on the first N images only, also the classifier that judges pictures; without it on all. A run with limits
    is held against no report."""
    test_limit: Annotated[int | None, UNSET] = None
    """Test on the first N images only; without it on all."""
    judge_limit: Annotated[int | None, UNSET] = None
    """Train the classifier that judges pictures on the first N images; without it on as many as --limit says."""
    source: Literal["tfds", "synthetic"] = "tfds"
    """The real sets, prepared by TFDS, or the embedded synthetic ones."""
    data_dir: Annotated[Path | None, UNSET] = None
    """Folder of the prepared sets; without it $TFDS_DATA_DIR, or ~/tensorflow_datasets."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What the models' layers compute in. Parameters, normalisation and losses are float32 in either."""
    lanes: Annotated[Mode | None, UNSET] = None
    """map: seeds one after another, bitwise equal to solo runs. vmap: side by side. Without it map on a CPU, vmap on
    accelerators."""
    devices: Annotated[int | None, UNSET] = None
    """Devices to spread seeds over, or to share batches; without it as many as help. A CPU has as many as cores, and by
    map no bit depends on how many are used."""
    stream: bool = False
    """Read images from their file while training goes on (needs the extra `stream`); without it where they take more
    than half of an accelerator's memory. By map, no bit depends on it. Studies that can't be given them so say it."""
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
    plan: Annotated[bool, tyro.conf.arg(aliases=ALIASES["plan"])] = False
    """Train nothing: say what would be trained, about how long that takes, and what each job, or --job, gets."""
    jobs: Annotated[int | None, UNSET] = None
    """For --plan: cut the study into so many jobs of like length."""
    job: Annotated[str | None, UNSET] = None
    """I/N: train the I-th of N jobs alone, a run of some of the seeds or arms; `python -m jaxae merge` joins them."""
    distributed: bool = False
    """One run by several processes, on one host or many, which SLURM, Open MPI, Kubernetes or a TPU pod has started; or
    you, with the next three flags. By map, no bit depends on it."""
    coordinator: Annotated[str | None, UNSET] = None
    """For --distributed: HOST:PORT of the first process, where no scheduler says it."""
    processes: Annotated[int | None, UNSET] = None
    """For --distributed: how many processes there are."""
    process: Annotated[int | None, UNSET] = None
    """For --distributed: the number of this one, from 0."""

    def __post_init__(self):
        listed = listing(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            _refuse_values(flag(field.name), value, field.default, field.name in listed)
        for name in self.counts:
            _refuse_count(name, getattr(self, name))
        if not 0 <= self.seed <= 2**32 - self.seeds:
            last = 2**32 - self.seeds
            raise UsageError(f"--seed is {self.seed}; with {self.seeds} seeds, choose one from 0 to {last}")
        if self.source == "synthetic" and self.data_dir is not None:
            raise UsageError(f"--data-dir is {self.data_dir}, and --source synthetic reads no folder; leave one out")
        if self.resume and self.out is None:
            raise UsageError("--resume needs --out DIR, the folder of the interrupted run")
        if self.jobs and (self.job or not self.plan):
            raise UsageError(f"--jobs {self.jobs} is for --plan alone; train one of them with --job 1/{self.jobs}")
        if not self.distributed and any(
            value is not None for value in (self.coordinator, self.processes, self.process)
        ):
            raise UsageError("--coordinator, --processes and --process are for --distributed; add it")
        if self.distributed and self.out is None:
            raise UsageError("--distributed needs --out DIR, the folder that the first process writes")
        if self.force and not self.resume:
            raise UsageError("--force is for --resume alone: a run that exists is never overwritten; leave it out")

    @property
    def dtype(self) -> Any:
        """`precision` as the models take it."""
        import jax.numpy as jnp

        return {"float32": jnp.float32, "bfloat16": jnp.bfloat16}[self.precision]


C = TypeVar("C", bound=Flags)
TINY, HUGE = (float(bound) for bound in (np.finfo(np.float32).tiny, np.finfo(np.float32).max))  # tiny: XLA flushes less


def flag(name: str) -> str:
    """A field's name as the command line has it."""
    return "--" + name.replace("_", "-")


def listing(config_type: type[Flags]) -> tuple[str, ...]:
    """The flags that list things to run, such as arms: tuple[X, ...], where (32, 32, 64) is one thing."""
    hints = get_type_hints(config_type)
    fields = [field.name for field in dataclasses.fields(config_type)]
    return tuple(name for name in fields if get_origin(hints[name]) is tuple and Ellipsis in get_args(hints[name]))


def science(config: Flags) -> dict[str, Any]:
    """The flags that decide the numbers, as JSON values."""
    values = {f.name: getattr(config, f.name) for f in dataclasses.fields(config) if f.name not in LOCAL}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def restored(config_type: type[C], values: Mapping[str, Any], **local: Any) -> C:
    """The Config whose `science` is `values`, with these local flags; flags that came later have their defaults.

    Drawn pictures are read from no folder, whatever local flag names one for all runs. Raises UsageError for a flag
    that the experiment doesn't have, and for values that it refuses.
    """
    known = {field.name for field in dataclasses.fields(config_type)} - {*LOCAL}
    if unknown := sorted(values.keys() - known):
        raise UsageError(f"{config_type.__module__} has no flag {flag(unknown[0])}; use the code that made the run")
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    if odd := [name for name, value in given.items() if not _of_a_kind(config_type, name, value)]:
        raise UsageError(
            f"the run's {flag(odd[0])} is {str(values[odd[0]])[:40]!r}, which is nothing that such a flag can be; take "
            "its manifest from a sound copy"
        )
    if given.get("source") == "synthetic":
        local.pop("data_dir", None)
    return config_type(**given, **local)


def _of_a_kind(config_type: type[Flags], name: str, value: Any) -> bool:
    """Whether a flag can be asked whether its value is right: a file may hold anything."""
    try:
        config_type(**{name: value})
    except UsageError:  # it, or what it needs beside it, is said of the whole
        return True
    except (TypeError, AttributeError, LookupError, ValueError):
        return False
    return True


def scientific(config: C) -> C:
    """The same without local flags: what two equal runs have in common, wherever they are kept."""
    return restored(type(config), science(config))


def words_of(config: Flags, *, local: Sequence[str] = ()) -> str:
    """The shortest flags that give this run, with those of the `local` ones that were given."""
    words = []
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value == field.default or (field.name in LOCAL and field.name not in local):
            continue
        if isinstance(value, bool):
            words.append(flag(field.name) if value else flag(field.name).replace("--", "--no-", 1))
        else:
            words += [flag(field.name), *(map(str, value) if isinstance(value, tuple) else [str(value)])]
    return shlex.join(words)


def _refuse_count(name: str, value: Any) -> None:
    several = value if isinstance(value, tuple) else (value,)
    if value is None or not several:
        return
    if min(several) < 1:
        raise UsageError(f"{flag(name)} is {' '.join(map(str, several))}; it must be at least 1")
    if max(several) > (most := MOST.get(name, MOST_OTHERS)):
        raise UsageError(f"{flag(name)} is {' '.join(map(str, several))}; it may be at most {most:,}")


def _refuse_values(name: str, value: Any, default: Any, listed: bool) -> None:
    """Raise UsageError for what no flag can mean: NaN, infinity, what float32 hasn't, a list with nothing in it or with
    something twice, to six digits, by which arms are named."""
    several = value if isinstance(value, tuple) else (value,)
    if listed and default and not value:
        raise UsageError(f"{name} is given without a value; name at least one")
    if listed and len(set(several)) < len(several):
        raise UsageError(f"{name} {' '.join(map(str, several))} names one twice; name each once")
    shown = [f"{number:g}" if isinstance(number, float) else number for number in several]
    if listed and len(set(shown)) < len(shown):
        raise UsageError(f"{name} {' '.join(map(str, several))} are the same to six digits; give ones that differ more")
    for number in several:
        if isinstance(number, float) and number and not TINY <= abs(number) <= HUGE and math.isfinite(number):
            raise UsageError(f"{name} is {number}, which float32 can't hold; give 0, or from {TINY:.2g} to {HUGE:.2g}")
        if isinstance(number, float) and not math.isfinite(number):
            raise UsageError(f"{name} is {number}; give a finite number")
