"""A study in jobs for several machines: each an ordinary run of some of its seeds, or arms, that `merge` takes.

Jobs follow from the flags and from committed measurements, not from the machine: all machines find the same.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from jaxae.errors import UsageError
from jaxae.run import flags
from jaxae.run.experiment import Experiment


class Split(NamedTuple):
    """The study's lists cut into groups, and how many jobs share the seeds of each; `longest` is the longest job."""

    longest: float
    groups: tuple[Any, ...]
    jobs: tuple[int, ...]


def pieces(experiment: Experiment, config: Any, count: int, costs: Mapping[str, float]) -> list[Any]:
    """The flags of `count` runs that together are the run of `config`, as alike in length as can be.

    `costs` says how long a seed of each of the `trainings` takes under one setting, in any unit.
    Raises UsageError where the study can't be cut into so many.
    """
    if not experiment.trainings(config):
        raise UsageError(f"{experiment.name} has no arms of its own, so it can't be cut into jobs; run it as one")
    cost = _cost(experiment, costs)
    grouped = [*_groupings(experiment, config, cost)]
    splits = [_shared(groups, count, config, cost) for groups in grouped if len(groups) <= count]
    possible = [split for split in splits if split is not None]
    if not possible:
        most = max(map(len, grouped)) * (config.seeds // config.fewest)
        raise UsageError(
            f"{experiment.name} with these flags can be cut into {most} jobs at most, by its seeds and lists, and "
            f"{count} were asked for; ask for {most} or fewer, or name more seeds"
        )
    best = min(possible, key=lambda split: (split.longest, len(split.groups)))
    return [
        dataclasses.replace(group, seed=first, seeds=seeds, jobs=None, job=None, plan=False)
        for group, jobs in zip(best.groups, best.jobs, strict=True)
        for first, seeds in _ranges(config.seed, config.seeds, jobs)
    ]


def number_of(job: str) -> tuple[int, int]:
    """The numbers of a --job "I/N". Raises UsageError for anything else."""
    number, slash, count = job.partition("/")
    if not (slash and number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"--job is {job}; give its number, from 1 up, and how many there are, such as 3/8")
    return int(number), int(count)


def _cost(experiment: Experiment, costs: Mapping[str, float]) -> Callable[[Any], float]:
    """How long a seed of a run takes, of all its arms."""
    return lambda config: sum(
        costs[name] * len(arm.settings) for name, arm in experiment.trainings(config).items()
    )  # fmt: skip


def _groupings(experiment: Experiment, config: Any, cost: Callable[[Any], float]) -> Iterator[tuple[Any, ...]]:
    """Every way tried to cut the flags' lists: into flags whose arms together are those of `config`, each once."""
    lists = flags.listing(type(config))
    cuts = [_cut(config, name, cost) for name in lists]
    names = sorted(_names(experiment, config))
    for chosen in itertools.product(*cuts):
        try:
            groups = [
                dataclasses.replace(config, **dict(zip(lists, values, strict=True)))
                for values in itertools.product(*chosen)
            ]
        except UsageError:  # flags that need each other
            continue
        if sorted(name for group in groups for name in _names(experiment, group)) == names:
            yield tuple(groups)


def _names(experiment: Experiment, config: Any) -> list[str]:
    found = experiment.trainings(config)
    return [f"{name} {setting}".strip() for name, arm in found.items() for setting in arm.settings]


def _cut(config: Any, name: str, cost: Callable[[Any], float]) -> list[list[tuple[Any, ...]]]:
    """The values of a list in one group, in two and so on, each time as alike in length as the longest first gives."""
    values = getattr(config, name)
    try:
        costs = {value: cost(dataclasses.replace(config, **{name: (value,)})) for value in values}
    except UsageError:
        return [[values]]
    longest_first = sorted(values, key=costs.__getitem__, reverse=True)
    cuts = [[values]]
    for count in range(2, len(values) + 1):
        groups: list[list[Any]] = [[] for _ in range(count)]
        for value in longest_first:
            min(groups, key=lambda group: sum(map(costs.__getitem__, group))).append(value)
        ordered = (tuple(sorted(group, key=values.index)) for group in groups)
        cuts.append(sorted(ordered, key=lambda group: values.index(group[0])))
    return cuts


def _shared(groups: Sequence[Any], count: int, config: Any, cost: Callable[[Any], float]) -> Split | None:
    """`count` jobs, each given to the group whose jobs are the longest; None where groups have too few seeds."""
    seeds, most = config.seeds, config.seeds // config.fewest
    if count > len(groups) * most:
        return None
    costs, jobs = [cost(group) for group in groups], [1] * len(groups)

    def length(at: int) -> float:
        return costs[at] * math.ceil(seeds / jobs[at])

    for _ in range(count - len(groups)):
        jobs[max((at for at in range(len(groups)) if jobs[at] < most), key=length)] += 1
    return Split(max(map(length, range(len(groups)))), tuple(groups), tuple(jobs))


def _ranges(first: int, seeds: int, jobs: int) -> Iterator[tuple[int, int]]:
    """(first seed, how many) of each of the jobs that share so many seeds."""
    for job in range(jobs):
        start, stop = job * seeds // jobs, (job + 1) * seeds // jobs
        yield first + start, stop - start
