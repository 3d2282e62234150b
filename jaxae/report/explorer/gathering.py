"""What `measure` gathers of trained arms for the explorer, as arrays of findings: some test images, and of each arm its
codes of them, its networks and how much their rounding changes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxae.data import Dataset
from jaxae.fitted import Fitted
from jaxae.models import AdditionModel
from jaxae.report.explorer.networks import Networks, networks_of
from jaxae.report.explorer.packing import Precision, as_packed, packed, packed_size
from jaxae.train.trained import Trained
from jaxae.transforms import UNIT

ROOM = 2_400_000  # bytes of weights, 3.2 MB as base64, so that the page, figures and all, stays under 5 MB
IMAGES, VALUES = 500, 400_000  # test images at most, and numbers in them
NAME = "explorer, "  # before the names of its arrays


class Candidate(NamedTuple):
    """An arm that may be shown: the model of its seed for pictures, and its networks."""

    name: str
    fitted: Fitted
    networks: Networks


def gathered(arms: Iterable[Trained], test: Dataset) -> dict[str, dict[str, np.ndarray]]:
    """The explorer's part of the arrays of findings, by arm; "" has the images. `arms`: those of most worth first.

    All are kept with kernels in float16 if they have room in a page. Else they are in int8, and those that still have
    none, the last ones first, are left out; nothing is gathered where none has. Raises UsageError as `networks_of`.
    """
    candidates = [_candidate(arm) for arm in arms]
    chosen, precision = _fitting(candidates)
    if not chosen:
        return {}
    index = some_of_each(test.label, min(IMAGES, VALUES // test.image[0].size))
    images, label = np.asarray(test.image)[index], np.asarray(test.label)[index].astype(np.int32)
    shared = {
        "images": images,
        "labels": label,
        "classes": _bytes_of(list(test.classes)),
        "arms": np.asarray(len(candidates)),
    }
    found = {arm.name: _of_arm(arm, images, precision) for arm in chosen}
    return {arm: {NAME + name: value for name, value in of.items()} for arm, of in {"": shared, **found}.items()}


def some_of_each(labels: Any, count: int) -> np.ndarray:
    """The places of the first images of each class, as many of each, `count` in all at most; two if there are."""
    labels = np.asarray(labels)
    each = max(1, count // len(np.unique(labels)))
    rank = np.zeros(len(labels), int)
    for label in np.unique(labels):
        rank[labels == label] = np.arange((labels == label).sum())
    return np.flatnonzero(rank < each)[: max(2, count)]


def _candidate(arm: Trained) -> Candidate:
    fitted = Fitted(arm.name, arm.study.model, arm.variables(arm.shown), arm.study.scale or UNIT)
    return Candidate(arm.name, fitted, networks_of(fitted.model, fitted.variables))


def _fitting(arms: Sequence[Candidate]) -> tuple[list[Candidate], Precision]:
    """The arms that have room in a page, and the precision in which they have it."""
    if sum(packed_size(arm.networks, "float16") for arm in arms) <= ROOM:
        return list(arms), "float16"
    chosen, left = [], ROOM
    for arm in arms:
        size = packed_size(arm.networks, "int8")
        if size <= left:
            chosen, left = [*chosen, arm], left - size
    return chosen, "int8"


def _of_arm(arm: Candidate, images: np.ndarray, precision: Precision) -> dict[str, np.ndarray]:
    codes = np.asarray(arm.fitted.encode(images))
    sums = _sums(arm.fitted, codes)
    words, content = packed(arm.networks, precision)
    return {
        "codes": codes,
        "sums": sums,
        "networks": _bytes_of({"precision": precision, "layers": words}),
        "weights": np.frombuffer(content, np.uint8),
        "error": np.asarray(_error(arm.fitted, np.concatenate([codes, sums]), precision)),
    }


def _error(fitted: Fitted, codes: np.ndarray, precision: Precision) -> float:
    """The largest difference, over all pixels of images of these codes, between the model and the page's networks."""
    model: Any = fitted.model
    page = Fitted(fitted.name, model.clone(dtype=jnp.float32), as_packed(fitted.variables, precision), fitted.scale)
    drawn = [np.asarray(one.decode(codes)) for one in (fitted, page)]
    return float(np.abs(drawn[0] - drawn[1]).max())


def _sums(fitted: Fitted, codes: np.ndarray) -> np.ndarray:
    """The codes of sums with all whole numbers, where the model adds: they may lie where no image's code does."""
    if not isinstance(fitted.model, AdditionModel):
        return codes[:0]
    numbers = jnp.arange(len(codes), dtype=jnp.float32) % 10
    found: Any = fitted.model.apply(fitted.variables, jnp.asarray(codes), numbers, method="plus")
    return np.asarray(found.mean)


def _bytes_of(value: Any) -> np.ndarray:
    """A JSON value as an array, uint8[n]."""
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


def value_of(array: Any) -> Any:
    """The JSON value of `_bytes_of`."""
    return json.loads(np.asarray(array, np.uint8).tobytes())


def explored_arms(arrays: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The arms of the arrays of findings that can be explored."""
    return [arm for arm, of in arrays.items() if f"{NAME}networks" in of]
