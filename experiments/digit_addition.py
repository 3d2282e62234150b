"""digit_addition: the image of 7 and the number 2 make an image of 9 (report 003, parts III and IV).

An encoder E, an adder P and a decoder D learn to draw a + b from an image of a and the number b. In part IV the code of
the image becomes a distribution (vae), then that of the sum too (generative). The report tells how it came to see
nothing but "fuzzy nines", what balanced data and a learned map of the number changed, which sixteen settings of four
loss weights it tried, and what the models draw for 7 + 1.5. It judged by eye; here a classifier of real digits reads
every image, and outcomes are thresholds on what it reads: see digit_reading.

Source    003_a7ffb30fa963b16e.txt: parts III and IV; one run of each, no seed; MNIST, Adam 1e-3, 100 epochs
Expected  experiments/results/digit_addition.json (to come: the real data has not been run yet)
Run       python -m experiments.digit_addition --seeds 3
Also      --table (the sixteen rows, all in one program); --kl sum; --arms vae vae-plain; --source synthetic
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from experiments import digit_classifier, digit_reading
from experiments.digit_codes import rise
from experiments.digit_reading import CORRECT, NINES, NUMBER, OTHER, VALUES
from jaxae.models import AdditionModel
from jaxae.plots import Bars, Curves, Images, by_epoch
from jaxae.transforms import Classes, addends, addition_pairs, by_class


class Weights(NamedTuple):
    """Of the loss: of the errors of the image of a and of the sum's, and of the KL of E and of P."""

    original: float
    added: float
    E: float = 0.0
    P: float = 0.0


class Tried(NamedTuple):
    """Weights, and the outcome that the report saw, where it says."""

    weights: Weights
    outcome: str = ""


ROWS = {  # of the report's Table 1, by their numbers there
    "1": Tried(Weights(0.1, 0.5, 1e-5, 1e-5), NINES),
    "2": Tried(Weights(0.1, 0.5, 1e-4, 1e-4), NINES),
    "3": Tried(Weights(0.3, 0.7, 1e-4, 2e-4), NINES),
    "4": Tried(Weights(0.5, 0.5, 5e-4, 5e-4), NINES),
    "5": Tried(Weights(0.7, 0.7, 2e-4, 2e-4), NINES),
    "6": Tried(Weights(1.0, 1.0, 5e-4, 5e-4), NINES),
    "7": Tried(Weights(0.5, 0.5, 1e-4, 2e-4), NUMBER),
    "8": Tried(Weights(0.6, 0.8, 1.5e-4, 1.5e-4), NUMBER),
    "9 and 10": Tried(Weights(1.0, 1.0, 1e-4, 1e-4), NUMBER),  # tried twice: one training stands for both
    "11": Tried(Weights(1.2, 0.8, 5e-5, 5e-5), NUMBER),
    "12": Tried(Weights(1.0, 0.2, 1e-4, 1e-4), OTHER),
    "13 and 14": Tried(Weights(1.0, 0.4, 1e-4, 5e-4), OTHER),
    "15": Tried(Weights(0.9, 0.1, 2e-4, 2e-4), OTHER),
    "16": Tried(Weights(0.1, 1.0, 1e-5, 1e-5), CORRECT),
}
FINAL = "generative row 16"  # the report's third model
FRACTIONS = {  # of the report's three models: where it writes of 7 + VALUES, and the digits that it sees
    "adder": ("4.5", (8, 9, 8, 8, 8)),  # "only the sum between the base number and the decimal integer"
    "vae": ("5.1.1", (8, 9, 8, 8, 9)),  # "averaged correctly" but at .5, then "to the previous base number"
    FINAL: ("5.2", (8, 9, 8, 9, 9)),  # the next one from .5 up
}
COMPARED = (
    ("vae", "adder"), (FINAL, "adder"), (FINAL, "vae"), ("vae", "vae natural"), ("vae", "vae plain"),
    ("vae plain", "vae natural plain"),
)  # fmt: skip
ACTIVE = 0.01  # nats: a unit whose KL is below has collapsed
VALIDATION = 2_000  # test images behind each point of the curves; every score is of all of them
ADAM = optax.adam(1e-3)


class Arm(NamedTuple):
    """A model, the pairs that it is trained on, and its weights. The report gives none but the generative ones."""

    model: AdditionModel
    balanced: bool
    tried: Tried


VAE = AdditionModel(variational=True, value_to_latent=True)
PLAIN = VAE.clone(value_to_latent=False)
LAST = ROWS["16"].weights
ARMS = {
    "adder": Arm(AdditionModel(), False, Tried(Weights(1.0, 1.0), CORRECT)),
    "vae": Arm(VAE, True, Tried(LAST, CORRECT)),
    "vae-natural": Arm(VAE, False, Tried(LAST)),
    "vae-plain": Arm(PLAIN, True, Tried(LAST, NINES)),
    "vae-natural-plain": Arm(PLAIN, False, Tried(LAST, NINES)),
    "generative": Arm(VAE.clone(generative=True), True, ROWS["16"]),
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
        if min(self.code_size, self.images, *self.widths) < 1:
            given = f"--code-size {self.code_size} --images {self.images} --widths {self.widths}"
            raise ae.UsageError(f"{given}: all must be at least 1")


def tried(name: Name, config: Config) -> dict[str, Tried]:
    """What an arm is trained with, by setting: the generative arm's settings are rows of the table."""
    if name != "generative":
        return {"": ARMS[name].tried}
    return {f"row {number}": row for number, row in ROWS.items() if config.table or row is ROWS["16"]}


def all_tried(config: Config) -> dict[str, Tried]:
    """The same of all arms, by their names in the report of the run."""
    return {
        f"{name.replace('-', ' ')} {setting}".strip(): row
        for name in config.arms
        for setting, row in tried(name, config).items()
    }


def claims(config: Config) -> list[ae.Claim]:
    """Outcomes, which each seed has (1) or hasn't (0), and what is drawn for fractions, as the digit that is read."""
    found, reading = [], "1: the seed has this outcome, by the thresholds on what the classifier reads"
    for arm, (_, outcome) in all_tried(config).items():
        number = arm.removeprefix("generative row ")
        table = f"Table 1, row{'s'[: ' ' in number]} {number}"
        source = table if number != arm else "4.4" if arm == "adder" else "5.1.1"
        if outcome:
            found.append(ae.Claim(arm, f"outcome/{outcome}", 1, source, reading, categorical=True))
    for arm in [arm for arm in FRACTIONS if arm in all_tried(config)]:
        source, digits = FRACTIONS[arm]
        for value, digit in zip(VALUES, digits, strict=True):
            reading = f"the digit that is read in most images of 7 + {value:g}"
            found.append(ae.Claim(arm, f"7 + {value:g}/digit", digit, source, reading, categorical=True))
    return found


# ---- what is trained


class Digits(NamedTuple):
    """Images to draw pairs from: uint8[n, 28, 28, 1], i32[n], where each class is, and class means f32[10, ...].

    Whether the pairs are `balanced`, bool[], is data, so that arms that differ in nothing else are one program.
    """

    image: Any
    label: Any
    classes: Classes
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


def loss(outputs, batch, hparams: Weights) -> tuple[Any, dict[str, Any]]:
    """w_orig L2 of the image of a + w_added L2 of the sum's + k_enc KL of E + k_add KL of P; KL by unit, to be seen."""
    parts = {
        "original": ae.losses.mse(outputs.original, batch.inputs[0]),
        "added": ae.losses.mse(outputs.image, batch.target[0]),
    }
    total = hparams.original * parts["original"] + hparams.added * parts["added"]
    for name, code, weight in (("E", outputs.posterior, hparams.E), ("P", outputs.sum_posterior, hparams.P)):
        if code.log_variance is not None:
            units = ae.losses.gaussian_kl_per_dimension(*code)
            parts[f"KL of {name}"] = units.sum(axis=1)
            parts |= {f"KL of {name}, unit {i + 1}": units[:, i] for i in range(units.shape[1])}
            total = total + weight * parts[f"KL of {name}"]
    return total, parts


def study(name: Name, config: Config) -> ae.Study:
    """An arm; its weights come with the lane."""
    model = ARMS[name].model.clone(code_size=config.code_size, widths=config.widths, dtype=config.dtype)
    return ae.Study(
        name.replace("-", " "), model, batch, loss, ADAM, config.batch_size, config.epochs, examples=pairs_of,
    )  # fmt: skip


def settings(name: Name, config: Config) -> dict[str, Weights]:
    """The weights that an arm is trained with, those of KL times the batch where it is summed over one."""
    times = config.batch_size if config.kl == "sum" else 1
    weights = {setting: row.weights for setting, row in tried(name, config).items()}
    return {setting: each._replace(E=each.E * times, P=each.P * times) for setting, each in weights.items()}


def train_arm(run: ae.Run, name: Name, config: Config, train: Digits, validation: Digits) -> list[ae.Trained]:
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


def main(config: Config) -> None:
    """Train the arms, read what they draw, then the fractions."""
    with ae.Run(config, claims(config)) as run:
        train, test = run.data("mnist", "train"), run.data("mnist", "test")
        judge = digit_classifier.judge(run, test)
        mean = class_means(train)
        run.note(protocol(config))
        parts = digits(train, mean), digits(test.head(min(VALIDATION, len(test))), mean)
        arms = {arm.name: arm for name in config.arms for arm in train_arm(run, name, config, *parts)}
        tested, scores = digits(test, mean), digit_reading.judged_by(judge)
        for arm in arms.values():
            digit_reading.read(run, arm, tested, scores)
        for first, second in COMPARED:
            if first in arms and second in arms:
                run.compare(first, second, "test/accuracy", "test/share of the commonest digit")
        digit_reading.outcomes(run, all_tried(config))
        sums(run, train, mean, judge)
        draw(run, arms, tested, judge)
        shown = [arms[name] for name in FRACTIONS if name in arms]
        for arm in shown:
            digit_reading.fractions(run, arm, test, judge, config.images)
            run.figure(f"line_{arm.name.split()[0]}", digit_reading.line(run, arm, test, judge, config.images))
        if shown:
            run.figure("fractions", digit_reading.seven(shown, test, judge))
            digit_reading.observed(run, {arm.name: FRACTIONS[arm.name][1] for arm in shown})
            overfitting(run, shown)


def protocol(config: Config) -> str:
    """What was decided where the report is silent."""
    return (
        "Every arm is scored on pairs of test images whose sums are uniform, a perfect model thus reading 10% of each "
        f"digit, with the weights of the last epoch; curves are of up to {VALIDATION:,} test images. L2 is the mean "
        f"over pixels, KL the sum over the code's {config.code_size} numbers and its {config.kl} over the batch. "
        f"Codes are the means of their distributions, and drawn ones where it says so. Outcomes: "
        f"{digit_reading.DEFINITIONS}."
    )


# ---- what is seen


def sums(run: ae.Run, train: ae.data.Dataset, mean: np.ndarray, judge: digit_reading.Judge) -> None:
    """Figure 21, the histogram of the sums, and what a model draws that knows nothing but it."""
    key, label = ae.keys.stream(ae.keys.root(run.seeds[0]), "histogram"), jnp.asarray(train.label)
    shares = {}
    for name, balanced in (("natural", False), ("balanced", True)):
        total = np.asarray(sum(addends(key, label, balanced=balanced)))
        shares[name] = np.bincount(total, minlength=10) / len(total)
    groups = [(name, 100 * values) for name, values in shares.items()]
    title = f"Sums a + b of {len(train):,} pairs"
    run.figure("sums", Bars(title, "a + b", "pairs, %", tuple("0123456789"), groups))
    blends = np.stack([np.tensordot(values, mean, 1) for values in shares.values()])
    read = digit_reading.captions(judge, blends)
    title = "The mean of all targets, and the digit read"
    run.figure("sums_mean", Images(title, [("", blends)], [*shares], captions=[read]))
    run.note(
        f"The report finds small sums commoner, 0 more than 9. Of natural pairs, b uniform up to 9 - a, "
        f"{shares['natural'][0]:.1%} have the sum 0 and {shares['natural'][9]:.1%} the sum 9: it is the other way "
        "round. The mean of all targets, which is what a model draws that ignores its input, is read as "
        f"{read[0]}, of balanced ones as {read[1]}."
    )


def draw(run: ae.Run, arms: Mapping[str, ae.Trained], test: Digits, judge: digit_reading.Judge) -> None:
    """Curves, KL by term and by unit, what digits are read, and pairs."""
    table = [arm for name, arm in arms.items() if name.startswith("generative")]
    plain = [arm for name, arm in arms.items() if name == FINAL or not name.startswith("generative")]
    lines = []
    for arm in plain:
        lines.append(by_epoch("training", arm.epochs["added"], arm.name, colour=0, style="dashed"))
        lines.append(by_epoch("test", arm.validation["added"], arm.name, colour=1))
    run.figure("curves", Curves("Error of the image of the sum", "epoch", "mean squared error", lines))
    if any(terms(arm) for arm in arms.values()):
        run.figure("kl", kl_terms([*arms.values()]))
        run.figure("kl_units", kl_units(plain))
    seeds = f"mean over {len(run.seeds)} seed{'s'[: len(run.seeds) > 1]}"
    title = f"What the classifier reads in images of sums that are uniform from 0 to 9 ({seeds})"
    groups = [(arm.name, 100 * digit_reading.shares(run, arm.name).mean(0)) for arm in plain]
    run.figure("digits_read", Bars(title, "digit read", "images, %", tuple("0123456789"), groups))
    title = "Pairs, and what the models draw for a + b (first seed)"
    run.figure("pairs", digit_reading.pairs(plain, test, judge, title))
    if len(table) > 1:
        title = "What each row of the report's table draws for a + b (first seed)"
        run.figure("table", digit_reading.pairs(table, test, judge, title))


def kl_terms(arms: Sequence[ae.Trained]) -> Curves:
    """KL by epoch."""
    lines = [
        by_epoch(f"KL of {term}", arm.epochs[f"KL of {term}"], arm.name, colour="EP".index(term))
        for arm in arms
        for term in terms(arm)
    ]
    return Curves("KL to N(0, I) in training", "epoch", "nats, sum over units", lines, log=True)


def kl_units(arms: Sequence[ae.Trained]) -> Curves:
    """KL of each unit by epoch, of one seed, as another's units are others: below 0.01 nats it has collapsed."""
    lines = [
        by_epoch(f"unit {i + 1}", values[:1], f"{arm.name}, {term}", colour=i)
        for arm in arms
        for term in terms(arm)
        for i, values in enumerate(units(arm, term))
    ]
    marks = [("below it a unit has collapsed", ACTIVE)]
    return Curves("KL of each unit of the code in training (first seed)", "epoch", "nats", lines, marks, log=True)


def overfitting(run: ae.Run, shown: Sequence[ae.Trained]) -> None:
    """4.3: whether the test error turns up."""
    rises = {arm.name: run.measures[arm.name]["validation/rise of added, %"].mean() for arm in shown}
    each = ", ".join(f"{name} {value:+.1f}%" for name, value in rises.items())
    run.note(
        "Overfitting: the report sees none. The mean test error over the last tenth of the epochs lies above that over "
        f"the lowest tenth by {each}."
    )


if __name__ == "__main__":
    ae.cli(main, Config)
