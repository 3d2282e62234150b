"""Run a saved result again and compare: bitwise with the code and platform that made it, by interval elsewhere."""

import importlib
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxae import manifest, program
from jaxae.errors import UsageError
from jaxae.results import Row, from_json, measured, to_json


def read(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """Manifest and rows of a saved result: {"manifest", "rows"}, or a run's results.json beside its manifest.json.

    Raises UsageError where the file isn't one of these.
    """
    try:
        content = json.loads(path.read_text())
        if isinstance(content, list):
            content = {"manifest": json.loads((path.parent / "manifest.json").read_text()), "rows": content}
        missing = {"command", "data", "device", "versions", *manifest.SAME} - content["manifest"].keys()
        if missing:
            raise KeyError(*sorted(missing))
        return content["manifest"], [from_json(row) for row in content["rows"]]
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {error.filename}; give a results file that a run has written") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not a results file of jaxae ({error}); give one that a run has written") from None


def again(before: Mapping[str, Any], local: Sequence[str]) -> Path:
    """Run the experiment of a manifest again, with the `local` flags (--out, --data-dir, ...); its folder."""
    words = shlex.split(before["command"])
    module = importlib.import_module(words[2])
    config = program.parse(module.Config, [*words[3:], *local])
    module.main(config)
    return config.out


def same_platform(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether equal bits are to be expected."""
    versions = all(before["versions"].get(name) == now["versions"].get(name) for name in manifest.DECISIVE)
    devices = all(before["device"].get(name) == now["device"].get(name) for name in ("platform", "kind", "cores"))
    same = all(before[name] == now[name] for name in manifest.SAME)
    return versions and devices and same and _batch_devices(before) == _batch_devices(now)


def _batch_devices(made: Mapping[str, Any]) -> dict[str, int]:
    """By arm, how many devices shared each batch, where several did: their sums have roundings of their own."""
    return {name: arm["batch_devices"] for name, arm in made.get("arms", {}).items() if "batch_devices" in arm}


def same_code(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether both were made by the same commit, without changes; False where that isn't known."""
    commit = now["git_commit"]
    return commit != "" and "+changes" not in commit and before.get("git_commit") == commit


def compare(before: Sequence[Row], now: Sequence[Row], *, bitwise: bool) -> list[str]:
    """What differs, a sentence each; empty where the result holds."""
    found = {_key(row): row for row in now}
    problems = []
    for row in before:
        other = found.get(_key(row))
        where = f"{row.arm}, {row.metric}"
        if not _follows(row):
            problems.append(f"{where}: mean {row.mean} and interval {row.ci95} are not those of its values")
        elif other is None:
            problems.append(f"{where}: no such row now")
        elif bitwise and to_json(row)["values"] != to_json(other)["values"]:  # NaN as null, which equals itself
            problems.append(f"{where}: {list(other.values)} in place of {list(row.values)}")
        elif not bitwise and not _agree(row, other):
            problems.append(f"{where}: {other.mean} with interval {other.ci95} in place of {row.mean} with {row.ci95}")
        elif row.verdict != other.verdict:
            problems.append(f"{where}: {other.verdict!r} in place of {row.verdict!r}")
    return problems


def check(path: Path, local: Sequence[str], out: Path) -> tuple[str, list[str]]:
    """Run the result in `path` again into `out`; how it was compared, and what differs.

    Bits are expected of the same code alone: where another gives others, intervals decide.
    Raises UsageError for what is no results file, and where the data now is not what it was.
    """
    before, rows = read(path)
    folder = again(before, [*local, "--out", str(out)])
    now, rows_now = read(folder / "results.json")
    for entry in now["data"]:
        manifest.refuse_other_data(before["data"], entry, path)
    how = "by interval (another platform)"
    if same_platform(before, now):
        how, differing = "bitwise", compare(rows, rows_now, bitwise=True)
        if not differing or same_code(before, now):
            return how, differing
        how = f"by interval (other code: {len(differing)} of {len(rows)} rows are not the same)"
    return how, compare(rows, rows_now, bitwise=False)


def _follows(row: Row) -> bool:
    """Whether mean and intervals are those of the values."""
    own = measured(row.arm, row.metric, row.values)
    pairs = zip(_numbers(row), _numbers(own), strict=True)
    return all(
        a is b or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12))
        for a, b in pairs
    )


def _numbers(row: Row) -> list[float | None]:
    return [row.mean, *(row.ci95 or (None, None)), *(row.pi95 or (None, None))]


def _key(row: Row):
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
