"""The whole benchmark: measure everything, write as it comes, draw; or hold it against a file."""

import dataclasses
import importlib.util
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from experiments.benchmark.config import Config, work
from experiments.benchmark.contents import SECTIONS, Content, described, holds, load_content, opened, place
from experiments.benchmark.parts import PARTS, tell
from experiments.benchmark.pictures import figures
from experiments.benchmark.ratios import slower_and_faster
from experiments.benchmark.sides import Sides, WorkerError, busy
from experiments.benchmark.table import markdown
from jaxae.devices import cores
from jaxae.errors import UsageError
from jaxae.files import write_json, write_whole
from jaxae.report import figure_files


def run_benchmark(config: Config) -> None:
    """Measure everything, write as it comes, draw; or hold it against a file."""
    before = None if config.check is None else load_content(config.check)
    if before is not None:
        config = as_in(config, before)
    begun = load_content(config.save) if config.save is not None and config.save.exists() else None
    python = find_torch(config)
    if config.threads is not None and hasattr(os, "sched_setaffinity"):  # what is started here inherits it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: config.threads])
    folder = config.out or Path("runs") / f"benchmark-{time.strftime('%Y%m%d-%H%M%S')}"
    if folder.exists():
        raise UsageError(f"{folder} exists and is not overwritten; choose another --out")
    alike = {name: getattr(config, name) for name in ("device", "seconds", "precision", "source", "data_dir")}
    with tempfile.TemporaryDirectory(prefix="jaxae-benchmark-") as scratch:
        sides = Sides(torch_python=python, folder=Path(scratch), threads=config.threads or cores(), **alike)
        try:
            content = measure(config, sides, folder, begun)
        except WorkerError as error:
            raise UsageError(f"the benchmark ended: {error}") from error
        except KeyboardInterrupt:
            if (kept := folder / "benchmark.json").exists():
                tell(f"what is measured is in {kept}; go on with --save {config.save or kept}")
            raise
    for name, figure in figures(content).items():
        figure_files.save(figure, folder / "figures", name)
    text = markdown(content)
    write_whole(folder / "benchmark.md", (text + "\n").encode())
    tell(f"{text}\n\ninto {folder}")
    if before is not None:
        judge(before, content)
    if content["manifest"]["failed"]:
        sys.exit("not everything could be measured")


def measure(config: Config, sides: Sides, folder: Path, begun: Content | None) -> Content:
    """What benchmark.json holds, gone on with where it was `begun`, and written after every part of it."""
    began = time.perf_counter()
    content = opened(config, begun, described(config, sides))
    for path in (folder, *([config.save.parent] if config.save else [])):  # not before both sides have answered
        path.mkdir(parents=True, exist_ok=True)
    sitting = content["manifest"]["sittings"][-1]
    if busy(sitting["load"], sides.threads, cores()):
        tell(f"the machine isn't idle (load {sitting['load']}): end what runs, or these numbers are worth little")
    for part, arm, batch in work(config):
        if holds(config, content, part, arm, batch):
            tell(f"{part}, {arm}, batch {batch}: in {config.save} already")
            continue
        try:
            if part != "steps" and not any(sides.arrays(arm, batch).iterdir()):
                sides.jaxae("exchange", arm, batch)
            PARTS[part](config, sides, content, arm, batch)
        except WorkerError as error:  # what has been measured, and what can be, counts
            content["manifest"]["failed"].append(f"{part}, {arm}, batch {batch}: {error}")
            tell(f"failed: {content['manifest']['failed'][-1]}")
        sitting["wall_seconds"] = round(time.perf_counter() - began, 1)
        for name in SECTIONS:
            content[name].sort(key=place)
        for path in (folder / "benchmark.json", config.save):
            if path is not None:
                write_json(path, content)
    return content


def find_torch(config: Config) -> str:
    """The Python that has torch. Raises UsageError where none is named and this one hasn't."""
    if config.torch_python is not None:
        if not (config.torch_python.is_file() and os.access(config.torch_python, os.X_OK)):
            raise UsageError(f"--torch-python {config.torch_python} is no program; name a Python that has torch")
        return str(config.torch_python.absolute())
    if importlib.util.find_spec("torch") is None:
        raise UsageError("this Python has no torch to compare with; install it, or name one with --torch-python PATH")
    return sys.executable


def as_in(config: Config, before: dict[str, Any]) -> Config:
    """The settings to measure a file's rows again: its arms (those of --arms), as they were measured."""
    measured = {row["arm"] for row in before["rows"]}
    arms: Any = tuple(arm for arm in config.arms if arm in measured)
    if not arms:
        raise UsageError(f"--check {config.check} has no training steps of {', '.join(config.arms)}; name other --arms")
    made = before["manifest"]
    alike = {name: made[name] for name in ("device", "precision", "seconds", "source", "repeats")}
    return dataclasses.replace(config, arms=arms, parts=("steps",), threads=min(made["threads"], cores()), **alike)


def judge(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Say what has changed, and where it was on another machine; exit with 1 where a ratio has fallen."""
    there, here = (content["manifest"]["machine"]["device"]["kind"] for content in (before, now))
    if there != here:
        tell(f"the file is of another machine ({there}, this is {here}): its ratios may differ for that alone")
    measured = {row["arm"] for row in now["rows"]}
    kept = {name: [e for e in before[name] if e["arm"] in measured] for name in ("rows", "samples")}
    slower, faster = slower_and_faster(kept, now)
    for words, found in (("slower", slower), ("faster", faster)):
        for text in found:
            tell(f"{words}: {text}")
    tell(f"{len(kept['rows'])} rows compared: {len(slower)} slower, {len(faster)} faster")
    if slower:
        sys.exit(1)
