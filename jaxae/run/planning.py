"""Before a study is trained: what it consists of, how long it takes where it was measured, how jobs share it."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from jaxae import keys
from jaxae.data import Dataset, is_prepared, official_count, synthetic
from jaxae.errors import UsageError
from jaxae.report.numbers import listed, plural
from jaxae.run import flags
from jaxae.run.cost import Cost, cost_of, unmeasured, weights_of, words_of_cost
from jaxae.run.experiment import Experiment, inner_name
from jaxae.run.jobs import number_of, pieces
from jaxae.run.run import Run
from jaxae.run.sources import Use
from jaxae.run.terminal import Output, duration
from jaxae.study import Arm, Study
from jaxae.train.streaming import refuse_unstreamable


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
    own = pieces(experiment, config, count, weights_of(experiment, config))
    return Job(number, count, config, own[number - 1])


def show(experiment: Experiment, config: Any) -> None:
    """Print what a study, or the job of it that --job names, consists of, and the jobs where --jobs says how many."""
    if not experiment.trainings(config):
        raise UsageError(f"{experiment.name} has no arms of its own, so there is nothing to plan; leave out --plan")
    command, whole = experiment.command(config), config
    if config.job:
        command, config = f"{command} --job {config.job}", job(experiment, config).config
    arms, cost = experiment.trainings(config), cost_of(experiment, config)
    steps, absent = _steps(experiment, config)
    count, seeds = sum(len(arm.settings) for arm in arms.values()), _seeds(config)
    parts: list[Any] = [
        Text(f"{experiment.heading(config)[0]}\n{command}\n{plural(count, 'arm')}, {seeds}{' each' * (count > 1)}\n")
    ]
    parts += [_studies(arms, config, steps, cost), Text(f"\n{_note(cost, listed(absent))}")]
    if whole.jobs:
        own = pieces(experiment, whole, whole.jobs, weights_of(experiment, whole))
        parts.append(Text(f"\n{plural(len(own), 'job')}, each of them {command} --job I/{len(own)}\n"))
        parts.append(_jobs(experiment, own))
    Console(file=Output()).print(Group(*parts), soft_wrap=True, highlight=False)  # pyright: ignore[reportArgumentType]


class Rehearsal(Run):
    """A run that loads its data and trains nothing: it notes how many steps each study takes, {name: (epochs, steps of
    each, images of a step)}."""

    rehearsing = True

    def __init__(self, experiment: Experiment, config: Any):
        super().__init__(experiment, config, training=False)
        self.steps: dict[str, tuple[int, int, int]] = {}
        self.absent: dict[str, None] = {}  # sets that aren't prepared here

    def data(self, name: str, split: str, *, use: Use = "study", size: int | None = None) -> Dataset:
        """As of a run; drawn pictures, as many as there are officially, in the place of a set that isn't prepared."""
        count = official_count(name, split, self.config.source)
        if count and not is_prepared(name, self.config.data_dir):
            self.absent[name] = None
            self._sets.setdefault((name, split, size), _stand_in(name, split, count))
        return super().data(name, split, use=use, size=size)

    def train(
        self, arm: Arm | Study, data: Any, *, validation: Any = None, test: Any = None, **_: Any
    ) -> dict[str, Any]:
        """Note it. What is returned can be passed on, and not used."""
        arm = Arm(arm) if isinstance(arm, Study) else arm
        if self.config.stream:
            refuse_unstreamable(arm.study, keys.root(self.config.seed), data, validation, test, asked="--stream")
        self.steps[arm.study.name] = arm.study.epochs, arm.study.steps_per_epoch(data), arm.study.batch_size
        return {name: Untrained(name) for name in arm.names}

    def pretrained(self, study: Study, data: Any, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """No variables: what begins with them isn't trained either."""
        return {"params": {}, "batch_stats": {}}

    def publish(self, arm: Any, data: Any, recipe: Mapping[str, Any]) -> None:
        """Nothing was trained that could be kept."""


def _stand_in(name: str, split: str, count: int) -> Dataset:
    drawn = synthetic.stand_in(name, split)
    image, label = np.resize(drawn.image, (count, *drawn.image.shape[1:])), np.resize(drawn.label, count)
    return dataclasses.replace(drawn, image=image, label=label, name=name)


class Untrained:
    """In the place of an arm that isn't trained."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, asked: str) -> Any:
        raise UsageError(
            f"{self._name!r} is used while the study trains, so it can't be planned; run it without --plan"
        )


def _steps(experiment: Experiment, config: Any) -> tuple[dict[str, tuple[int, int, int]], list[str]]:
    """Epochs, steps of each and images of a step, of what is trained, as loading its data tells; the sets that aren't
    prepared here."""
    found: dict[str, tuple[int, int, int]] = {}
    absent: dict[str, None] = {}
    for place, (inner, own) in experiment.inside(config).items():
        steps, missing = _steps(inner, own)
        found |= {inner_name(place, name): of for name, of in steps.items()}
        absent |= dict.fromkeys(missing)
    if experiment.arms(config):
        rehearsal = Rehearsal(experiment, config)
        experiment.train(rehearsal)
        found, absent = found | rehearsal.steps, absent | rehearsal.absent
    return found, [*absent]


def _images(arm: Arm, steps: tuple[int, int, int], seeds: int) -> int:
    return math.prod(steps) * len(arm.settings) * seeds


def _seeds(config: Any) -> str:
    """ "3 seeds from 0"."""
    return f"{plural(config.seeds, 'seed')} from {config.seed}"


def _table(*columns: str) -> Table:
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for place, name in enumerate(columns):
        shown.add_column(name, justify="right" if place else "left")
    return shown


def _studies(arms: Mapping[str, Arm], config: Any, steps: Any, cost: Cost | None) -> Table:
    """A line for every study, and one for all."""
    shown = _table("study", "trainings", "epochs", "steps an epoch", "images", "takes about")
    for name, arm in arms.items():
        counts = len(arm.settings) * config.seeds, *steps[name][:2], _images(arm, steps[name], config.seeds)
        shown.add_row(Text(name), *(f"{count:,}" for count in counts), _told(cost and cost.studies[name]))
    lanes = sum(len(arm.settings) for arm in arms.values()) * config.seeds
    total = sum(_images(arm, steps[name], config.seeds) for name, arm in arms.items())
    shown.add_row("all", f"{lanes:,}", "", "", f"{total:,}", _told(cost and sum(cost.studies.values())))
    return shown


def _told(seconds: float | None) -> str:
    return "—" if seconds is None else duration(seconds)


def _note(cost: Cost | None, absent: str) -> str:
    """What the times are of, and under which other flags they were measured."""
    counted = f" Not prepared here, and counted with all its official images: {absent}." * bool(absent)
    if cost is None:
        return f"How long that takes isn't known: no committed result tells of these images.{counted}"
    measured = ", ".join([f"with {plural(cost.seeds, 'seed')} at once", *cost.others])
    return f"In all, with measuring, {words_of_cost(cost)}; measured {measured}.{unmeasured(cost)}{counted}"


def _jobs(experiment: Experiment, own: Any) -> Table:
    """A line for every job: its seeds and arms, and how long it takes."""
    lists = [name for name in flags.listing(type(own[0])) if len({getattr(config, name) for config in own}) > 1]
    shown = _table("job", "seeds", *map(flags.flag, lists), "takes about")
    for number, config in enumerate(own, 1):
        cost, last = cost_of(experiment, config), config.seed + config.seeds - 1
        seeds = f"{config.seed}" if last == config.seed else f"{config.seed} to {last}"
        values = [Text(" ".join(map(str, getattr(config, name)))) for name in lists]
        shown.add_row(f"{number}/{len(own)}", seeds, *values, _told(cost and cost.seconds))
    return shown
