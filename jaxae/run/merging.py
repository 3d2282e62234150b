"""Runs of one experiment that differ in their seeds, or in their arms, put together: equal to one run of all.

Checkpoints, scores and histories are those of the parts, lane by lane. Findings of seeds are concatenated; where arms
differ they are measured again, since what compares arms was measured in none of the parts.
"""

import dataclasses
import functools
import itertools
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxae import commands
from jaxae.errors import UsageError
from jaxae.files import ANY, load_json, refuse_changed, sealed, write_json
from jaxae.findings import Findings
from jaxae.findings.merging import concatenated
from jaxae.findings.storage import load_arrays, load_findings, save_arrays, save_findings
from jaxae.report.numbers import listed
from jaxae.run import flags, manifest, resuming, within
from jaxae.run.experiment import Experiment, find_experiment
from jaxae.run.folder import claim, clear, refuse_used
from jaxae.run.steps import measured_again, write_pages
from jaxae.train import checkpoint

HISTORY = {
    "seeds": [int],
    "train": {ANY: [[(float, str, None)]]},
    "validation": {ANY: [[(float, str, None)]]},
    "validation_epochs": [float],
}
ELSEWHERE = ("command", "config", "seeds", "started", "wall_seconds")  # what parts may differ in, noted of each


class Part(NamedTuple):
    """A run that becomes a part of another."""

    folder: Path
    made: Mapping[str, Any]
    config: flags.Flags


def merge_runs(folders: Sequence[Path], out: Path, *, given: str = "", data_dir: Path | None = None) -> Path:
    """Merge complete runs into the run `out`, which must not be there; its page.

    Raises UsageError, in one sentence, for runs of other experiments, flags, data, code or platforms, for seeds that
    overlap or leave a gap, for arms that lack a seed, and for parts that have lost their checkpoints.
    """
    refuse_used(out)
    parts = _loaded(folders, given)
    experiment = find_experiment(parts[0].made["module"], given)
    for part in parts[1:]:
        _refuse_other(parts[0], part)
    config = _whole(experiment, parts)
    places = _places(experiment, config, parts)
    there, lock = out.exists(), claim(out, fresh=True)
    try:
        with lock:
            made = _manifest(experiment, config, parts, places)
            _write(out, experiment, config, parts, places, made)
            merge = functools.partial(merge_runs, data_dir=data_dir)
            within.gather_inside(out, experiment, config, parts, merge)
        _measure(out, experiment, config, parts, made, data_dir)  # which may open it as a run
    except BaseException:
        clear(out, keep=there)
        raise
    return write_pages(out, experiment, made, load_findings(out, manifest.origin(made, experiment)))


def _loaded(folders: Sequence[Path], given: str) -> list[Part]:
    alone = f"{' '.join(map(str, folders))}: name two runs or more, each once"
    if len({folder.resolve() for folder in folders}) < len(folders) or not folders:
        raise UsageError(alone)
    parts = []
    for folder in folders:
        made = manifest.load_manifest(folder)
        if made["status"] != "complete":
            raise UsageError(
                f"the run in {folder} is {made['status']}; finish it with: {commands.here(made['command'])} --resume "
                f"--out {shlex.quote(str(folder))}"
            )
        parts.append(Part(folder, made, flags.restored(find_experiment(made["module"], given).config, made["config"])))
    if len(parts) < 2 and "job" not in parts[0].made:  # of a job alone it is said which are missing
        raise UsageError(alone)
    return sorted(parts, key=lambda part: (part.config.seed, part.made["started"]))


def _refuse_other(first: Part, part: Part) -> None:
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


def _whole(experiment: Experiment, parts: Sequence[Part]) -> Any:
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
        raise UsageError(f"no run has seed {gap[0]}; add one, made with --seed {gap[0]} --seeds 1 and the same flags")
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


def _places(experiment: Experiment, config: Any, parts: Sequence[Part]) -> Places:
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


def _manifest(experiment: Experiment, config: Any, parts: Sequence[Part], places: Places) -> dict[str, Any]:
    """The manifest of the whole: what the parts share, and of each what it had for itself."""
    seeds = list(range(config.seed, config.seed + config.seeds))
    arms: dict[str, Any] = {}
    for arm in experiment.arms(config):
        spent = {folder: _entry(parts, folder, study) for folder, study, _ in places[arm.study.name]}
        for place, name in enumerate(arm.names):
            first = places[arm.study.name][place * len(seeds)][0]
            own = {key: _entry(parts, first, name)[key] for key in ("parameters", "trained_as", "scored")}
            own |= {key: _entry(parts, first, name).get(key) for key in ("model", "scale")}
            arms[name] = own | {"lanes": [place * len(seeds), (place + 1) * len(seeds)]}
        seconds = {
            key: round(sum(entry.get(key, 0.0) for entry in spent.values()), 1)
            for key in ("wall_seconds", "compile_seconds")
        }
        arms[arm.study.name] = arms.get(arm.study.name, {}) | seconds
    arrays = [part.made.get("arrays", {}) for part in parts]
    pretrained = {name: kept for part in parts for name, kept in part.made.get("pretrained", {}).items()}
    memory = [part.made["peak_memory_gib"] for part in parts if "peak_memory_gib" in part.made]
    return {
        **{name: value for name, value in parts[0].made.items() if name != "job"},
        **resuming.sources([part.made for part in parts]),
        **({"pretrained": pretrained} if pretrained else {}),
        **({"peak_memory_gib": max(memory)} if memory else {}),
        "command": experiment.command(config),
        "config": flags.science(config),
        "seeds": seeds,
        "started": min(part.made["started"] for part in parts),
        "wall_seconds": round(sum(part.made["wall_seconds"] for part in parts), 1),
        "arms": arms,
        "arrays": {
            name: of for found in arrays for name, of in found.items() if all(a.get(name, of) == of for a in arrays)
        },
        "merged": [{name: part.made[name] for name in ELSEWHERE} for part in parts],
    }


def _entry(parts: Sequence[Part], folder: Path, arm: str) -> Mapping[str, Any]:
    return next(part.made["arms"].get(arm, {}) for part in parts if part.folder == folder)


def _write(out, experiment, config, parts, places: Places, made) -> None:
    """The manifest, and every lane's checkpoint, scores and history."""
    write_json(out / "manifest.json", made)
    if not places:
        return
    histories = {part.folder: _read_history(part, experiment) for part in parts}
    history: dict[str, Any] = {}
    for arm in experiment.arms(config):
        name, lanes = checkpoint.file_name(arm.study.name), places[arm.study.name]
        sources = [(folder / "checkpoints" / checkpoint.file_name(study), lane) for folder, study, lane in lanes]
        checkpoint.gather(sources, out / "checkpoints" / name)
        kept = [
            (folder / "scores" / f"{path.name}.npz", lane)
            for (folder, *_), (path, lane) in zip(lanes, sources, strict=True)
        ]
        _gather_scores(kept, out / "scores" / f"{name}.npz")
        for place, own in enumerate(arm.names):
            history[own] = _history(own, lanes[place * config.seeds : (place + 1) * config.seeds], parts, histories)
    write_json(out / "history.json", history)


def _gather_scores(sources: Sequence[tuple[Path, int]], path: Path) -> None:
    """The scores of a study's lanes, where its arms were scored as they were trained."""
    if not sources[0][0].exists():
        return
    read = {source: load_arrays(source)[""] for source in {source for source, _ in sources}}
    names = read[sources[0][0]]
    path.parent.mkdir(exist_ok=True)
    picked = {name: np.stack([read[source][name][lane] for source, lane in sources]) for name in names}
    save_arrays(path, {"": picked})


def _read_history(part: Part, experiment: Experiment) -> dict[str, Any]:
    """A run's history.json: every arm's entry, as it was written."""
    path, mend = part.folder / "history.json", "run it again"
    arms = [name for arm in experiment.arms(part.config) for name in arm.names]
    found = load_json(path, dict.fromkeys(arms, HISTORY), mend)
    for arm in arms:
        refuse_changed(found[arm], path, mend)
    return found


def _history(arm: str, lanes, parts: Sequence[Part], histories: Mapping[Path, Any]) -> dict[str, Any]:
    """An arm's entry in history.json, a row for every seed."""
    seeds, rows = [], []
    for folder, _, lane in lanes:
        entry = _entry(parts, folder, arm)
        place = lane - entry["lanes"][0]
        seeds.append(histories[folder][arm]["seeds"][place])
        rows.append((histories[folder][arm], place))
    first = rows[0][0]
    splits = {
        split: {name: [of[split][name][place] for of, place in rows] for name in first[split]}
        for split in ("train", "validation")
    }
    return sealed({"seeds": seeds, **splits, "validation_epochs": first["validation_epochs"]})


def _measure(out, experiment, config, parts: Sequence[Part], made, data_dir) -> None:
    """Findings of seeds concatenated, or all measured again where arms differ."""
    lists = [tuple(getattr(part.config, name) for name in flags.listing(type(config))) for part in parts]
    origin, why = manifest.origin(made, experiment), within.reasons(experiment, parts)
    if len({*lists}) == 1:
        found = [load_findings(part.folder, manifest.origin(part.made, experiment)) for part in parts]
        save_findings(out, concatenated([within.with_reasons(each, why) for each in found], origin))
        return
    save_findings(out, Findings(origin, {}, {}, facts={within.UNTRAINED: why}))  # where measuring finds them
    try:
        measured_again(experiment, out, made, data_dir)
    except UsageError as error:
        raise UsageError(f"runs of different arms are merged by measuring them again, and {error}") from error
