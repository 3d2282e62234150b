"""Run a saved result again and compare: bitwise with the code and platform that made it, by interval elsewhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxae.errors import UsageError
from jaxae.findings import Row
from jaxae.findings.claims import row_to_json
from jaxae.run import flags, resuming
from jaxae.run.saved import MEND, Saved, load_result
from jaxae.run.steps import perform


def check(path: Path, out: Path, *, given: str = "", **local: Any) -> tuple[str, list[str]]:
    """Run the result in `path` again into `out`, with these local flags; how it was compared, and what differs.

    Bits are expected of the same code alone: where another gives others, intervals decide.
    Raises UsageError for what is no results file, and where the data now is not what it was.
    """
    before = load_result(path, given)
    config = flags.restored(before.experiment.config, before.manifest["config"], out=out, **local)
    rows = _said(before)
    if not any(row.values for row in rows):
        raise UsageError(f"{path} holds no measures, so there is nothing to check; {MEND}")
    now = load_result(perform(before.experiment, config, like=(path, before.manifest)), given)
    rows_now = _said(now)
    how = "by interval (another platform)"
    if same_platform(before.manifest, now.manifest):
        how, differing = "bitwise", differences(rows, rows_now, bitwise=True)
        if not differing or same_code(before.manifest, now.manifest):
            return how, differing
        how = f"by interval (other code: {len(differing)} of {len(rows)} rows are not the same)"
    return how, differences(rows, rows_now, bitwise=False)


def same_platform(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether equal bits are to be expected."""
    measured = {**before, **before.get("measured", {})}
    cores = before["device"].get("cores") == now["device"].get("cores")
    return cores and not any(resuming.differing_platform(made, now) for made in (before, measured))


def same_code(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether both were trained and measured by the same commit, without changes; False where that isn't known."""
    commit = now["git_commit"]
    known = commit != "" and "+changes" not in commit
    return known and all(made.get("git_commit") == commit for made in (before, before.get("measured", before)))


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
    """The intervals of the means overlap; without intervals, means within a thousandth; exact numbers equal."""
    if row.categorical:
        return True  # the verdicts are compared
    if row.mean is None or other.mean is None or row.exact:
        return row.mean == other.mean
    one, two = row.ci95, other.ci95
    if one is None or two is None or one[0] == one[1] or two[0] == two[1]:
        return abs(row.mean - other.mean) <= 1e-3 * abs(row.mean)
    return one[0] <= two[1] and two[0] <= one[1]
