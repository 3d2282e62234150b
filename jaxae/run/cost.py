"""What a run costs, as the saved results of its experiment tell: an estimate, to within a factor of two or so.

It depends on the flags and on these results alone, so that all machines cut a study into the same jobs.
"""

import contextlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxae.errors import UsageError
from jaxae.files import load_json
from jaxae.run import flags
from jaxae.run.experiment import Experiment, inner_name
from jaxae.run.terminal import duration

MEND = "restore the file"
TOLD = {"config": dict, "arms": dict, "data": list, "wall_seconds": float}  # of a manifest, from which a cost follows
BRIEF = 120  # seconds of training, from which what comes beside it is small
DAY = 20 * 3600  # seconds that are called a day
FREE = (  # flags that don't bear on the seconds of an image; lists name other studies
    "seeds", "seed", "epochs", "limit", "test_limit", "judge_limit", "source", "lanes", "stop_dead",
)  # fmt: skip


class Cost(NamedTuple):
    """Seconds in all and by study, and what they were measured on, by which file, with how many seeds at once, which
    other flags that bear on speed, on which platform, and whether that file tells of all these studies."""

    seconds: float
    studies: Mapping[str, float]
    where: str
    source: str
    memory: float | None  # GiB, the highest
    seeds: int
    others: tuple[str, ...]
    platform: str
    machine: tuple[Any, ...] = ()
    """the platform, and how many cores"""
    told: bool = True


class Result(NamedTuple):
    """A saved result: its file, its manifest, and its flags."""

    path: Path
    made: Mapping[str, Any]
    before: flags.Flags


def cost_of(experiment: Experiment, config: flags.Flags) -> Cost | None:
    """What a run with these flags costs; None where the experiment names no saved result, or none that tells, and for
    other images than the results'.

    By the quickest of the study's results with the same flags that tell of all its studies, from as many cores as the
    saved one, for the others had a busy or a slower machine, or older code; without one by the saved one. Seconds of an
    arm go with its epochs, settings, seeds and images, and with an epoch's examples for each of these; of arms that the
    result hasn't, with the mean over its arms. What isn't training, such as measuring, goes with lanes and images, as
    in the study's results (see `_rest`).
    """
    if inside := experiment.inside(config):
        return _of_all({place: cost_of(*own) for place, own in inside.items()})
    if _saved(experiment) is None:
        return None
    results = [*_results(experiment)]
    found = [cost for result in results if (cost := _by_result(experiment, config, result, results))]
    own = next((cost for cost in found if cost.source == Path(experiment.measured or "").name), None)
    whole = [cost for cost in found if own and not cost.others and cost.told and cost.machine == own.machine]
    return min(whole, key=lambda cost: cost.seconds, default=own)


def _by_result(experiment: Experiment, config: flags.Flags, result: Result, results: Sequence[Result]) -> Cost | None:
    """By one of the study's results; None where it tells nothing, or is of other images."""
    path, made, before = result
    if any(getattr(config, name, None) != getattr(before, name, None) for name in ("dataset", "source")):
        return None
    if not (each := _per_epoch(experiment, made, before)):
        return None
    share = _images(made, config.limit) / _images(made, before.limit)
    seconds = _per_lane(experiment, config, each)
    now = {
        arm.study.name: seconds[arm.study.name] * len(arm.settings) * config.seeds * share
        for arm in experiment.arms(config)
    }
    rest = _rest(experiment, results, _images(made, config.limit)) * _lanes(experiment, config)
    return Cost(
        sum(now.values()) + rest, now, where(made), path.name, made.get("peak_memory_gib"), before.seeds,
        _others(before, config), made["device"]["platform"],
        machine_of(made), each.keys() >= now.keys(),
    )  # fmt: skip


def weights_of(experiment: Experiment, config: flags.Flags) -> dict[str, float]:
    """How long a seed of each study takes under one setting, in proportion, whatever the images: by the saved result;
    where there is none that tells, by the examples of all epochs."""
    if inside := experiment.inside(config):
        return {
            inner_name(place, name): weight
            for place, own in inside.items()
            for name, weight in weights_of(*own).items()
        }
    made = _saved(experiment)
    if made is None:
        return _per_lane(experiment, config, {})
    return _per_lane(
        experiment, config, _per_epoch(experiment, made, flags.restored(experiment.config, made["config"]))
    )


def _of_all(costs: Mapping[str, Cost | None]) -> Cost | None:
    """What runs cost that are made within one, one after another; None where it isn't known of each, on one machine."""
    known = {place: cost for place, cost in costs.items() if cost is not None}
    first, *others = known.values() if len(known) == len(costs) else (None,)
    if first is None or any(cost.machine != first.machine for cost in others):
        return None
    studies = {inner_name(place, name): spent for place, cost in known.items() for name, spent in cost.studies.items()}
    return Cost(
        sum(cost.seconds for cost in known.values()), studies, first.where, "the results of its studies",
        max((cost.memory for cost in known.values() if cost.memory), default=None), first.seeds, (),
        first.platform, first.machine,
    )  # fmt: skip


def words_of_cost(cost: Cost | None) -> str:
    """A sentence, and a warning where it is a day; empty where nothing is known."""
    if cost is None:
        return ""
    memory = f" and {cost.memory:.1f} GiB of memory" if cost.memory else ""
    told = f"about {duration(cost.seconds)}{memory} on {cost.where}, where {cost.source} was measured"
    if cost.seconds < BRIEF:
        told += ", and a minute or so of compiling, measuring and drawing"
    if cost.seconds < DAY:
        return told
    return f"{told}: a day or more, so think of --limit, --epochs, --seeds and fewer arms; Ctrl-C saves"


def unmeasured(cost: Cost) -> str:
    """What wasn't measured: " Not measured: memory, hours on a GPU."; empty where all was."""
    absent = ["memory"] * (cost.memory is None) + ["hours on a GPU"] * (cost.platform == "cpu")
    return f" Not measured: {', '.join(absent)}." if absent else ""


def where(made: Mapping[str, Any]) -> str:
    """What a run with this manifest was computed on: "2 cores of AMD EPYC"."""
    device = made["device"]
    cores = device.get("cores")
    return f"{cores} cores of {device['kind']}" if device["platform"] == "cpu" and cores else str(device["kind"])


def machine_of(made: Mapping[str, Any]) -> tuple[Any, ...]:
    """The platform of a run with this manifest, and how many cores it had: what times are compared between."""
    return tuple(made["device"].get(name) for name in ("platform", "cores"))


def _rest(experiment: Experiment, results: Sequence[Result], images: int) -> float:
    """Seconds of a lane besides its training, of so many images at most: the median over the results of the study that
    lie beside its saved one, since some were made by code that took far longer, or while others had the cores."""
    found = []
    for _, made, before in results:
        rest = made["wall_seconds"] - sum(_spent(experiment, made, before).values())
        share = min(images / _images(made, before.limit), 1.0)
        found += [rest * share / _lanes(experiment, before)] * (rest > 0)  # where runs were merged it may not be told
    return statistics.median(found) if found else 0.0


def _lanes(experiment: Experiment, config: flags.Flags) -> int:
    return sum(len(arm.settings) for arm in experiment.arms(config)) * config.seeds


def _results(experiment: Experiment) -> Iterator[Result]:
    """The study's saved result and those beside it, whose names begin with the study's; what is none of them is passed
    over."""
    path = Path(experiment.measured or "")
    for each in sorted({path, *path.parent.glob(f"{experiment.name}*.json")}):
        with contextlib.suppress(UsageError):
            made = load_json(each, {"manifest": TOLD}, MEND)["manifest"]
            if made.get("module", experiment.program[-1]) == experiment.program[-1]:
                yield Result(each, made, flags.restored(experiment.config, made["config"]))


def _spent(experiment: Experiment, made: Mapping[str, Any], before: flags.Flags) -> dict[str, float]:
    """Seconds of the studies of a result that tells them."""
    spent = {
        arm.study.name: made["arms"].get(arm.study.name, {}).get("wall_seconds") for arm in experiment.arms(before)
    }
    return {name: seconds for name, seconds in spent.items() if seconds}


def _per_epoch(experiment: Experiment, made: Mapping[str, Any], before: flags.Flags) -> dict[str, float]:
    """Of these studies the seconds of one lane's epoch of as many examples as images; under "" the mean of them. Empty
    where none is told."""
    spent = _spent(experiment, made, before)
    work = {
        arm.study.name: arm.study.epochs * arm.examples * len(arm.settings) * before.seeds
        for arm in experiment.arms(before)
    }
    if not spent:
        return {}
    each = {name: seconds / work[name] for name, seconds in spent.items()}
    return {"": sum(spent.values()) / sum(work[name] for name in spent), **each}


def _per_lane(experiment: Experiment, config: flags.Flags, each: Mapping[str, float]) -> dict[str, float]:
    """Seconds of one lane of every study by those of such an epoch; of studies that weren't measured, by the mean."""
    return {
        arm.study.name: arm.study.epochs * arm.examples * each.get(arm.study.name, each.get("", 1.0))
        for arm in experiment.arms(config)
    }


def _others(before: flags.Flags, now: flags.Flags) -> tuple[str, ...]:
    """The flags that bear on speed and were others than now."""
    free, given = {*FREE, *flags.listing(type(now))}, flags.science(now)
    was = {name: value for name, value in flags.science(before).items() if name not in free and value != given[name]}
    return tuple(
        f"{flags.flag(name)} {' '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in was.items()
    )


def _images(made: Mapping[str, Any], limit: int | None) -> int:
    """Of the first training set, all or as many as the limit says."""
    entry = next((entry for entry in made["data"] if entry["split"].startswith("train")), {"n": 1})
    whole = entry.get("of", entry["n"])
    return min(limit or whole, whole)


def _saved(experiment: Experiment) -> dict[str, Any] | None:
    """The manifest of the experiment's saved result, where it is at hand: jaxae may be installed without."""
    path = experiment.measured
    if path is None or not Path(path).is_file():
        return None
    return load_json(Path(path), dict, MEND)["manifest"]
