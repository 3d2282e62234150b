"""Findings: what was measured, what a report claims, and the verdicts; as data, on disk, and put together."""

from jaxae.findings.claims import (
    DIFFERS,
    EXPLAINED,
    INCONCLUSIVE,
    NOT_COMPARABLE,
    PAIRED,
    REPRODUCED,
    VERDICTS,
    Claim,
    Difference,
    Measures,
    Rival,
    Row,
    leaving_out_zero,
    measured,
)
from jaxae.findings.contrasts import Contrast, contrasts
from jaxae.findings.departures import Departure
from jaxae.findings.findings import Arrays, Findings, Origin, collect, same_findings
from jaxae.findings.margins import OF_IMAGES, OVER_IMAGES
from jaxae.findings.measures import as_measure, combined, of_training
from jaxae.findings.spread import Spread, deciding_seeds, likelihood_ratio, of_few, spread, telling_seeds
from jaxae.findings.statistics import (
    difference_interval,
    interval,
    interval_by_point,
    prediction_interval,
    share_interval,
    share_over_seeds,
    side_of_zero,
)
from jaxae.findings.verdicts import judge

__all__ = [
    "DIFFERS",
    "EXPLAINED",
    "INCONCLUSIVE",
    "NOT_COMPARABLE",
    "OF_IMAGES",
    "OVER_IMAGES",
    "PAIRED",
    "REPRODUCED",
    "VERDICTS",
    "Arrays",
    "Claim",
    "Contrast",
    "Departure",
    "Difference",
    "Findings",
    "Measures",
    "Origin",
    "Rival",
    "Row",
    "Spread",
    "as_measure",
    "collect",
    "combined",
    "contrasts",
    "deciding_seeds",
    "difference_interval",
    "interval",
    "interval_by_point",
    "judge",
    "leaving_out_zero",
    "likelihood_ratio",
    "measured",
    "of_few",
    "of_training",
    "prediction_interval",
    "same_findings",
    "share_interval",
    "share_over_seeds",
    "side_of_zero",
    "spread",
    "telling_seeds",
]
