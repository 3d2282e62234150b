"""The data that a run reads: how much of each set, and what the manifest says of it."""

from typing import TYPE_CHECKING, Literal

from jaxae.data import Dataset, load
from jaxae.run import manifest

if TYPE_CHECKING:
    from jaxae.run.run import Run

Use = Literal["study", "judge", "whole"]


def load_noted(run: "Run", name: str, split: str, use: Use, size: int | None) -> Dataset:
    """A set of the run's source, as much of it as the flags say, noted in the manifest.

    A limit that leaves something out is noted as "of", and keeps the run from being held against a report.
    """
    config = run.config
    loaded = load(name, split, source=config.source, data_dir=config.data_dir, size=size)
    limit, studied = limit_of(run, split, use), limit_of(run, split, "study")
    role = f"{name} {split}"
    cut = len(loaded) if limit is None else min(limit, len(loaded))
    if cut != (len(loaded) if studied is None else min(studied, len(loaded))):
        role += f", {use}"
    more = {"of": len(loaded)} if cut < len(loaded) else {}
    loaded = loaded.head(cut) if more else loaded
    run.note_source("data", manifest.describe_data(role, loaded) | more)
    return loaded


def limit_of(run: "Run", split: str, use: Use) -> int | None:
    """How many images of a split the flags let be used; None: all."""
    if use == "whole":
        return None
    if not split.startswith("train"):
        return run.config.test_limit
    return (run.config.judge_limit if use == "judge" else None) or run.config.limit
