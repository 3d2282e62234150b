"""What a classifier of real digits reads in images of sums; how digit_addition judges what it draws.

The report names outcomes by eye. Here they are thresholds on what is read in images of test pairs, whose sums are
uniform from 0 to 9, so that a perfect model has 10% of each digit:

only fuzzy nines                  90% of the images are read as one digit, whichever it is
just a number with fuzzy nines    90% as one of two
correct                           80% as a + b
different from the target         anything else
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments import digit_classifier
from jaxae.models import DigitClassifier
from jaxae.models.addition import add
from jaxae.plots import Curves, Images, Line
from jaxae.results import most
from jaxae.transforms import to_unit

Judge = Mapping[str, Any]  # the classifier's variables

NINES, NUMBER, OTHER, CORRECT = OUTCOMES = (
    "only fuzzy nines", "just a number with fuzzy nines", "different from the target", "correct",
)  # fmt: skip
COLLAPSED, RIGHT = 0.9, 0.8  # shares of images
DEFINITIONS = (
    f"{NINES}, {COLLAPSED:.0%} are read as one digit, whichever; {NUMBER}, {COLLAPSED:.0%} as one of two; {CORRECT}, "
    f"{RIGHT:.0%} as a + b; {OTHER}, all else"
)
VALUES = (1.0, 2.0, 1.4, 1.5, 1.6)  # what the report adds to an image of 7
PARTS = (  # of the line of all sums: tenths after the point, and how far above the whole number the digit then is
    ("whole numbers, a + b", (0,), 0),
    ("below .5, the lower digit", (1, 2, 3, 4), 0),
    ("at .5, the lower digit", (5,), 0),
    ("at .5, the next digit", (5,), 1),
    ("above .5, the next digit", (6, 7, 8, 9), 1),
)
CHUNK = 250


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
            "accuracy": (read == batch.label).astype(jnp.float32),
            "confidence": jax.nn.softmax(logits).max(axis=-1),
            "mse to the target": ae.losses.mse(outputs.image, batch.target[0]),
            "mse to the class mean": ae.losses.mse(outputs.image, batch.target[1]),
        }

    return scores


def read(run: ae.Run, arm: ae.Trained, test: Any, scores: Callable[[Any, ae.Batch], dict[str, Any]]) -> None:
    """The scores by the means of all codes, the outcome that they amount to, and the scores by drawn codes."""
    model: Any = arm.study.model
    for how in ("", ", drawn codes")[: 1 + model.variational]:
        found = arm.evaluate(test, dataclasses.replace(arm.study, model=model.clone(sampled=bool(how)), scores=scores))
        digit = found.pop("digit")
        for name, values in found.items():
            run.score(arm.name, name + how, values)
        shares = np.stack([np.bincount(row, minlength=10) / digit.shape[1] for row in digit])
        run.measure(arm.name, f"test/share of the commonest digit{how}", shares.max(1))
        if how:
            continue
        run.measure(arm.name, "test/commonest digit", shares.argmax(1))
        for name in range(10):
            run.measure(arm.name, f"test/share read as {name}", shares[:, name])
        ours = [outcome(*seed) for seed in zip(shares, found["accuracy"].mean(1), strict=True)]
        for name in OUTCOMES:
            run.measure(arm.name, f"outcome/{name}", [seen == name for seen in ours])


def shares(run: ae.Run, arm: str) -> np.ndarray:
    """Of each digit among those read, f64[seeds, 10]."""
    return np.stack([run.measures[arm][f"test/share read as {digit}"] for digit in range(10)], axis=1)


def captions(judge: Judge, images: np.ndarray) -> list[str]:
    """What is read in each of the images float[n, 28, 28, 1], and its probability."""
    return [f"{p.argmax()} ({p.max():.0%})" for p in digit_classifier.read(judge, images)]


def pairs(arms: Sequence[ae.Trained], test: Any, judge: Judge, title: str) -> Images:
    """Figures 23, 27 and 30: ten pairs in the order of their sums, the same for every arm; what is read below."""
    found = [arm.sample(test, np.arange(min(100, len(test.label)))) for arm in arms]
    _, batch = found[0]
    total = np.asarray(batch.label)
    chosen = np.argsort(total, kind="stable")[np.linspace(0, len(total) - 1, 10).astype(int)]
    image, value, target = (np.asarray(part)[chosen] for part in (*batch.inputs, batch.target[0]))
    drawn = [(arm.name, np.asarray(outputs.image)[chosen]) for arm, (outputs, _) in zip(arms, found, strict=True)]
    sums = [f"{total - b:.0f} + {b:.0f}" for total, b in zip(total[chosen], value, strict=True)]
    below = [sums, [], *(captions(judge, images) for _, images in drawn)]
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


def fractions(run: ae.Run, arm: ae.Trained, test: ae.data.Dataset, judge: Judge, count: int) -> None:
    """The report's five numbers added to `count` images of 7: the digit read in most, how surely, and how gray."""
    image = test.image[test.label == 7][:count]
    for value in VALUES:
        number = np.full(len(image), value, np.float32)
        drawn = [added(arm, image, number, lane) for lane in range(len(run.seeds))]
        seen = np.stack([digit_classifier.read(judge, images) for images in drawn])
        run.measure(arm.name, f"7 + {value:g}/digit", [commonest(p.argmax(1)) for p in seen])
        run.measure(arm.name, f"7 + {value:g}/confidence", seen.max(2).mean(1))
        run.measure(arm.name, f"7 + {value:g}/gray, %", [100 * (4 * images * (1 - images)).mean() for images in drawn])


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
        digit = np.array([commonest(digits.ravel()) for digits in seen[a].swapaxes(0, 1)])
        lines.append(Line("digit read in most images, of all seeds", x, digit[None], panel, 0))
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


def seven(arms: Sequence[ae.Trained], test: ae.data.Dataset, judge: Judge) -> Images:
    """Figures 24, 28 and 31: three images of 7 and the report's five numbers, by each model; the digit read below."""
    rows, below = [], []
    for number, image in enumerate(test.image[test.label == 7][:3], 1):
        for arm in arms:
            drawn = added(arm, np.stack([image] * len(VALUES)), np.array(VALUES, np.float32))
            rows.append((f"7 no. {number}, {arm.name.split()[0]}", np.concatenate([image[None] / 255, drawn])))
            below.append(["", *captions(judge, drawn)])
    labels = ["image", *(f"+ {value:g}" for value in VALUES)]
    title = "Numbers added to three test images of 7, and the digit read (first seed)"
    return Images(title, rows, labels, captions=below)


# ---- the report's words, and ours


def verdict(hits: np.ndarray) -> tuple[str, str]:
    """Of a report's word that each seed bears out or not, bool[seeds]: in how many seeds, and what follows."""
    return f"{hits.sum()} of {len(hits)}", most(hits)[0]


def outcomes(run: ae.Run, tried: Mapping[str, tuple[Sequence[float], str]]) -> None:
    """Reported outcome, measured outcome and verdict of every arm, as a table; `tried`: its weights, and the first."""
    cells = []
    for arm, (weights, reported) in tried.items():
        seen, digit = run.measures[arm], shares(run, arm).mean(0)
        counts = {outcome: seen[f"outcome/{outcome}"].astype(bool) for outcome in OUTCOMES}
        active = [values for name, values in seen.items() if name.startswith("train/active units of")]
        cells.append([
            arm, ", ".join(f"{weight:g}" for weight in weights), reported,
            ", ".join(f"{outcome} ({hits.sum()})" for outcome, hits in counts.items() if hits.any()),
            f"{seen['test/accuracy'].mean():.1%}", f"{digit.argmax()} ({digit.max():.1%})",
            ", ".join(f"{values.mean():.1f}" for values in active),
            *(verdict(counts[reported]) if reported else ("", "")),
        ])  # fmt: skip
    columns = (
        ("Arm", "text"), ("Weights of a, a + b, KL of E, of P", "text"), ("Reported", "text"),
        ("Measured (seeds)", "text"), ("Read as a + b", "number"), ("Commonest digit", "text"),
        ("Active units of E, P", "text"), ("Seeds as reported", "text"), ("Verdict", "verdict"),
    )  # fmt: skip
    run.table(f"What the images of sums are read as{elsewhere(run)}", columns, cells)


def elsewhere(run: ae.Run) -> str:
    """What a table's title says where its verdicts are of other settings than the report's."""
    return ", at other settings than the report's" * bool(run.manifest["deviations"])


def observed(run: ae.Run, reported: Mapping[str, Sequence[int]]) -> None:
    """What the report saw of fractions, by arm the digits of 7 + VALUES, and what is read; where lines change digit."""
    cells = []
    for arm, digits in reported.items():
        seen = run.measures[arm]
        for value, expected in zip(VALUES, digits, strict=True):
            digit, sure, gray = (seen[f"7 + {value:g}/{name}"] for name in ("digit", "confidence", "gray, %"))
            each = ", ".join(f"{read:.0f}" for read in digit)
            numbers = str(expected), each, f"{sure.mean():.0%}", f"{gray.mean():.1f}%"
            cells.append([arm, f"7 + {value:g}", *numbers, *verdict(digit == expected)])
        gray = {value: seen[f"7 + {value:g}/gray, %"].mean() for value in VALUES}
        parts = [f"{name[5:-3]} {values.mean():.0f}%" for name, values in seen.items() if name.startswith("line/")]
        run.note(
            f"Fractions, {arm}: 7 + 1.5 is {'' if gray[1.5] > max(gray[1.0], gray[2.0]) else 'not '}more blurred than "
            f"whole sums of 7 ({gray[1.5]:.1f}% gray, where 100% is all mid-gray, against {gray[1.0]:.1f}% for 7 + 1 "
            f"and {gray[2.0]:.1f}% for 7 + 2). Images of every digit, numbers in steps of 0.1 up to the sum 9, how "
            f"many are read as: {', '.join(parts)}."
        )
    columns = (
        ("Model", "text"), ("Sum", "text"), ("Reported", "number"), ("Read in most images, by seed", "text"),
        ("Confidence", "number"), ("Gray", "number"), ("Seeds as reported", "text"), ("Verdict", "verdict"),
    )  # fmt: skip
    run.table(f"Numbers added to images of 7{elsewhere(run)}", columns, cells)
