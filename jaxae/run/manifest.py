"""What a run was made of: flags, seeds, versions, device, data. See `resuming` for what a resumed run must share."""

import datetime
import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from jaxae import devices, keys
from jaxae.data import Dataset
from jaxae.errors import UsageError
from jaxae.files import ANY, digest_of, load_json, refuse_misfit
from jaxae.findings import Origin
from jaxae.run import flags
from jaxae.run.experiment import Experiment
from jaxae.run.settings import unusual_settings
from jaxae.train import lanes
from jaxae.train.entries import misfit_of_arms

FORMAT = 2
CHANGED = "+changes"  # after a commit whose code had some
MEND = "take the run from a sound copy, or train it again in another folder"
PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "dm-pix", "numpy", "jaxae")
DATA = {"role": str, "name": str, "version": str, "split": str, "source": str, "n": int, "sha256": str}
SHAPE = {
    "module": str, "experiment": str, "title": str, "summary": str, "command": str, "config": dict, "seeds": [int],
    "key_implementation": str, "versions": {ANY: str}, "device": {"platform": str, "kind": str}, "xla_flags": str,
    "matmul_precision": str, "data": [DATA], "git_commit": str, "status": str, "arms": {ANY: dict},
}  # fmt: skip
LATER = {  # manifests may be without them
    "files": [{"role": str, "name": str, "bytes": int, "sha256": str}], "arrays": dict, "jax_settings": dict,
    "pretrained": {ANY: str}, "job": {"number": int, "of": int, "config": dict}, "started": str, "wall_seconds": float,
    "peak_memory_gib": float, "measured": dict, "merged": [dict],
}  # fmt: skip


def new_manifest(experiment: Experiment, config: flags.Flags) -> dict[str, Any]:
    """The manifest of a run that starts now."""
    title, summary = experiment.heading(config)
    return {
        "format": FORMAT,
        "module": experiment.program[-1],
        "experiment": experiment.name,
        "title": title,
        "summary": summary,
        "command": experiment.command(config),
        "config": flags.science(config),
        "seeds": list(range(config.seed, config.seed + config.seeds)),
        "key_implementation": keys.IMPLEMENTATION,
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}},
        "device": device(),
        "xla_flags": " ".join(flag for flag in os.environ.get("XLA_FLAGS", "").split() if "timeout" not in flag),
        "matmul_precision": str(jax.config.values["jax_default_matmul_precision"] or "default"),
        "jax_settings": unusual_settings(),
        "data": [],
        "files": [],
        "git_commit": _commit(),
        "status": "running",
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "wall_seconds": 0.0,
        "arms": {},
    }


def load_manifest(folder: Path, mend: str = "name the folder of one") -> dict[str, Any]:
    """The manifest of the run in `folder`. Raises UsageError where there is none, which ends with `mend`, and, as
    `known_manifest` does, where it can't be used."""
    path = folder / "manifest.json"
    if not path.exists():
        raise UsageError(f"{folder} holds no run; {mend}")
    return known_manifest(load_json(path, {}, MEND), path)


def known_manifest(manifest: dict[str, Any], path: Path) -> dict[str, Any]:
    """The same manifest. Raises UsageError, naming `path`, unless it is one of this format, whole."""
    if manifest.get("format") != FORMAT:
        raise UsageError(
            f"{path} has a manifest of format {manifest.get('format')} and this jaxae reads {FORMAT}; use the code "
            "that made it"
        )
    later = {name: shape for name, shape in LATER.items() if name in manifest}
    refuse_misfit(manifest, SHAPE | later, path, MEND)
    if wrong := misfit_of_arms(manifest["arms"], len(manifest["seeds"])):
        raise UsageError(f"{path}: {wrong}; {MEND}")
    if (job := manifest.get("job")) and not 1 <= job["number"] <= job["of"] <= flags.MOST_OTHERS:
        raise UsageError(f"{path}: it is job {job['number']} of {job['of']}; take the run from a sound copy")
    return manifest


def origin(manifest: Mapping[str, Any], experiment: Experiment) -> Origin:
    """What the findings of the run with this manifest are of."""
    config = flags.restored(experiment.config, manifest["config"])
    return Origin(config, tuple(manifest["seeds"]), tuple(manifest["data"]))


def device() -> dict[str, Any]:
    """The platform that computes. Raises UsageError where JAX finds none of those that it was told to use."""
    try:
        first = devices.own()[0]
    except (AssertionError, RuntimeError):  # JAX's own, for a platform that isn't installed and one that isn't there
        raise UsageError(
            f"there is no device of the platform {jax.config.values['jax_platforms']!r}; install jax for it, or unset "
            "JAX_PLATFORMS"
        ) from None
    kind = _processor() if first.platform == "cpu" else first.device_kind
    several = {"processes": jax.process_count()} if jax.process_count() > 1 else {}
    threads = {"threads": max(devices.cores(), len(devices.own()))} if first.platform == "cpu" else {}
    here = {"platform": first.platform, "kind": kind, "count": lanes.there(), "cores": devices.cores()}
    return here | threads | several


def describe_data(role: str, data: Dataset) -> dict[str, Any]:
    """The manifest's entry for a data set."""
    return {
        "role": role, "name": data.name, "version": data.version, "split": data.split, "source": data.source,
        "n": len(data), "sha256": data.fingerprint,
    }  # fmt: skip


def peak_memory() -> float | None:
    """GiB that this process has had at most; None where the system doesn't tell."""
    status = Path("/proc/self/status")  # of Linux, whose getrusage counts what the parent had when it started this one
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return round(int(found[1]) / 2**20, 1)
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes, or KiB
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, 1)


def describe_file(role: str, path: Path) -> dict[str, Any]:
    """The manifest's entry for a file that the run depends on."""
    return {"role": role, "name": path.name, "bytes": path.stat().st_size, "sha256": digest_of(path)}


def is_known(commit: str) -> bool:
    """Whether a manifest's commit tells the code: there is one, and the code had no changes."""
    return commit != "" and CHANGED not in commit


def _commit() -> str:
    """The commit of the code that runs, and a digest of its changes, and of code that git doesn't know yet, where it
    has some; empty outside a git checkout.

    A repository in which an environment lies that jaxae is installed in knows nothing of it: it must track this file.
    """
    here = Path(__file__).parent
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # of another one

    def git(*arguments):
        done = subprocess.run(
            ["git", *arguments], cwd=here, env=surroundings, capture_output=True, text=True, errors="replace",
            timeout=10, check=False,
        )  # fmt: skip
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        tracked = git("ls-files", "--error-unmatch", Path(__file__).name)
        commit = git("rev-parse", "HEAD") if tracked else ""
        changes = [git("diff", "HEAD").encode()] if commit else []
        new = ("ls-files", "--others", "--exclude-standard", "-z", "--", ":/jaxae/**.py", ":/experiments/**.py")
        names = [name for name in git(*new).split("\0") if name] if commit else []
        changes += [name.encode() + (here / name).read_bytes() for name in names if (here / name).is_file()]
        digest = hashlib.sha256(b"".join(changes)).hexdigest()[:12]
        return commit + (f"{CHANGED}.{digest}" if any(changes) else "")
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
