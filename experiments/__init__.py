"""The studies, one file each: `python -m experiments.NAME`."""

from pathlib import Path


def result(name: str) -> Path:
    """The committed result of this name."""
    return Path(__file__).parent / "results" / f"{name}.json"
