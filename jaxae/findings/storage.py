"""Findings on disk: findings.json of a run's folder and, beside it, the arrays; or one JSON value without arrays."""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.commands import tool
from jaxae.errors import UsageError
from jaxae.files import ANY, load_json, refuse_changed, refuse_misfit, sealed, write_json, write_whole
from jaxae.findings.claims import Difference
from jaxae.findings.findings import Arrays, Findings, Origin
from jaxae.train.leaves import digest

FORMAT = 1
ARRAYS = ("by_seed", "arrays", "scores")  # each a file
MEND = f"where its checkpoints are at hand, {tool('report', 'RUN')} measures the run again"
NUMBERS = (float, str, [(float, str)])  # strings for those that JSON has no word for
SHAPE = {
    "format": int,
    "measures": {ANY: {ANY: NUMBERS}},
    "dead": {ANY: [int]},
    "differences": [[NUMBERS]],  # two arms, a metric, the numbers
    "facts": dict,
}
HEADER = "header"  # of an .npz: its arrays' names, which may hold any letter, and the SHA-256 of each


def save_findings(folder: Path, found: Findings) -> None:
    """Write them into a run's folder, each file whole, the JSON file last: where it is, all is."""
    for name in ARRAYS:
        save_arrays(folder / f"{name}.npz", getattr(found, name))
    write_json(folder / "findings.json", to_json(found))


def load_findings(folder: Path, origin: Origin) -> Findings:
    """Those of a run's folder, equal to what was saved. Raises UsageError where a file is missing or damaged."""
    found = from_json(load_json(folder / "findings.json", {}, MEND), origin, folder / "findings.json")
    return replace(found, **{name: load_arrays(folder / f"{name}.npz") for name in ARRAYS})


def to_json(found: Findings) -> dict[str, Any]:
    """Findings as one JSON value, all but arrays and scores, with its SHA-256."""
    value = {
        "format": FORMAT,
        "measures": {
            arm: {metric: _words(values) for metric, values in of.items()} for arm, of in found.measures.items()
        },
        "dead": {arm: list(seeds) for arm, seeds in found.dead.items()},
        "differences": [[*names, _words(values)] for *names, values in found.differences],
        "facts": dict(found.facts),
    }
    if found.slow:  # which few have, and earlier versions hadn't
        value["slow"] = {arm: list(seeds) for arm, seeds in found.slow.items()}
    return sealed(value)


def from_json(value: Mapping[str, Any], origin: Origin, path: Path) -> Findings:
    """The findings of `to_json`, without arrays and scores. Raises UsageError, naming `path`, for anything else, and
    where they aren't what was written."""
    if value.get("format") != FORMAT:
        raise UsageError(f"{path} has findings of format {value.get('format')} and this jaxae reads {FORMAT}; {MEND}")
    refuse_misfit(value, SHAPE | ({"slow": SHAPE["dead"]} if "slow" in value else {}), path, MEND)
    try:
        measures = {
            str(arm): {str(metric): _numbers(words) for metric, words in of.items()}
            for arm, of in value["measures"].items()
        }
        dead, slow = (
            {str(arm): tuple(int(seed) for seed in seeds) for arm, seeds in value.get(name, {}).items()}
            for name in ("dead", "slow")
        )
        differences = tuple(
            Difference(str(first), str(second), str(metric), _numbers(words))
            for first, second, metric, words in value["differences"]
        )
        facts = dict(value["facts"])
    except (TypeError, ValueError) as error:  # of numbers that are none, or a difference of other parts
        raise UsageError(f"{path} holds no findings ({error!r}); {MEND}") from None
    refuse_changed(value, path, MEND)
    return Findings(origin, measures, dead, differences, facts, slow=slow)


def save_arrays(path: Path, arrays: Arrays) -> None:
    """Write {arm: {name: array}} as an .npz whose entries are called ARM/NAME."""
    flat: dict[str, Any] = {f"{arm}/{name}": array for arm, of in arrays.items() for name, array in of.items()}
    if len(flat) < sum(map(len, arrays.values())):
        raise UsageError(f"two arrays of {path.name} would have one name; leave out the slashes of arms' names")
    names = json.dumps(
        {arm: {name: digest(np.asarray(array)) for name, array in of.items()} for arm, of in arrays.items()}
    )
    out = BytesIO()
    flat[HEADER] = np.asarray(names)
    np.savez_compressed(out, **flat)
    write_whole(path, out.getvalue())


def load_arrays(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """What `save_arrays` wrote. Raises UsageError where the file is missing or damaged."""
    with _opened(path) as stored:
        names = json.loads(str(stored[HEADER]))
        found = {arm: {name: stored[f"{arm}/{name}"] for name in of} for arm, of in names.items()}
        for arm, of in names.items():
            if isinstance(of, dict) and (changed := [name for name in of if digest(found[arm][name]) != of[name]]):
                raise ValueError(f"the SHA-256 of {arm}/{changed[0]} is not the one recorded")
        return found


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The arrays of an .npz, without pickles; whatever goes wrong in reading them is one sentence."""
    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            yield stored
    except Exception as error:  # of zipfile, zlib and numpy, whatever they stumble over
        raise UsageError(f"{path} can't be read as arrays of a run ({error}); {MEND}") from None


def _words(values: np.ndarray) -> Any:
    """Numbers, by name those that JSON has no word for; one number for one that the seeds share."""
    if values.ndim:
        return [_words(value) for value in values]
    return float(values) if math.isfinite(values) else str(float(values))


def _numbers(words: Any) -> np.ndarray:
    several = words if isinstance(words, list) else [words]  # not an array, which would make strings of all
    if wrong := [word for word in several if isinstance(word, str) and word not in ("nan", "inf", "-inf")]:
        raise ValueError(f"{wrong[0]!r} is no number")
    return np.array(words, np.float64)
