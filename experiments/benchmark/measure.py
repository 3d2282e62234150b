"""benchmark: how fast jaxae trains, side by side with PyTorch.

For every study's model and batch size (and 128 where that is smaller): images per second of complete training steps
(forward, backward, update, transforms, shuffling) of jaxae's own `train`, against PyTorch written well (the best of
several ways, see `benchmark_torch`) and as it is commonly written. Runs alternate, each a process of its own with as
many threads; both sides' losses after the same steps from the same parameters on the same batches are held together.
Further parts: many seeds at once, start-up, evaluation, memory by the number of images.

Needs    PyTorch, in this Python or, with --torch-python, in another one; it isn't among jaxae's dependencies
Run      python -m experiments.benchmark --torch-python PATH --save experiments/results/benchmark.json
Also     --device gpu; --parts steps; --arms fc conv; --check experiments/results/benchmark.json
Results  experiments/results/benchmark.json, where it has been measured; on a machine that does nothing else
"""

import dataclasses
import importlib.util
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

import tyro

from experiments import benchmark_table
from experiments.benchmark_sides import Sides, WorkerError, cores
from jaxae import plots, program
from jaxae.errors import UsageError
from jaxae.train.lanes import Mode

BATCHES = {  # the study's own first
    "fc": (10, 128), "conv": (10, 128), "bottleneck": (2048,), "denoise": (16, 128), "transposed": (128,),
    "upsampling": (128,), "addition": (128,), "unmix": (128,),
}  # fmt: skip
DENSE = ("fc", "bottleneck")  # images have no layout there
VARIANTS = {"cpu": ("eager", "compiled"), "gpu": ("eager", "compiled", "reduced", "graph")}
EVALUATED = {"unmix": 500}  # images that are evaluated, 2,000 of other arms
LOCAL = ("torch_python", "data_dir", "out", "save", "check")  # not in the file
ALIKE = ("device", "threads", "repeats", "seconds", "precision", "source", "lanes", "images", "machine", "torch")
Content = dict[str, Any]  # of benchmark.json
Name = Literal["fc", "conv", "bottleneck", "denoise", "transposed", "upsampling", "addition", "unmix"]
Part = Literal["steps", "lanes", "startup", "evaluation", "memory"]


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is measured, and how long."""

    parts: tuple[Part, ...] = ("steps", "lanes", "startup", "evaluation", "memory")
    """Training steps, many seeds at once, from the start to the first results, evaluation, memory by images."""
    arms: tuple[Name, ...] = tuple(BATCHES)  # pyright: ignore[reportAssignmentType]
    """fc and conv of fc_vs_conv, bottleneck, denoise, digit_codes by decoder, the adder of digit_addition, unmix."""
    device: Literal["cpu", "gpu"] = "cpu"
    """Where both compute. On a GPU, PyTorch may use CUDA graphs."""
    threads: int | None = None
    """Threads of either side; without it as many as there are cores."""
    repeats: int = 5
    """Runs of each side, of which the medians are taken; other parts than the steps have at most three."""
    seconds: float = 2.0
    """The least that one run measures, after it has started."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What layers compute in; in PyTorch by autocast."""
    lane_arms: tuple[Name, ...] = ("fc", "conv")
    """The arms that train many seeds at once."""
    lanes: tuple[int, ...] = (1, 2, 4, 8, 16)
    """How many."""
    modes: tuple[Mode, ...] = get_args(Mode)
    """How they run, as in every experiment's --lanes."""
    images: tuple[int, ...] = (1_000, 10_000, 60_000, 240_000)
    """Training images when memory is measured."""
    source: Literal["tfds", "synthetic"] = "tfds"
    """The real sets, prepared by TFDS, or the embedded synthetic ones."""
    data_dir: Path | None = None
    """Folder of the prepared sets; without it $TFDS_DATA_DIR, or ~/tensorflow_datasets."""
    torch_python: Path | None = None
    """The Python that has torch; without it this one."""
    out: Path | None = None
    """Folder for benchmark.json, its table and its figures; without it a new one under runs/."""
    save: Path | None = None
    """Write the JSON to this file too, row by row. One that exists is gone on with: what it holds is not measured
    again, and what it lacks is added."""
    check: Path | None = None
    """Measure the steps of this file's rows again, and exit with 1 where a ratio to PyTorch has fallen."""

    def __post_init__(self):
        for name in ("parts", "arms", "lane_arms", "lanes", "modes", "images"):
            values, flag = getattr(self, name), "--" + name.replace("_", "-")
            if not values or len(set(values)) < len(values):
                raise UsageError(f"{flag} {' '.join(map(str, values))}: name at least one, and each once")
        if min(self.repeats, self.threads or 1, *self.lanes, *self.images) < 1 or self.seconds < 0:
            raise UsageError("--repeats, --threads, --lanes and --images must be at least 1, and --seconds at least 0")
        if self.check is not None and self.save is not None:
            raise UsageError("--check measures all that a file holds, --save what it lacks; give one of them")


# ---- what is tried


def variants(config: Config, arm: str) -> list[str]:
    """The ways of writing PyTorch well that are tried."""
    if arm in DENSE:
        return list(VARIANTS[config.device])
    # eager both ways; compiled ones with channels last, which torch.compile would choose itself
    return ["eager", "channels_last", *(f"{name} channels_last" for name in VARIANTS[config.device][1:])]


def alternate(repeats: int, sides: dict[str, Callable[[], Any]]) -> dict[str, list[Any]]:
    """The answers of every side, asked in turns, every other time backwards."""
    found: dict[str, list[Any]] = {name: [] for name in sides}
    for turn in range(repeats):
        for name in list(sides) if turn % 2 == 0 else reversed(sides):
            found[name].append(sides[name]())
    return found


def rates(answers: list[Any]) -> list[float]:
    """Images per second of each run."""
    return [answer["images_per_second"] for answer in answers]


# ---- training steps


def steps(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> None:
    """A row for a model at a batch size, and the runs behind it."""
    ours = sides.jaxae("exchange", arm, batch)  # the first to compile: the cache is empty
    theirs = sides.torch("losses", arm, batch)
    tried = fastest(config, sides, arm, batch)
    best = max(tried, key=lambda name: tried[name])
    runs = alternate(config.repeats, {
        "jaxae": lambda: sides.jaxae("steps", arm, batch),
        "torch_best": lambda: sides.torch("steps", arm, batch, best),
        "torch_common": lambda: sides.torch("steps", arm, batch, "common"),
    })  # fmt: skip
    found = {side: rates(answers) for side, answers in runs.items()}
    row = benchmark_table.row(
        arm, batch, config.device, found, torch_best=best, jaxae_compile_seconds=ours["compile_seconds"],
        jaxae_peak_mib=median(answer["peak_mib"] for answer in runs["jaxae"]),
        torch_peak_mib=median(answer["peak_mib"] for answer in runs["torch_best"]),
    )  # fmt: skip
    content["rows"].append(row)
    content["samples"].append({
        "arm": arm, "batch": batch, "device": config.device, **found, "torch_tried": tried,
        "ratio_best_range": benchmark_table.spread(found["jaxae"], found["torch_best"]),
        "ratio_common_range": benchmark_table.spread(found["jaxae"], found["torch_common"]),
        "losses": benchmark_table.agreement(ours["losses"], theirs["losses"]),
        "gflop_per_image": theirs["flop_per_image"] / 1e9,
    })  # fmt: skip
    say(f"{arm}, batch {batch}: {benchmark_table.ranged(row, content['samples'][-1], 'best')} times PyTorch ({best})")


def fastest(config: Config, sides: Sides, arm: str, batch: int) -> dict[str, float]:
    """Images per second of each way of writing PyTorch well, one run each; what doesn't work here is left out."""
    found: dict[str, float] = {}
    for variant in variants(config, arm):
        try:
            found[variant] = sides.torch("steps", arm, batch, variant)["images_per_second"]
        except WorkerError as error:
            say(f"PyTorch, {variant}, {arm}: {error}")
    if not found:
        raise WorkerError(f"PyTorch can't train {arm}")
    return found


def best_of(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> str:
    """The fastest way of writing it, from its row where there is one."""
    rows = [row for row in content["rows"] if (row["arm"], row["batch"]) == (arm, batch)]
    if rows:
        return rows[0]["torch_best"]
    tried = fastest(config, sides, arm, batch)
    return max(tried, key=lambda name: tried[name])


# ---- other parts


def lanes(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> None:
    """Many seeds in one program, against runs one after another: so many runs take so many times as long as one."""
    best = best_of(config, sides, content, arm, batch)
    asked: dict[Any, Callable[[], Any]] = {
        "alone": lambda: sides.jaxae("steps", arm, batch),
        "torch": lambda: sides.torch("steps", arm, batch, best),
    }
    for mode in absent(config, content, arm, batch):
        for count in config.lanes:
            asked[mode, count] = lambda mode=mode, count=count: sides.jaxae(
                "steps", arm, batch, lanes=count, mode=mode
            )  # fmt: skip
    found = {side: median(rates(answers)) for side, answers in alternate(min(config.repeats, 3), asked).items()}
    alone, theirs = found.pop("alone"), found.pop("torch")
    for (mode, count), rate in found.items():
        content["lanes"].append({
            "arm": arm, "batch": batch, "device": config.device, "mode": mode, "lanes": count,
            "images_per_second": rate, "jaxae_alone_images_per_second": alone, "torch_best": best,
            "torch_best_images_per_second": theirs, "ratio_alone": rate / alone, "ratio_torch": rate / theirs,
        })  # fmt: skip
    say(f"{arm}, batch {batch}: lanes")


def startup(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> None:
    """From the start of a process to its first results, without compiled programs in the cache and with them."""
    cache = {"cache": f"{arm}-{batch}-fresh", "seconds": 0.0}
    first, again = (sides.jaxae("steps", arm, batch, **cache) for _ in range(2))
    entry = {"arm": arm, "batch": batch, "device": config.device}
    for name in ("import_seconds", "load_seconds"):
        entry[name] = again[name]
    for name in ("compile", "start"):
        entry |= {f"{name}_seconds": first[f"{name}_seconds"], f"{name}_again_seconds": again[f"{name}_seconds"]}
    entry["torch_start_seconds"] = sides.torch("steps", arm, batch, seconds=0.0)["start_seconds"]
    compiled = next(name for name in variants(config, arm) if name.startswith("compiled"))
    try:
        for name in ("torch_compiled_start_seconds", "torch_compiled_start_again_seconds"):
            entry[name] = sides.torch("steps", arm, batch, compiled, **cache)["start_seconds"]
    except WorkerError as error:
        say(f"PyTorch, {compiled}, {arm}: {error}")
    content["startup"].append(entry)
    say(f"{arm}, batch {batch}: start-up")


def evaluation(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> None:
    """The loss in evaluation mode on both sides, and all scores of the study on jaxae's."""
    images = EVALUATED.get(arm, 2_000)
    asked: dict[str, Callable[[], Any]] = {"jaxae": lambda: sides.jaxae("evaluation", arm, batch, images=images)}
    for variant in [name for name in variants(config, arm) if name in ("eager", "channels_last")]:
        asked[variant] = lambda variant=variant: sides.torch("evaluation", arm, batch, variant, images=images)
    found = alternate(min(config.repeats, 3), asked)
    loss = {side: median(answer["loss_images_per_second"] for answer in answers) for side, answers in found.items()}
    ours = loss.pop("jaxae")
    best = max(loss, key=lambda name: loss[name])
    content["evaluation"].append({
        "arm": arm, "images": images, "device": config.device, "jaxae_loss_images_per_second": ours,
        "torch_best": best, "torch_loss_images_per_second": loss[best], "ratio": ours / loss[best],
        "jaxae_scores_images_per_second": median(answer["scores_images_per_second"] for answer in found["jaxae"]),
    })  # fmt: skip
    say(f"{arm}: evaluation")


def memory(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> None:
    """What training holds, by the number of images; a first run compiles, which takes memory of its own."""
    for images in config.images:
        ours = [sides.jaxae("steps", arm, batch, images=images, seconds=0.0) for _ in range(2)][-1]
        theirs = sides.torch("steps", arm, batch, images=images, seconds=0.0)
        content["memory"].append({
            "arm": arm, "batch": batch, "device": config.device, "images": images,
            "jaxae_peak_mib": ours["peak_mib"], "torch_peak_mib": theirs["peak_mib"],
        })  # fmt: skip
    say(f"{arm}, batch {batch}: memory")


PARTS = {function.__name__: function for function in (steps, lanes, startup, evaluation, memory)}
SECTIONS = ("rows", "samples", "lanes", "startup", "evaluation", "memory")  # of the file, beside its manifest


def work(config: Config) -> Iterator[tuple[str, str, int]]:
    """What is to be measured: part, arm, batch size."""
    for part in config.parts:
        for arm in {"lanes": config.lane_arms, "memory": config.arms[:1]}.get(part, config.arms):
            for batch in BATCHES[arm] if part == "steps" else BATCHES[arm][:1]:
                yield part, arm, batch


# ---- the whole


def main(config: Config) -> None:
    """Measure everything, write as it comes, draw; or hold it against a file."""
    before = None if config.check is None else read(config.check)
    if before is not None:
        config = as_in(config, before)
    begun = read(config.save) if config.save is not None and config.save.exists() else None
    python = find_torch(config)
    if config.threads is not None and hasattr(os, "sched_setaffinity"):  # what is started here inherits it
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: config.threads])
    folder = config.out or Path("runs") / f"benchmark-{time.strftime('%Y%m%d-%H%M%S')}"
    if folder.exists():
        raise UsageError(f"{folder} exists and is not overwritten; choose another --out")
    folder.mkdir(parents=True)
    alike = {name: getattr(config, name) for name in ("device", "seconds", "precision", "source", "data_dir")}
    with tempfile.TemporaryDirectory(prefix="jaxae-benchmark-") as scratch:
        sides = Sides(torch_python=python, folder=Path(scratch), threads=config.threads or cores(), **alike)
        try:
            content = measure(config, sides, folder, begun)
        except WorkerError as error:
            raise UsageError(f"the benchmark ended: {error}") from error
    for name, figure in benchmark_table.figures(content).items():
        plots.save(figure, folder / "figures", name)
    text = benchmark_table.markdown(content)
    plots.write(folder / "benchmark.md", (text + "\n").encode())
    say(f"{text}\n\ninto {folder}")
    if before is not None:
        judge(before, content)
    if content["manifest"]["failed"]:
        sys.exit("not everything could be measured")


def measure(config: Config, sides: Sides, folder: Path, begun: Content | None) -> Content:
    """What benchmark.json holds, gone on with where it was `begun`, and written after every part of it."""
    began = time.perf_counter()
    content = opened(config, begun, described(config, sides))
    sitting = content["manifest"]["sittings"][-1]
    for part, arm, batch in work(config):
        if holds(config, content, part, arm, batch):
            say(f"{part}, {arm}, batch {batch}: in {config.save} already")
            continue
        try:
            if part != "steps" and not any(sides.arrays(arm, batch).iterdir()):
                sides.jaxae("exchange", arm, batch)
            PARTS[part](config, sides, content, arm, batch)
        except WorkerError as error:  # what has been measured, and what can be, counts
            content["manifest"]["failed"].append(f"{part}, {arm}, batch {batch}: {error}")
            say(f"failed: {content['manifest']['failed'][-1]}")
        sitting["wall_seconds"] = round(time.perf_counter() - began, 1)
        for name in SECTIONS:
            content[name].sort(key=place)
        for path in (folder / "benchmark.json", config.save):
            if path is not None:
                plots.write(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    return content


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


def described(config: Config, sides: Sides) -> dict[str, Any]:
    """What is measured, on what, how, and how fast a matrix product is."""
    ours, theirs = sides.jaxae("machine"), sides.torch("machine")
    sitting = {
        "command": command(config), "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "wall_seconds": 0.0,
        "git_commit": ours.pop("git_commit"),
        "matmul_gflops": {"jaxae": ours.pop("gflops"), "torch": theirs.pop("gflops")},
    }  # fmt: skip
    return {
        "title": "benchmark: images per second of training, jaxae beside PyTorch",
        **{name: getattr(config, name) for name in ALIKE if hasattr(config, name)}, "threads": sides.threads,
        "machine": ours, "torch": theirs, "failed": [], "sittings": [sitting],
    }  # fmt: skip


def command(config: Config) -> str:
    """The command line, but for paths."""
    words = ["python", "-m", "experiments.benchmark"]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value != field.default and field.name not in LOCAL:
            values = value if isinstance(value, tuple) else (value,)
            words += ["--" + field.name.replace("_", "-"), *map(str, values)]
    return shlex.join(words)


def find_torch(config: Config) -> str:
    """The Python that has torch. Raises UsageError where none is named and this one hasn't."""
    if config.torch_python is not None:
        if not config.torch_python.is_file():
            raise UsageError(f"--torch-python {config.torch_python} is no file; name a Python that has torch")
        return str(config.torch_python)
    if importlib.util.find_spec("torch") is None:
        raise UsageError("this Python has no torch to compare with; install it, or name one with --torch-python PATH")
    return sys.executable


def read(path: Path) -> Content:
    """A benchmark.json. Raises UsageError for another file."""
    try:
        content = json.loads(path.read_text())
        if len(content["rows"]) != len(content["samples"]) or {*SECTIONS, "manifest"} - {*content}:
            raise ValueError("it lacks parts")
        if absent := {*ALIKE, "sittings", "failed"} - {*content["manifest"]}:
            raise ValueError(f"it lacks {', '.join(sorted(absent))}")
        return content
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no file of this benchmark ({error}); give one that it has written") from None


def as_in(config: Config, before: dict[str, Any]) -> Config:
    """The settings to measure a file's rows again: its arms (those of --arms), device and precision."""
    measured = {row["arm"] for row in before["rows"]}
    arms: Any = tuple(arm for arm in config.arms if arm in measured)
    if not arms:
        raise UsageError(f"--check {config.check} has no training steps of {', '.join(config.arms)}; name other --arms")
    made = before["manifest"]
    changes = {"arms": arms, "parts": ("steps",), "device": made["device"], "precision": made["precision"]}
    return dataclasses.replace(config, **changes)


def judge(before: dict[str, Any], now: dict[str, Any]) -> None:
    """Say what has changed; exit with 1 where a ratio has fallen."""
    measured = {row["arm"] for row in now["rows"]}
    kept = {name: [e for e in before[name] if e["arm"] in measured] for name in ("rows", "samples")}
    slower, faster = benchmark_table.compare(kept, now)
    for words, found in (("slower", slower), ("faster", faster)):
        for text in found:
            say(f"{words}: {text}")
    say(f"{len(kept['rows'])} rows compared: {len(slower)} slower, {len(faster)} faster")
    if slower:
        sys.exit(1)


def say(text: str) -> None:
    """A line for whoever waits."""
    print(text, flush=True)


if __name__ == "__main__":
    program.with_errors(
        lambda: main(tyro.cli(Config, prog="python -m experiments.benchmark", description=__doc__))
    )  # fmt: skip
