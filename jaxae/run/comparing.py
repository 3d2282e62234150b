"""Runs of one experiment side by side: the settings in which they differ, their numbers, and what lies between two."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxae.findings import Contrast, Findings, contrasts
from jaxae.report.document import Document
from jaxae.report.gallery import Comparison, contrast_tables, numbers_table, settings_table
from jaxae.run import flags
from jaxae.run.cost import where
from jaxae.run.experiment import Experiment
from jaxae.run.resuming import DECISIVE, SAME


class Entry(NamedTuple):
    """A run's folder, or a results file: its manifest, what was found and what is said of it, where that can be told;
    else why not. `name` is what it is called beside others."""

    path: Path
    made: Mapping[str, Any]
    experiment: Experiment | None = None
    found: Findings | None = None
    document: Document | None = None
    problem: str = ""
    name: str = ""


def comparisons(entries: Sequence[Entry]) -> list[Comparison]:
    """Of each experiment that several of the runs are of, those whose findings are at hand."""
    modules = dict.fromkeys(entry.made["module"] for entry in entries)
    groups = ([entry for entry in entries if entry.made["module"] == module and entry.document] for module in modules)
    return [_comparison(group) for group in groups if len(group) > 1]


def _comparison(group: Sequence[Entry]) -> Comparison:
    """The settings in which runs differ and the reports' numbers; of two the numbers that differ; all else folded."""
    names, study = [entry.name for entry in group], group[0].made["experiment"]
    rows = [entry.document.rows for entry in group if entry.document]
    title = f"{study}: {names[0]} and {names[1]}" if len(group) == 2 else f"{study}: {len(group)} runs side by side"
    shown = [settings_table(names, [settings_of(entry) for entry in group])]
    claims = numbers_table("The reports' numbers", names, rows, claims=True)
    others = numbers_table("The other measures", names, rows, claims=False)
    between = _between(group) if len(group) == 2 else []
    if not between:
        held = [claims] if claims.rows else []
        return Comparison(title, [*shown, *held], [others])
    apart, open_ = contrast_tables(names, between)
    return Comparison(title, [*shown, apart], [open_, claims, others])


def _between(group: Sequence[Entry]) -> list[Contrast]:
    """Of two runs every number that both have."""
    one, other = (entry.found for entry in group)
    return contrasts(one, other) if one and other else []


def settings_of(entry: Entry) -> dict[str, str]:
    """What a run was made with, in words: flags that came later have their defaults."""
    made = entry.made
    config = made["config"]
    if entry.experiment is not None:
        config = flags.science(flags.restored(entry.experiment.config, config))
    data = {
        f"data, {one['role']}": f"n = {one['n']:,}, {one['source']}, SHA-256 {one['sha256'][:12]}"
        for one in made["data"]
    }
    used = entry.document.trained_with if entry.document else ""
    return {
        **({"trained with": used} if used else {}),
        **{flags.flag(name): _word(value) for name, value in config.items()},
        **data,
        "device": where(made),
        **{name: str(made["versions"].get(name, "")) for name in DECISIVE},
        **{name.replace("_", " "): str(made[name]) for name in SAME},
        "commit": short_commits(made["git_commit"]),
    }


def short_commits(text: str) -> str:
    """Commits with the first 12 digits of their hashes, which tell them apart as well.

    >>> short_commits("0123456789abcdef0123456789abcdef01234567+changes.0123456789ab")
    '0123456789ab+changes.0123456789ab'
    """
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{28}\b", r"\1", text)


def _word(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
