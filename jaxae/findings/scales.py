"""The scales on which numbers are compared: as they are, by their logarithms, in decibels, in percent."""

from typing import Any, Literal, get_args

import numpy as np

from jaxae.errors import UsageError

Scale = Literal["plain", "log", "decibel", "percent"]
MARGIN = 0.25  # of a number: a range of single runs that is wider on either side decides nothing


def check_scale(scale: str, number: float) -> None:
    """Raises UsageError for a scale that there isn't, or that doesn't have the number."""
    if scale not in get_args(Scale):
        raise UsageError(f"the scale {scale!r} isn't known; take one of {', '.join(get_args(Scale))}")
    if scale == "log" and not number > 0:
        raise UsageError(f"{number:g} has no place on the scale 'log'; take 'plain', or a number above 0")


def on_scale(values: Any, scale: Scale) -> np.ndarray:
    """Numbers as they are compared, f64: natural logarithms on the scale "log", where what isn't above 0 is NaN."""
    values = np.asarray(values, np.float64)
    return np.log(np.where(values > 0, values, np.nan)) if scale == "log" else values


def off_scale(value: float, scale: Scale) -> float:
    """The number that lies there on the scale."""
    return float(np.exp(value)) if scale == "log" else float(value)


def own_margin(number: float, scale: Scale) -> float:
    """A quarter of a number, on its scale; of decibels, which are logarithms already, a quarter of the error."""
    if scale == "log":
        return float(np.log1p(MARGIN))
    return float(10 * np.log10(1 + MARGIN)) if scale == "decibel" else MARGIN * abs(number)
