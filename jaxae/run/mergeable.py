"""Which runs can be parts of one: of one experiment, its flags, data, code and platform, that together lack nothing."""

import dataclasses
import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxae import commands
from jaxae.errors import UsageError
from jaxae.report.numbers import listed
from jaxae.run import flags, manifest, resuming
from jaxae.run.experiment import Experiment, find_experiment


class Part(NamedTuple):
    """A run that becomes a part of another."""

    folder: Path
    made: Mapping[str, Any]
    config: flags.Flags


def loaded(folders: Sequence[Path], given: str) -> list[Part]:
    """The runs in these folders, by their seeds. Raises UsageError for one that isn't complete, and for one alone."""
    alone = f"{' '.join(map(str, folders))}: name two runs or more, each once"
    if len({os.path.realpath(folder) for folder in folders}) < len(folders) or not folders:
        raise UsageError(alone)
    parts = []
    for folder in folders:
        made = manifest.load_manifest(folder)
        if made["status"] != "complete":
            raise UsageError(f"the run in {folder} is {made['status']}; {commands.onward(made['command'], folder)}")
        parts.append(Part(folder, made, flags.restored(find_experiment(made["module"], given).config, made["config"])))
    if len(parts) < 2 and "job" not in parts[0].made:  # of a job alone it is said which are missing
        raise UsageError(alone)
    return sorted(parts, key=lambda part: (part.config.seed, part.made["started"]))


def refuse_other(first: Part, part: Part) -> None:
    """Raise UsageError unless both can be parts of one run: what is asked of a run that goes on, and the same code."""
    one, other = first.made, part.made
    where = f"{first.folder} and {part.folder}"
    if one["module"] != other["module"]:
        raise UsageError(f"{where} are runs of {one['module']} and {other['module']}; merge runs of one experiment")
    free, others = {"seed", "seeds", *flags.listing(type(first.config))}, flags.science(part.config)
    for name, old in flags.science(first.config).items():  # as they are read: flags that came later have their defaults
        if name not in free and old != (new := others[name]):
            raise UsageError(f"{where} have {flags.flag(name)} {old} and {new}; merge runs of equal flags")
    for name, old, new in resuming.differing_platform(one, other):
        raise UsageError(f"{where} were made with {name} {old} and {new}; merge runs of one platform")
    for name, old, new in (
        ("commits", one["git_commit"], other["git_commit"]),
        ("versions of jaxae", one["versions"].get("jaxae"), other["versions"].get("jaxae")),
    ):
        if old != new:
            raise UsageError(
                f"{where} were made by the {name} {old or 'unknown'} and {new or 'unknown'}; merge runs of the same "
                "code"
            )
    if one.get("measured") != other.get("measured"):
        raise UsageError(
            f"{where} were measured again by different code or devices; measure both again here: report RUN"
        )
    for entry in [*other["data"], *other["files"]]:
        resuming.refuse_other_data([*one["data"], *one["files"]], entry, first.folder)
    for name, kept in one.get("pretrained", {}).items():
        if kept != other.get("pretrained", {}).get(name, kept):
            raise UsageError(f"{where} used another pretrained {name!r} each; merge runs of the same")


def whole_of(experiment: Experiment, parts: Sequence[Part]) -> Any:
    """The flags of the run that the parts make: of jobs, those that were cut into them; else what all parts have.

    Raises UsageError where a job is missing, and where seeds overlap or leave a gap.
    """
    if (whole := _whole_of_jobs(experiment, parts)) is not None:
        return whole
    config = parts[0].config
    lists = {
        name: tuple(dict.fromkeys(value for part in parts for value in getattr(part.config, name)))
        for name in flags.listing(type(config))
    }
    seeds = sorted({seed for part in parts for seed in part.made["seeds"]})
    if gap := sorted({*range(seeds[0], seeds[-1])} - {*seeds}):
        others = f" (nor {listed(gap[1:])})" if gap[1:] else ""
        raise UsageError(
            f"no run has seed {gap[0]}{others}; add one, made with --seed {gap[0]} --seeds 1 and the same flags"
        )
    return dataclasses.replace(config, seed=seeds[0], seeds=len(seeds), **lists)


def _whole_of_jobs(experiment: Experiment, parts: Sequence[Part]) -> Any:
    """The flags that were cut into jobs, where all parts are jobs of them, each there; None where they aren't.

    Raises UsageError, naming what to run, where some are missing.
    """
    notes = [part.made.get("job", {}) for part in parts]
    count, config = (notes[0].get(name) for name in ("of", "config"))
    if not count or any((note.get("of"), note.get("config")) != (count, config) for note in notes):
        return None
    whole = flags.restored(experiment.config, config)
    missing = sorted({*range(1, count + 1)} - {note["number"] for note in notes})
    if missing:
        again = f"{commands.here(experiment.command(whole))} --job {missing[0]}/{count}"
        these = f"job {missing[0]} is" if len(missing) == 1 else f"jobs {listed(missing)} are"
        raise UsageError(f"of {count} jobs, {these} missing; name the folders, or run what isn't there: {again}")
    return whole


Places = dict[str, list[tuple[Path, str, int]]]  # of every lane of a study: run, study there, lane there


def places_of(experiment: Experiment, config: Any, parts: Sequence[Part]) -> Places:
    """Where each lane of the merged run is. Raises UsageError where one is nowhere, or in two places."""
    if not experiment.trainings(config):
        raise UsageError(f"{experiment.name} has no arms of its own, so its runs can't be merged")
    found: dict[tuple[str, int], tuple[Path, str, int]] = {}
    for part in parts:
        names = [name for arm in experiment.arms(part.config) for name in arm.names]
        for name, (place, seed) in itertools.product(names, enumerate(part.made["seeds"])):
            if (name, seed) in found:
                other = found[name, seed][0]
                raise UsageError(f"{other} and {part.folder} both have seed {seed} of {name!r}; leave one of them out")
            if "trained_as" not in part.made["arms"].get(name, {}):
                raise UsageError(
                    f"{part.folder} has not trained {name!r}, an arm of its flags; name all, and only, what "
                    "is trained in the experiment's arms"
                )
            entry = part.made["arms"][name]
            found[name, seed] = part.folder, entry["trained_as"], entry["lanes"][0] + place
    seeds = range(config.seed, config.seed + config.seeds)
    wanted = {arm.study.name: [(name, seed) for name in arm.names for seed in seeds] for arm in experiment.arms(config)}
    if missing := [lane for lanes in wanted.values() for lane in lanes if lane not in found]:
        name, seed = missing[0]
        raise UsageError(f"no run has seed {seed} of {name!r}, which the others' flags ask for; add one that has")
    return {study: [found[lane] for lane in lanes] for study, lanes in wanted.items()}
