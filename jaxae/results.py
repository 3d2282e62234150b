"""Reported against reproduced: intervals over seeds, paired differences and verdicts.

A measure is one number per seed. What a report printed is *one* run, so it is held against the interval in which 95% of
single runs fall (the prediction interval), not against the interval of the mean, which shrinks to nothing as seeds are
added and would refuse a perfect reproduction. Both are in every row.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from jaxae.study import Claim

LEVEL = 0.95
SHARED = "one number, the same for every seed"
PAIRED = " - "  # between the arms of a difference
REPRODUCED, DIFFERS, EXPLAINED, NOT_COMPARABLE = "reproduced", "differs", "explained", "not comparable"

Interval = tuple[float, float]
Measures = Mapping[str, Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class Row:
    """One measure of one arm, beside the number that the report gives, if it gives one.

    ci95      Student-t interval of the mean over seeds; None for fewer than two
    pi95      interval in which a single further run falls; None for fewer than two
    values    one per seed, those of `excluded` seeds left out
    excluded  seeds left out because they died (constant output); a row with all seeds stands beside it
    """

    arm: str
    metric: str
    mean: float | None
    ci95: Interval | None
    pi95: Interval | None
    n_seeds: int
    values: tuple[float, ...]
    reported: float | None = None
    reading: str = ""
    source: str = ""
    exact: bool = False
    categorical: bool = False
    excluded: tuple[int, ...] = ()
    verdict: str = ""
    reason: str = ""


def interval(values: Sequence[float] | np.ndarray) -> Interval | None:
    """The 95% Student-t interval of the mean of `values` (one per seed); None for fewer than two."""
    return _student(values, 1 / np.sqrt(max(len(values), 1)))


def prediction_interval(values: Sequence[float] | np.ndarray) -> Interval | None:
    """The interval in which a further single run falls with 95% probability; None for fewer than two values."""
    return _student(values, np.sqrt(1 + 1 / max(len(values), 1)))


def measured(arm: str, metric: str, values: Any, **fields: Any) -> Row:
    """A row of one value per seed; where one of them is not finite, without mean and intervals."""
    values = tuple(float(value) for value in np.asarray(values, np.float64))
    mean = float(np.mean(values)) if values and np.isfinite(values).all() else None
    return Row(arm, metric, mean, interval(values), prediction_interval(values), len(values), values, **fields)


def difference(measures: Measures, first: str, second: str, metric: str, seeds: Sequence[int], dead: Any) -> list[Row]:
    """`first` minus `second`, paired by seed: both arms of a seed share initial draws, data order and noise."""
    paired = np.asarray(measures[first][metric]) - np.asarray(measures[second][metric])
    either = sorted(set(dead.get(first, ())) | set(dead.get(second, ())))
    return _with_and_without(f"{first}{PAIRED}{second}", metric, paired, seeds, either)


def apart(rows: Sequence[Row], *, named: bool = False) -> str:
    """How many of the paired differences with an interval leave out 0 (and which), in a sentence."""
    rows = [row for row in rows if row.ci95 and not row.excluded]
    found = [f"{row.arm}, {row.metric}" for row in rows if row.ci95 and not row.ci95[0] <= 0 <= row.ci95[1]]
    which = f" ({'; '.join(found)})" if found and named else ""
    have = "has" if len(found) == 1 else "have"
    return (
        f"Of {len(rows)} paired differences, {len(found)} {have} a 95% interval that leaves out 0{which}; if all were "
        f"0 in truth, some {0.05 * len(rows):.1f} would be expected to, more or fewer where measures go together."
    )


def compare(
    measures: Measures,
    claims: Sequence[Claim],
    *,
    seeds: Sequence[int],
    dead: Mapping[str, Sequence[int]] | None = None,
    deviations: Sequence[str] = (),
) -> list[Row]:
    """A row for every claim, with its verdict; where seeds died, a second one without them.

    `measures` is {arm: {metric: one value per seed}}; `dead` the seeds that died, by arm; `deviations` the ways in
    which this run departs from the reported settings: with any, only exact claims are judged.
    """
    rows = []
    for claim in claims:
        values = measures.get(claim.arm, {}).get(claim.metric)
        fields = _fields(claim)
        if values is None:
            rows.append(replace(measured(claim.arm, claim.metric, ()), **fields, **_missing()))
            continue
        died = () if claim.exact else (dead or {}).get(claim.arm, ())  # a count is the same, dead or alive
        found = _with_and_without(claim.arm, claim.metric, values, seeds, died)
        rows += [_judge(replace(row, **fields), claim, deviations, died) for row in found]
    return [_explain(row, claims, rows) for row in rows]


def rows(measures: Measures, *, seeds: Sequence[int], dead: Mapping[str, Sequence[int]]) -> list[Row]:
    """A row for every measure; where seeds died, a second one without them."""
    return [
        row
        for arm, values in measures.items()
        for metric, numbers in values.items()
        for row in _with_and_without(arm, metric, numbers, seeds, dead.get(arm, ()))
    ]


def to_json(row: Row) -> dict[str, Any]:
    """A row as results.json holds it: null for a value that is not finite, which JSON has no word for."""
    values = tuple(value if math.isfinite(value) else None for value in row.values)
    return {**asdict(row), "values": values}


def from_json(row: Mapping[str, Any]) -> Row:
    """A row of results.json."""
    tuples = {name: tuple(row[name]) if row[name] is not None else None for name in ("ci95", "pi95")}
    values = tuple(math.nan if value is None else value for value in row["values"])
    return Row(**{**row, **tuples, "values": values, "excluded": tuple(row["excluded"])})


def _student(values, factor) -> Interval | None:
    values = np.asarray(values, np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return None
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) * factor
    return float(values.mean() - half), float(values.mean() + half)


def _with_and_without(arm, metric, values, seeds, dead) -> list[Row]:
    """A row of all seeds and, where some died, one of the others."""
    if len(values) == 1 < len(seeds):
        return [measured(arm, metric, values, reading=SHARED)]
    rows = [measured(arm, metric, values)]
    dead = tuple(seed for seed in seeds if seed in set(dead))
    if dead:
        alive = [value for value, seed in zip(np.asarray(values), seeds, strict=True) if seed not in dead]
        rows += [measured(arm, metric, alive, excluded=dead)] if alive else []
    return rows


def _fields(claim):
    return {
        "reported": claim.reported, "reading": claim.reading, "source": claim.source, "exact": claim.exact,
        "categorical": claim.categorical,
    }  # fmt: skip


def _missing():
    return {"verdict": NOT_COMPARABLE, "reason": "not part of this run"}


def _judge(row: Row, claim: Claim, deviations: Sequence[str], died: Sequence[int]) -> Row:
    verdict, reason = _verdict(row, claim, deviations)
    words = f"dead seed{'s'[: len(died) > 1]} {', '.join(map(str, died))}"
    if row.excluded:
        reason = f"without the {words}: {reason}"
    elif died and not claim.exact:  # an interval over the living and the dead is wide enough to hold any number
        verdict, reason = NOT_COMPARABLE, f"with the {words}: two outcomes, not one distribution"
    return replace(row, verdict=verdict, reason=reason)


def _verdict(row: Row, claim: Claim, deviations: Sequence[str]) -> tuple[str, str]:
    reported = claim.reported
    if claim.exact:
        same = all(value == reported for value in row.values)
        return (REPRODUCED, "exactly equal") if same else (DIFFERS, claim.reason or "not equal")
    if deviations:
        return NOT_COMPARABLE, "not the report's settings: " + "; ".join(deviations)
    if row.mean is None:
        return NOT_COMPARABLE, "a value is not finite"
    if row.pi95 is None:
        return NOT_COMPARABLE, f"{row.n_seeds} seed{'s'[: row.n_seeds != 1]}: no interval without two"
    if claim.categorical:
        return most(np.array(row.values) == reported)
    low, high = row.pi95[0] - claim.half_digit, row.pi95[1] + claim.half_digit
    span = f"{_brief(low, reported)} to {_brief(high, reported)}"
    if low <= reported <= high:
        return REPRODUCED, f"inside the range of a single run, {span}"
    side = "above" if reported > high else "below"
    words = f"the report's is {side} the range of a single run, {span}."
    return DIFFERS, " ".join(filter(None, [words, claim.reason])).rstrip(".")


def most(hits: np.ndarray) -> tuple[str, str]:
    """The verdict on an outcome that each seed has or hasn't, bool[seeds], and in how many it is seen."""
    return REPRODUCED if 2 * hits.sum() > len(hits) else DIFFERS, f"in {hits.sum()} of {len(hits)} seeds"


def _explain(row: Row, claims: Sequence[Claim], rows: Sequence[Row]) -> Row:
    """A number that differs under one reading is explained where the reading it points to reproduces it."""
    if row.verdict != DIFFERS:
        return row
    claim = next(c for c in claims if (c.arm, c.metric, c.reported) == (row.arm, row.metric, row.reported))
    for other in rows:
        if (other.arm, other.metric) in claim.explained_by and other.verdict == REPRODUCED:
            reading = other.reading or f"{other.arm}, {other.metric}"
            return replace(row, verdict=EXPLAINED, reason=f"{row.reason}; it is reproduced when read as: {reading}")
    return row


def _brief(value: float, other: float) -> str:
    """Four digits of `value`, or as many as it takes to stay on its side of `other`."""
    for digits in range(4, 17):
        text = f"{value:.{digits}g}"
        if (float(text) > other) == (value > other) and (float(text) < other) == (value < other):
            break
    return text
