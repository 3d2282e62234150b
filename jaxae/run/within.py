"""Runs that are made within runs: of those that are merged, each is merged with its like, or taken over."""

import dataclasses
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxae.errors import UsageError
from jaxae.findings import Findings
from jaxae.findings.storage import load_findings
from jaxae.run import manifest
from jaxae.run.experiment import Experiment

UNTRAINED = "untrained"  # the fact that says, {name: reason}, which of them a run has left out


def gather_inside(
    out: Path, experiment: Experiment, config: Any, parts: Sequence[Any], merge: Callable[[Sequence[Path], Path], Any]
) -> None:
    """Put the runs inside the parts of a run (its folders and flags) into `out`, by `merge(folders, out)`; those that
    all parts have left out stay so.

    Raises UsageError where one is nowhere, or lacks a seed, and where a part alone has left one out.
    """
    for place, (inner, own) in experiment.inside(config).items():
        having = [part for part in parts if place in experiment.inside(part.config)]
        folders = [part.folder / place for part in having]
        missing = [part for part in having if not _is_complete(part.folder / place)]
        if having and len(missing) == len(having) and all(_untrained(part, experiment) for part in missing):
            continue
        if missing:
            raise UsageError(
                f"{missing[0].folder / place} holds no complete run, as where a loss isn't finite; merge runs that all "
                f"have {inner.name} there, or none"
            )
        seeds = {seed for folder in folders for seed in manifest.load_manifest(folder)["seeds"]}
        if lacking := sorted({*range(own.seed, own.seed + own.seeds)} - seeds):
            raise UsageError(
                f"no run has seed {lacking[0]} of {inner.name} in {place}, which the others' flags ask for; add one "
                "that has"
            )
        if len(folders) > 1:
            merge(folders, out / place)
        else:
            shutil.copytree(folders[0], out / place)


def reasons(experiment: Experiment, parts: Sequence[Any]) -> dict[str, str]:
    """Why the parts have left runs out, by name; of several reasons the first."""
    return {name: why for part in reversed(parts) for name, why in _untrained(part, experiment).items()}


def with_reasons(found: Findings, why: dict[str, str]) -> Findings:
    """The findings, with these reasons where they have any."""
    return dataclasses.replace(found, facts={**found.facts, UNTRAINED: why}) if UNTRAINED in found.facts else found


def _untrained(part: Any, experiment: Experiment) -> dict[str, str]:
    if not experiment.inside(part.config):
        return {}
    return load_findings(part.folder, manifest.origin(part.made, experiment)).facts.get(UNTRAINED, {})


def _is_complete(folder: Path) -> bool:
    return (folder / "manifest.json").exists() and manifest.load_manifest(folder)["status"] == "complete"
