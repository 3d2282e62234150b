"""How a run departs from what the report did, and whether its numbers can be judged all the same.

The rule: a run is judged where it takes the report's steps with the report's settings. `--limit` shortens the epochs,
so it bars; so do other epochs, batches, precision or first weights, synthetic images and ones re-encoded as JPEG. A set
of which not all images were at hand doesn't, since the studies go through it as often as the report's steps take; that
is listed wherever the numbers are judged.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxae.data import AS_JPEG, official_count


class Departure(NamedTuple):
    """One of them in words, and whether it bars the report's numbers from being judged."""

    words: str
    bars: bool


def departures(config: Any, data: Sequence[Mapping[str, Any]]) -> tuple[Departure, ...]:
    """Those of a run with these flags, on these data sets as a manifest describes them; none without a report.

    The report's settings are the defaults of the flags that `config.settings` names, and those of `config.listed`,
    which don't bar; where a default isn't the report's, `config.reported` has that.
    """
    if not config.settings:
        return ()
    default = {field.name: field.default for field in dataclasses.fields(config)} | dict(config.reported)
    changed = [name for name in config.settings if getattr(config, name) != default[name]]
    barring = ["synthetic data"] if config.source == "synthetic" else []
    barring += [_changed(name, getattr(config, name), default[name]) for name in changed]
    barring += [_limited(entry) for entry in data if "of" in entry]
    barring += dict.fromkeys(f"{entry['name']} re-encoded as JPEG" for entry in data if entry["source"] == AS_JPEG)
    other = [name for name in config.listed if getattr(config, name) != default[name]]
    listed = [f"with {_changed(name, getattr(config, name), default[name])}" for name in other]
    listed += dict.fromkeys(_missing(entry) for entry in data if "of" not in entry and entry["n"] < _official(entry))
    return (*(Departure(words, True) for words in barring), *(Departure(words, False) for words in listed))


def missing_images(data: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """1 / n - 1 / N of every test set, of whose N images n were at hand: times the variance over images, that of the
    difference between the mean over the part and over all."""
    tests = [entry for entry in data if entry["split"].startswith("test")]
    return {entry["name"]: 1 / entry["n"] - 1 / max(_official(entry), entry["n"]) for entry in tests}


def _changed(name: str, value: Any, default: Any) -> str:
    return f"{name.replace('_', ' ')} {_told(value)} in place of {_told(default)}"


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _limited(entry: Mapping[str, Any]) -> str:
    use = "training" if entry["split"].startswith("train") else "test"
    judge = ", for the judge" if entry["role"].endswith(", judge") else ""
    return f"{entry['n']:,} of the {entry['of']:,} {use} images at hand{judge}"


def _official(entry: Mapping[str, Any]) -> int:
    return official_count(entry["name"], entry["split"], entry["source"]) or entry["n"]


def _missing(entry: Mapping[str, Any]) -> str:
    use = "trained" if entry["split"].startswith("train") else "tested"
    return f"{use} on the {entry['n']:,} of {entry['name']}'s {_official(entry):,} images that were at hand"
