"""The ways in which pairs (a, b) may have been drawn, as tables of probabilities, and what each would show.

The report says of its pairs that small sums are commoner, that only sums of one digit count, and that the images are
evenly distributed. It doesn't say how it draws b.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

NATURAL, BALANCED = "b evenly from 0 to 9 - a", "the sum evenly from 0 to 9"
WAYS = (NATURAL, BALANCED, "b evenly from 0 to 9, sums above 9 left out", "all pairs with a sum up to 9 alike")
EVEN = 0.25  # a digit's share may be so far from 10%, as a part of it, for images to be called evenly distributed


def pairs(images: np.ndarray) -> dict[str, np.ndarray]:
    """The probability of every pair, f64[10, 10] at [a, b], by way; `images` f64[10] is how common each digit is."""
    a, b = np.indices((10, 10))
    allowed = (a + b <= 9).astype(np.float64)
    tables = (allowed * images[:, None] / (10 - a), allowed / (a + b + 1), allowed * images[:, None], allowed)
    return {way: table / table.sum() for way, table in zip(WAYS, tables, strict=True)}


def sums(table: np.ndarray) -> np.ndarray:
    """How common each sum from 0 to 9 is, f64[10], by the probabilities of pairs f64[10, 10]."""
    a, b = np.indices(table.shape)
    return np.bincount((a + b).ravel(), weights=table.ravel(), minlength=10)[:10]


def shares(images: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """{way: {"a + b", "b", "a"}}: how common each sum, each number added and each image of a digit is, f64[10]."""
    return {way: {"a + b": sums(table), "b": table.sum(0), "a": table.sum(1)} for way, table in pairs(images).items()}


def falls(share: Any) -> bool:
    """Whether 0 is commoner than 9, as the report says of its sums, by more than a rounding."""
    return bool(share[0] > 1.001 * share[9])


def even(share: Any) -> bool:
    """Whether all digits are about as common."""
    return bool((abs(10 * np.asarray(share) - 1) <= EVEN).all())


def fitting(found: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """The ways in which sums fall, numbers added fall, and images are even."""
    tests = {"sums": ("a + b", falls), "numbers": ("b", falls), "images": ("a", even)}
    return {name: [way for way, of in found.items() if holds(of[what])] for name, (what, holds) in tests.items()}
