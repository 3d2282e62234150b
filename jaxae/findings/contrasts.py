"""What lies between two runs of one experiment: every number of both, and whether their difference leaves out 0."""

from typing import NamedTuple

import numpy as np

from jaxae.findings.claims import Row, measured
from jaxae.findings.findings import Findings
from jaxae.findings.margins import OF_IMAGES, OVER_IMAGES
from jaxae.findings.statistics import Interval, difference_interval, interval


class Contrast(NamedTuple):
    """A number of two runs, of the seeds that live; and the mean of the first run's less the second's.

    - `ends`: the 95% interval of the difference: Student's over pairs where both runs have the same living seeds, which
      share initial draws, data order and noise, else Welch's; None where there are too few, or values that aren't
      finite, and where seeds of an arm show one picture so far
    - `paired`: whether it is of pairs
    - `shared`: whether the number is one for all seeds, such as how many parameters there are
    """

    first: Row
    second: Row
    difference: float
    ends: Interval | None
    paired: bool
    shared: bool

    @property
    def same(self) -> bool:
        """Whether all values are equal to the bit."""
        return _bits(self.first) == _bits(self.second)

    @property
    def apart(self) -> bool:
        """Whether the numbers differ: by their interval, and those without seeds by what they are."""
        if self.shared:
            return not self.same
        return self.ends is not None and not self.ends[0] <= 0 <= self.ends[1]


def contrasts(one: Findings, other: Findings) -> list[Contrast]:
    """Those of every number that both have, in the order of `one`; deviations and errors over images, which help
    verdicts, left out."""
    return [
        _contrast(one, other, arm, metric)
        for arm, of in one.measures.items()
        for metric in of
        if other.has(arm, metric) and not metric.endswith((OF_IMAGES, OVER_IMAGES))
    ]


def _contrast(one: Findings, other: Findings, arm: str, metric: str) -> Contrast:
    values = [found.values(arm, metric) for found in (one, other)]
    first, second = (measured(arm, metric, of) for of in values)
    shared = all(np.ndim(found.measures[arm][metric]) == 0 for found in (one, other))
    seeds = [np.asarray(found.seeds)[found.living(arm)].tolist() for found in (one, other)]
    paired = not shared and seeds[0] == seeds[1] and len(values[0]) == len(values[1])
    with np.errstate(invalid="ignore"):  # infinities, as the PSNR of a perfect image
        difference = float(values[0].mean() - values[1].mean())
        ends = interval(values[0] - values[1]) if paired else difference_interval(*values)
    mixed = any(found.slow.get(arm) for found in (one, other))  # with a mean of two outcomes
    return Contrast(first, second, difference, None if shared or mixed else ends, paired, shared)


def _bits(row: Row) -> bytes:
    return np.asarray(row.values, np.float64).tobytes()
