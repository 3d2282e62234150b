"""Claims of a report, and rows of results."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxae.files import number_in_json
from jaxae.findings.scales import Scale, check_scale, off_scale, on_scale
from jaxae.findings.statistics import Interval, interval, prediction_interval

SHARED = "one number, the same for every seed"
FEW = 5  # seeds, named one by one
PAIRED = " - "  # between the arms of a difference
VERDICTS = REPRODUCED, EXPLAINED, DIFFERS, INCONCLUSIVE, NOT_COMPARABLE = (
    "reproduced", "explained", "differs", "inconclusive", "not comparable",
)  # fmt: skip

Measures = Mapping[str, Mapping[str, np.ndarray]]  # by arm and metric: f64[seeds], or f64[] where they share it


class Rival(NamedTuple):
    """What a number must be told from: another reading of it, or a baseline that any network should pass.

    A measure of ours, or where `value` is given a number.
    """

    name: str
    arm: str = ""
    metric: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Claim:
    """A number that a report states, and the measure of ours that stands beside it.

    - `metric`: names one value per seed (`measures.of_training` says which there always are)
    - `reading`: how the report's words are understood
    - `primary`: whether this is the reading that decides, named before the run; a number has one, and any other is
      listed as such
    - `half_digit`: half of the last printed digit
    - `exact`: the claim is about the design, not the data
    - `categorical`: the number stands for one of several outcomes: it is reproduced where most seeds have it
    - `scale`: on which single runs are held against it: "log" for losses, "decibel" for PSNR
    - `rivals`: what it must be told from: a range of single runs decides whose half width, on that scale, is at most
      half the way to the nearest of them, and a quarter of the number
    - `alike`: arms of the same design: their deviation in this metric is pooled with this arm's, where it is alike
    - `test_set`: the set whose test images the metric is a mean over: where not all of them were at hand, the error
      that this makes is added, as the measure "METRIC, deviation over images" tells it; or, of other images than the
      report's, the measure "METRIC, standard error over images"
    - `explained_by`: the (arm, metric) of other claims: where one is reproduced, it explains why this one isn't
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
    primary: bool = True
    scale: Scale = "plain"
    rivals: tuple[Rival, ...] = ()
    alike: tuple[str, ...] = ()
    test_set: str = ""

    def __post_init__(self):
        check_scale(self.scale, self.reported)


@dataclass(frozen=True)
class Row:
    """One measure of one arm, beside the number that the report gives, if it gives one.

    - `mean`: of the values; on the scale "log" their geometric mean
    - `ci95`: Student-t interval of the mean over seeds; None for fewer than two; of shares the exact one
    - `pi95`: interval in which a single further run falls; None for fewer than two
    - `values`: one per seed, those of `excluded` seeds left out
    - `excluded`: seeds left out because they died (constant output); a row with all seeds stands beside it
    - `dead`: seeds among the values that died: two outcomes, which have no mean
    - `slow`: seeds among the values that show one picture so far, which may be dead, where others don't: two outcomes
      as well
    - `primary`: whether a claim's reading is the one that decides
    - `margin`: the widest half width of `pi95` on the scale that decides; 0 where a rival of the number is unknown
    - `deciding`: how many seeds would decide an inconclusive number, at the spread of these; 0: none up to 1,000;
      None: it isn't a question of seeds
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
    dead: tuple[int, ...] = ()
    primary: bool = True
    scale: Scale = "plain"
    margin: float | None = None
    deciding: int | None = None
    slow: tuple[int, ...] = ()


class Difference(NamedTuple):
    """`first` less `second` in a measure, f64[seeds]: both arms of a seed share initial draws, data order and noise."""

    first: str
    second: str
    metric: str
    values: np.ndarray


def measured(arm: str, metric: str, values: Any, *, scale: Scale = "plain", **fields: Any) -> Row:
    """A row of one value per seed; without mean and intervals where one isn't finite, or a seed among them is dead or
    slow."""
    values = tuple(float(value) for value in np.asarray(values, np.float64))
    placed = on_scale(values, scale)
    told = bool(values) and bool(np.isfinite(placed).all()) and not (fields.get("dead") or fields.get("slow"))
    mean = off_scale(float(np.mean(placed)), scale) if told else None
    ci95, pi95 = (between(of(placed), scale) if told else None for of in (interval, prediction_interval))
    return Row(arm, metric, mean, ci95, pi95, len(values), values, scale=scale, **fields)


def between(ends: Interval | None, scale: Scale) -> Interval | None:
    """An interval on a scale, as numbers."""
    return None if ends is None else (off_scale(ends[0], scale), off_scale(ends[1], scale))


def leaving_out_zero(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows with an interval, which those with dead seeds haven't, and those whose interval leaves out 0."""
    known = [row for row in rows if row.ci95]
    return known, [row for row in known if row.ci95 and not row.ci95[0] <= 0 <= row.ci95[1]]


def named_seeds(seeds: Sequence[int], kind: str = "") -> str:
    """Seeds in words: by their numbers where they are few.

    >>> named_seeds([4]), named_seeds([1, 2]), named_seeds(range(34), "dead ")
    ('seed 4', 'seeds 1, 2', '34 dead seeds')
    """
    if len(seeds) > FEW:
        return f"{len(seeds)} {kind}seeds"
    return f"{kind}seed{'s'[: len(seeds) != 1]} {', '.join(map(str, seeds))}"


def dead_seeds(seeds: Sequence[int]) -> str:
    """Those that died.

    >>> dead_seeds([1, 2])
    'dead seeds 1, 2'
    """
    return named_seeds(seeds, "dead ")


def row_to_json(row: Row) -> dict[str, Any]:
    """A row as results.json holds it: an infinite value by its name, null for NaN."""
    return {**asdict(row), "values": tuple(map(number_in_json, row.values))}
