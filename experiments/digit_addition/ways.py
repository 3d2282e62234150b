"""The ways in which pairs (a, b) may have been drawn, as tables of probabilities, and what each would show.

The report says of its pairs that small sums are commoner, that only sums of one digit count, and that the images are
evenly distributed. Its pairs are those of a function that came with the assignment. Another student of the course has
published how many of each sum that function makes of MNIST's training images, and all ten counts are those of `course`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxae.transforms import by_class

NATURAL, BALANCED = "b evenly from 0 to 9 - a", "the sum evenly from 0 to 9"
COURSE = "images of each a beside those of each a + b, as many as the rarer has"
WAYS = (NATURAL, BALANCED, "b evenly from 0 to 9, sums above 9 left out", COURSE)
PUBLISHED = (5923, 12665, 17839, 24143, 29210, 32526, 40853, 47723, 52220, 58700)
"""Pairs with the sums 0 to 9, of the 60,000 training images: README of the project "Learning-to-Add-and-Generate-MNIST"
(notebook AHMED_ML_Learning2Add, of the assignment "Learning to Sum and Generate Images of Numbers")."""
EVEN = 0.25  # a digit's share may be so far from 10%, as a part of it, for images to be called evenly distributed


def pairs(images: np.ndarray) -> dict[str, np.ndarray]:
    """The probability of every pair, f64[10, 10] at [a, b], by way; `images` f64[10] is how common each digit is."""
    a, b = np.indices((10, 10))
    allowed = (a + b <= 9).astype(np.float64)
    beside = np.minimum(images[a], images[np.minimum(a + b, 9)])
    tables = (allowed * images[:, None] / (10 - a), allowed / (a + b + 1), allowed * images[:, None], allowed * beside)
    return {way: table / table.sum() for way, table in zip(WAYS, tables, strict=True)}


class Pairs(NamedTuple):
    """Images, by their places in a set, that stay pairs in all epochs."""

    first: Any
    """of a, i32[n]"""
    target: Any
    """of a + b, i32[n]"""


def course(label: np.ndarray) -> Pairs:
    """All pairs that the course's function makes of images with these labels, int[n]: those of a and those of a + b one
    by one, in the order of the set, until either has no more. Which ones it leaves out isn't public.

    Raises UsageError where a digit has no image.
    """
    classes = by_class(label)
    rows = np.split(classes.order, classes.start[1:])
    beside = [list(zip(rows[a], rows[total], strict=False)) for a in range(10) for total in range(a, 10)]
    return Pairs(*np.concatenate(beside).T.astype(np.int32))


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
