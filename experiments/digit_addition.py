"""digit_addition: the image of 7 and the number 2 make an image of 9 (report 003, parts III and IV).

An encoder E, an adder P and a decoder D learn to draw a + b from an image of a and the number b. In part IV the code of
the image becomes a distribution (vae), then that of the sum too (generative). The report tells how it came to see
nothing but "fuzzy nines", what balanced data and a learned map of the number changed, which sixteen settings of four
loss weights it tried, and what the models draw for 7 + 1.5. It judged by eye; here a classifier of real digits reads
every image, and outcomes are thresholds on what it reads (see `outcome`).

Source    003_a7ffb30fa963b16e.txt: parts III and IV; one run of each, no seed; MNIST, Adam 1e-3, 100 epochs
Expected  experiments/results/digit_addition.json (to come: the real data has not been run yet)
Run       python -m experiments.digit_addition --seeds 3
Also      --table (the sixteen rows, all in one program); --kl sum; --arms vae vae-plain; --source synthetic
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from experiments import digit_classifier
from experiments.digit_codes import rise
from jaxae.models import AdditionModel, DigitClassifier
from jaxae.models.addition import add
from jaxae.plots import Bars, Curves, Images, Line
from jaxae.transforms import addends, addition_pairs, by_class, to_unit

NINES, NUMBER, OTHER, CORRECT = (
    "only fuzzy nines", "just a number with fuzzy nines", "different from the target", "correct",
)  # fmt: skip
ROWS = (  # of the report's Table 1: numbers, weights (original, added, KL of E, KL of P), outcome
    ("1", (0.1, 0.5, 1e-5, 1e-5), NINES),
    ("2", (0.1, 0.5, 1e-4, 1e-4), NINES),
    ("3", (0.3, 0.7, 1e-4, 2e-4), NINES),
    ("4", (0.5, 0.5, 5e-4, 5e-4), NINES),
    ("5", (0.7, 0.7, 2e-4, 2e-4), NINES),
    ("6", (1.0, 1.0, 5e-4, 5e-4), NINES),
    ("7", (0.5, 0.5, 1e-4, 2e-4), NUMBER),
    ("8", (0.6, 0.8, 1.5e-4, 1.5e-4), NUMBER),
    ("9 and 10", (1.0, 1.0, 1e-4, 1e-4), NUMBER),  # tried twice: one training stands for both
    ("11", (1.2, 0.8, 5e-5, 5e-5), NUMBER),
    ("12", (1.0, 0.2, 1e-4, 1e-4), OTHER),
    ("13 and 14", (1.0, 0.4, 1e-4, 5e-4), OTHER),
    ("15", (0.9, 0.1, 2e-4, 2e-4), OTHER),
    ("16", (0.1, 1.0, 1e-5, 1e-5), CORRECT),
)
FINAL = "generative row 16"  # the report's third model
MODELS = ("adder", "vae", FINAL)
VALUES = (1.0, 2.0, 1.4, 1.5, 1.6)  # added to an image of 7
FRACTIONS = {  # what the report sees for them
    "adder": (8, 9, 8, 8, 8),  # "only the sum between the base number and the decimal integer"
    "vae": (8, 9, 8, 8, 9),  # "averaged correctly" but at .5, then "to the previous base number"
    FINAL: (8, 9, 8, 9, 9),  # the next one from .5 up
}
ACTIVE = 0.01  # nats: a unit whose KL is below has collapsed
COLLAPSED, RIGHT = 0.9, 0.8  # shares of images
VALIDATION = 2_000  # test images behind each point of the curves; every score is of all of them
CHUNK = 250
ADAM = optax.adam(1e-3)


class Arm(NamedTuple):
    """A model and the pairs that it is trained on; `outcome` is the report's, where it has one."""

    model: AdditionModel
    balanced: bool
    outcome: str = ""


VAE = AdditionModel(variational=True, value_to_latent=True)
ARMS = {
    "adder": Arm(AdditionModel(), False, CORRECT),
    "vae": Arm(VAE, True, CORRECT),
    "vae-natural": Arm(VAE, False),
    "vae-plain": Arm(VAE.clone(value_to_latent=False), True, NINES),
    "vae-natural-plain": Arm(VAE.clone(value_to_latent=False), False, NINES),
    "generative": Arm(VAE.clone(generative=True), True),
}
Name = Literal["adder", "vae", "vae-natural", "vae-plain", "vae-natural-plain", "generative"]


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings. It doesn't say its batch size, code size, the layers of P and how the KL is reduced."""

    settings = (*ae.Flags.settings, "widths")

    arms: tuple[Name, ...] = tuple(ARMS)  # pyright: ignore[reportAssignmentType]
    """The models of parts III, IV.1 and IV.2; natural: pairs that aren't balanced; plain: P is shown the number."""
    table: bool = False
    """Train the generative arm with all the weights that the report tried, in place of the last."""
    kl: Literal["mean", "sum"] = "mean"
    """Over a batch. The report doesn't say; a sum makes its weights as many times larger as a batch has images."""
    code_size: int = 7
    """Numbers in a code."""
    images: int = 50
    """Test images of each digit that fractions are added to."""
    widths: tuple[int, int, int] = (32, 64, 128)
    """Channels of E's convolutions, mirrored in D."""
    epochs: int = 100

    def __post_init__(self):
        super().__post_init__()
        if not self.arms or len(set(self.arms)) < len(self.arms):
            raise ae.UsageError(f"--arms {' '.join(self.arms)}: give different ones, at least one")
        if min(self.code_size, self.images, *self.widths) < 1:
            given = f"--code-size {self.code_size} --images {self.images} --widths {self.widths}"
            raise ae.UsageError(f"{given}: all must be at least 1")


def claims(config: Config) -> list[ae.Claim]:
    """Outcomes, as the share of seeds that have them, and what is drawn for fractions, as the digit that is read."""
    reading = "1: every seed's outcome, by the thresholds on what the classifier reads"
    found = [
        ae.Claim(name.replace("-", " "), f"outcome/{arm.outcome}", 1, "4.4" if name == "adder" else "5.1.1", reading)
        for name, arm in ARMS.items()
        if arm.outcome and name in config.arms
    ]
    names = {name.replace("-", " ") for name in config.arms}
    if "generative" in names:
        names.add(FINAL)
        for number, _, outcome in rows(config):
            source = f"Table 1, row{'s'[: ' ' in number]} {number}"
            found.append(ae.Claim(row_name(number), f"outcome/{outcome}", 1, source, reading))
    for arm, digits in FRACTIONS.items():
        for value, digit in zip(VALUES, digits, strict=True):
            source = {"adder": "4.5", "vae": "5.1.1", FINAL: "5.2"}[arm]
            reading = f"the digit that is read in most images of 7 + {value:g}"
            if arm in names:
                found.append(ae.Claim(arm, f"7 + {value:g}/digit", digit, source, reading))
    return found


def rows(config: Config):
    """Those of the table that are trained."""
    return ROWS if config.table else ROWS[-1:]


def row_name(number: str) -> str:
    """The arm of a row of the table."""
    return f"generative row {number}"


# ---- what is trained


class Digits(NamedTuple):
    """Images to draw pairs from: uint8[n, 28, 28, 1], i32[n], where each class is, and class means f32[10, ...].

    Whether the pairs are `balanced`, bool[], is data, so that arms that differ in nothing else are one program.
    """

    image: Any
    label: Any
    classes: Any
    mean: Any
    balanced: Any


def digits(data: ae.data.Dataset, mean: np.ndarray) -> Digits:
    """A data set as balanced pairs are drawn from it. Raises UsageError where it lacks a digit."""
    return Digits(data.image, data.label, by_class(data.label), mean, np.bool_(True))


def class_means(data: ae.data.Dataset) -> np.ndarray:
    """The mean image of every digit, f32[10, 28, 28, 1] in [0, 1]: under MSE, the best answer to "an image of 9"."""
    by_class(data.label)  # refuses a set that lacks one
    of_class = [data.image[data.label == digit] for digit in range(10)]
    return np.stack([images.mean(0, dtype=np.float64) / 255 for images in of_class]).astype(np.float32)


def batch(key, data: Digits, index) -> ae.Batch:
    """(image of a, b) to (an image of a + b, the mean image of a + b); the label is a + b."""
    draw = functools.partial(addition_pairs, key, data.image, data.label, data.classes, index)
    pairs = jax.lax.cond(data.balanced, lambda: draw(balanced=True), lambda: draw(balanced=False))
    return ae.Batch((pairs.image, pairs.value), (pairs.target, data.mean[pairs.total]), pairs.total)


def pairs_of(data: Digits) -> int:
    """In an epoch, as many as there are images."""
    return data.image.shape[0]


def loss(outputs, batch, hparams) -> tuple[Any, dict[str, Any]]:
    """w_orig L2 of the image of a + w_added L2 of the sum's + k_enc KL of E + k_add KL of P; KL by unit, to be seen."""
    parts = {
        "original": ae.losses.mse(outputs.original, batch.inputs[0]),
        "added": ae.losses.mse(outputs.image, batch.target[0]),
    }
    total = hparams["original"] * parts["original"] + hparams["added"] * parts["added"]
    for name, code in (("E", outputs.posterior), ("P", outputs.sum_posterior)):
        if code.log_variance is not None:
            units = ae.losses.gaussian_kl_per_dimension(*code)
            parts[f"KL of {name}"] = units.sum(axis=1)
            parts |= {f"KL of {name}, unit {i + 1}": units[:, i] for i in range(units.shape[1])}
            total = total + hparams[name] * parts[f"KL of {name}"]
    return total, parts


def weights(row: tuple[float, ...], config: Config) -> dict[str, float]:
    """A row of the table as the loss takes it."""
    times = config.batch_size if config.kl == "sum" else 1
    return {"original": row[0], "added": row[1], "E": row[2] * times, "P": row[3] * times}


def study(name: str, config: Config) -> ae.Study:
    """An arm; its weights come with the lane."""
    model = ARMS[name].model.clone(code_size=config.code_size, widths=config.widths, dtype=config.dtype)
    name = name.replace("-", " ")
    return ae.Study(name, model, batch, loss, ADAM, config.batch_size, config.epochs, examples=pairs_of)


def settings(name: str, config: Config) -> dict[str, dict[str, float]]:
    """The weights of an arm. The report gives none but the table's: the VAE has those of its last row."""
    if name == "generative":
        return {f"row {number}": weights(row, config) for number, row, _ in rows(config)}
    return {"": weights((1.0, 1.0, 0.0, 0.0) if name == "adder" else ROWS[-1][1], config)}


def main(config: Config) -> None:
    """Train the arms, read what they draw, then the fractions."""
    with ae.Run(config, claims(config)) as run:
        train, test = run.data("mnist", "train"), run.data("mnist", "test")
        judge = digit_classifier.judge(run, train, test)
        mean = class_means(train)
        run.note(protocol(config))
        parts = digits(train, mean), digits(test.head(min(VALIDATION, len(test))), mean)
        arms = {arm.name: arm for name in config.arms for arm in train_arm(run, name, config, *parts)}
        read_all(run, arms, digits(test, mean), judge)
        shown = [arms[name] for name in MODELS if name in arms]
        sums(run, train, mean, judge)
        draw(run, arms, digits(test, mean), judge, config)
        for arm in shown:
            fractions(run, arm, test, judge, config.images)
        if shown:
            run.figure("fractions", seven(shown, test, judge))
        for text in (*outcomes(run, config), *collapse(run), *observed(run, shown), *overfitting(run, shown)):
            run.note(text)


def protocol(config: Config) -> str:
    """What was decided where the report is silent."""
    return (
        "Every arm is scored on pairs of test images whose sums are uniform, a perfect model thus reading 10% of each "
        f"digit, with the weights of the last epoch; curves are of up to {VALIDATION:,} test images. L2 is the mean "
        f"over pixels, KL the sum over the code's {config.code_size} numbers and its {config.kl} over the batch. "
        f"Codes are the means of their distributions, and drawn ones where it says so. Outcomes: {NINES}, "
        f"{COLLAPSED:.0%} read as one digit, whichever; {NUMBER}, {COLLAPSED:.0%} as one of two; {CORRECT}, "
        f"{RIGHT:.0%} as a + b; {OTHER}, all else."
    )


def train_arm(run: ae.Run, name: str, config: Config, train: Digits, validation: Digits) -> list[ae.Trained]:
    """Train an arm with all its weights in one program; count its active units."""
    train, validation = (data._replace(balanced=np.bool_(ARMS[name].balanced)) for data in (train, validation))
    trained = run.train_settings(study(name, config), train, settings(name, config), validation=validation)
    for arm in trained:
        for metric in [metric for metric in run.measures[arm.name] if ", unit " in metric]:
            del run.measures[arm.name][metric]  # they are a figure, and in history.json
        for term in terms(arm):
            active = (units(arm, term)[:, :, -1] > ACTIVE).sum(0)
            run.measure(arm.name, f"train/active units of {term}", active)
        loss = arm.validation["added"].astype(np.float64)
        run.measure(arm.name, "validation/rise of added, %", [rise(row) for row in loss])
    return trained


def terms(arm: ae.Trained) -> list[str]:
    """The KL terms of an arm's loss."""
    return [name for name in ("E", "P") if f"KL of {name}" in arm.epochs]


def units(arm: ae.Trained, term: str) -> np.ndarray:
    """KL in nats by unit of the code, f64[units, seeds, epochs], mean over each epoch's training pairs."""
    model: Any = arm.study.model
    return np.stack([arm.epochs[f"KL of {term}, unit {i + 1}"] for i in range(model.code_size)])


# ---- what the classifier reads


def judged_by(judge: Mapping[str, Any]):
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


def read_all(run: ae.Run, arms: Mapping[str, ae.Trained], test: Digits, judge: Mapping[str, Any]) -> None:
    """Score every arm on balanced pairs of test images, a uniform sum, whatever it was trained on."""
    scores = judged_by(judge)
    for arm in arms.values():
        read(run, arm, test, dataclasses.replace(arm.study, scores=scores))
    for first, second in (
        ("vae", "adder"), (FINAL, "adder"), (FINAL, "vae"), ("vae", "vae natural"), ("vae", "vae plain"),
        ("vae plain", "vae natural plain"),
    ):  # fmt: skip
        if first in arms and second in arms:
            run.compare(first, second, "test/accuracy", "test/share of the commonest digit")


def read(run: ae.Run, arm: ae.Trained, test: Digits, judged: ae.Study) -> None:
    """The scores by the means of all codes, the outcome that they amount to, and the scores by drawn codes."""
    for how in ("", ", drawn codes")[: 1 + bool(terms(arm))]:
        model: Any = judged.model
        found = arm.evaluate(test, dataclasses.replace(judged, model=model.clone(sampled=bool(how))))
        digit = found.pop("digit")
        for name, values in found.items():
            run.score(arm.name, name + how, values)
        shares = np.stack([np.bincount(row, minlength=10) / digit.shape[1] for row in digit])
        run.measure(arm.name, f"test/share of the commonest digit{how}", shares.max(1))
        if not how:
            run.measure(arm.name, "test/commonest digit", shares.argmax(1))
            for name in range(10):
                run.measure(arm.name, f"test/share read as {name}", shares[:, name])
            ours = [outcome(*seed) for seed in zip(shares, found["accuracy"].mean(1), strict=True)]
            for name in (NINES, NUMBER, OTHER, CORRECT):
                run.measure(arm.name, f"outcome/{name}", [seen == name for seen in ours])


def outcome(shares: np.ndarray, accuracy: float) -> str:
    """The report's words for what a model draws, from the shares of the digits that are read, float[10].

    "only fuzzy nines": 90% are read as one digit, whichever it is. "just a number with fuzzy nines": 90% as one of two.
    "correct": 80% as a + b. "different from the target": anything else. A perfect model has 10% of each digit.
    """
    commonest = np.sort(shares)[::-1]
    if commonest[0] >= COLLAPSED:
        return NINES
    if commonest[:2].sum() >= COLLAPSED:
        return NUMBER
    return CORRECT if accuracy >= RIGHT else OTHER


def share(run: ae.Run, arm: str) -> np.ndarray:
    """Of each digit among those read, f64[10], mean over seeds."""
    return np.array([run.measures[arm][f"test/share read as {digit}"].mean() for digit in range(10)])


def sums(run: ae.Run, train: ae.data.Dataset, mean: np.ndarray, judge: Mapping[str, Any]) -> None:
    """Figure 21, the histogram of the sums, and what a model draws that knows nothing but it."""
    key, label = ae.keys.stream(ae.keys.root(run.seeds[0]), "histogram"), jnp.asarray(train.label)
    shares = {}
    for name, balanced in (("natural", False), ("balanced", True)):
        total = np.asarray(sum(addends(key, label, balanced=balanced)))
        shares[name] = np.bincount(total, minlength=10) / len(total)
    title = f"Sums a + b of {len(train):,} pairs"
    groups = [(name, 100 * values) for name, values in shares.items()]
    run.figure("sums", Bars(title, "a + b", "pairs, %", tuple("0123456789"), groups))
    blends = np.stack([np.tensordot(values, mean, 1) for values in shares.values()])
    read = digit_classifier.read(judge, blends)
    texts = [f"{p.argmax()} ({p.max():.0%})" for p in read]
    run.figure(
        "sums_mean", Images("The mean of all targets, and the digit read", (("", blends),), [*shares], captions=[texts])
    )
    run.note(
        f"The report finds small sums commoner, 0 more than 9. Of natural pairs, b uniform up to 9 - a, "
        f"{shares['natural'][0]:.1%} have the sum 0 and {shares['natural'][9]:.1%} the sum 9: it is the other way "
        "round. The mean of all targets, which is what a model draws that ignores its input, is read as "
        f"{texts[0]}, of balanced ones as {texts[1]}."
    )


# ---- fractions


def added(arm: ae.Trained, image: Any, value: np.ndarray, lane: int) -> np.ndarray:
    """The solid path alone: uint8[n, 28, 28, 1], real numbers f32[n] -> images f32[n, 28, 28, 1]; in chunks."""
    index = np.arange(len(image) + -len(image) % CHUNK).clip(max=len(image) - 1).reshape(-1, CHUNK)
    variables = arm.variables(lane)
    found = [np.asarray(_add(arm.study.model, variables, image[rows], value[rows])) for rows in index]
    return np.concatenate(found)[: len(image)]


@functools.partial(jax.jit, static_argnums=0)
def _add(model, variables, image, value):
    return add(model, variables, to_unit(image), value)


def fractions(run: ae.Run, arm: ae.Trained, test: ae.data.Dataset, judge: Mapping[str, Any], count: int) -> None:
    """The report's five numbers added to images of 7, then all tenths from 0 to 9 - a added to images of every a."""
    image = test.image[test.label == 7][:count]
    for value in VALUES:
        drawn = [added(arm, image, np.full(len(image), value, np.float32), lane) for lane in range(len(run.seeds))]
        seen = np.stack([digit_classifier.read(judge, images) for images in drawn])
        run.measure(arm.name, f"7 + {value:g}/digit", [commonest(p.argmax(1)) for p in seen])
        run.measure(arm.name, f"7 + {value:g}/confidence", seen.max(2).mean(1))
        run.measure(arm.name, f"7 + {value:g}/gray, %", [100 * (4 * images * (1 - images)).mean() for images in drawn])
    run.figure(f"line_{arm.name.split()[0]}", line(run, arm, test, judge, count))


def commonest(digit: np.ndarray) -> int:
    """The digit that is read most often."""
    return int(np.bincount(digit, minlength=10).argmax())


def line(run: ae.Run, arm: ae.Trained, test: ae.data.Dataset, judge: Mapping[str, Any], count: int) -> Curves:
    """The digit read, as a function of the number added, for images of every digit."""
    tenths = [(a, tenth) for a in range(10) for tenth in range(10 * (9 - a) + 1)]
    index = [np.flatnonzero(test.label == a)[:count] for a in range(10)]
    rows = np.concatenate([index[a] for a, _ in tenths])
    value = np.concatenate([np.full(len(index[a]), tenth / 10, np.float32) for a, tenth in tenths])
    ends = np.cumsum([len(index[a]) for a, _ in tenths])[:-1]
    seen = []
    for lane in range(len(run.seeds)):
        drawn = digit_classifier.read(judge, added(arm, test.image[rows], value, lane)).argmax(1)
        seen.append(np.split(drawn, ends))
    a, tenth = np.array(tenths).T
    for words, parts, up in (
        ("whole numbers, a + b", (0,), 0), ("below .5, the lower digit", (1, 2, 3, 4), 0),
        ("at .5, the lower digit", (5,), 0), ("at .5, the next digit", (5,), 1),
        ("above .5, the next digit", (6, 7, 8, 9), 1),
    ):  # fmt: skip
        places = np.flatnonzero(np.isin(tenth % 10, parts))
        hits = [np.mean([np.mean(lane[i] == a[i] + tenth[i] // 10 + up) for i in places]) for lane in seen]
        run.measure(arm.name, f"line/{words}, %", 100 * np.array(hits))
    digit = np.array([commonest(np.concatenate(found)) for found in zip(*seen, strict=True)])
    lines = []
    for first in range(9):  # to 9 nothing can be added
        here = a == first
        x, panel = tenth[here] / 10, f"image of {first}"
        lines.append(Line("digit read in most images, of all seeds", x, digit[None, here], panel, 0))
        lines.append(Line("a + b", x, (a + tenth / 10)[None, here], panel, 1, "dotted"))
    title = f"What is read when a real number b is added to images of a digit ({arm.name})"
    return Curves(title, "b, in steps of 0.1", "digit", lines)


def seven(arms: Sequence[ae.Trained], test: ae.data.Dataset, judge: Mapping[str, Any]) -> Images:
    """Figures 24, 28 and 31: three images of 7 and the report's five numbers, by each model; the digit read below."""
    image = test.image[test.label == 7][:3]
    rows, captions = [], []
    for number, seven in enumerate(image, 1):
        for arm in arms:
            drawn = added(arm, np.stack([seven] * len(VALUES)), np.array(VALUES, np.float32), 0)
            read = digit_classifier.read(judge, drawn)
            rows.append((f"7 no. {number}, {arm.name.split()[0]}", np.concatenate([seven[None] / 255, drawn])))
            captions.append(["", *(f"{p.argmax()} ({p.max():.0%})" for p in read)])
    labels = ["image", *(f"+ {value:g}" for value in VALUES)]
    title = "Numbers added to three test images of 7, and the digit read (first seed)"
    return Images(title, rows, labels, captions=captions)


# ---- what is seen


def draw(run: ae.Run, arms: Mapping[str, ae.Trained], test: Digits, judge: Mapping[str, Any], config: Config) -> None:
    """Curves, KL by term and by unit, sums, what digits are read."""
    plain = [arm for name, arm in arms.items() if name == FINAL or not name.startswith("generative")]
    lines = []
    for arm in plain:
        for words, history, style in (("training", arm.epochs, "dashed"), ("test", arm.validation, "solid")):
            epochs = np.arange(1, arm.study.epochs + 1)
            lines.append(Line(words, epochs, history["added"], arm.name, int(words == "test"), style))
    run.figure("curves", Curves("Error of the image of the sum", "epoch", "mean squared error", lines))
    uncertain = [arm for arm in arms.values() if terms(arm)]
    if uncertain:
        run.figure("kl", kl_terms(uncertain))
        run.figure("kl_units", kl_units([arm for arm in plain if terms(arm)]))
    groups = [
        (arm.name, np.stack([100 * run.measures[arm.name][f"test/share read as {i}"] for i in range(10)], axis=1))
        for arm in plain
    ]
    title = "What the classifier reads in images of sums that are uniform from 0 to 9"
    run.figure("digits_read", Bars(title, "digit read", "images, %", tuple("0123456789"), groups))
    run.figure("pairs", pairs([*plain], test, judge, "Pairs, and what the models draw for a + b (first seed)"))
    if config.table:
        rows = [arm for name, arm in arms.items() if name.startswith("generative")]
        run.figure(
            "table", pairs(rows, test, judge, "What each row of the report's table draws for a + b (first seed)")
        )


def kl_terms(arms: Sequence[ae.Trained]) -> Curves:
    """KL by epoch."""
    lines = [
        Line(
            f"KL of {term}", np.arange(1, arm.study.epochs + 1), arm.epochs[f"KL of {term}"], arm.name, "EP".index(term)
        )
        for arm in arms
        for term in terms(arm)
    ]
    return Curves("KL to N(0, I) in training", "epoch", "nats, sum over units", lines, log=True)


def kl_units(arms: Sequence[ae.Trained]) -> Curves:
    """KL of each unit by epoch: below 0.01 nats it has collapsed."""
    lines = [
        Line(f"unit {i}", np.arange(1, arm.study.epochs + 1), values, f"{arm.name}, {term}", i - 1)
        for arm in arms
        for term in terms(arm)
        for i, values in enumerate(units(arm, term), 1)
    ]
    marks = [("below it a unit has collapsed", ACTIVE)]
    return Curves("KL of each unit of the code in training", "epoch", "nats", lines, marks, log=True)


def pairs(arms: Sequence[ae.Trained], test: Digits, judge: Mapping[str, Any], title: str) -> Images:
    """Figures 23, 27 and 30: ten balanced pairs in the order of their sums, the same for every arm."""
    found = [arm.sample(test, np.arange(min(100, len(test.label)))) for arm in arms]
    _, batch = found[0]
    order = np.argsort(np.asarray(batch.label), kind="stable")
    chosen = order[np.linspace(0, len(order) - 1, 10).astype(int)]
    image, value = (np.asarray(part)[chosen] for part in batch.inputs)
    texts = [f"{total - b:.0f} + {b:.0f}" for total, b in zip(np.asarray(batch.label)[chosen], value, strict=True)]
    rows = [("image of a", image), ("target", np.asarray(batch.target[0])[chosen])]
    captions = [texts, [""] * len(chosen)]
    for arm, (outputs, _) in zip(arms, found, strict=True):
        drawn = np.asarray(outputs.image)[chosen]
        rows.append((arm.name, drawn))
        captions.append([f"{p.argmax()} ({p.max():.0%})" for p in digit_classifier.read(judge, drawn)])
    note = "Below, the digit that the classifier reads, and its probability."
    return Images(title, rows, captions=captions, note=note)


# ---- what the numbers say


def outcomes(run: ae.Run, config: Config) -> list[str]:
    """Reported outcome, measured outcome and verdict of every row of the table."""
    if "generative" not in config.arms:
        return []
    texts = []
    for number, row, reported in rows(config):
        words = ", ".join(f"{weight:g}" for weight in row)
        ours = found(run, row_name(number), reported)
        texts.append(f"Table 1, row{'s'[: ' ' in number]} {number} ({words}): reported {reported}; measured {ours}")
    return texts


def found(run: ae.Run, arm: str, reported: str) -> str:
    """The outcome of an arm's seeds in words, and whether it is the reported one."""
    seen = run.measures[arm]
    counts = {name: int(seen[f"outcome/{name}"].sum()) for name in (NINES, NUMBER, OTHER, CORRECT)}
    words = ", ".join(f"{name} ({count} of {len(run.seeds)} seeds)" for name, count in counts.items() if count)
    hits = counts.get(reported, 0)
    verdict = "reproduced" if hits == len(run.seeds) else "differs" if not hits else "some seeds reproduce it"
    verdict = (verdict if reported else "no verdict") + " (not the report's settings)" * bool(
        run.manifest["deviations"]
    )
    digit = share(run, arm)
    return (
        f"{words}, {seen['test/accuracy'].mean():.1%} read as a + b, {digit.max():.1%} as a {digit.argmax()}; "
        f"active units of E {seen['train/active units of E'].mean():.1f}: {verdict}."
    )


def collapse(run: ae.Run) -> list[str]:
    """What balanced data and ValueToLatent change."""
    arms = {
        "vae natural plain": "neither", "vae plain": "balanced data alone", "vae natural": "ValueToLatent alone",
        "vae": "both",
    }  # fmt: skip
    reported = {name.replace("-", " "): arm.outcome for name, arm in ARMS.items()}
    words = [
        f"{text}: reported {reported[arm] or 'nothing'}; measured {found(run, arm, reported[arm])}"
        for arm, text in arms.items()
        if arm in run.measures
    ]
    return [f"Collapse of the VAE with balanced data and ValueToLatent. {' '.join(words)}"] if words else []


def observed(run: ae.Run, shown: Sequence[ae.Trained]) -> list[str]:
    """The report's three observations on fractions."""
    texts = []
    for arm in shown:
        seen, said = run.measures[arm.name], FRACTIONS[arm.name]
        hits = [
            (seen[f"7 + {value:g}/digit"] == digit).mean() for value, digit in zip(VALUES, said, strict=True)
        ]  # fmt: skip
        gray = [seen[f"7 + {value:g}/gray, %"].mean() for value in VALUES]
        words = ", ".join(
            f"7 + {value:g}: reported {digit}, read by {hit:.0%} of the seeds"
            for value, digit, hit in zip(VALUES, said, hits, strict=True)
        )
        shares = [(name, values.mean()) for name, values in seen.items() if name.startswith("line/")]
        parts = ", ".join(f"{name[5:-3]} {value:.0f}%" for name, value in shares)
        texts.append(
            f"Fractions, {arm.name}: {words}. Gray (100% is all mid-gray) at 1, 1.4, 1.5 and 1.6: "
            f"{gray[0]:.1f}, {gray[2]:.1f}, {gray[3]:.1f} and {gray[4]:.1f}%: 7 + 1.5 is "
            f"{'blurred' if gray[3] > max(gray[0], gray[1]) else 'not blurred'} beside the whole sums. On the whole "
            f"line from 0 to 9, {parts}."
        )
    return texts


def overfitting(run: ae.Run, shown: Sequence[ae.Trained]) -> list[str]:
    """4.3: whether the test error turns up."""
    rises = {arm.name: run.measures[arm.name]["validation/rise of added, %"].mean() for arm in shown}
    each = ", ".join(f"{name} {value:+.1f}%" for name, value in rises.items())
    return [
        f"Overfitting: the report sees none. The test error's last tenth of the epochs lies above its lowest by {each}."
    ] if rises else []  # fmt: skip


if __name__ == "__main__":
    ae.cli(main, Config)
