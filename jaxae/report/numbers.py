"""Numbers in words, for tables and for the templates of prose."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxae.findings import Row, measured, of_few, share_over_seeds, side_of_zero, telling_seeds
from jaxae.findings.claims import SHARED, dead_seeds, named_seeds

NONE = "—"
FEW = 3  # seeds: of fewer each is given, since an interval would tell nothing


def number(value: float | None) -> str:
    """A measured number with 4 significant digits; large ones to the unit, with thousands separators."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if abs(value) >= 9999.5:
        return f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3e}"
    return f"{value:#.4g}".rstrip(".") if value else "0"


def printed(row: Row) -> str:
    """The reported number as the report prints it, to 6 significant digits at most."""
    if row.reported is None:
        return NONE
    if float(row.reported).is_integer() and (row.exact or isinstance(row.reported, int)):
        return f"{int(row.reported):,}"
    return min(repr(row.reported), f"{row.reported:.6g}", key=len)


def reproduced(row: Row) -> str:
    """The mean and the half-width of its 95% interval, or its ends where they lie at unequal distances.

    Of fewer than three seeds, of outcomes, and where dead or slow seeds are among the others, which have no mean: each
    seed's.
    Where values are infinite, as a PSNR without error is: of how many seeds. Where all are equal: their number. Counts
    are whole numbers.
    """
    if row.dead or row.slow:
        return _one_by_one(row)
    if row.mean is None:
        return _without_mean(row)
    if row.categorical:
        return ", ".join(f"{value:g}" for value in row.values)
    if row.exact and len(set(row.values)) == 1:
        return f"{int(row.mean):,}" if row.mean.is_integer() else repr(row.mean)
    if row.reading == SHARED or row.ci95 is None:
        return _each(row.values)
    if row.scale == "percent":
        return portion_of(row.mean, row.ci95)
    if row.n_seeds < FEW or not _vary(row.values):
        return _each(row.values)
    if row.scale == "log":
        return _with_ends(row.mean, row.ci95)
    return rounded(row.values)


def _one_by_one(row: Row) -> str:
    """The values of a row that has no mean: "0.5, 0.21 and —"; of more than five the least and the most."""
    unit, known = "%" * (row.scale == "percent"), [value for value in row.values if not math.isnan(value)]
    if len(row.values) > 5 and known:
        return f"{number(min(known))}{unit} to {number(max(known))}{unit}"
    return listed([NONE if math.isnan(value) else f"{number(value)}{unit}" for value in row.values])


def _each(values: Any) -> str:
    """The number of each seed, or the one that all have; whole numbers where all are."""
    values = np.atleast_1d(values)
    if not _vary(values):
        values = values[:1]
    whole = bool((values == np.round(values)).all() and np.abs(values).max() < 1e9)
    return listed([f"{value + 0.0:,.0f}" if whole else number(value) for value in values])  # no negative zero


def is_lone(row: Row) -> bool:
    """Whether it is a measure of one seed, which has no interval, and no count."""
    shared = row.exact or row.categorical or row.reading == SHARED
    return row.n_seeds == 1 and row.mean is not None and not shared and not float(row.mean).is_integer()


def of_lone(rows: Sequence[Row]) -> str:
    """What is to be said beside a table of rows of which some are of one seed; else nothing."""
    lone = any(map(is_lone, rows))
    several = any(row.n_seeds > 1 for row in rows)
    return ("Where n is 1 there is no interval." if several else "One seed: no intervals.") if lone else ""


def over_seeds(values: Any) -> str:
    """One number per seed, float[seeds], as their mean with its interval; one number, or equal ones, as that."""
    values = np.atleast_1d(values)
    row = measured("", "", values)
    if row.mean is None:
        return _without_mean(row)
    return reproduced(row) if row.ci95 else number(row.mean)


def rounded(values: Any) -> str:
    """As `over_seeds`, to the uncertainty: the half-width with one or two digits, the mean to the same place.

    Two seeds are given one by one.
    """
    values = np.atleast_1d(np.asarray(values, np.float64))
    row = measured("", "", values)
    if row.mean is None:
        return _without_mean(row)
    if row.ci95 is None or not _vary(values):
        return f"{row.mean:,.3g}" if abs(row.mean) < 1e6 else f"{row.mean:.2e}"
    if len(values) < FEW:
        return listed(list(map(number, values)))
    half = (row.ci95[1] - row.ci95[0]) / 2
    places = _places(half)
    if places > 6 and abs(row.mean) >= 1e-3:  # to float32's last digits
        return f"{row.mean:,.{places}f} ± {half:.0e}"
    if places > 6 or places < -3:
        return f"{row.mean:.{max(0, math.floor(math.log10(abs(row.mean) or half)) + places)}e} ± {half:.0e}"
    mean, half = (round(value, places) + 0.0 for value in (row.mean, half))  # no negative zero
    return f"{mean:,.{max(places, 0)}f} ± {half:,.{max(places, 0)}f}"


def _vary(values: Any) -> bool:
    """Whether seeds differ by more than float32 rounds."""
    return bool(np.ptp(values) > 1e-6 * np.abs(values).max())


def _places(half: float) -> int:
    """Digits after the point, so that a half-width has two digits if it begins with 1 or 2, else one."""
    power = math.floor(math.log10(half))
    return (1 if half / 10**power < 3 else 0) - power


def _with_ends(mean: float, ends: tuple[float, float]) -> str:
    """A mean and the ends of its interval, to the place that the nearer end tells; no end above 0 is rounded to 0."""
    places = _places(min(mean - ends[0], ends[1] - mean))
    places = min(max(places, 0 if ends[0] <= 0 else -math.floor(math.log10(ends[0])), 0), 12)
    first, middle, last = (f"{value:,.{places}f}" for value in (ends[0], mean, ends[1]))
    return f"{middle} ({first} to {last})"


def percent(values: Any) -> str:
    """Percentages by seed, float[seeds], as "(3.1 ± 6.6) %", or "19%" where there is no interval."""
    words = rounded(values)
    return f"({words}) %" if "±" in words else f"{words}%"


def portion(values: Any, cases: int) -> str:
    """Percentages of so many images, one per seed, float[seeds], with the exact interval: "19% (2.4 to 54%)"."""
    values = np.atleast_1d(np.asarray(values, np.float64))
    found = share_over_seeds(values / 100, cases)
    return NONE if found is None else portion_of(float(values.mean()), (100 * found[0], 100 * found[1]))


def portion_of(mean: float, ends: tuple[float, float]) -> str:
    """A percentage and the ends of its interval; below 0.005% that is 0."""
    low, high = (0.0 if end < 0.005 else end for end in ends)
    return f"{mean:.3g}% ({low:.3g} to {high:.3g}%)"


def ratio(value: float) -> str:
    """How many times likelier, to two digits or the unit; beyond 1,000 and its inverse Student's tails tell no more."""
    if math.isnan(value) or value > 1000:
        return NONE if math.isnan(value) else "over 1,000"
    if value < 0.001:
        return "under 0.001"
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def undecided(values: Any, least: float = 0.0) -> str:
    """What is to be said of a difference that can't be told from 0, float[seeds]: that all seeds agree.

    `least` is what it must be away from 0, as in `side_of_zero`.
    """
    values = np.asarray(values, np.float64)
    if len(values) < 2 or not np.isfinite(values).all() or len({*np.sign(values)}) > 1 or side_of_zero(values, least):
        return ""
    needed, count = telling_seeds(values), len(values)
    agree = "both seeds" if count == 2 else f"all {count} seeds"
    roughly = "perhaps" if of_few(count - 1) else "about"
    enough = f"{roughly} {needed} would tell" if needed else "it would take many more"
    return f"{agree} agree, but so few can do so by chance: {enough}, if they scatter as these do"


def share(fraction: float) -> str:
    """A share of 1 in percent: "97.5%"."""
    return f"{fraction:.1%}"


def by_seed(values: Any) -> str:
    """One number after another, with 3 digits: "70.8, 63 and 54.7"; of more than five the least and the most."""
    values = np.atleast_1d(values)
    if len(values) > 5:
        return f"{values.min():.3g} to {values.max():.3g}"
    return listed([f"{value:.3g}".replace("inf", "∞") for value in values])


def signed(value: float, digits: int = 2) -> str:
    """A number with its sign."""
    return f"{value:+.{digits}f}"


def listed(words: Sequence[Any]) -> str:
    """ "a, b and c"."""
    texts = [str(word) for word in words]
    return " and ".join(filter(None, [", ".join(texts[:-1]), *texts[-1:]]))


def plural(count: int, word: str) -> str:
    """ "1 seed", "3 seeds"."""
    return f"{count:,} {word}{'s' if count != 1 else ''}"


def listed_seeds(seeds: Sequence[int]) -> str:
    """ "3 (0, 1, 2)"; of more than ten the first and the last."""
    shown = ", ".join(map(str, seeds)) if len(seeds) <= 10 else f"{seeds[0]} to {seeds[-1]}"
    return f"{len(seeds)} ({shown})"


def without(row: Row) -> str:
    """Which seeds the row leaves out since they died, or has among the others, also with one picture so far, in
    words."""
    died = row.excluded or row.dead
    told = [f"with{'out' if row.excluded else ''} {dead_seeds(died)}"] if died else []
    return ", ".join([*told, *([f"one picture so far: {named_seeds(row.slow)}"] if row.slow else [])])


def _without_mean(row: Row) -> str:
    """Values whose mean is no number: "∞", "∞ in 1 of 3 seeds", or nothing known."""
    infinite = np.isinf(row.values)
    if np.isnan(row.values).any() or not infinite.any():
        return NONE
    one = len(set(row.values)) == 1
    return number(row.values[0]) if one else f"∞ in {infinite.sum()} of {plural(row.n_seeds, 'seed')}"


FILTERS = {
    function.__name__: function
    for function in (
        number,
        reproduced,
        over_seeds,
        rounded,
        percent,
        portion,
        ratio,
        undecided,
        share,
        by_seed,
        signed,
        listed,
        plural,
        without,
    )
}
