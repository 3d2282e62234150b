"""What is measured: KL by unit, what is read in images of sums, of fractions and of all tenths."""

import dataclasses
from collections.abc import Container, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

import experiments.digit_addition.reading as reading
import experiments.digit_addition.ways as ways
import jaxae as ae
from experiments import digit_classifier
from experiments.digit_addition.method import class_means, digits
from experiments.digit_addition.outcomes import fraction_measures, is_single_colour, line_measures, nearest_mean
from experiments.digit_addition.recipes import FINAL, FRACTIONS, ROWS
from experiments.digit_addition.surviving import variances
from jaxae.report.explorer import gathered
from jaxae.train.curves import rise
from jaxae.train.trained import told_apart
from jaxae.transforms import addends

MODELS = (
    ("adder course", "adder"), ("vae", "adder"), ("vae", "adder course"), (FINAL, "adder"), (FINAL, "adder course"),
    (FINAL, "vae"),
)  # fmt: skip
BY_ROW = (  # at the same weights of the table, or without one at their own
    ("generative", "generative natural"), ("generative", "generative course"), ("vae", "vae plain"),
    ("vae", "vae natural"), ("vae natural", "vae natural plain"), ("vae plain", "vae natural plain"),
    ("vae", "vae course"), ("vae course", "vae course plain"), ("vae plain", "vae course plain"),
)  # fmt: skip
ACTIVE = 0.01  # nats: a unit whose KL is below has collapsed
UNITS = "train/active units of"
RISE = "validation/rise of added, %"
SHARE = "test/share of the commonest digit"
SURE = "test/confidence"  # of the classifier, in what it reads
SEVENS = 3  # images of 7 in the picture of fractions


def measure(run: ae.Run, trained: Mapping[str, ae.Trained]) -> ae.Findings:
    """All of it; fractions of the report's models alone."""
    train, test = run.data("mnist", "train"), run.data("mnist", "test")
    judge, mean = digit_classifier.judge(run), class_means(train)
    tested = digits(test, mean)
    arms = {name: marked(arm, tested) for name, arm in trained.items()}
    sums = {name: reading.read_sums(arm, (tested, judge)) for name, arm in arms.items()}
    fractions = read_fractions({name: arms[name] for name in FRACTIONS if name in arms}, test, judge, run.config.images)
    targets = shown_targets(train, mean, judge)
    return ae.results.collect(
        run.origin,
        [without_units(arm) for arm in arms.values()],
        digit_classifier.accuracy_of(judge, test),
        {name: training(arm) for name, arm in arms.items()},
        {name: found["measures"] for name, found in sums.items()},
        fractions["measures"],
        differences=[(*pair, metric) for pair in compared(arms) for metric in ("test/accuracy", SHARE)],
        facts={"sums": {"pairs": len(train), **facts(targets, mean)}, **of_pairs(train, mean, judge)},
        by_seed=ae.results.combined(
            {name: found["by_seed"] for name, found in sums.items()},
            {name: unit_curves(arm) for name, arm in arms.items()},
            fractions["by_seed"],
        ),
        arrays=ae.results.combined(
            {"": targets}, reading.shown_pairs(arms, tested, judge), fractions["arrays"],
            gathered(by_worth(arms), test),
        ),
        scores={name: found["scores"] for name, found in sums.items()},
    )  # fmt: skip


def compared(arms: Container[str]) -> list[tuple[str, str]]:
    """The pairs of arms that are there and compared: models, and at each row of the table the pairs of numbers."""
    by_row = [(f"{first} {row}".strip(), f"{second} {row}".strip()) for row in ("", *ROWS) for first, second in BY_ROW]
    return [pair for pair in (*MODELS, *by_row) if all(arm in arms for arm in pair)]


def by_worth(trained: Mapping[str, ae.Trained]) -> list[ae.Trained]:
    """All arms, the report's models first, the last of them before all."""
    first = [name for name in reversed(FRACTIONS) if name in trained]
    return [trained[name] for name in [*first, *(name for name in trained if name not in first)]]


# ---- training


def marked(arm: ae.Trained, tested: Any) -> ae.Trained:
    """The arm, its dead seeds marked."""
    return told_apart(arm, tested, is_single_colour)


def without_units(arm: ae.Trained) -> ae.Trained:
    """The arm without the losses of single units: a row each would bury the others. They are in history.json."""

    def kept(losses: Mapping[str, Any]) -> dict[str, Any]:
        return {name: values for name, values in losses.items() if ", unit " not in name}

    parts = {name: kept(getattr(arm, name)) for name in ("train", "epochs", "validation")}
    return dataclasses.replace(arm, **parts)


def unit_curves(arm: ae.Trained) -> dict[str, np.ndarray]:
    """KL in nats by unit of the code, f64[seeds, units, epochs], of E and P, where each is uncertain; the means over
    each epoch's training pairs."""
    model: Any = arm.study.model
    return {
        f"KL of {term} by unit": np.stack(
            [arm.epochs[f"KL of {term}, unit {i + 1}"] for i in range(model.code_size)], axis=1
        )
        for term in "EP"
        if f"KL of {term}" in arm.epochs
    }


def training(arm: ae.Trained) -> dict[str, np.ndarray]:
    """Active units, and how far the test error of the sums' images turns up."""
    active = {
        f"{UNITS} {name.split()[2]}": ae.results.as_measure((curves[:, :, -1] > ACTIVE).sum(1))
        for name, curves in unit_curves(arm).items()
    }
    return active | {RISE: ae.results.as_measure([rise(row) for row in arm.validation["added"].astype(np.float64)])}


# ---- what is read


def read_fractions(
    arms: Mapping[str, ae.Trained], test: ae.data.Dataset, judge: digit_classifier.Judge, count: int
) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """{"measures", "by_seed", "arrays"} of numbers with fractions, as `collect` takes each."""
    sevens = np.asarray(test.image)[test.label == 7]
    measures, by_seed, arrays = {}, {}, {"": {"sevens": sevens[:SEVENS]}} if arms else {}
    for name, arm in arms.items():
        seen, gray = reading.read_fractions(arm, sevens[:count], judge)
        counts = reading.read_line(arm, test, judge, count)
        measures[name] = fraction_measures(seen, gray, FRACTIONS[name]) | line_measures(counts)
        by_seed[name] = {f"line, image of {a}": lines for a, lines in enumerate(counts)}
        arrays[name] = reading.shown_fractions(arm, sevens[:SEVENS], judge)
    return {"measures": measures, "by_seed": by_seed, "arrays": arrays}


def shown_targets(train: ae.data.Dataset, mean: np.ndarray, judge: digit_classifier.Judge) -> dict[str, np.ndarray]:
    """Figure 21: the shares of the sums f64[10] of natural and of balanced pairs; the mean of all their targets, which
    is what a model draws that knows nothing else, and what is read in it."""
    key, label = ae.keys.stream(ae.keys.root(0), "histogram"), jnp.asarray(train.label)
    shares = {}
    for name, balanced in (("natural", False), ("balanced", True)):
        total = np.asarray(sum(addends(key, label, balanced=balanced)))
        shares[name] = np.bincount(total, minlength=10) / len(total)
    blends = np.stack([np.tensordot(values, mean, 1) for values in shares.values()])
    found = {f"sums, {name}": values for name, values in shares.items()}
    return found | reading.read_in(judge, "mean targets", blends)


def facts(targets: Mapping[str, np.ndarray], mean: np.ndarray) -> dict[str, Any]:
    """What sentences say of them: how many sums are 0 and 9, the digits that are read, with their probability, and
    those whose mean image is nearest."""
    share = targets["sums, natural"]
    read = zip(targets["mean targets, digit read"], targets["mean targets, probability"], strict=True)
    words = [f"{digit} ({sure:.0%})" for digit, sure in read]
    near = np.asarray(nearest_mean(targets["mean targets"], mean)).tolist()
    return {"share of 0": float(share[0]), "share of 9": float(share[9]), "read as": words, "nearest": near}


def of_pairs(train: ae.data.Dataset, mean: np.ndarray, judge: digit_classifier.Judge) -> dict[str, Any]:
    """Of each way to draw pairs, how common sums, numbers and images are, exactly, and what is read in the mean of its
    targets; of the three that are trained on, the variances between the class means of their sums."""
    found = ways.shares(np.bincount(train.label, minlength=10) / len(train))
    seen = digit_classifier.read_digits(judge, np.stack([np.tensordot(of["a + b"], mean, 1) for of in found.values()]))
    drawn = {
        way: {what: share.tolist() for what, share in of.items()} | {"digit": int(p.argmax()), "sure": float(p.max())}
        for (way, of), p in zip(found.items(), seen, strict=True)
    }
    kinds = {"balanced": ways.BALANCED, "natural": ways.NATURAL, "course": ways.COURSE}
    return {
        "ways": drawn,
        "variances": {kind: variances(mean, found[way]["a + b"]).tolist() for kind, way in kinds.items()},
    }
