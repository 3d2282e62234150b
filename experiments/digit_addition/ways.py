"""The ways in which pairs (a, b) may have been drawn, as tables of probabilities, and what each would show.

The report says of its pairs that small sums are commoner, that only sums of one digit count, and that the images are
evenly distributed. A function `transform_data_add` made them, which isn't public. Another project by the title of the
assignment has published how many pairs with each sum it has, and all ten counts are those of `course`. That the
report's function does the same is assumed here, though what the report says of its sums is the opposite.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

import jaxae as ae
from jaxae.transforms import by_class

NATURAL, BALANCED = "b evenly from 0 to 9 - a", "the sum evenly from 0 to 9"
COURSE = "images of each a beside those of each a + b, as many as the rarer has"
WAYS = (NATURAL, BALANCED, "b evenly from 0 to 9, sums above 9 left out", COURSE)
IMAGES = 60_000  # of MNIST's training set
PUBLISHED = (5923, 12665, 17839, 24143, 29210, 32526, 40853, 47723, 52220, 58700)
"""Pairs with the sums 0 to 9: README of "Learning to Add and Generate MNIST Digits", with a notebook called
AHMED_ML_Learning2Add (the report's environment is called ML_Learning2Add_SeviColi)."""
MANY = sum(PUBLISHED) / IMAGES  # pairs of an epoch for each image
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
    """All pairs of images with these labels, int[n]: those of a beside those of a + b until either has no more.

    In which order isn't public; here it is that of the set, so that an image is its own partner where nothing is added.
    Raises UsageError where a digit has no image.
    """
    classes = by_class(label)
    rows = np.split(classes.order, classes.start[1:])
    beside = [list(zip(rows[a], rows[total], strict=False)) for a in range(10) for total in range(a, 10)]
    found = np.concatenate(beside).astype(np.int32)
    return Pairs(*np.ascontiguousarray(found[np.argsort(found[:, 0], kind="stable")].T))


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


def tables(found: ae.Findings) -> list[ae.Table]:
    """What each way to draw pairs shows, exactly; the report's words hold or don't."""
    told = found.facts.get("ways", {})
    cells = [
        [
            way, *(f"{of[what][0]:.1%}, {of[what][9]:.1%}" for what in ("a + b", "b")),
            f"{min(of['a']):.1%} to {max(of['a']):.1%}", f"{of['digit']} ({of['sure']:.0%})",
        ]
        for way, of in told.items()
    ]  # fmt: skip
    columns = (
        ("Pairs drawn with", "text"), ("Sums that are 0, and 9", "text"), ("Numbers added that are 0, and 9", "text"),
        ("Images of a digit, the rarest and the commonest", "text"), ("The mean of all targets is read as", "text"),
    )  # fmt: skip
    title = "Ways to draw pairs: how common sums, numbers and images are"
    return [ae.Table(title, columns, cells)] if told else []
