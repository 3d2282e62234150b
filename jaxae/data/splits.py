"""The split syntax of TFDS ("train[:90%]+test"), read without TFDS: a warm load must not wait for its import."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from jaxae.errors import UsageError

_BOUND = r"-?[\d_.]+%?"
_PART = re.compile(rf"(?P<split>[\w-]+)(\[(?!:\])(?P<start>{_BOUND})?:(?P<stop>{_BOUND})?\])?")


class Part(NamedTuple):
    """The examples of `split` from `start` up to, not including, `stop`."""

    split: str
    start: int
    stop: int


def parse(spec: str, sizes: Mapping[str, int]) -> tuple[Part, ...]:
    """The parts, in order, that `spec` names: "train", "train[:90%]", "train[-100:]", "train+test" or "all".

    `sizes` is the number of examples of each split. Percentages are rounded to the closest example, as in TFDS.
    Raises UsageError for another syntax, an unknown split, a bound outside the split and a part without examples.
    """
    check_split(spec)
    names = re.split(r"\s*\+\s*", spec)
    if "all" in names and "all" not in sizes:
        names = [name for text in names for name in (sizes if text == "all" else [text])]
    return tuple(_part(name, sizes) for name in names)


def check_split(spec: str) -> None:
    """Refuse what is no text, with a UsageError."""
    if not isinstance(spec, str):
        raise UsageError(f"the split {spec!r} is no text; give one, such as 'train' or 'train[:90%]'")


def _part(text: str, sizes: Mapping[str, int]) -> Part:
    match = _PART.fullmatch(text)
    if not match:
        raise UsageError(f"the split {text!r} is not written like train, train[:90%], train[100:200] or train+test")
    split, start, stop = match["split"], match["start"] or "", match["stop"] or ""
    if split not in sizes:
        raise UsageError(f"there is no split {split!r}; choose from {', '.join(sizes)}")
    percent = "%" in start + stop  # one sign counts for both bounds
    size = sizes[split]
    part = Part(split, _bound(start, 0, size, percent, text), _bound(stop, size, size, percent, text))
    if part.start >= part.stop:
        raise UsageError(f"the split {text!r} holds no examples; {split} has {size}, choose bounds that enclose some")
    return part


def _bound(text: str, default: int, size: int, percent: bool, part: str) -> int:
    if not text:
        return default
    try:
        value = float(text.rstrip("%")) if percent else int(text)
    except ValueError:
        raise UsageError(f"the bound {text!r} of the split {part!r} is neither an integer nor a percentage") from None
    limit = 100 if percent else size
    if abs(value) > limit:
        raise UsageError(f"the bound {text!r} of the split {part!r} is too far; it goes up to {limit}{'%' * percent}")
    value = round(value * size / 100) if percent else int(value)
    return value + size if value < 0 else value
