"""The parts of the benchmark: each asks both sides about an arm at a batch size and adds an entry to the contents."""

import functools
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from experiments.benchmark.config import Config
from experiments.benchmark.contents import Content, absent
from experiments.benchmark.ratios import agreement, row, spread
from experiments.benchmark.sides import Sides, WorkerError
from experiments.benchmark.table import ranged

DENSE = ("fc", "bottleneck")  # images have no layout there
VARIANTS = {"cpu": ("eager", "compiled"), "gpu": ("eager", "compiled", "reduced", "graph")}
COMMANDS = {"fc": "experiments.fc_vs_conv"}  # studies whose own start is measured beside that of their arm
CLOSE = 0.75  # of the fastest: by so much one run can err
# images at hand, 10,000 for other arms, as MNIST has to test with; codes keep a sixth back, which leaves so many
EVALUATED = {"transposed": 12_000, "upsampling": 12_000, "unmix": 1_000}


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


def steps(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> None:
    """A row for a model at a batch size, and the runs behind it."""
    ours = sides.jaxae("exchange", arm, batch)  # the first to compile: the cache is empty
    theirs = sides.torch("losses", arm, batch)
    tried = fastest_in_training(config, sides, arm, batch)
    asked: dict[str, Callable[[], Any]] = {"jaxae": lambda: sides.jaxae("steps", arm, batch)}
    for variant in (*front(tried), "common"):
        asked[variant] = lambda variant=variant: sides.torch("steps", arm, batch, variant)
    answers = alternate(config.repeats, asked)
    best = max(front(tried), key=lambda name: median(rates(answers[name])))
    runs = {"jaxae": answers["jaxae"], "torch_best": answers[best], "torch_common": answers["common"]}
    found = {side: rates(answers) for side, answers in runs.items()}
    new = row(
        arm, batch, config.device, found, torch_best=best, jaxae_compile_seconds=ours["compile_seconds"],
        jaxae_peak_mib=median(answer["peak_mib"] for answer in runs["jaxae"]),
        torch_peak_mib=median(answer["peak_mib"] for answer in runs["torch_best"]),
    )  # fmt: skip
    content["rows"].append(new)
    content["samples"].append({
        "arm": arm, "batch": batch, "device": config.device, **found, "torch_tried": tried,
        "ratio_best_range": spread(found["jaxae"], found["torch_best"]),
        "ratio_common_range": spread(found["jaxae"], found["torch_common"]),
        "losses": agreement(ours["losses"], theirs["losses"]),
        "gflop_per_image": theirs["flop_per_image"] / 1e9,
    })  # fmt: skip
    tell(f"{arm}, batch {batch}: {ranged(new, content['samples'][-1], 'best')} times PyTorch ({best})")


def fastest_in_training(config: Config, sides: Sides, arm: str, batch: int) -> dict[str, float]:
    """Images per second of each way of writing PyTorch well, in training."""
    return fastest(arm, variants(config, arm), lambda way: sides.torch("steps", arm, batch, way)["images_per_second"])


def fastest(arm: str, ways: Sequence[str], rate: Callable[[str], float]) -> dict[str, float]:
    """Images per second of each way, one run each; what doesn't work here is left out."""
    found: dict[str, float] = {}
    for variant in ways:
        try:
            found[variant] = rate(variant)
        except WorkerError as error:
            tell(f"PyTorch, {variant}, {arm}: {error}")
    if not found:
        raise WorkerError(f"PyTorch can't compute {arm}")
    return found


def front(tried: dict[str, float]) -> list[str]:
    """The one or two ways that are asked again: the fastest in one run each, and where it is CLOSE the second."""
    first = sorted(tried, key=lambda name: tried[name], reverse=True)[:2]
    return [name for name in first if tried[name] >= CLOSE * tried[first[0]]]


def best_of(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> str:
    """The fastest way of writing it, from its row where there is one."""
    rows = [entry for entry in content["rows"] if (entry["arm"], entry["batch"]) == (arm, batch)]
    if rows:
        return rows[0]["torch_best"]
    return front(fastest_in_training(config, sides, arm, batch))[0]


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
    tell(f"{arm}, batch {batch}: lanes")


def startup(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> None:
    """From the start of a process to its first training steps, without compiled programs in the cache and with them."""
    cache = {"cache": f"{arm}-{batch}-fresh", "seconds": 0.0}
    first, again = (sides.jaxae("steps", arm, batch, first=True, **cache) for _ in range(2))
    entry = {"arm": arm, "batch": batch, "device": config.device}
    for name in ("import_seconds", "load_seconds"):
        entry[name] = again[name]
    for name in ("compile", "start"):
        entry |= {f"{name}_seconds": first[f"{name}_seconds"], f"{name}_again_seconds": again[f"{name}_seconds"]}
    if arm in COMMANDS:
        for turn, name in enumerate(("command_seconds", "command_again_seconds")):
            entry[name] = sides.command(COMMANDS[arm], f"{arm}-{turn}", cache=f"{arm}-command")
    entry["torch_start_seconds"] = sides.torch("steps", arm, batch, seconds=0.0)["start_seconds"]
    compiled = next(name for name in variants(config, arm) if name.startswith("compiled"))
    try:
        for name in ("torch_compiled_start_seconds", "torch_compiled_start_again_seconds"):
            entry[name] = sides.torch("steps", arm, batch, compiled, **cache)["start_seconds"]
    except WorkerError as error:
        tell(f"PyTorch, {compiled}, {arm}: {error}")
    content["startup"].append(entry)
    tell(f"{arm}, batch {batch}: start-up")


def evaluation(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> None:
    """The loss in evaluation mode on both sides, and all scores of the study on jaxae's."""
    images = EVALUATED.get(arm, 10_000)

    def theirs(way: str) -> Any:
        return sides.torch("evaluation", arm, batch, way, images=images)

    ways = [way for way in variants(config, arm) if not way.startswith("graph")]  # those of whole steps
    tried = fastest(arm, ways, lambda way: theirs(way)["loss_images_per_second"])
    asked: dict[str, Callable[[], Any]] = {"jaxae": lambda: sides.jaxae("evaluation", arm, batch, images=images)}
    asked |= {way: functools.partial(theirs, way) for way in front(tried)}
    found = alternate(min(config.repeats, 3), asked)
    loss = {side: median(answer["loss_images_per_second"] for answer in answers) for side, answers in found.items()}
    ours = loss.pop("jaxae")
    best = max(loss, key=lambda name: loss[name])
    content["evaluation"].append({
        "arm": arm, "images": images, "device": config.device, "jaxae_loss_images_per_second": ours,
        "torch_best": best, "torch_loss_images_per_second": loss[best], "ratio": ours / loss[best],
        "jaxae_scores_images_per_second": median(answer["scores_images_per_second"] for answer in found["jaxae"]),
    })  # fmt: skip
    tell(f"{arm}: evaluation")


def memory(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> None:
    """What training holds, by the number of images; a first run compiles, which takes memory of its own."""
    for images in config.images:
        ours = [sides.jaxae("steps", arm, batch, images=images, seconds=0.0) for _ in range(2)][-1]
        theirs = sides.torch("steps", arm, batch, images=images, seconds=0.0)
        content["memory"].append({
            "arm": arm, "batch": batch, "device": config.device, "images": images,
            "jaxae_peak_mib": ours["peak_mib"], "torch_peak_mib": theirs["peak_mib"],
        })  # fmt: skip
    tell(f"{arm}, batch {batch}: memory")


def operations(config: Config, sides: Sides, content: Content, arm: str, batch: int) -> None:
    """What a step spends its time on, in jaxae and in PyTorch at its best, each with its profiler on."""
    best = best_of(config, sides, content, arm, batch)
    found = {
        "jaxae": sides.jaxae("operations", arm, batch), "torch": sides.torch("operations", arm, batch, best)
    }  # fmt: skip
    spent = {f"{side}_{kind}_ms": value for side, answer in found.items() for kind, value in answer.items()}
    content["operations"].append({"arm": arm, "batch": batch, "torch_best": best, **spent})
    tell(f"{arm}, batch {batch}: operations")


PARTS = {function.__name__: function for function in (steps, lanes, startup, evaluation, memory, operations)}


def tell(text: str) -> None:
    """A line for whoever waits."""
    print(text, flush=True)
