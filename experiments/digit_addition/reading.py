"""What a classifier of real digits reads in the images that models draw: of sums, of fractions, of all tenths."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments.digit_addition.method import Digits, batch, pairs_of
from experiments.digit_addition.outcomes import NEAR, TENTHS, VALUES, counted, nearest_mean, sum_measures
from experiments.digit_classifier import Judge, read_digits
from jaxae.models import DigitClassifier
from jaxae.models.addition import add
from jaxae.transforms import to_unit

CHUNK = 250
SAMPLED = ", sampled codes"  # what scores are called that aren't of the codes' means
PICTURED = 100  # test images of whose pairs some are pictured

Tested = tuple[Digits, Judge]  # what images of sums are drawn from, and who reads them

# ---- images of sums


def judged_batch(key: jax.Array, data: Tested, index: jax.Array) -> ae.Batch:
    """Pairs as in training; the label is (a + b, the judge, the mean image of every digit)."""
    pairs, judge = data
    made = batch(key, pairs, index)
    return made._replace(label=(made.label, judge, pairs.mean))


def judged_pairs(data: Tested) -> int:
    """In a pass, as many as there are images."""
    return pairs_of(data[0])


def judged_scores(outputs, batch: ae.Batch) -> dict[str, Any]:
    """Scores of the image of the sum: what it is read as, whether that is a + b, how sure, the digit whose mean image
    is nearest, and two distances."""
    total, judge, mean = batch.label
    logits: Any = DigitClassifier().apply(judge, outputs.image)
    read = jnp.argmax(logits, axis=-1)
    return {
        "digit read": read,
        "nearest mean": nearest_mean(outputs.image, mean),
        "a + b": total,
        "accuracy": (read == total).astype(jnp.float32),
        "confidence": jax.nn.softmax(logits).max(axis=-1),
        "mse to the target": ae.losses.mse(outputs.image, batch.target[0]),
        "mse to the class mean": ae.losses.mse(outputs.image, batch.target[1]),
    }


def judged(study: ae.Study, *, sampled: bool = False) -> ae.Study:
    """A study whose images are read, of the codes' means or of codes drawn from their distributions."""
    model: Any = study.model
    return dataclasses.replace(
        study, model=model.clone(sampled=sampled), eval_batch=judged_batch, scores=judged_scores, examples=judged_pairs
    )


def read_sums(arm: ae.Trained, data: Tested) -> dict[str, dict[str, np.ndarray]]:
    """What is read in images of all test pairs: {"scores", "by_seed", "measures"}, as `collect` takes each."""
    model: Any = arm.study.model
    scores, by_seed, measures = {}, {}, {}
    for how in ("", SAMPLED)[: 1 + model.variational]:
        found = arm.evaluate(data, judged(arm.study, sampled=bool(how)))
        digit, near, total = (found.pop(name).astype(np.int8) for name in ("digit read", "nearest mean", "a + b"))
        by_seed |= {f"digit read{how}": digit, "a + b": total}
        scores |= {name + how: values for name, values in found.items()}
        shares = counted(digit) / digit.shape[1]
        measures[f"test/share of the commonest digit{how}"] = shares.max(1)
        if not how:
            measures |= sum_measures(shares, found["accuracy"].mean(1)) | {NEAR: (near == 9).mean(1)}
    return {"scores": scores, "by_seed": by_seed, "measures": measures}


def read_in(judge: Judge, name: str, images: np.ndarray) -> dict[str, np.ndarray]:
    """Images f32[..., 28, 28, 1] under this name, the digit that is read in each, and its probability."""
    seen = read_digits(judge, images)
    return {name: images, f"{name}, digit read": seen.argmax(-1), f"{name}, probability": seen.max(-1)}


def shown_pairs(arms: Mapping[str, ae.Trained], test: Digits, judge: Judge) -> dict[str, dict[str, np.ndarray]]:
    """Figures 23, 27 and 30: ten pairs in the order of their sums, the same whatever the seeds and for every arm.

    Under "" what is given and wanted; by arm what is drawn, and what is read in it.
    """
    found = {}
    for name, arm in arms.items():
        alike = dataclasses.replace(arm, keys=jnp.stack([ae.keys.root(0)] * len(arm.keys)))
        outputs, batch = alike.sample(test, np.arange(min(PICTURED, len(test.label))), lane=arm.shown)
        total, value = np.asarray(batch.label), np.asarray(batch.inputs[1]).astype(np.int64)
        chosen = np.argsort(total, kind="stable")[np.linspace(0, len(total) - 1, 10).astype(int)]
        given = {"image": batch.inputs[0], "target": batch.target[0], "a": total - value, "b": value}
        found[""] = {f"pairs, {what}": np.asarray(values)[chosen] for what, values in given.items()}
        found[name] = read_in(judge, "pairs", np.asarray(outputs.image)[chosen])
    return found


# ---- fractions


def added(arm: ae.Trained, image: Any, value: np.ndarray, lane: int = 0) -> np.ndarray:
    """What the inference model of one seed draws: uint8[n, 28, 28, 1] and f32[n] -> f32[n, 28, 28, 1]; in chunks."""
    index = np.arange(len(image) + -len(image) % CHUNK).clip(max=len(image) - 1).reshape(-1, CHUNK)
    model: Any = arm.study.model
    variables = arm.variables(lane)
    drawn = [np.asarray(add(model, variables, to_unit(jnp.asarray(image[rows])), value[rows])) for rows in index]
    return np.concatenate(drawn)[: len(image)]


def read_fractions(arm: ae.Trained, image: Any, judge: Judge) -> tuple[np.ndarray, np.ndarray]:
    """Of each of VALUES added to images of 7: the probability of every digit, f32[seeds, values, images, 10], and how
    gray the images are in percent of mid-gray, f64[seeds, values]."""
    seen, gray = [], []
    for lane in range(len(arm.keys)):
        drawn = [added(arm, image, np.full(len(image), value, np.float32), lane) for value in VALUES]
        seen.append([read_digits(judge, images) for images in drawn])
        gray.append([100 * (4 * images * (1 - images)).mean() for images in drawn])
    return np.array(seen), np.array(gray, np.float64)


def read_line(arm: ae.Trained, test: ae.data.Dataset, judge: Judge, count: int) -> list[np.ndarray]:
    """All TENTHS added to `count` images of every digit: in how many each digit is read, int64[seeds, tenths, 10]."""
    return [tenths_of(arm, test.image[test.label == a][:count], TENTHS[a], judge) for a in range(10)]


def tenths_of(arm: ae.Trained, image: Any, tenths: np.ndarray, judge: Judge) -> np.ndarray:
    """The same of the images of one digit."""
    rows = np.tile(np.arange(len(image)), len(tenths))
    value = np.repeat(tenths / 10, len(image)).astype(np.float32)
    drawn = (added(arm, image[rows], value, lane) for lane in range(len(arm.keys)))
    read = np.stack([read_digits(judge, images).argmax(1) for images in drawn])
    return counted(read.reshape(len(arm.keys), len(tenths), len(image)))


def shown_fractions(arm: ae.Trained, image: Any, judge: Judge) -> dict[str, np.ndarray]:
    """Figures 24, 28 and 31: images of 7 and all of VALUES, f32[images, values, 28, 28, 1], and what is read."""
    value = np.tile(np.array(VALUES, np.float32), len(image))
    drawn = added(arm, np.repeat(image, len(VALUES), axis=0), value, arm.shown)
    return read_in(judge, "fractions", drawn.reshape(len(image), len(VALUES), 28, 28, 1))
