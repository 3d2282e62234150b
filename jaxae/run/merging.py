"""Runs of one experiment that differ in their seeds, or in their arms, put together: equal to one run of all.

Checkpoints, scores and histories are those of the parts, lane by lane. Findings of seeds are concatenated; where arms
differ they are measured again, since what compares arms was measured in none of the parts.
"""

import functools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.errors import UsageError
from jaxae.files import ANY, DRAFT, draft_of, load_json, refuse_changed, sealed, write_json
from jaxae.findings import Findings
from jaxae.findings.merging import concatenated
from jaxae.findings.storage import load_arrays, load_findings, save_arrays, save_findings
from jaxae.run import flags, manifest, resuming, within
from jaxae.run.experiment import Experiment, find_experiment
from jaxae.run.folder import LOCK, claim, clear, refuse_used
from jaxae.run.mergeable import Part, Places, loaded, places_of, refuse_other, whole_of
from jaxae.run.steps import measured_again, write_pages
from jaxae.train import checkpoint

HISTORY = {
    "seeds": [int],
    "train": {ANY: [[(float, str, None)]]},
    "validation": {ANY: [[(float, str, None)]]},
    "validation_epochs": [float],
}
MANIFEST = "manifest.json"
ELSEWHERE = ("command", "config", "seeds", "started", "wall_seconds")  # what parts may differ in, noted of each


def merge_runs(folders: Sequence[Path], out: Path, *, given: str = "", data_dir: Path | None = None) -> Path:
    """Merge complete runs into the run `out`, which must not be there; its page.

    Raises UsageError, in one sentence, for runs of other experiments, flags, data, code or platforms, for seeds that
    overlap or leave a gap, for arms that lack a seed, and for parts that have lost their checkpoints.
    """
    refuse_used(out, resumes=False)
    parts = loaded(folders, given)
    experiment = find_experiment(parts[0].made["module"], given)
    for part in parts[1:]:
        refuse_other(parts[0], part)
    config = whole_of(experiment, parts)
    places = places_of(experiment, config, parts)
    there, lock = out.exists(), claim(out, fresh=True)
    try:
        for left in out.glob(f".*{DRAFT}"):  # by one that was killed
            shutil.rmtree(left)
        with lock, draft_of(out / "whole") as draft:  # killed meanwhile, it leaves no run that seems complete
            made = _manifest(experiment, config, parts, places)
            draft.mkdir()
            _write(draft, experiment, config, parts, places, made)
            merge = functools.partial(merge_runs, data_dir=data_dir)
            within.gather_inside(draft, experiment, config, parts, merge)
            _measure(draft, experiment, config, parts, made, data_dir)  # which may open it as a run
            for path in sorted(draft.iterdir(), key=lambda path: path.name == MANIFEST):  # which makes it a run
                if path.name != LOCK:
                    path.rename(out / path.name)
    except BaseException:
        clear(out, keep=there)
        raise
    made = manifest.load_manifest(out)
    return write_pages(out, experiment, made, load_findings(out, manifest.origin(made, experiment)))


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
    write_json(out / MANIFEST, made)
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
        measured_again(experiment, out, made, data_dir, merged=True)
    except UsageError as error:
        raise UsageError(f"runs of different arms are merged by measuring them again, and {error}") from error
