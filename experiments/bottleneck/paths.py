"""What a classifier of digits reads on the way from one digit to another: step 6 of report 002, for `bottleneck`.

A path is a walk between the codes of two digits, decoded at ten points: both ends, and the report's eight steps between
them. The report saw signs of other digits there; here many paths are read, beside cross-fades of the digits' pixels.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments.digit_classifier import Judge, read_digits
from jaxae.latent import decode, encode, lerp, slerp
from jaxae.report.figures import per_class
from jaxae.transforms import to_unit

STEPS = np.arange(10, dtype=np.float32) / 9
STRIPS = ((2, 2), (8, 8), (1, 7), (4, 9), (3, 6), (0, 5))  # from which digit to which
SAME, DIFFERENT = "the same digit", "different digits"
DETOURS, ENDS, JUMP = "through another, %", "ends misread, %", "largest step, in mean ones"


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
    jump         the largest step from picture to picture, as a multiple of a path's mean one: 1 where all are alike

    The first two are of paths whose ends are both read right, so that the path and not the reconstruction is judged;
    NaN where there are none.
    """

    probability: np.ndarray
    detours: float
    ends: float
    jump: float = np.nan


def reading_of(seen: np.ndarray, label: np.ndarray) -> Reading:
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


def jump(way: np.ndarray) -> float:
    """The largest step from point to point of each path, f32[points, n, h, w, c], as a multiple of its mean one; the
    mean over the paths that move. A step is as long as the root of the mean square over pixels."""
    steps = np.sqrt(np.square(np.diff(way.astype(np.float64), axis=0)).mean((2, 3, 4)))
    moved = steps.any(0)
    return float((steps.max(0)[moved] / steps.mean(0)[moved]).mean()) if moved.any() else np.nan


class Paths(NamedTuple):
    """Readings of every seed by arm and walk, then by kind of pair; of the pixels' cross-fades there is but one."""

    arms: dict[tuple[str, str], dict[str, list[Reading]]]
    pixels: dict[str, Reading]


def read_paths(arms: Iterable[ae.Trained], shown: ae.Trained, test: ae.data.Dataset, count: int, judge: Judge) -> Paths:
    """What the classifier reads along many paths: lines of every arm, arcs of one, and cross-fades of pixels."""
    # the same pairs whatever the seeds, so that models are compared on them
    chosen = pairs(ae.keys.stream(ae.keys.root(0), "pairs"), np.asarray(test.label), count)
    walks = [*((arm, "line", lerp) for arm in arms), (shown, "arc", slerp)]
    found, pixels = {(arm.name, name): {} for arm, name, _ in walks}, {}
    for kind, index in chosen.items():
        images, label = test.image[index.T], np.asarray(test.label)[index]
        start, end = to_unit(jnp.asarray(images))
        faded = np.asarray(lerp(start, end, jnp.asarray(STEPS)))
        pixels[kind] = reading_of(read_digits(judge, faded), label)._replace(jump=jump(faded))
        for arm, name, walk in walks:
            ways = (path(walk, arm, images, lane) for lane in range(len(arm.keys)))
            found[arm.name, name][kind] = [
                reading_of(read_digits(judge, way), label)._replace(jump=jump(way)) for way in ways
            ]
    return Paths(found, pixels)


def path_measures(paths: Paths) -> dict[str, dict[str, np.ndarray]]:
    """Detours and misread ends, in percent, and the largest steps, by arm, walk and kind; those of pixels are the same
    for all seeds."""
    found: dict[str, dict[str, np.ndarray]] = {"pixels": {}}
    for kind, reading in paths.pixels.items():
        found["pixels"] |= _named("line", kind, reading.detours, reading.ends, reading.jump)
    for (arm, walk), kinds in paths.arms.items():
        for kind, lanes in kinds.items():
            values = zip(*((lane.detours, lane.ends, lane.jump) for lane in lanes), strict=True)
            found.setdefault(arm, {}).update(_named(walk, kind, *map(list, values)))
    return found


def _named(walk: str, kind: str, detours: Any, ends: Any, largest: Any) -> dict[str, np.ndarray]:
    told = {DETOURS: detours, ENDS: ends, JUMP: largest}
    return {f"{walk} between {kind}/{name}": ae.results.as_measure(values) for name, values in told.items()}


def pairs(key: jax.Array, label: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Pairs of images, int[count, 2] of each kind."""
    # a tenth of all pairs show the same digit; far more than it takes are drawn
    drawn = np.asarray(jax.random.randint(key, (20 * count + 1000, 2), 0, len(label)))
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    same = label[drawn[:, 0]] == label[drawn[:, 1]]
    return {SAME: drawn[same][:count], DIFFERENT: drawn[~same][:count]}


def strips(arm: ae.Trained, test: ae.data.Dataset, judge: Judge) -> dict[str, np.ndarray]:
    """The report's figures 6 and 7: start, eight steps between the codes, end, f32[strips, 10, 28, 28, 1]; what the
    classifier reads in each, and how surely."""
    index = per_class(test.image, test.label, 2).reshape(-1, 2)
    index = np.array([(index[a, 0], index[b, int(a == b)]) for a, b in STRIPS]).T
    decoded = path(lerp, arm, test.image[index], arm.shown)[1:-1]
    ends = np.asarray(to_unit(jnp.asarray(test.image[index])))
    rows = np.concatenate([ends[:1], decoded, ends[1:]]).swapaxes(0, 1)
    seen = read_digits(judge, rows)
    return {"strips": rows, "strips, digit read": seen.argmax(2), "strips, probability": seen.max(2)}
