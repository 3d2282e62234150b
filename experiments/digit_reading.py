"""What a classifier of real digits reads in images of sums; how digit_addition judges what it draws.

The report names outcomes by eye. Here they are thresholds on what is read in images of test pairs, whose sums are
uniform from 0 to 9, so that a perfect model has 10% of each digit:

only fuzzy nines                  COLLAPSED of the images are read as one digit, whichever it is
just a number with fuzzy nines    so many as one of two
correct                           RIGHT as a + b
different from the target         anything else

A seed whose decoder draws a single colour has died, which is no outcome of its weights: it is named and left out.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments import digit_classifier
from experiments.digit_classifier import Judge
from jaxae.train.trained import SLOW_START
from jaxae.models import DigitClassifier
from jaxae.models.addition import add
from jaxae.report.figures import Curves, Images, Line
from jaxae.transforms import to_unit

NINES, NUMBER, OTHER, CORRECT = OUTCOMES = (
    "only fuzzy nines", "just a number with fuzzy nines", "different from the target", "correct",
)  # fmt: skip
COLLAPSED, RIGHT = 0.9, 0.8  # shares of images
READINGS = {
    NINES: f"{COLLAPSED:.0%} of the images are read as one digit, whichever it is",
    NUMBER: f"{COLLAPSED:.0%} of the images are read as one of two digits",
    OTHER: "no other outcome",
    CORRECT: f"{RIGHT:.0%} of the images are read as a + b",
}
DEFINITIONS = "; ".join(f"{outcome}: {reading}" for outcome, reading in READINGS.items())
UNITS = "train/active units of"
DIGITS, BLUR = "fractions/digits as reported", "fractions/blurred as reported"
VALUES = (1.0, 2.0, 1.4, 1.5, 1.6)  # what the report adds to an image of 7; the whole numbers first
PARTS = (  # of the line of all sums: tenths after the point, and how far above the whole number the digit then is
    ("whole numbers, a + b", (0,), 0),
    ("below .5, the lower digit", (1, 2, 3, 4), 0),
    ("at .5, the lower digit", (5,), 0),
    ("at .5, the next digit", (5,), 1),
    ("above .5, the next digit", (6, 7, 8, 9), 1),
)
CHUNK = 250


class Seen(NamedTuple):
    """What the report sees of fractions: the digits of 7 + 1.4, 1.5 and 1.6, and which of these are blurred."""

    source: str
    digits: tuple[int, int, int]
    blurred: tuple[float, ...]


class Reading(NamedTuple):
    """Of 7 + VALUES by seed, [seeds, values]: the digit read in most images, how surely, and how gray, in percent."""

    digit: np.ndarray
    confidence: np.ndarray
    gray: np.ndarray


def outcome(shares: np.ndarray, accuracy: float) -> str:
    """The report's words for what a model draws, from the shares of the digits that are read, float[10]: see above."""
    commonest = np.sort(shares)[::-1]
    if commonest[0] >= COLLAPSED:
        return NINES
    if commonest[:2].sum() >= COLLAPSED:
        return NUMBER
    return CORRECT if accuracy >= RIGHT else OTHER


# ---- pairs


def judged_by(judge: Judge) -> Callable[[Any, ae.Batch], dict[str, Any]]:
    """Scores of the image of the sum: what it is read as, whether that is a + b, how sure, and two distances."""

    def scores(outputs, batch):
        logits: Any = DigitClassifier().apply(judge, outputs.image)
        read = jnp.argmax(logits, axis=-1)
        return {
            "digit": read,
            "sum": batch.label,
            "accuracy": (read == batch.label).astype(jnp.float32),
            "confidence": jax.nn.softmax(logits).max(axis=-1),
            "mse to the target": ae.losses.mse(outputs.image, batch.target[0]),
            "mse to the class mean": ae.losses.mse(outputs.image, batch.target[1]),
        }

    return scores


def read(run: ae.Run, arm: ae.Trained, test: Any, scores: Callable[[Any, ae.Batch], dict[str, Any]]) -> ae.Trained:
    """The scores by the means of all codes, the outcome that they amount to, and the scores by sampled codes.

    Returns the arm, its dead seeds marked.
    """
    arm, model = run.mark_dead(arm, ~blank(arm, test)), arm.study.model
    for how in ("", ", sampled codes")[: 1 + model.variational]:
        found = arm.evaluate(test, dataclasses.replace(arm.study, model=model.clone(sampled=bool(how)), scores=scores))
        digit = run.scores[f"{arm.name}/digit read{how}"] = found.pop("digit").astype(np.int8)
        run.scores[f"{arm.name}/a + b"] = found.pop("sum").astype(np.int8)
        for name, values in found.items():
            run.score(arm.name, name + how, values)
        part = np.stack([np.bincount(row, minlength=10) / digit.shape[1] for row in digit])
        run.measure(arm.name, f"test/share of the commonest digit{how}", part.max(1))
        if how:
            continue
        for name in range(10):
            run.measure(arm.name, f"test/share read as {name}", part[:, name])
        ours = [outcome(*seed) for seed in zip(part, found["accuracy"].mean(1), strict=True)]
        for name in OUTCOMES:
            run.measure(arm.name, f"outcome/{name}", [seen == name for seen in ours])
    return arm


def blank(arm: ae.Trained, test: Any) -> np.ndarray:
    """bool[seeds]: whether the model draws an image of a as a single colour, whatever a.

    That is dead rectifiers. A model that has collapsed still draws a digit, the same for every input. In the first
    thousand steps it can be a slow start, and nobody is called dead.
    """
    if arm.train["loss"].shape[1] < SLOW_START:
        return np.zeros(len(arm.keys), bool)
    index, found = np.arange(min(200, len(test.label))), []
    for lane in range(len(arm.keys)):
        outputs, batch = arm.sample(test, index, lane=lane)
        found.append(np.var(outputs.original) < 1e-3 * np.var(batch.inputs[0]))
    return np.array(found)


def shares(run: ae.Run, arm: str) -> np.ndarray:
    """Of each digit among those read, f64[seeds, 10]."""
    return np.stack([run.measures[arm][f"test/share read as {digit}"] for digit in range(10)], axis=1)


def pairs(arms: Sequence[ae.Trained], test: Any, judge: Judge, title: str) -> Images:
    """Figures 23, 27 and 30: ten pairs in the order of their sums, the same for every arm; what is read below."""
    found = [arm.sample(test, np.arange(min(100, len(test.label))), lane=arm.shown) for arm in arms]
    _, batch = found[0]
    total = np.asarray(batch.label)
    chosen = np.argsort(total, kind="stable")[np.linspace(0, len(total) - 1, 10).astype(int)]
    image, value, target = (np.asarray(part)[chosen] for part in (*batch.inputs, batch.target[0]))
    drawn = [(arm.name, np.asarray(outputs.image)[chosen]) for arm, (outputs, _) in zip(arms, found, strict=True)]
    sums = [f"{total - b:.0f} + {b:.0f}" for total, b in zip(total[chosen], value, strict=True)]
    below = [sums, [], *(digit_classifier.captions(judge, images) for _, images in drawn)]
    note = "Below each image that a model draws: the digit that the classifier reads, and its probability."
    return Images(title, [("image of a", image), ("target", target), *drawn], captions=below, note=note)


# ---- fractions


def added(arm: ae.Trained, image: Any, value: np.ndarray, lane: int = 0) -> np.ndarray:
    """What the inference model of one seed draws: uint8[n, 28, 28, 1] and f32[n] -> f32[n, 28, 28, 1]; in chunks."""
    index = np.arange(len(image) + -len(image) % CHUNK).clip(max=len(image) - 1).reshape(-1, CHUNK)
    model: Any = arm.study.model
    variables = arm.variables(lane)
    drawn = [np.asarray(add(model, variables, to_unit(jnp.asarray(image[rows])), value[rows])) for rows in index]
    return np.concatenate(drawn)[: len(image)]


def fractions(run: ae.Run, arm: ae.Trained, reported: Seen, test: ae.data.Dataset, judge: Judge, count: int) -> Reading:
    """The report's five numbers added to `count` images of 7; per seed, whether that is what the report saw.

    A model that doesn't read 7 + 1 as 8 and 7 + 2 as 9 says nothing of fractions.
    """
    image, found = test.image[test.label == 7][:count], []
    for value in VALUES:
        number = np.full(len(image), value, np.float32)
        drawn = [added(arm, image, number, lane) for lane in range(len(run.seeds))]
        seen = np.stack([digit_classifier.read(judge, images) for images in drawn])
        digit = seen.argmax(2)
        for name in (8, 9):
            run.measure(arm.name, f"7 + {value:g}/read as {name}, %", 100 * (digit == name).mean(1))
        gray = [100 * (4 * images * (1 - images)).mean() for images in drawn]
        found.append(([commonest(row) for row in digit], seen.max(2).mean(1), gray))
    reading = Reading(*(np.array(part).T for part in zip(*found, strict=True)))
    whole = (reading.digit[:, :2] == (8, 9)).all(1)
    run.measure(arm.name, DIGITS, whole & (reading.digit[:, 2:] == reported.digits).all(1))
    blurred = [VALUES.index(value) for value in reported.blurred]
    more = reading.gray[:, blurred] > reading.gray[:, :2].max(1, keepdims=True)
    if blurred:
        run.measure(arm.name, BLUR, whole & more.all(1))
    return reading


def commonest(digit: np.ndarray) -> int:
    """The digit that is read most often."""
    return int(np.bincount(digit, minlength=10).argmax())


def line(run: ae.Run, arm: ae.Trained, test: ae.data.Dataset, judge: Judge, count: int) -> Curves:
    """All tenths b from 0 to 9 - a added to `count` images of every a: what is read, as shares and as a figure."""
    tenths = [np.arange(10 * (9 - a) + 1) for a in range(10)]
    seen = [line_of(arm, test.image[test.label == a][:count], tenths[a], judge, len(run.seeds)) for a in range(10)]
    part = np.concatenate(tenths) % 10
    for words, parts, up in PARTS:
        wanted = [a + tenths[a][:, None] // 10 + up for a in range(10)]
        hits = [(read == digit).mean(2) for read, digit in zip(seen, wanted, strict=True)]  # f64[seeds, tenths]
        where = np.flatnonzero(np.isin(part, parts))
        run.measure(arm.name, f"line/{words}, %", 100 * np.concatenate(hits, axis=1)[:, where].mean(1))
    lines = []
    for a in range(9):  # to 9 nothing can be added
        x, panel = tenths[a] / 10, f"image of {a}"
        digit = np.array([commonest(digits.ravel()) for digits in seen[a][arm.living].swapaxes(0, 1)])
        lines.append(Line("digit read in most images, of all seeds that live", x, digit[None], panel, 0))
        lines.append(Line("a + b", x, (a + x)[None], panel, 1, "dotted"))
    title = f"What is read when a real number b is added to images of a digit ({arm.name})"
    return Curves(title, "b, in steps of 0.1", "digit", lines)


def line_of(arm: ae.Trained, image: Any, tenths: np.ndarray, judge: Judge, seeds: int) -> np.ndarray:
    """The digit read when each of `tenths` / 10 is added to each image: int[seeds, tenths, images]."""
    rows = np.tile(np.arange(len(image)), len(tenths))
    value = np.repeat(tenths / 10, len(image)).astype(np.float32)
    drawn = (added(arm, image[rows], value, lane) for lane in range(seeds))
    read = [digit_classifier.read(judge, images).argmax(1) for images in drawn]
    return np.stack(read).reshape(seeds, len(tenths), len(image))


def fraction_images(arms: Sequence[ae.Trained], test: ae.data.Dataset, judge: Judge) -> Images:
    """Figures 24, 28 and 31: three images of 7 and the report's five numbers, by each model; the digit read below."""
    rows, below = [], []
    for number, image in enumerate(test.image[test.label == 7][:3], 1):
        for arm in arms:
            drawn = added(arm, np.stack([image] * len(VALUES)), np.array(VALUES, np.float32), arm.shown)
            rows.append((f"7 no. {number}, {arm.name.split()[0]}", np.concatenate([image[None] / 255, drawn])))
            below.append(["", *digit_classifier.captions(judge, drawn)])
    labels = ["image", *(f"+ {value:g}" for value in VALUES)]
    title = "Numbers added to three test images of 7, and the digit read (the first seed that lives)"
    return Images(title, rows, labels, captions=below)


# ---- the report's words, and ours


def verdict(rows: Sequence[ae.results.Row], arm: str, metric: str) -> tuple[str, str]:
    """In how many living seeds an arm is what a claim says, and its verdict; empty where there is no claim."""
    own = [row for row in rows if (row.arm, row.metric) == (arm, metric) and row.reported is not None]
    return (f"{sum(own[-1].values):.0f} of {own[-1].n_seeds}", own[-1].verdict) if own else ("", "")


def outcomes(run: ae.Run, settings: Mapping[str, tuple[Sequence[float], str, str]]) -> None:
    """Reported outcome, measured outcome and verdict of every arm, as a table; `settings`: weights, outcome, source."""
    cells, rows = [], run.rows()
    for arm, (weights, reported, _) in settings.items():
        seen, alive = run.measures[arm], run.living(arm)
        active = [values[alive].mean() for name, values in seen.items() if name.startswith(UNITS)]
        given = [f"{weight:g}" for weight in weights][: 2 + len(active)]  # a KL that isn't there has no weight
        digit = shares(run, arm)[alive].mean(0)
        cells.append([
            arm, ", ".join(given), reported, counted(run, arm), f"{seen['test/accuracy'][alive].mean():.1%}",
            f"{digit.argmax()} ({digit.max():.1%})", ", ".join(f"{count:.1f}" for count in active),
            *verdict(rows, arm, f"outcome/{reported}"),
        ])  # fmt: skip
    columns = (
        ("Arm", "text"), ("Weights of a, a + b, KL of E, of P", "text"), ("Reported", "text"),
        ("Measured (seeds)", "text"), ("Read as a + b", "number"), ("Commonest digit, all seeds", "text"),
        ("Active units of E, P", "text"), ("Seeds as reported", "text"), ("Verdict", "verdict"),
    )  # fmt: skip
    run.table("What the images of sums are read as", columns, cells)


def counted(run: ae.Run, arm: str) -> str:
    """The outcomes of the living seeds, how many have each, and which digit it is where there is but one."""
    alive, digit = run.living(arm), shares(run, arm).argmax(1)
    words = []
    for outcome in OUTCOMES:
        hits = run.measures[arm][f"outcome/{outcome}"].astype(bool) & alive
        which = f", read as {', '.join(map(str, digit[hits]))}" if outcome == NINES else ""
        words += [f"{outcome} ({hits.sum()}{which})"] if hits.any() else []
    return ", ".join([*words, *(f"dead ({len(run.dead[arm])})" for _ in run.dead[arm][:1])])


def fraction_table(
    run: ae.Run, arms: Sequence[ae.Trained], readings: Sequence[Reading], reported: Mapping[str, Seen]
) -> None:
    """What the report saw of fractions, and what is read, as a table; what lines of all tenths show, in words."""
    cells, rows = [], run.rows()
    for arm, reading in zip(arms, readings, strict=True):
        alive = arm.living
        each = [
            f"{', '.join(map(str, digit))} ({sure:.0%}; {gray:.1f}%)"
            for digit, sure, gray in zip(
                reading.digit[alive].T, reading.confidence[alive].mean(0), reading.gray[alive].mean(0), strict=True
            )
        ]
        seen = reported[arm.name]
        blurred = ", ".join(f"{value:g}" for value in seen.blurred)
        words = ", ".join(map(str, seen.digits)) + f"; blurred: {blurred}" * bool(blurred)
        cells.append([arm.name, *each, words, *verdict(rows, arm.name, DIGITS), *verdict(rows, arm.name, BLUR)])
        line = [f"{part}: {run.words(arm.name, f'line/{part}, %')}" for part, _, _ in PARTS]
        run.note(
            f"Numbers in steps of 0.1 added by {arm.name} to images of every digit, up to the sum 9; how many of the "
            f"images are read as each rule says: {'; '.join(line)}."
        )
    columns = (
        ("Model", "text"), *((f"7 + {value:g}", "text") for value in VALUES), ("Reported of 1.4, 1.5, 1.6", "text"),
        ("Seeds with these digits", "text"), ("Verdict", "verdict"), ("Seeds with this blur", "text"),
        ("Verdict on the blur", "verdict"),
    )  # fmt: skip
    if cells:
        title = "Numbers added to images of 7: the digit read in most, by seed (how surely; how gray, of all mid-gray)"
        run.table(title, columns, cells)
