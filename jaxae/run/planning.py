"""Before a study is trained: what it consists of, how long it takes where it was measured, how jobs share it."""

import contextlib
import inspect
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from jaxae.errors import UsageError
from jaxae.files import load_json
from jaxae.report.numbers import listed, plural
from jaxae.run import flags, manifest
from jaxae.run.experiment import Experiment
from jaxae.run.jobs import number_of, pieces
from jaxae.run.run import Run
from jaxae.run.terminal import Output
from jaxae.study import Arm, Study

FREE = ("seeds", "seed", "epochs", "limit", "source", "lanes")  # flags that don't bear on images per second


class Speed(NamedTuple):
    """Images per second of a study in a committed result, and the flags of it that are others than now."""

    rate: float
    others: tuple[str, ...]


Speeds = Mapping[str, Mapping[str, Speed]]  # by device, then by study


class Job(NamedTuple):
    """A job of a sweep: its number from 1, of how many, the flags of all, and its own."""

    number: int
    of: int
    whole: Any
    config: Any

    @property
    def note(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {"number": self.number, "of": self.of, "config": flags.science(self.whole)}


def job(experiment: Experiment, config: Any) -> Job:
    """The job that --job names. Raises UsageError where there is no such job."""
    number, count = number_of(config.job)
    own = pieces(experiment, config, count, costs(experiment, config, speeds(experiment, config)))
    return Job(number, count, config, own[number - 1])


def speeds(experiment: Experiment, config: Any) -> Speeds:
    """What was measured of a study's training, in the folder `results` beside its file: on each device and of each
    study the result whose flags are most like these."""
    found: dict[str, dict[str, Speed]] = {}
    for made in sorted(_results(experiment), key=lambda made: made.get("started", ""), reverse=True):
        others = _others(made["config"], config)
        device = f"{made['device']['kind']}, {plural(made['device'].get('cores') or 1, 'core')}"
        of_device = found.setdefault(device, {})
        for name, entry in made["arms"].items():
            best = of_device.get(name)
            if "images_per_second" in entry and (best is None or len(others) < len(best.others)):
                of_device[name] = Speed(entry["images_per_second"], others)
    return {device: found[device] for device in sorted(found)}


def costs(experiment: Experiment, config: Any, measured: Speeds) -> dict[str, float]:
    """Seconds per image of an epoch, times epochs, of every study: on the device on which most of them were measured.

    A study that wasn't has the mean speed of the others; where none was, all are as fast.
    """
    studies = [arm.study for arm in experiment.arms(config)]
    by_device = [[of.get(study.name) for study in studies] for of in measured.values()]
    known = max(by_device, key=lambda of: sum(speed is not None for speed in of), default=[None] * len(studies))
    rates = [speed.rate for speed in known if speed is not None] or [1.0]
    usual = sum(rates) / len(rates)
    return {
        study.name: study.epochs / (speed.rate if speed else usual) for study, speed in zip(studies, known, strict=True)
    }


def show(experiment: Experiment, config: Any) -> None:
    """Print what a study consists of, and the jobs where --jobs or --job says how many."""
    if not (arms := experiment.arms(config)):
        raise UsageError(f"{experiment.name} has no arms of its own, so there is nothing to plan; leave out --plan")
    measured = speeds(experiment, config)
    rehearsal = Rehearsal(experiment, config)
    experiment.train(rehearsal)
    count = sum(len(arm.settings) for arm in arms)
    head = f"{experiment.title}\n{experiment.command(config)}"
    parts: list[Any] = [Text(f"{head}\n{plural(count, 'arm')} of {plural(config.seeds, 'seed')} each\n")]
    parts.append(_studies(arms, config, rehearsal.steps, measured))
    parts.append(Text("\n".join(["", *_notes(arms, measured)])))
    if config.jobs or config.job:
        count = config.jobs or number_of(config.job)[1]
        own = pieces(experiment, config, count, costs(experiment, config, measured))
        command = experiment.command(config)
        parts.append(Text(f"\n{plural(count, 'job')}, each of them {command} --job I/{count}\n"))
        parts.append(_jobs(experiment, own, rehearsal.steps, measured))
    Console(file=Output()).print(Group(*parts), soft_wrap=True, highlight=False)  # pyright: ignore[reportArgumentType]


class Rehearsal(Run):
    """A run that loads its data and trains nothing: it notes how many steps each study takes, {name: (epochs, steps of
    each)}."""

    def __init__(self, experiment: Experiment, config: Any):
        super().__init__(experiment, config, training=False)
        self.steps: dict[str, tuple[int, int]] = {}

    def train(self, arm: Arm | Study, data: Any, **_: Any) -> dict[str, Any]:
        """Note it. What is returned can be passed on, and not used."""
        arm = Arm(arm) if isinstance(arm, Study) else arm
        self.steps[arm.study.name] = arm.study.epochs, arm.study.steps_per_epoch(data)
        return {name: Untrained(name) for name in arm.names}

    def pretrained(self, study: Study, data: Any, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """No variables: what begins with them isn't trained either."""
        return {"params": {}, "batch_stats": {}}

    def publish(self, arm: Any, data: Any, recipe: Mapping[str, Any]) -> None:
        """Nothing was trained that could be kept."""


class Untrained:
    """In the place of an arm that isn't trained."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, asked: str) -> Any:
        raise UsageError(
            f"{self._name!r} is used while the study trains, so it can't be planned; run it without --plan"
        )


def _results(experiment: Experiment) -> Iterator[dict[str, Any]]:
    """The manifests of the study's committed results."""
    beside: Sequence[Path] = ()
    with contextlib.suppress(TypeError, OSError):  # a study that was typed in has no file
        beside = Path(inspect.getfile(experiment.config)).parents[:2]
    folders = [path / "results" for path in beside if (path / "results").is_dir()]
    for path in sorted(folders[0].glob("*.json")) if folders else ():
        with contextlib.suppress(UsageError, KeyError, TypeError):  # other files, and those of other versions
            made = manifest.known_manifest(load_json(path, dict, "")["manifest"], path)
            if made["module"] == experiment.program[-1]:
                yield made | {"config": flags.science(flags.restored(experiment.config, made["config"]))}


def _others(made: Mapping[str, Any], config: Any) -> tuple[str, ...]:
    """The flags that bear on speed and are others than now."""
    free, now = {*FREE, *flags.listing(type(config))}, flags.science(config)
    differing = {name: value for name, value in made.items() if name not in free and value != now[name]}
    return tuple(
        f"{flags.flag(name)} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in differing.items()
    )


def _images(arm: Arm, steps: Mapping[str, tuple[int, int]], seeds: int) -> int:
    epochs, each = steps[arm.study.name]
    return epochs * each * arm.study.batch_size * len(arm.settings) * seeds


def _seconds(arms: Any, steps: Any, seeds: int, of_device: Mapping[str, Speed]) -> str:
    """How long these arms train; a dash where one of them wasn't measured there."""
    if any(arm.study.name not in of_device for arm in arms):
        return "—"
    return f"{sum(_images(arm, steps, seeds) / of_device[arm.study.name].rate for arm in arms):,.0f} s"


def _table(*columns: str) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for place, name in enumerate(columns):
        shown.add_column(name, justify="right" if place else "left")
    return shown


def _studies(arms: Any, config: Any, steps: Any, measured: Speeds) -> Table:
    """A line for every study, and one for all."""
    shown = _table("study", "trainings", "epochs", "steps of each", "images", *_letters(measured))
    for arm in arms:
        counts = len(arm.settings) * config.seeds, *steps[arm.study.name], _images(arm, steps, config.seeds)
        seconds = [_seconds([arm], steps, config.seeds, of) for of in measured.values()]
        shown.add_row(Text(arm.study.name), *(f"{count:,}" for count in counts), *seconds)
    lanes = sum(len(arm.settings) for arm in arms) * config.seeds
    total = sum(_images(arm, steps, config.seeds) for arm in arms)
    seconds = [_seconds(arms, steps, config.seeds, of) for of in measured.values()]
    shown.add_row("all", f"{lanes:,}", "", "", f"{total:,}", *seconds)
    return shown


def _letters(measured: Speeds) -> list[str]:
    """What the devices are called at the head of a table."""
    return [f"on {letter}" for letter, _ in zip(string.ascii_uppercase, measured, strict=False)]


def _notes(arms: Any, measured: Speeds) -> Iterator[str]:
    """What the seconds are of, and which were measured under other flags."""
    if not measured:
        yield "No committed result says how fast this is."
        return
    yield "Seconds of training, at the committed results' images per second; compiling, validation and scores add."
    for letter, (device, of) in zip(string.ascii_uppercase, measured.items(), strict=False):
        yield f"{letter}: {device}"
        alike: dict[tuple[str, ...], list[str]] = {}
        for arm in arms:
            if arm.study.name in of and (others := of[arm.study.name].others):
                alike.setdefault(others, []).append(arm.study.name)
        for others, names in alike.items():
            yield f"   measured with {' '.join(others)}: {listed(names)}"


def _jobs(experiment: Experiment, own: Any, steps: Any, measured: Speeds) -> Table:
    """A line for every job: its seeds and arms, and how long it takes."""
    lists = [name for name in flags.listing(type(own[0])) if len({getattr(config, name) for config in own}) > 1]
    shown = _table("job", "seeds", *map(flags.flag, lists), *_letters(measured))
    for number, config in enumerate(own, 1):
        arms, last = experiment.arms(config), config.seed + config.seeds - 1
        seeds = f"{config.seed}" if last == config.seed else f"{config.seed} to {last}"
        values = [Text(" ".join(map(str, getattr(config, name)))) for name in lists]
        seconds = (_seconds(arms, steps, config.seeds, of) for of in measured.values())
        shown.add_row(f"{number}/{len(own)}", seeds, *values, *seconds)
    return shown
