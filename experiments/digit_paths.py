"""What a classifier of digits reads on the way from one digit to another: step 6 of report 002, for `bottleneck`.

A path is a walk between the codes of two digits, decoded at ten points: both ends, and the report's eight steps between
them. The report saw signs of other digits there; here many paths are read, beside cross-fades of the digits' pixels.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments import digit_classifier
from experiments.digit_classifier import Judge
from jaxae.latent import decode, encode, lerp, slerp
from jaxae.report.figures import MUTED, Bars, Curves, Images, Line, per_class, shades
from jaxae.transforms import to_unit

STEPS = np.arange(10, dtype=np.float32) / 9
STRIPS = ((2, 2), (8, 8), (1, 7), (4, 9), (3, 6), (0, 5))  # from which digit to which
SAME, DIFFERENT = "the same digit", "different digits"
ENDS = f"line between {DIFFERENT}/ends misread, %"


def codes(arm: ae.Trained, image: Any, lane: int = 0) -> np.ndarray:
    """uint8[n, 28, 28, 1] -> f32[n, size]."""
    return np.asarray(encode(arm.study.model, arm.variables(lane), image))


def path(walk, arm: ae.Trained, images: Any, lane: int = 0) -> np.ndarray:
    """Decoded points of the walk between codes: uint8[2, n, 28, 28, 1], starts and ends -> f32[10, n, 28, 28, 1]."""
    start, end = (jnp.asarray(codes(arm, image, lane)) for image in images)
    return np.asarray(decode(arm.study.model, arm.variables(lane), walk(start, end, jnp.asarray(STEPS))))


class Reading(NamedTuple):
    """What a classifier reads along paths, in percent.

    probability  f64[3, 10]: of the start's digit, the end's and any other, at each point; its mean over paths
    detours      paths that are read as another digit at one of the eight steps between the ends, or more
    ends         ends that are not read as their own digit: reconstructions that failed

    The first two are of paths whose ends are both read right, so that the path and not the reconstruction is judged;
    NaN where there are none.
    """

    probability: np.ndarray
    detours: float
    ends: float


def read(seen: np.ndarray, label: np.ndarray) -> Reading:
    """The Reading of paths between digits of these labels, int[n, 2], that the classifier sees as f32[10, n, 10]."""
    start, end = np.eye(10)[label.T]
    digit = seen.argmax(2)
    right = digit[[0, -1]] == label.T
    whole = right.all(0)
    if not whole.any():
        return Reading(np.full((3, len(seen)), np.nan), np.nan, 100 * (~right).mean())
    kinds = (start, end, 1 - np.maximum(start, end))
    other = (digit != label[:, 0]) & (digit != label[:, 1])
    return Reading(
        100 * np.stack([(seen * kind).sum(2)[:, whole].mean(1) for kind in kinds]),
        100 * other[1:-1, whole].any(0).mean(),
        100 * (~right).mean(),
    )


def interpolation(
    run: ae.Run, arms: Mapping[int, ae.Trained], shown: ae.Trained, test: ae.data.Dataset, count: int, judge: Judge
) -> None:
    """The report's strips, then what the classifier reads along many such paths, and along cross-fades of pixels."""
    run.figure("interpolation", strips(shown, test, judge))
    # the same pairs whatever the seeds, so that models are compared on them
    chosen = pairs(ae.keys.stream(ae.keys.root(0), "pairs"), np.asarray(test.label), count)
    walks = [*((arm, "line", lerp) for arm in arms.values()), (shown, "arc", slerp)]
    readings: dict[tuple[str, str], dict[str, list[Reading]]] = {}
    for kind, index in chosen.items():
        images, label = test.image[index.T], np.asarray(test.label)[index]
        start, end = to_unit(jnp.asarray(images))
        fades = lerp(start, end, jnp.asarray(STEPS))
        readings.setdefault(("pixels", "line"), {})[kind] = [read(digit_classifier.read(judge, fades), label)]
        for arm, name, walk in walks:
            ways = (path(walk, arm, images, lane) for lane in range(len(run.seeds)))
            found = [read(digit_classifier.read(judge, way), label) for way in ways]
            readings.setdefault((arm.name, name), {})[kind] = found
    for (arm, name), kinds in readings.items():
        for kind, found in kinds.items():
            run.measure(arm, f"{name} between {kind}/through another, %", [reading.detours for reading in found])
            run.measure(arm, f"{name} between {kind}/ends misread, %", [reading.ends for reading in found])
    run.figure("interpolation_probability", probabilities(readings[shown.name, "line"], shown.name))
    run.figure("interpolation_detours", detours(readings))
    run.note(conclusion(run, shown.name, count))


def conclusion(run: ae.Run, arm: str, count: int) -> str:
    """How uncommon other digits are on the way, beside what any way between two pictures shows."""
    apart, alike = (f"line between {kind}/through another, %" for kind in (DIFFERENT, SAME))
    return (
        "The report saw signs of another digit on the way in uncommon cases. The classifier reads another digit on "
        f"{run.words(arm, apart, by_seed=True)} of the straight lines between codes of {arm} of different digits and "
        f"on {run.words('pixels', apart)} of the cross-fades of the same digits' pixels; between images of one digit, "
        f"on {run.words(arm, alike)} and {run.words('pixels', alike)}. Of {count:,} lines of each kind those are left "
        f"out that have an end which is misread itself: {run.words(arm, ENDS)} of the ends between different digits."
    )


def pairs(key: jax.Array, label: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Pairs of images, int[count, 2] of each kind."""
    # a tenth of all pairs show the same digit; far more than it takes are drawn
    drawn = np.asarray(jax.random.randint(key, (20 * count + 1000, 2), 0, len(label)))
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    same = label[drawn[:, 0]] == label[drawn[:, 1]]
    return {SAME: drawn[same][:count], DIFFERENT: drawn[~same][:count]}


def strips(arm: ae.Trained, test: ae.data.Dataset, judge: Judge) -> Images:
    """The report's figures 6 and 7: start, eight steps between the codes, end; what the classifier reads below."""
    index = per_class(test.image, test.label, 2).reshape(-1, 2)
    index = np.array([(index[a, 0], index[b, int(a == b)]) for a, b in STRIPS]).T
    decoded = path(lerp, arm, test.image[index])[1:-1]
    ends = np.asarray(to_unit(jnp.asarray(test.image[index])))
    rows = np.concatenate([ends[:1], decoded, ends[1:]]).swapaxes(0, 1)
    return Images(
        f"Eight steps between the codes of two digits, as a classifier reads them ({arm.name}, first seed)",
        tuple((f"{a} to {b}", row) for (a, b), row in zip(STRIPS, rows, strict=True)),
        column_labels=("start", *(f"{i}/9" for i in range(1, 9)), "end"),
        captions=[digit_classifier.captions(judge, row) for row in rows],
    )


def probabilities(kinds: Mapping[str, Sequence[Reading]], name: str) -> Curves:
    """What is read at each point of the straight line between codes."""
    lines = [
        Line(label, STEPS, np.stack([lane.probability[i] for lane in lanes]), panel=f"between {kind}")
        for kind, lanes in kinds.items()
        for i, label in enumerate(("the start's digit", "the end's digit", "any other digit"))
        if kind == DIFFERENT or i != 1
    ]
    title = f"What a classifier reads along the line between two codes ({name})"
    note = "Of lines whose two ends are read right."
    return Curves(title, "place on the line", "mean probability, %", lines, within=(0, 100), note=note)


def detours(readings: Mapping[tuple[str, str], Mapping[str, Sequence[Reading]]]) -> Bars:
    """How many paths show another digit."""
    groups = [
        (f"{arm}, {walk}", np.array([[lane.detours for lane in kinds[kind]] for kind in (SAME, DIFFERENT)]).T)
        for (arm, walk), kinds in readings.items()
    ]
    return Bars(
        "Paths on which a classifier reads a digit that is at neither end", "path between", "paths, %",
        (SAME, DIFFERENT), groups, colours=(MUTED, *shades(len(groups) - 2), 1), within=(0, 100),
        note="Of paths whose two ends are read right.",
    )  # fmt: skip
