"""What a run's manifest says of its arms: where the lanes of each are, and which of their states was scored."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxae.errors import UsageError
from jaxae.files import ANY, load_json, misfit

TRAINED = {"parameters": int, "trained_as": str, "lanes": [int], "scored": str}  # all, or of lanes and state none
OTHERS = {
    "parameters": int, "model": (dict, None), "scale": ([float], None),
    "wall_seconds": float, "compile_seconds": float, "images_per_second": float,
}  # fmt: skip
MEND = "take the run from a sound copy, or train it again"


def misfit_of_arms(arms: Mapping[str, Any], seeds: int | None = None) -> str:
    """The first field of a manifest's arms that can't be, in words; empty where all can. Lanes are those of so many
    seeds, where they are told."""
    shapes = {name: _shape(entry) for name, entry in arms.items()}
    if wrong := misfit(arms, shapes, "arms"):
        return wrong
    for name, entry in arms.items():
        span = entry.get("lanes", [0, seeds or 1])
        if len(span) != 2 or not 0 <= span[0] < span[1] or span[1] - span[0] != (seeds or span[1] - span[0]):
            return f"arms.{name}.lanes is {str(span)[:40]}, which is no span{f' of {seeds} seeds' if seeds else ''}"
    return ""


def arms_of(run: Path) -> dict[str, Any]:
    """The arms of the manifest in `run`; none where it has no manifest. Raises UsageError for one that is spoilt."""
    path = run / "manifest.json"
    if not path.exists():
        return {}
    arms = load_json(path, {"arms": {ANY: dict}}, MEND)["arms"]
    if wrong := misfit_of_arms(arms):
        raise UsageError(f"{path}: {wrong}; {MEND}")
    return arms


def _shape(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return dict
    trained = TRAINED if {"trained_as", "lanes", "scored"} & entry.keys() else {}
    return {name: shape for name, shape in OTHERS.items() if name in entry} | trained
