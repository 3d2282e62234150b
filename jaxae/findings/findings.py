"""What a study found: numbers by arm, metric and seed, and what else its sentences and pictures need.

Findings are made by `measure`, kept in the run's folder, read back equal, put together from several machines, and
worded by `say`. Nothing in them depends on how they will be worded.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

import jaxae.findings.verdicts as verdicts
from jaxae.errors import UsageError
from jaxae.findings.claims import SHARED, Claim, Difference, Measures, Row, measured, named_seeds
from jaxae.findings.departures import Departure, departures, missing_images
from jaxae.findings.margins import OF_IMAGES, OVER_IMAGES
from jaxae.findings.measures import combined, of_training
from jaxae.train.trained import Trained

Arrays = Mapping[str, Mapping[str, Any]]  # by arm and name

UNLISTED = (
    "/first",
    "/best",
    " over epochs",
    "parameters",
    OVER_IMAGES,
    OF_IMAGES,
)  # measures that are rows only where a claim names them


DEATHS = "seeds that died"
STILL = "seeds that show one picture so far"


class Origin(NamedTuple):
    """What findings are of: the flags of the run, its seeds, and the data sets as its manifest describes them."""

    config: Any
    seeds: tuple[int, ...]
    data: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, eq=False)
class Findings:
    """Everything that was measured.

    - `measures`: {arm: {metric: f64[seeds], or f64[] where all seeds share one}}
    - `dead`: {arm: the seeds that died, which is to show the same picture whatever the input}
    - `slow`: {arm: the seeds that show one picture after a training too short to call them dead}, if any
    - `differences`: of pairs of arms in a measure, the first less the second, by seed
    - `facts`: {name: JSON value}: what is the same for all seeds and no measure, such as a number of images
    - `by_seed`: {arm: {name: array[seeds, ...]}}, such as curves
    - `arrays`: {arm: {name: array}} of the seed that is shown, or of none, such as pictures; empty where the findings
      come from a committed file, which leaves arrays and scores out
    - `scores`: {arm: {name: array[seeds, images]}}, of every test image
    """

    origin: Origin
    measures: Measures
    dead: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    by_seed: Arrays = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)
    scores: Arrays = field(default_factory=dict)
    slow: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def config(self) -> Any:
        """The flags of the run, as the experiment's Config."""
        return self.origin.config

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds, dead or alive, in the order of every array's seeds."""
        return self.origin.seeds

    @property
    def departures(self) -> tuple[Departure, ...]:
        """How the run departs from what the report did."""
        return departures(self.config, self.origin.data)

    @property
    def judged(self) -> bool:
        """Whether the run's settings and data let the report's numbers be held against it."""
        return not any(departure.bars for departure in self.departures)

    def living(self, *arms: str) -> np.ndarray:
        """bool[seeds]: those that died in none of these arms; all where that would leave none."""
        dead = {seed for arm in arms for seed in self.dead.get(arm, ())}
        alive = np.array([seed not in dead for seed in self.seeds])
        return alive if alive.any() else ~alive

    def shown(self, arm: str) -> int:
        """The place of the seed whose pictures are shown: the first that lives and doesn't show one picture so far;
        else the first that lives, or of all."""
        living = self.living(arm)
        quick = living & np.array([seed not in self.slow.get(arm, ()) for seed in self.seeds])
        return int(np.argmax(quick if quick.any() else living))

    def one_picture(self, arm: str) -> bool:
        """Whether every seed of the arm shows one picture, dead or so far, so that it has nothing to explore."""
        return {*self.dead.get(arm, ()), *self.slow.get(arm, ())}.issuperset(self.seeds)

    def values(self, arm: str, metric: str) -> np.ndarray:
        """A measure of the arm's living seeds, f64[n]."""
        values = self.measures[arm][metric]
        return values[self.living(arm)] if values.ndim else values[None]

    def difference(self, first: str, second: str, metric: str) -> np.ndarray:
        """`first` less `second`, of the seeds that live in both, f64[n]."""
        return _less(self.measures, first, second, metric)[self.living(first, second)]

    def has(self, arm: str, *metrics: str) -> bool:
        """Whether all of these were measured of the arm."""
        return arm in self.measures and self.measures[arm].keys() >= {*metrics}

    def rows(self, claims: Sequence[Claim] = (), shares: Mapping[Any, int] | None = None) -> tuple[Row, ...]:
        """A row for every claim, then the other measures, then the paired differences.

        `shares` names the metrics that are percentages of so many images, {metric: images}, or {(arm, metric): images}
        where arms differ.
        """
        common: dict[str, Any] = {"seeds": self.seeds, "dead": self.dead}
        barred = [departure.words for departure in self.departures if departure.bars]
        missing = missing_images(self.origin.data)
        rows = verdicts.judge(self.measures, claims, slow=self.slow, barred=barred, missing=missing, **common)
        known = {(row.arm, row.metric) for row in rows}
        shown = verdicts.rows_of(self.measures, slow=self.slow, shares=shares, **common)
        rows += [row for row in shown if (row.arm, row.metric) not in known and not row.metric.endswith(UNLISTED)]
        rows += [measured(arm, DEATHS, [len(dead)], reading=SHARED) for arm, dead in self.dead.items() if dead]
        rows += [measured(arm, STILL, [len(slow)], reading=_slow_start(slow)) for arm, slow in self.slow.items()]
        for difference in self.differences:
            rows += verdicts.paired(difference, slow=self.slow, **common)
        return tuple(rows)


def collect(
    origin: Origin,
    arms: Iterable[Trained],
    *measures: Measures,
    differences: Iterable[tuple[str, str, str]] = (),
    facts: Mapping[str, Any] | None = None,
    by_seed: Arrays | None = None,
    arrays: Arrays | None = None,
    scores: Arrays | None = None,
) -> Findings:
    """Findings of trained arms: what their training measured, their curves and scores, and what the study adds.

    `differences` names pairs: (first arm, second arm, metric). `scores` are further ones, {arm: {name: array}}, whose
    means over images are measures as those of training are. Raises UsageError where two parts name one measure or
    array, and where one has another number of seeds.
    """
    arms, scores = list(arms), scores or {}
    means = {arm: {f"test/{name}": _means(values) for name, values in of.items()} for arm, of in scores.items()}
    every = combined(*({arm.name: of_training(arm)} for arm in arms), means, *measures)
    found = Findings(
        origin,
        every,
        {arm.name: _those(~arm.alive, origin.seeds) for arm in arms},
        tuple(Difference(*names, _less(every, *names)) for names in differences),
        facts or {},
        combined(*({arm.name: _curves(arm)} for arm in arms), by_seed or {}),
        combined(*({arm.name: {"validation epochs": arm.validation_epochs}} for arm in arms), arrays or {}),
        combined(*({arm.name: dict(arm.scores)} for arm in arms), scores),
        {arm.name: _those(arm.slow, origin.seeds) for arm in arms if arm.slow.any()},
    )
    _check(found)
    return found


def same_findings(one: Findings, other: Findings) -> bool:
    """Whether two findings are equal, arrays bit by bit."""
    plain, trees = ("origin", "facts"), ("measures", "dead", "slow", "by_seed", "arrays", "scores")
    pairs = [{difference[:3]: difference.values for difference in found.differences} for found in (one, other)]
    return (
        all(getattr(one, name) == getattr(other, name) for name in plain)
        and all(_same_tree(getattr(one, name), getattr(other, name)) for name in trees)
        and _same_tree(*pairs)
    )


def _same_tree(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(_same_tree(value, other[name]) for name, value in one.items())
    one, other = np.asarray(one), np.asarray(other)
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def _less(measures: Measures, first: str, second: str, metric: str) -> np.ndarray:
    """The first arm's less the second's; NaN where both are infinite, as the PSNR of two perfect ones."""
    with np.errstate(invalid="ignore"):
        return measures[first][metric] - measures[second][metric]


def _means(values: Any) -> np.ndarray:
    return np.asarray(values, np.float64).mean(1)


def _those(which: np.ndarray, seeds: Sequence[int]) -> tuple[int, ...]:
    return tuple(itertools.compress(seeds, which))


def _slow_start(seeds: Sequence[int]) -> str:
    return f"{named_seeds(seeds)}: too short a training to call that dead, so nothing is left out"


def _curves(arm: Trained) -> dict[str, np.ndarray]:
    splits = {"train": arm.epochs, "validation": arm.validation}
    return {
        f"{split}/{name}": np.asarray(values) for split, losses in splits.items() for name, values in losses.items()
    }


def _check(found: Findings) -> None:
    count = len(found.seeds)
    for arm, values in found.measures.items():
        for metric, numbers in values.items():
            if numbers.shape not in ((count,), ()):
                raise UsageError(f"{arm}, {metric}: {numbers.shape} values for {count} seeds; give one for each")
    for arm, values in [*found.by_seed.items(), *found.scores.items()]:
        for name, array in values.items():
            if array.shape[:1] != (count,):
                raise UsageError(f"{arm}, {name}: an array of shape {array.shape} for {count} seeds; lead with them")
