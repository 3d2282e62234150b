"""What benchmark.json holds: its manifest and sections, opened, gone on with, read back."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.benchmark.config import BATCHES, Config, command
from experiments.benchmark.sides import Sides, load
from jaxae.errors import UsageError
from jaxae.train.lanes import Mode

ALIKE = ("device", "threads", "repeats", "seconds", "precision", "source", "lanes", "images", "machine", "torch")
SECTIONS = ("rows", "samples", "lanes", "startup", "evaluation", "memory", "operations")  # beside the manifest
LATER = ("operations",)  # files can be without
Content = dict[str, Any]


def described(config: Config, sides: Sides) -> dict[str, Any]:
    """What is measured, on what, how, beside what, and how fast a matrix product is."""
    before = load()
    ours, theirs = sides.jaxae("machine"), sides.torch("machine")
    sitting = {
        "command": command(config), "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "wall_seconds": 0.0,
        "git_commit": ours.pop("git_commit"), "load": before,
        "matmul_gflops": {"jaxae": ours.pop("gflops"), "torch": theirs.pop("gflops")},
    }  # fmt: skip
    return {
        "title": "benchmark: images per second of training, jaxae beside PyTorch",
        **{name: getattr(config, name) for name in ALIKE if hasattr(config, name)}, "threads": sides.threads,
        "machine": ours, "torch": theirs, "failed": [], "sittings": [sitting],
    }  # fmt: skip


def opened(config: Config, begun: Content | None, made: dict[str, Any]) -> Content:
    """A new content with this manifest, or the one `begun` with its sitting added.

    Raises UsageError where that was measured otherwise, for ratios of two ways don't belong into one table.
    """
    if begun is None:
        return {"manifest": made} | {name: [] for name in SECTIONS}
    before = begun["manifest"]
    made = json.loads(json.dumps(made))  # tuples are lists in the file
    for name in ALIKE:
        if before[name] != made[name]:
            what, there, here = difference(name, before[name], made[name])
            raise UsageError(
                f"--save {config.save} was measured with {what} {there}, and now it is {here}; measure as there, or "
                "choose another file"
            )
    return begun | {"manifest": before | {"sittings": before["sittings"] + made["sittings"], "failed": []}}


def difference(name: str, before: Any, made: Any) -> tuple[str, Any, Any]:
    """The first value in which two differ, by its path, and both."""
    if not (isinstance(before, dict) and isinstance(made, dict)):
        return name, before, made
    key = next(key for key in [*before, *made] if before.get(key) != made.get(key))
    return difference(f"{name} {key}", before.get(key), made.get(key))


def absent(config: Config, content: Content, arm: str, batch: int) -> list[Mode]:
    """The modes of lanes that haven't been measured."""
    held = {entry["mode"] for entry in content["lanes"] if (entry["arm"], entry["batch"]) == (arm, batch)}
    return [mode for mode in config.modes if mode not in held]


def holds(config: Config, content: Content, part: str, arm: str, batch: int) -> bool:
    """Whether it has been measured."""
    if part == "lanes":
        return not absent(config, content, arm, batch)
    entries = content["rows" if part == "steps" else part]
    return any((entry["arm"], entry.get("batch", batch)) == (arm, batch) for entry in entries)


def place(entry: Mapping[str, Any]) -> tuple[int, int]:
    """Where an entry stands in the file, whenever it was measured."""
    return list(BATCHES).index(entry["arm"]), entry.get("batch", 0)


def load_content(path: Path) -> Content:
    """A benchmark.json. Raises UsageError for another file."""
    try:
        content = {name: [] for name in LATER} | json.loads(path.read_text())
        if len(content["rows"]) != len(content["samples"]) or {*SECTIONS, "manifest"} - {*content}:
            raise ValueError("it lacks parts")
        if missing := {*ALIKE, "sittings", "failed"} - {*content["manifest"]}:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return content
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no file of this benchmark ({error}); give one that it has written") from None
