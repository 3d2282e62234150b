"""Claims of a report, rows of results, and the verdicts on them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from jaxae.errors import UsageError
from jaxae.files import number_in_json
from jaxae.findings.statistics import Interval, interval, prediction_interval

SHARED = "one number, the same for every seed"
PAIRED = " - "  # between the arms of a difference
VERDICTS = REPRODUCED, EXPLAINED, DIFFERS, NOT_COMPARABLE = "reproduced", "explained", "differs", "not comparable"

Measures = Mapping[str, Mapping[str, np.ndarray]]  # by arm and metric: f64[seeds], or f64[] where they share it


@dataclass(frozen=True)
class Claim:
    """A number that a report states, and the measure of ours that stands beside it.

    `metric` names one value per seed (`measures.of_training` says which there always are); `reading` says how the
    report's words are understood; `half_digit` is half of the last printed digit; an `exact` claim is about the design,
    not the data. The number of a `categorical` one stands for one of several outcomes: it is reproduced where most
    seeds have it. `explained_by` names the (arm, metric) of other claims: where one is reproduced, it explains why this
    one isn't.
    """

    arm: str
    metric: str
    reported: float
    source: str
    reading: str = ""
    half_digit: float = 0.0
    exact: bool = False
    categorical: bool = False
    explained_by: tuple[tuple[str, str], ...] = ()
    reason: str = ""


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


class Difference(NamedTuple):
    """`first` less `second` in a measure, f64[seeds]: both arms of a seed share initial draws, data order and noise."""

    first: str
    second: str
    metric: str
    values: np.ndarray


def measured(arm: str, metric: str, values: Any, **fields: Any) -> Row:
    """A row of one value per seed; where one of them is not finite, without mean and intervals."""
    values = tuple(float(value) for value in np.asarray(values, np.float64))
    mean = float(np.mean(values)) if values and np.isfinite(values).all() else None
    return Row(arm, metric, mean, interval(values), prediction_interval(values), len(values), values, **fields)


def judge(
    measures: Measures,
    claims: Sequence[Claim],
    *,
    seeds: Sequence[int],
    dead: Mapping[str, Sequence[int]] | None = None,
    barred: Sequence[str] = (),
) -> list[Row]:
    """A row for every claim, with its verdict; where seeds died, a second one without them.

    `dead` names the seeds that died, by arm; `barred` the ways in which
    this run departs from the reported settings that bar a comparison: with any, only exact claims are judged.
    Raises UsageError for a claim on an arm that ran whose metric was not measured.
    """
    rows = []
    for claim in claims:
        fields = _fields(claim)
        if claim.arm not in measures:
            missing = {"verdict": NOT_COMPARABLE, "reason": "not part of this run"}
            rows.append(replace(measured(claim.arm, claim.metric, ()), **fields, **missing))
            continue
        values = _values(measures, claim)
        died = () if claim.exact else (dead or {}).get(claim.arm, ())  # a count is the same, dead or alive
        found = _with_and_without(claim.arm, claim.metric, values, seeds, died)
        rows += [_judged(replace(row, **fields), claim, barred, died) for row in found]
    return [_explained(row, claims, rows) for row in rows]


def rows_of(measures: Measures, *, seeds: Sequence[int], dead: Mapping[str, Sequence[int]]) -> list[Row]:
    """A row for every measure; where seeds died, a second one without them."""
    return [
        row
        for arm, values in measures.items()
        for metric, numbers in values.items()
        for row in _with_and_without(arm, metric, numbers, seeds, dead.get(arm, ()))
    ]


def paired(difference: Difference, *, seeds: Sequence[int], dead: Mapping[str, Sequence[int]]) -> list[Row]:
    """A row of a difference; where seeds died in either arm, a second one without them."""
    first, second, metric, values = difference
    either = sorted({*dead.get(first, ()), *dead.get(second, ())})
    return _with_and_without(f"{first}{PAIRED}{second}", metric, values, seeds, either)


def leaving_out_zero(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows with an interval, dead seeds or not, and those among them whose interval leaves out 0."""
    known = [row for row in rows if row.ci95 and not row.excluded]
    return known, [row for row in known if row.ci95 and not row.ci95[0] <= 0 <= row.ci95[1]]


def row_to_json(row: Row) -> dict[str, Any]:
    """A row as results.json holds it: an infinite value by its name, null for NaN."""
    return {**asdict(row), "values": tuple(map(number_in_json, row.values))}


def row_from_json(row: Mapping[str, Any]) -> Row:
    """A row of results.json."""
    tuples = {name: tuple(row[name]) if row[name] is not None else None for name in ("ci95", "pi95")}
    values = tuple(math.nan if value is None else float(value) for value in row["values"])
    return Row(**{**row, **tuples, "values": values, "excluded": tuple(row["excluded"])})


def _values(measures: Measures, claim: Claim) -> np.ndarray:
    if claim.metric not in measures[claim.arm]:
        raise UsageError(
            f"the claim on {claim.arm!r} is of {claim.metric!r}, which was not measured; name one of "
            f"{', '.join(measures[claim.arm])}"
        )
    return measures[claim.arm][claim.metric]


def _with_and_without(arm, metric, values, seeds, dead) -> list[Row]:
    """A row of all seeds and, where some died, one of the others."""
    if np.ndim(values) == 0:
        return [measured(arm, metric, [values], reading=SHARED)]
    rows = [measured(arm, metric, values)]
    dead = tuple(seed for seed in seeds if seed in set(dead))
    if dead:
        alive = [value for value, seed in zip(np.asarray(values), seeds, strict=True) if seed not in dead]
        rows += [measured(arm, metric, alive, excluded=dead)] if alive else []
    return rows


def _fields(claim: Claim) -> dict[str, Any]:
    return {name: getattr(claim, name) for name in ("reported", "reading", "source", "exact", "categorical")}


def _judged(row: Row, claim: Claim, barred: Sequence[str], died: Sequence[int]) -> Row:
    verdict, reason = _verdict(row, claim, barred)
    words = f"dead seed{'s'[: len(died) > 1]} {', '.join(map(str, died))}"
    if row.excluded:
        reason = f"without the {words}: {reason}"
    elif died and not claim.exact:  # an interval over the living and the dead is wide enough to hold any number
        verdict, reason = NOT_COMPARABLE, f"with the {words}: two outcomes, not one distribution"
    return replace(row, verdict=verdict, reason=reason)


def _verdict(row: Row, claim: Claim, barred: Sequence[str]) -> tuple[str, str]:
    reported = claim.reported
    if claim.exact:
        same = all(value == reported for value in row.values)
        return (REPRODUCED, "exactly equal") if same else (DIFFERS, claim.reason or "not equal")
    if barred:
        return NOT_COMPARABLE, "not the report's settings: " + "; ".join(barred)
    if row.mean is None:
        return NOT_COMPARABLE, _without_mean(row)
    if row.pi95 is None:
        return NOT_COMPARABLE, f"{row.n_seeds} seed{'s'[: row.n_seeds != 1]}: no interval without two"
    if claim.categorical:
        return _commonest(np.array(row.values) == reported)
    low, high = row.pi95[0] - claim.half_digit, row.pi95[1] + claim.half_digit
    span = f"{_brief(low, reported)} to {_brief(high, reported)}"
    if low <= reported <= high:
        return REPRODUCED, f"inside the range of a single run, {span}"
    side = "above" if reported > high else "below"
    words = f"the report's is {side} the range of a single run, {span}."
    return DIFFERS, " ".join(filter(None, [words, claim.reason])).rstrip(".")


def _without_mean(row: Row) -> str:
    """Why a row has no mean: no value at all, NaN among them, or an infinite one, which needn't be a fault."""
    unknown, infinite = np.isnan(row.values).sum(), np.isinf(row.values).sum()
    if unknown or not infinite:
        return f"not a number in {unknown} of {row.n_seeds} seeds"
    why = ": images without any error have no finite PSNR" if "psnr" in row.metric.lower() else ""
    return f"infinite in {infinite} of {row.n_seeds} seeds{why}"


def _commonest(hits: np.ndarray) -> tuple[str, str]:
    """The verdict on an outcome that each seed has or hasn't, bool[seeds], and in how many it is seen."""
    return REPRODUCED if 2 * hits.sum() > len(hits) else DIFFERS, f"in {hits.sum()} of {len(hits)} seeds"


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


def _brief(value: float, other: float) -> str:
    """Four digits of `value`, or as many as it takes to stay on its side of `other`."""
    for digits in range(4, 17):
        text = f"{value:.{digits}g}"
        if (float(text) > other) == (value > other) and (float(text) < other) == (value < other):
            break
    return text
