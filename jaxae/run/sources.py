"""The data that a run reads: how much of each set, and what the manifest says of it."""

import contextlib
from typing import TYPE_CHECKING, Any, Literal

from jaxae.data import Dataset, load
from jaxae.run import manifest

if TYPE_CHECKING:
    from jaxae.run.run import Run

Use = Literal["study", "judge", "whole"]


Sets = dict[tuple[Any, ...], Dataset]  # whole ones by name, split and size, cut ones by these and how many are left


def load_noted(run: "Run", sets: Sets, name: str, split: str, use: Use, size: int | None) -> Dataset:
    """A set of the run's source, as much of it as the flags say, noted in the manifest; the same one for all uses of
    the same images, of `sets` that the run has already.

    A limit that leaves something out is noted as "of", and keeps the run from being held against a report.
    """
    config, key = run.config, (name, split, size)
    with contextlib.nullcontext() if key in sets else run.working(f"reading {name} {split}"):
        if key not in sets:
            sets[key] = load(name, split, source=config.source, data_dir=config.data_dir, size=size)
            _say_of_more(run, name, split, use, len(sets[key]))
        whole = sets[key]
        cut, studied = (_cut(run, split, one, len(whole)) for one in (use, "study"))
        role = f"{name} {split}" if cut == studied else f"{name} {split}, {use}"
        if cut == len(whole):
            run.note_source("data", manifest.describe_data(role, whole))
            return whole
        if (*key, cut) not in sets:
            sets[*key, cut] = whole.head(cut)
        run.note_source("data", manifest.describe_data(role, sets[*key, cut]) | {"of": len(whole)})
        return sets[*key, cut]


def _say_of_more(run: "Run", name: str, split: str, use: Use, there: int) -> None:
    """Say so where a limit is of more images than there are."""
    limit = limit_of(run, split, use)
    if limit is not None and limit > there:
        judge = use == "judge" and run.config.judge_limit
        flag = "--test-limit" if not split.startswith("train") else "--judge-limit" if judge else "--limit"
        run.say(f"{flag} {limit:,} is more than the {there:,} images of {name} {split}: all are used")


def _cut(run: "Run", split: str, use: Use, there: int) -> int:
    """How many of the images that are there are used."""
    limit = limit_of(run, split, use)
    return there if limit is None else min(limit, there)


def limit_of(run: "Run", split: str, use: Use) -> int | None:
    """How many images of a split the flags let be used; None: all."""
    if use == "whole":
        return None
    if not split.startswith("train"):
        return run.config.test_limit
    return (run.config.judge_limit if use == "judge" else None) or run.config.limit
