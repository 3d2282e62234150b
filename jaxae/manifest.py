"""What a run was made of: flags, seeds, versions, device, data. A resumed run must be made of the same."""

import datetime
import hashlib
import inspect
import json
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from jaxae import flags, keys, plots
from jaxae.data import Dataset
from jaxae.errors import UsageError

FORMAT = 1
SAME = ("key_implementation", "xla_flags", "matmul_precision")  # with device and versions: what bitwise takes
SINCE = {"precision": "float32"}  # flags that older manifests lack, and what they did
DECISIVE = ("jax", "jaxlib", "flax", "optax")
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "dm-pix", "numpy")


def new(config: flags.Flags) -> dict[str, Any]:
    """The manifest of a run that starts now. Keys as in the run directory's documentation."""
    title, summary = _described(config)
    return {
        "format": FORMAT,
        "experiment": flags.module_name(config).rpartition(".")[2],
        "title": title,
        "summary": summary,
        "command": flags.command(config),
        "config": flags.science(config),
        "seeds": list(range(config.seed, config.seed + config.seeds)),
        "key_implementation": keys.IMPLEMENTATION,
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
        "device": device(),
        "xla_flags": " ".join(flag for flag in os.environ.get("XLA_FLAGS", "").split() if "timeout" not in flag),
        "matmul_precision": str(jax.config.values["jax_default_matmul_precision"] or "default"),
        "data": [],
        "files": [],
        "git_commit": _commit(),
        "deviations": [],
        "notes": [],
        "tables": [],
        "figures": [],
        "status": "running",
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "wall_seconds": 0.0,
        "arms": {},
    }


def device() -> dict[str, Any]:
    """The platform that computes."""
    first = jax.devices()[0]
    kind = _processor() if first.platform == "cpu" else first.device_kind
    return {"platform": first.platform, "kind": kind, "count": jax.device_count(), "cores": os.cpu_count()}


def describe_data(role: str, data: Dataset) -> dict[str, Any]:
    """The manifest's entry for a data set."""
    return {
        "role": role, "name": data.name, "version": data.version, "split": data.split, "source": data.source,
        "n": len(data), "sha256": data.fingerprint,
    }  # fmt: skip


def describe_file(role: str, path: Path) -> dict[str, Any]:
    """The manifest's entry for a file that the run depends on."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"role": role, "name": path.name, "bytes": path.stat().st_size, "sha256": digest}


def refuse_other(before: dict[str, Any], now: dict[str, Any], folder: Path, config: flags.Flags) -> None:
    """Raise UsageError, naming the difference, unless the run `before` can be continued as `now`."""
    if before.get("experiment") != now["experiment"]:
        raise UsageError(f"{folder} holds a run of {before.get('experiment')}; choose another --out")
    for name in before["config"].keys() | now["config"].keys():
        old, new = (config.get(name, SINCE.get(name)) for config in (before["config"], now["config"]))
        if old != new:
            flag = "--" + name.replace("_", "-")
            where = f" --data-dir {shlex.quote(str(config.data_dir))}" if config.data_dir else ""
            again = f"{before['command']} --resume{where} --out {shlex.quote(str(folder))}"
            raise UsageError(f"the run in {folder} has {flag} {old}, not {new}; resume it with: {again}")
    if config.force:
        return
    for name, old, new in (
        *((name, before["versions"].get(name), now["versions"].get(name)) for name in DECISIVE),
        *((name, before["device"].get(name), now["device"].get(name)) for name in ("platform", "kind")),
        *((name.replace("_", " "), before[name], now[name]) for name in SAME),
    ):
        if old != new:
            raise UsageError(
                f"the run in {folder} was made with {name} {old} and this is {new}, so it can't go on bitwise; "
                "use the same, or --force"
            )


def continued(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The manifest `now` of a resumed run: when the run began, and every commit that had a part in it."""
    commits = dict.fromkeys([*before.get("git_commit", "").split(), *now["git_commit"].split()])
    return {**now, "started": before.get("started", now["started"]), "git_commit": " ".join(commits)}


def with_the_rest(now: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The manifest `now` with the data and arms of the run `before` that a resumed run has not come to yet.

    They stay known, the data above all: other data must go on being refused.
    """
    seen = {entry["role"] for entry in now["data"]}
    data = [*now["data"], *(entry for entry in before.get("data", []) if entry["role"] not in seen)]
    return {**now, "data": data, "arms": {**before.get("arms", {}), **now["arms"]}}


def read(folder: Path) -> dict[str, Any]:
    """The manifest of the run in `folder`. Raises UsageError where there is none, or none that can be read."""
    try:
        return json.loads((folder / "manifest.json").read_text())
    except FileNotFoundError:
        raise UsageError(
            f"{folder} holds no run to resume; to start one, leave out --resume and name a new --out"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder}/manifest.json can't be read ({error}); start again with another --out") from None


def write_json(path: Path, value: Any) -> None:
    """Write a file of the run in one step. Raises ValueError for NaN and infinity, which JSON doesn't have."""
    plots.write(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def refuse_other_data(before: list[dict[str, Any]], entry: dict[str, Any], folder: Path) -> None:
    """Raise UsageError unless `entry` has the fingerprint of the data set, or file, that the run had in this role."""
    for old in before:
        if old["role"] == entry["role"] and old["sha256"] != entry["sha256"]:
            raise UsageError(
                f"the run in {folder} had {_data_words(old)} as its {old['role']} data and this is "
                f"{_data_words(entry)}; give the {'--data-dir' if 'n' in entry else 'file'} that it was started with"
            )


def _data_words(entry):
    about = f"{entry['split']} (n = {entry['n']:,}" if "n" in entry else f"({entry['bytes']:,} bytes"
    return f"{entry['name']} {about}, SHA-256 {entry['sha256'][:12]})"


def _described(config):
    """The first line of the experiment's docstring, and the paragraph after it."""
    text = inspect.getdoc(sys.modules[type(config).__module__]) or type(config).__name__
    title, _, rest = text.partition("\n\n")
    return " ".join(title.split()), " ".join(rest.partition("\n\n")[0].split())


def _commit() -> str:
    """The commit of the code that runs, marked where it has changes; empty outside a git checkout."""
    here = Path(__file__).parent

    def git(*arguments):
        done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, timeout=10, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit = git("rev-parse", "HEAD")
        return commit + ("+changes" if commit and git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _processor() -> str:
    """The CPU's name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
