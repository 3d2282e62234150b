"""Findings: what was measured, what a report claims, and the verdicts; as data, on disk, and put together."""

from jaxae.findings.claims import (
    DIFFERS,
    EXPLAINED,
    NOT_COMPARABLE,
    PAIRED,
    REPRODUCED,
    VERDICTS,
    Claim,
    Difference,
    Measures,
    Row,
    judge,
    leaving_out_zero,
    measured,
)
from jaxae.findings.departures import Departure
from jaxae.findings.findings import Arrays, Findings, Origin, collect, same_findings
from jaxae.findings.measures import as_measure, combined, of_training
from jaxae.findings.statistics import interval, interval_by_point, prediction_interval, share_interval, side_of_zero

__all__ = [
    "DIFFERS",
    "EXPLAINED",
    "NOT_COMPARABLE",
    "PAIRED",
    "REPRODUCED",
    "VERDICTS",
    "Arrays",
    "Claim",
    "Departure",
    "Difference",
    "Findings",
    "Measures",
    "Origin",
    "Row",
    "as_measure",
    "collect",
    "combined",
    "interval",
    "interval_by_point",
    "judge",
    "leaving_out_zero",
    "measured",
    "of_training",
    "prediction_interval",
    "same_findings",
    "share_interval",
    "side_of_zero",
]
