"""Run a saved result again and compare: bitwise with the code and platform that made it, by interval elsewhere.

A study can have a piece beside its results, RESULTS/quick/STUDY.json: a result of one seed, made in seconds, that
stands for it where hours are too long.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.errors import UsageError
from jaxae.findings import Findings, Row
from jaxae.findings.claims import row_to_json
from jaxae.findings.statistics import prediction_interval
from jaxae.run import flags, manifest, resuming
from jaxae.run.saved import MEND, Saved, load_result
from jaxae.run.steps import perform

QUICK = "quick"  # the folder of pieces, beside results: none of them is a finding


def check(path: Path, out: Path, *, given: str = "", seeds: int | None = None, **local: Any) -> tuple[str, list[str]]:
    """Run the result in `path` again into `out`, with these local flags; how it was compared, and what differs.

    `seeds` is how many of the seeds, the first ones, are run again: each measure of theirs is compared, and no verdict.
    Bits are expected of the same code alone: where another gives others, intervals decide.
    Raises UsageError for what is no results file, for more seeds than it has, and where the data now is not what it
    was.
    """
    before = load_result(path, given)
    config = flags.restored(before.experiment.config, before.manifest["config"], out=out, **local)
    if not any(before.findings.measures.values()) or (seeds is not None and not _of_seeds(before.findings)):
        raise UsageError(f"{path} holds no measures, so there is nothing to check; {MEND}")
    if seeds is not None:
        return _check_some(path, before, config, seeds, given)
    rows = _said(before)
    now = load_result(perform(before.experiment, config, like=(path, before.manifest)), given)
    rows_now = _said(now)
    if others := other_platform(before.manifest, now.manifest):
        how = f"by interval (another platform: {_told(others)})"
    else:
        differing = differences(rows, rows_now, bitwise=True)
        if not differing or same_code(before.manifest, now.manifest):
            return "bitwise", differing
        how = f"by interval (other code: {len(differing)} of {len(rows)} rows are not the same)"
    return how, differences(rows, rows_now, bitwise=False)


def check_quick(path: Path, out: Path, *, given: str = "", **local: Any) -> tuple[str, list[str]]:
    """Run the piece again that stands for the study of the result in `path`; how it was compared, and what differs.

    On the platform that made it every bit must be the same, by whatever code: what it shows is that code changes bits.
    Elsewhere bits are others, and each number must be within a thousandth: in so few steps roundings haven't grown.
    Raises UsageError for what is no results file, where there is no piece, and where the data now is not what it was.
    """
    piece = piece_of(path, given)
    before = load_result(piece, given)
    if len(before.findings.seeds) != 1 or not _of_seeds(before.findings):
        raise UsageError(f"{piece} is no piece of a study, which has one seed, and measures of it; {MEND}")
    config = flags.restored(before.experiment.config, before.manifest["config"], out=out, **local)
    now = load_result(perform(before.experiment, config, like=(piece, before.manifest)), given)
    others = other_platform(before.manifest, now.manifest)
    how = f"within a thousandth (another platform than that which made it: {_told(others)})" if others else "bitwise"
    return f"{how}, {piece}", of_first_seeds(before.findings, now.findings, bitwise=not others)


def piece_of(path: Path, given: str = "") -> Path:
    """The piece of the study of a result. Raises UsageError where it has none."""
    if path.parent.name == QUICK:
        return path
    piece = path.parent / QUICK / f"{load_result(path, given).experiment.name}.json"
    if not piece.is_file():
        there = ", ".join(sorted(other.stem for other in piece.parent.glob("*.json"))) or "none"
        raise UsageError(f"there is no piece {piece}, only of these studies: {there}; leave out --quick")
    return piece


def _check_some(path: Path, before: Saved, config: flags.Flags, seeds: int, given: str) -> tuple[str, list[str]]:
    if not 1 <= seeds <= config.seeds:
        raise UsageError(f"--seeds is {seeds} and {path} has {config.seeds}; choose one from 1 to {config.seeds}")
    again = dataclasses.replace(config, seeds=seeds)
    now = load_result(perform(before.experiment, again, like=(path, before.manifest)), given)
    which = f"the first {seeds} of {config.seeds} seeds"
    alone = config.lanes != "vmap" and now.manifest["device"]["platform"] == "cpu"  # else bits depend on their number
    if alone and not other_platform(before.manifest, now.manifest):
        differing = of_first_seeds(before.findings, now.findings, bitwise=True)
        if not differing or same_code(before.manifest, now.manifest):
            return f"bitwise, {which}", differing
    return f"by the range of single runs, {which}", of_first_seeds(before.findings, now.findings, bitwise=False)


def of_first_seeds(before: Findings, now: Findings, *, bitwise: bool) -> list[str]:
    """What differs in the measures of the seeds that `now` has, the first of `before`, a sentence each.

    Not bitwise, a value must lie in the interval in which 95% of single runs fall, or among those that were measured;
    where too few were for an interval, within a thousandth of the same seed's. What all seeds share is left out, since
    it may be made of them all.
    """
    problems = []
    for arm, metric, values in _of_seeds(before):
        found = now.measures.get(arm, {}).get(metric)
        if found is None:
            problems.append(f"{arm}, {metric}: not measured now")
        elif bitwise and not np.array_equal(found, values[: len(found)], equal_nan=True):
            problems.append(f"{arm}, {metric}: {found.tolist()} in place of {values[: len(found)].tolist()}")
        elif not bitwise:
            problems += [f"{arm}, {metric}: {strange}" for strange in _strangers(found, values)]
    return problems


def _of_seeds(found: Findings) -> list[tuple[str, str, np.ndarray]]:
    """(arm, metric, values) of every measure that has a value for each seed."""
    return [(arm, metric, values) for arm, of in found.measures.items() for metric, values in of.items() if values.ndim]


def _strangers(found: np.ndarray, values: np.ndarray) -> list[str]:
    """What of `found` can't be of the runs that gave `values`: finite ones by their range, others by being there."""
    finite = values[np.isfinite(values)]
    interval = prediction_interval(finite)
    if interval is None:
        own = values[: len(found)]
        apart = ~np.isclose(found, own, rtol=1e-3, atol=0, equal_nan=True)
        return [f"{new} in place of {old}" for new, old in zip(found[apart].tolist(), own[apart].tolist(), strict=True)]
    low, high = min(interval[0], finite.min()), max(interval[1], finite.max())
    there = {str(value) for value in values.tolist()}  # NaN equals itself
    outside = [value for value in found.tolist() if not (low <= value <= high or str(value) in there)]
    return [f"{value} is not from {low} to {high}" for value in outside]


def other_platform(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What stands in the way of equal bits, (name, old, new): of what trained the result, and of what measured it."""
    measured = {**before, **before.get("measured", {})}
    return list(dict.fromkeys(fact for made in (before, measured) for fact in resuming.differing_platform(made, now)))


def _told(facts: Sequence[tuple[str, Any, Any]]) -> str:
    return "; ".join(f"{name} {new}, not {str(old).removeprefix('not ')}" for name, old, new in facts)  # not noted


def same_code(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether both were trained and measured by the same commit, without changes; False where that isn't known."""
    commit = now["git_commit"]
    made = (before, before.get("measured", before))
    return manifest.is_known(commit) and all(each.get("git_commit") == commit for each in made)


def differences(before: Sequence[Row], now: Sequence[Row], *, bitwise: bool) -> list[str]:
    """What differs, a sentence each; empty where the result holds."""
    found = {_key(row): row for row in now}
    problems = []
    for row in before:
        other = found.get(_key(row))
        where = f"{row.arm}, {row.metric}"
        if other is None:
            problems.append(f"{where}: no such row now")
        elif bitwise and row_to_json(row)["values"] != row_to_json(other)["values"]:  # NaN as null, equal to itself
            problems.append(f"{where}: {list(other.values)} in place of {list(row.values)}")
        elif not bitwise and not _agree(row, other):
            problems.append(f"{where}: {other.mean} with interval {other.ci95} in place of {row.mean} with {row.ci95}")
        elif row.verdict != other.verdict:
            problems.append(f"{where}: {other.verdict!r} in place of {row.verdict!r}")
    return problems


def _said(saved: Saved) -> Sequence[Row]:
    return saved.experiment.document(saved.findings).rows


def _key(row: Row) -> tuple[Any, ...]:
    return row.arm, row.metric, row.reported, bool(row.excluded)


def _agree(row: Row, other: Row) -> bool:
    """The intervals of the means overlap; without intervals, means within a thousandth; exact numbers equal. Without
    means, as of dead seeds among others, values as `of_first_seeds` has them."""
    if row.categorical:
        return True  # the verdicts are compared
    if row.mean is None and other.mean is None:
        return not _strangers(np.array(other.values), np.array(row.values))
    if row.mean is None or other.mean is None or row.exact:
        return row.mean == other.mean
    one, two = row.ci95, other.ci95
    if one is None or two is None or one[0] == one[1] or two[0] == two[1]:
        return abs(row.mean - other.mean) <= 1e-3 * abs(row.mean)
    return one[0] <= two[1] and two[0] <= one[1]
