"""A run of a real experiment that takes seconds, for tests of what is around the training."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from experiments.fc_vs_conv import EXPERIMENT
from experiments.fc_vs_conv.method import Config
from jaxae.run import steps

ROOT = Path(__file__).parents[1]
QUICK = Config(arms=("fc",), targets=("standardised",), source="synthetic", limit=200, epochs=2, seeds=2, quiet=True)
SAME = ("history.json", "results.json", "findings.json", "report.md", "report.html", "figures/loss_curves.png")


def at(folder: Path, **changes: Any) -> Config:
    """QUICK, into a folder, with these changes."""
    return dataclasses.replace(QUICK, out=folder, **changes)


def perform(config: Config) -> Path:
    """The run's folder."""
    return steps.perform(EXPERIMENT, config)


def read(folder: Path, name: str) -> Any:
    """A JSON file of it."""
    return json.loads((folder / name).read_text())


def same(one: Path, other: Path) -> bool:
    """Whether two runs have the same history, findings and pages, byte by byte."""
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in SAME)
