"""What a run costs, as a saved result of its experiment tells: an estimate, to within a factor of two or so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxae.files import load_json
from jaxae.run import flags
from jaxae.run.experiment import Experiment
from jaxae.run.terminal import duration
from jaxae.study import Arm

DAY = 20 * 3600  # seconds that are called a day


class Cost(NamedTuple):
    """Seconds in all and by study, and what they were measured on, by which file."""

    seconds: float
    studies: Mapping[str, float]
    where: str
    source: str
    memory: float | None  # GiB, the highest


def cost_of(experiment: Experiment, config: flags.Flags) -> Cost | None:
    """What a run with these flags costs; None where the experiment names no saved result, or none that tells, and for
    other images than the result's.

    Seconds of an arm go with its epochs, settings, seeds and images; of arms that the result hasn't, with the mean over
    its arms. Everything but training is taken as long as it was.
    """
    made = _saved(experiment)
    if made is None:
        return None
    before = flags.restored(experiment.config, made["config"])
    if any(getattr(config, name, None) != getattr(before, name, None) for name in ("dataset", "source")):
        return None
    share = _images(made, config.limit) / _images(made, before.limit)
    was = {arm.study.name: _work(arm, before) for arm in experiment.arms(before)}
    spent = {name: made["arms"].get(name, {}).get("wall_seconds") for name in was}
    known = {name: seconds / was[name] for name, seconds in spent.items() if seconds}
    if not known:
        return None
    trained = sum(seconds for seconds in spent.values() if seconds)
    mean = trained / sum(was[name] for name in known)
    now = {
        arm.study.name: known.get(arm.study.name, mean) * _work(arm, config) * share for arm in experiment.arms(config)
    }
    rest = max(made["wall_seconds"] - trained, 0.0) * min(share, 1.0)
    return Cost(
        sum(now.values()) + rest, now, where(made), Path(experiment.measured or "").name, made.get("peak_memory_gib")
    )


def words_of_cost(cost: Cost | None) -> str:
    """A sentence, and a warning where it is a day; empty where nothing is known."""
    if cost is None:
        return ""
    memory = f" and {cost.memory:.0f} GiB of memory" if cost.memory else ""
    told = f"about {duration(cost.seconds)}{memory} on {cost.where}, by {cost.source}"
    if cost.seconds < DAY:
        return told
    return f"{told}: a day or more, so think of --limit, --epochs, --seeds and fewer arms; Ctrl-C saves"


def where(made: Mapping[str, Any]) -> str:
    """What a run with this manifest was computed on: "2 cores of AMD EPYC"."""
    device = made["device"]
    cores = device.get("cores")
    return f"{cores} cores of {device['kind']}" if device["platform"] == "cpu" and cores else str(device["kind"])


def _work(arm: Arm, config: flags.Flags) -> float:
    """What the seconds go with."""
    return arm.study.epochs * len(arm.settings) * config.seeds


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
    return load_json(Path(path), dict, "restore the file")["manifest"]
