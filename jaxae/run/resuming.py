"""What runs must share to be one run: to go on with it, to measure it again, to merge it with others."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxae import commands
from jaxae.errors import UsageError
from jaxae.run import flags

SAME = ("key_implementation", "xla_flags", "matmul_precision")  # with device and versions: what bitwise takes
DECISIVE = ("jax", "jaxlib", "flax", "optax")


def refuse_other_run(before: Mapping[str, Any], now: Mapping[str, Any], folder: Path, config: flags.Flags) -> None:
    """Raise UsageError, naming the difference, unless the run `before` can be continued as `now`."""
    if before["module"] != now["module"]:
        raise UsageError(f"{folder} holds a run of {before['module']}; choose another --out")
    was = flags.science(flags.restored(type(config), before["config"]))  # flags that came later have their defaults
    for name, new in flags.science(config).items():
        if (old := was[name]) != new:
            where = f" --data-dir {shlex.quote(str(config.data_dir))}" if config.data_dir else ""
            again = f"{commands.here(before['command'])}{where} --out {shlex.quote(str(folder))} --resume"
            raise UsageError(f"the run in {folder} has {flags.flag(name)} {old}, not {new}; resume it with: {again}")
    if config.force:
        return
    for name, old, new in differing_platform(before, now):
        raise UsageError(
            f"the run in {folder} was made with {name} {old} and this is {new}, so it can't go on bitwise; use the "
            "same, or --force"
        )


def differing_platform(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """What of two runs' versions, devices and settings of JAX stands in the way of equal bits: (name, old, new)."""
    facts = (
        *((name, before["versions"].get(name), now["versions"].get(name)) for name in DECISIVE),
        *((name, before["device"].get(name), now["device"].get(name)) for name in ("platform", "kind")),
        ("XLA threads", *(run["device"].get("threads", "not noted") for run in (before, now))),
        *((name.replace("_", " "), before[name], now[name]) for name in SAME),
        *_settings(before.get("jax_settings", {}), now.get("jax_settings", {})),
    )
    return [fact for fact in facts if fact[1] != fact[2]]


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(name, old.get(name, "as usual"), new.get(name, "as usual")) for name in sorted({*old, *new})]


def refuse_other_data(before: Sequence[Mapping[str, Any]], entry: Mapping[str, Any], folder: Path) -> None:
    """Raise UsageError unless `entry` has the fingerprint of the data set, or file, that the run had in this role."""
    for old in before:
        if old["role"] == entry["role"] and old["sha256"] != entry["sha256"]:
            raise UsageError(
                f"the run in {folder} had {_data_words(old)} as its {old['role']} data and this is "
                f"{_data_words(entry)}; give the {'--data-dir' if 'n' in entry else 'file'} that it was started with"
            )


def continued(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest `now` of a resumed run: when the run began, every commit that had a part in it, which job it is."""
    commits = dict.fromkeys([*before["git_commit"].split(), *now["git_commit"].split()])
    job = {"job": before["job"]} if "job" in before else {}
    return {**now, **job, "started": before.get("started", now["started"]), "git_commit": " ".join(commits)}


def with_the_rest(now: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest `now` with the data, arrays, files and arms of `before` that a resumed run has not come to yet.

    They stay known, what it was trained on above all: others must go on being refused.
    """
    both = {kind: {**before.get(kind, {}), **now.get(kind, {})} for kind in ("arms", "arrays")}
    return {**now, **sources([now, before]), **both}


def sources(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The data and files of all runs, by their manifests; of each role the first."""
    found = {}
    for kind in ("data", "files"):
        by_role: dict[str, Mapping[str, Any]] = {}
        for entry in (entry for run in runs for entry in run.get(kind, [])):
            by_role.setdefault(entry["role"], entry)
        found[kind] = [*by_role.values()]
    return found


def _data_words(entry: Mapping[str, Any]) -> str:
    about = f"{entry['split']} (n = {entry['n']:,}" if "n" in entry else f"({entry['bytes']:,} bytes"
    return f"{entry['name']} {about}, SHA-256 {entry['sha256'][:12]})"
