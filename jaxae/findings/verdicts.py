"""Verdicts: what a report claims, held against what was measured.

A number is reproduced where it lies in the range in which 95% of single runs fall, and that range is narrow enough to
tell it from a number a quarter away, from other readings and from baselines. Inside a wider one it is inconclusive.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from jaxae.errors import UsageError
from jaxae.findings.claims import (
    DIFFERS,
    EXPLAINED,
    INCONCLUSIVE,
    NOT_COMPARABLE,
    PAIRED,
    REPRODUCED,
    SHARED,
    Claim,
    Difference,
    Measures,
    Row,
    between,
    dead_seeds,
    measured,
    named_seeds,
)
from jaxae.findings.margins import Tried, brief, error_of_images, margin_of, over_seeds_alone, unknown_rivals
from jaxae.findings.scales import on_scale
from jaxae.findings.spread import MOST, Spread, deciding_seeds, deciding_share, of_few, spread
from jaxae.findings.statistics import Interval, share_interval, share_over_seeds


def judge(
    measures: Measures,
    claims: Sequence[Claim],
    *,
    seeds: Sequence[int],
    dead: Mapping[str, Sequence[int]] | None = None,
    slow: Mapping[str, Sequence[int]] = MappingProxyType({}),
    barred: Sequence[str] = (),
    missing: Mapping[str, float] | None = None,
) -> list[Row]:
    """A row for every claim, with its verdict; where seeds died, a second one without them.

    `dead` names the seeds that died, by arm, `slow` those that show one picture so far; `barred` the ways in which this
    run departs from the reported settings that bar a comparison: with any, only exact claims are judged.
    `missing` is, by test set, 1 / n - 1 / N of the n images that were at hand of N.
    Raises UsageError for a claim on an arm that ran whose metric was not measured.
    """
    tried, rows = Tried(measures, seeds, dead or {}, barred, missing or {}), []
    for claim in claims:
        fields = _fields(claim)
        if claim.arm not in measures:
            absent: dict[str, Any] = {"verdict": NOT_COMPARABLE, "reason": "not part of this run"}
            rows.append(measured(claim.arm, claim.metric, (), **fields, **absent))
            continue
        if claim.metric not in measures[claim.arm]:
            raise UsageError(
                f"the claim on {claim.arm!r} is of {claim.metric!r}, which was not measured; name one of "
                f"{', '.join(measures[claim.arm])}"
            )
        died = () if claim.exact else tried.dead.get(claim.arm, ())  # a count is the same, dead or alive
        still = () if claim.exact else slow.get(claim.arm, ())
        values = measures[claim.arm][claim.metric]
        rows += [
            _judged(row, claim, tried)
            for row in _with_and_without(claim.arm, claim.metric, values, seeds, died, still, **fields)
        ]
    return [_explained(row, claims, rows) for row in rows]


def rows_of(
    measures: Measures,
    *,
    seeds: Sequence[int],
    dead: Mapping[str, Sequence[int]],
    slow: Mapping[str, Sequence[int]] = MappingProxyType({}),
    shares: Mapping[Any, int] | None = None,
) -> list[Row]:
    """A row for every measure; where seeds died, a second one without them. Where some are `slow`, there is no mean.

    `shares` names those that are percentages of a number of images, which then have exact intervals: by metric, or by
    (arm, metric) where arms differ.
    """
    images = shares or {}
    rows = [
        row
        for arm, values in measures.items()
        for metric, numbers in values.items()
        for row in _with_and_without(arm, metric, numbers, seeds, dead.get(arm, ()), slow.get(arm, ()))
    ]
    counted = [(row, images.get((row.arm, row.metric), images.get(row.metric))) for row in rows]
    return [_as_share(row, cases) if cases else row for row, cases in counted]


def paired(
    difference: Difference,
    *,
    seeds: Sequence[int],
    dead: Mapping[str, Sequence[int]],
    slow: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> list[Row]:
    """A row of a difference; where seeds died in either arm, a second one without them. Where some are `slow` in
    either, there is no mean."""
    first, second, metric, values = difference
    died, still = ({*of.get(first, ()), *of.get(second, ())} for of in (dead, slow))
    return _with_and_without(f"{first}{PAIRED}{second}", metric, values, seeds, died, still)


def _as_share(row: Row, cases: int) -> Row:
    """A row of percentages of so many images, one per seed, with the exact interval of their mean."""
    found = share_over_seeds(np.array(row.values) / 100, cases) if row.mean is not None else None
    return replace(row, scale="percent", ci95=found and (100 * found[0], 100 * found[1]), pi95=None)


def _with_and_without(arm, metric, values, seeds, dead, slow=(), **fields) -> list[Row]:
    """A row of all seeds and, where some died, one of the others."""
    if np.ndim(values) == 0:
        return [measured(arm, metric, [values], **{"reading": SHARED, **fields})]
    dead, slow = (tuple(seed for seed in seeds if seed in set(which)) for which in (dead, {*slow} - {*dead}))
    slow = slow if len(slow) < len(seeds) - len(dead) else ()  # where all are, that is one outcome
    rows = [measured(arm, metric, values, dead=dead, slow=slow, **fields)]
    alive = [value for value, seed in zip(np.asarray(values), seeds, strict=True) if seed not in dead]
    return rows + ([measured(arm, metric, alive, excluded=dead, slow=slow, **fields)] if dead and alive else [])


def _fields(claim: Claim) -> dict[str, Any]:
    names = ("reported", "reading", "source", "exact", "categorical", "primary", "scale")
    return {name: getattr(claim, name) for name in names}


def _judged(row: Row, claim: Claim, tried: Tried) -> Row:
    died = row.excluded or row.dead
    words = dead_seeds(died)
    if row.dead:  # an interval over the living and the dead is wide enough to hold any number
        return replace(row, verdict=NOT_COMPARABLE, reason=f"with {words}: two outcomes, not one distribution")
    if row.slow:
        words = f"with one picture so far of {named_seeds(row.slow)}"
        return replace(row, verdict=NOT_COMPARABLE, reason=f"{words}: two outcomes, not one distribution")
    row = _verdict(row, claim, tried)
    return replace(row, reason=f"without {words}: {row.reason}") if died else row


def _verdict(row: Row, claim: Claim, tried: Tried) -> Row:
    if claim.exact:
        same = all(value == claim.reported for value in row.values)
        verdict, reason = (REPRODUCED, "exactly equal") if same else (DIFFERS, claim.reason or "not equal")
    elif tried.barred:
        verdict, reason = NOT_COMPARABLE, "not the report's settings: " + "; ".join(tried.barred)
    elif row.mean is None:
        verdict, reason = NOT_COMPARABLE, _without_mean(row)
    elif row.pi95 is None:
        verdict, reason = NOT_COMPARABLE, f"{row.n_seeds} seed{'s'[: row.n_seeds != 1]}: no interval without two"
    elif claim.categorical:
        return _commonest(row, np.array(row.values) == claim.reported)
    else:
        return _held(row, claim, tried)
    return replace(row, verdict=verdict, reason=reason)


def _without_mean(row: Row) -> str:
    """Why a row has no mean: a value that is NaN, infinite (which needn't be a fault) or without logarithm."""
    unknown, infinite = np.isnan(row.values).sum(), np.isinf(row.values).sum()
    if not unknown and not infinite and row.values:
        return f"not above 0 in {sum(value <= 0 for value in row.values)} of {row.n_seeds} seeds, so without logarithm"
    if unknown or not infinite:
        return f"not a number in {unknown} of {row.n_seeds} seeds"
    why = ": images without any error have no finite PSNR" if "psnr" in row.metric.lower() else ""
    return f"infinite in {infinite} of {row.n_seeds} seeds{why}"


def _commonest(row: Row, hits: np.ndarray) -> Row:
    """The row with the verdict on an outcome that each seed has or hasn't, bool[seeds], and in how many it is seen.

    It is decided where the exact interval of its share leaves out one half.
    """
    count, of = int(hits.sum()), len(hits)
    low, high = share_interval(count, of)
    seen = f"in {count} of {of} seeds, which leaves any share from {low:.0%} to {high:.0%} open"
    if low > 0.5 or high < 0.5:
        return replace(row, verdict=REPRODUCED if low > 0.5 else DIFFERS, reason=seen)
    seeds = deciding_share(count, of) or 0
    return replace(row, verdict=INCONCLUSIVE, reason=f"{seen}; {_would(seeds, 'share')}", deciding=seeds)


class Range(NamedTuple):
    """In which 95% of single runs fall: its ends; half of it on the claim's scale; the spread, and the error of few
    test images on that scale, that it follows from; what is said of it."""

    ends: Interval
    half: float
    spread: Spread
    error: float
    words: str


def _held(row: Row, claim: Claim, tried: Tried) -> Row:
    """A number against the range of single runs, and that range against the margin."""
    found, unknown = _range(row, claim, tried), unknown_rivals(claim, tried)
    margin, nearest = margin_of(claim, tried)
    side, rounded = _side(claim, found.ends)
    reason, deciding = f"{side} the range of a single run, {found.words}{rounded}", None
    missing = _not_measured(unknown) or ("with that error it would be wider" if over_seeds_alone(claim, tried) else "")
    if side != "inside":
        verdict, reason = DIFFERS, "; ".join(filter(None, [f"the report's is {reason}", claim.reason]))
    elif not found.half <= margin:  # or NaN
        seeds = deciding_seeds(found.spread, row.n_seeds, margin, found.error) or 0
        deciding = None if seeds and missing else seeds
        verdict, reason = INCONCLUSIVE, f"{reason}, but {_too_wide(found, claim, margin, nearest, deciding, missing)}"
    elif missing:
        verdict, reason = INCONCLUSIVE, f"{reason}, but {missing}"
    else:
        verdict = REPRODUCED
    margin = 0.0 if unknown else margin
    return replace(row, verdict=verdict, reason=reason, pi95=found.ends, margin=margin, deciding=deciding)


def _range(row: Row, claim: Claim, tried: Tried) -> Range:
    assert row.mean is not None
    error = error_of_images(claim, tried, row.mean)
    found, pooled = _spread(claim, tried, on_scale(row.values, claim.scale))
    half, centre = float(found.half_width(row.n_seeds, error)), float(on_scale(row.mean, claim.scale))
    ends = between((centre - half, centre + half), claim.scale)
    assert ends is not None
    words = f"{' to '.join(brief(end, claim.reported) for end in ends)}{pooled}{over_seeds_alone(claim, tried)}"
    return Range(ends, half, found, error, words)


def _side(claim: Claim, ends: Interval) -> tuple[str, str]:
    """Whether the reported number lies "inside", "above" or "below" a range, and what is said of its rounding."""
    low, high = ends
    if low <= claim.reported <= high:
        return "inside", ""
    if low - claim.half_digit <= claim.reported <= high + claim.half_digit:
        return "inside", ", with the rounding of the printed number"
    return "above" if claim.reported > high else "below", ""


def _too_wide(found: Range, claim: Claim, margin: float, nearest: str, deciding: int | None, missing: str) -> str:
    """What is too wide for what, and how many seeds would decide: None where something else is missing, too."""
    would = missing if deciding is None else _would(deciding, f"spread{of_few(found.spread.freedom)}")
    return f"its half width of {_width(found.half, claim)} is above {_width(margin, claim)}, {nearest}; {would}"


def _not_measured(rivals: Sequence[str]) -> str:
    """What is missing where rivals are; "" where none is."""
    were = "was" if len(rivals) == 1 else "were"
    return f"{' and '.join(rivals)}, from which it must be told, {were} not measured in this run" if rivals else ""


def _spread(claim: Claim, tried: Tried, values: np.ndarray) -> tuple[Spread, str]:
    """The deviation of single runs on the claim's scale; what there is to be said of it."""
    others = [arm for arm in claim.alike if arm != claim.arm and claim.metric in tried.measures.get(arm, {})]
    group = [tried.living(arm, claim.metric, claim.arm, *others) for arm in (claim.arm, *others)] if others else []
    found = spread(values)
    assert found is not None  # the row has an interval
    if not group or any(len(seeds) != len(values) for seeds in group):  # a seed that lives here died in another
        return found, ""
    both = spread(on_scale(group[0], claim.scale), [on_scale(other, claim.scale) for other in group[1:]])
    if both is None or both.freedom - found.freedom < 1:  # what is gained is nothing
        return found, ""
    return both, f" (deviation pooled over {both.arms} arms that are alike, {both.freedom:.1f} degrees of freedom)"


def _would(seeds: int, known: str) -> str:
    """How many seeds would decide, 0 for none, if what is known of them stayed as it is."""
    number = f"about {seeds} seeds" if seeds else f"no number of seeds up to {MOST:,}"
    return f"{number} would decide at this {known}"


def _width(half: float, claim: Claim) -> str:
    if claim.scale == "log":
        digits = max(4, 2 - math.floor(math.log10(half))) if half > 0 else 4  # two of what it is above 1
        return f"a factor of {np.exp(half):.{digits}g}"
    return f"{half:.3g}{' dB' * (claim.scale == 'decibel')}"


def _explained(row: Row, claims: Sequence[Claim], rows: Sequence[Row]) -> Row:
    """A number that differs under one reading is explained where the reading it points to reproduces it."""
    if row.verdict != DIFFERS:
        return row
    claim = next(c for c in claims if (c.arm, c.metric, c.reported) == (row.arm, row.metric, row.reported))
    for other in rows:
        if (other.arm, other.metric) in claim.explained_by and other.verdict == REPRODUCED:
            reading = other.reading or f"{other.arm}, {other.metric}"
            return replace(row, verdict=EXPLAINED, reason=f"{row.reason}; it is reproduced when read as: {reading}")
    return row
