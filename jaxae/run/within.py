"""Runs that are made within runs: of those that are merged, each is merged with its like, or taken over."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jaxae.errors import UsageError
from jaxae.run import manifest
from jaxae.run.experiment import Experiment


def gather_inside(
    out: Path, experiment: Experiment, config: Any, parts: Sequence[Any], merge: Callable[[Sequence[Path], Path], Any]
) -> None:
    """Put the runs inside the parts of a run (its folders and flags) into `out`, by `merge(folders, out)`.

    Raises UsageError where one is nowhere, or lacks a seed.
    """
    for place, (inner, own) in experiment.inside(config).items():
        folders = [part.folder / place for part in parts if place in experiment.inside(part.config)]
        seeds = {seed for folder in folders for seed in manifest.load_manifest(folder)["seeds"]}
        if missing := sorted({*range(own.seed, own.seed + own.seeds)} - seeds):
            raise UsageError(
                f"no run has seed {missing[0]} of {inner.name} in {place}, which the others' flags ask for; add one "
                "that has"
            )
        if len(folders) > 1:
            merge(folders, out / place)
        else:
            shutil.copytree(folders[0], out / place)
