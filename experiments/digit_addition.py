"""digit_addition: the image of 7 and the number 2 make an image of 9 (report 003, parts III and IV).

An encoder E, an adder P and a decoder D learn to draw a + b from an image of a and the number b. In part IV the code of
the image becomes a distribution (vae), then that of the sum too (generative). The report tells how it came to see
nothing but "fuzzy nines", what balanced data and a learned map of the number changed, which sixteen settings of four
loss weights it tried, and what the models draw for 7 + 1.5. It judged by eye; here a classifier of real digits reads
every image, and outcomes are thresholds on what it reads: see digit_reading.

Source    003_a7ffb30fa963b16e.txt: parts III and IV; one run of each, no seed; MNIST, Adam 1e-3, 100 epochs
Expected  experiments/results/digit_addition.json (narrower networks, fewer epochs: every arm adds, none collapses) and
          digit_addition_table.json (3 epochs, so not judged: rows 12 to 16 end as the report says, rows 1 to 11 don't)
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
from experiments.digit_reading import CORRECT, NINES, NUMBER, OTHER, Seen
from jaxae.train.trained import rise
from jaxae.models import AdditionModel
from jaxae.report.figures import Bars, Curves, Images, by_epoch
from jaxae.transforms import Classes, addends, addition_pairs, by_class


class Weights(NamedTuple):
    """Of the loss: of the errors of the image of a and of the sum's, and of the KL of E and of P."""

    original: float
    added: float
    E: float = 0.0
    P: float = 0.0


class Setting(NamedTuple):
    """Weights, and the outcome that the report saw, where it says so."""

    weights: Weights
    outcome: str = ""
    source: str = "Table 1"


ROWS = {  # of the report's Table 1; two pairs of rows are alike, and one training stands for both
    "row 1": Setting(Weights(0.1, 0.5, 1e-5, 1e-5), NINES),
    "row 2": Setting(Weights(0.1, 0.5, 1e-4, 1e-4), NINES),
    "row 3": Setting(Weights(0.3, 0.7, 1e-4, 2e-4), NINES),
    "row 4": Setting(Weights(0.5, 0.5, 5e-4, 5e-4), NINES),
    "row 5": Setting(Weights(0.7, 0.7, 2e-4, 2e-4), NINES),
    "row 6": Setting(Weights(1.0, 1.0, 5e-4, 5e-4), NINES),
    "row 7": Setting(Weights(0.5, 0.5, 1e-4, 2e-4), NUMBER),
    "row 8": Setting(Weights(0.6, 0.8, 1.5e-4, 1.5e-4), NUMBER),
    "rows 9 and 10": Setting(Weights(1.0, 1.0, 1e-4, 1e-4), NUMBER),
    "row 11": Setting(Weights(1.2, 0.8, 5e-5, 5e-5), NUMBER),
    "row 12": Setting(Weights(1.0, 0.2, 1e-4, 1e-4), OTHER),
    "rows 13 and 14": Setting(Weights(1.0, 0.4, 1e-4, 5e-4), OTHER),
    "row 15": Setting(Weights(0.9, 0.1, 2e-4, 2e-4), OTHER),
    "row 16": Setting(Weights(0.1, 1.0, 1e-5, 1e-5), CORRECT),
}
FINAL = "generative row 16"  # the report's third model
FRACTIONS = {  # what it sees of its three models: the digits of 7 + 1.4, 1.5 and 1.6, and which of them are blurred
    "adder": Seen("4.5", (8, 8, 8), (1.5, 1.6)),  # "only the sum between the base number and the decimal integer"
    "vae": Seen("5.1.1", (8, 8, 9), (1.5,)),  # "averaged correctly" but at .5, then "to the previous base number"
    FINAL: Seen("5.2", (8, 9, 9), ()),  # the next one from .5 up
}
COMPARED = (
    ("vae", "adder"), (FINAL, "adder"), (FINAL, "vae"), ("vae", "vae natural"), ("vae", "vae plain"),
    ("vae natural", "vae natural plain"), ("vae plain", "vae natural plain"),
)  # fmt: skip
ACTIVE = 0.01  # nats: a unit whose KL is below has collapsed
VALIDATION = 2_000  # test images behind each point of the curves; every score is of all of them
RISE = "validation/rise of added, %"
ADAM = optax.adam(1e-3)


class Arm(NamedTuple):
    """A model, the pairs that it is trained on, and its weights: the report gives the generative ones alone."""

    model: AdditionModel
    balanced: bool
    setting: Setting


VAE = AdditionModel(variational=True, value_to_latent=True)
PLAIN = VAE.clone(value_to_latent=False)
LAST = ROWS["row 16"].weights._replace(P=0.0)
ARMS = {
    "adder": Arm(AdditionModel(), False, Setting(Weights(1.0, 1.0), CORRECT, "4.5, of whole numbers")),
    "vae": Arm(VAE, True, Setting(LAST, CORRECT, "5.1.1")),
    "vae-natural": Arm(VAE, False, Setting(LAST)),
    "vae-plain": Arm(PLAIN, True, Setting(LAST, NINES, "5.1.1")),
    "vae-natural-plain": Arm(PLAIN, False, Setting(LAST, NINES, "5.1.1")),
    "generative": Arm(VAE.clone(generative=True), True, ROWS["row 16"]),
}
Name = Literal["adder", "vae", "vae-natural", "vae-plain", "vae-natural-plain", "generative"]


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings. It doesn't say its batch size, code size, the layers of P and how the KL is reduced."""

    settings = ("epochs", "precision", "widths")
    counts = (*ae.Flags.counts, "code_size", "images", "widths")

    arms: tuple[Name, ...] = tuple(ARMS)  # pyright: ignore[reportAssignmentType]
    """The models of parts III, IV.1 and IV.2; natural: pairs that aren't balanced; plain: P is shown the number."""
    table: bool = False
    """Train the generative arm with all the weights that the report tried, in place of the last."""
    kl: Literal["mean", "sum"] = "mean"
    """Over a batch. The report doesn't say; a sum makes its weights as many times larger as a batch has images."""
    code_size: int = 7
    """Numbers in a code."""
    images: int = 50
    """Test images of each digit that fractions are added to; all, where there are fewer."""
    widths: tuple[int, int, int] = (32, 64, 128)
    """Channels of E's convolutions, mirrored in D."""
    epochs: int = 100

    def __post_init__(self):
        super().__post_init__()
        if self.table and "generative" not in self.arms:
            raise ae.UsageError("--table is of the generative arm; name it in --arms, or leave --table out")
        if self.kl == "sum" and self.arms == ("adder",):
            raise ae.UsageError("--kl sum: the adder's loss has no KL; name another arm, or leave --kl out")


def settings_of(name: Name, config: Config) -> dict[str, Setting]:
    """What an arm is trained with, by name: the generative arm's settings are rows of the report's table."""
    if name != "generative":
        return {"": ARMS[name].setting}
    return {row: setting for row, setting in ROWS.items() if config.table or row == "row 16"}


def all_settings(config: Config) -> dict[str, Setting]:
    """The same of all arms, by their names in the report of the run."""
    return {
        f"{name.replace('-', ' ')} {row}".strip(): setting
        for name in config.arms
        for row, setting in settings_of(name, config).items()
    }


def claims(config: Config) -> list[ae.Claim]:
    """Outcomes, and what is drawn for fractions: each seed has what the report saw (1) or hasn't (0)."""
    found = []
    for arm, (_, outcome, source) in all_settings(config).items():
        source = f"{source}, {arm.removeprefix('generative ')}" if arm.startswith("generative") else source
        if outcome:
            claim = ae.Claim(arm, f"outcome/{outcome}", 1, source, digit_reading.READINGS[outcome], categorical=True)
            found.append(claim)
    for arm in [arm for arm in FRACTIONS if arm in all_settings(config)]:
        source, digits, blurred = FRACTIONS[arm]
        reading = f"7 + 1.4, 1.5 and 1.6 are read as {', '.join(map(str, digits))}, 7 + 1 and 7 + 2 as 8 and 9"
        found.append(ae.Claim(arm, digit_reading.DIGITS, 1, source, reading, categorical=True))
        if blurred:
            numbers = " and ".join(f"{value:g}" for value in blurred)
            reading = f"7 + {numbers} has more gray than 7 + 1 and 7 + 2, which are read as 8 and 9"
            found.append(ae.Claim(arm, digit_reading.BLUR, 1, source, reading, categorical=True))
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
    classes = by_class(data.label)
    of_class = [data.image[rows] for rows in np.split(classes.order, classes.start[1:])]
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


def weights(name: Name, config: Config) -> dict[str, Weights]:
    """The weights that an arm is trained with, those of KL times the batch where it is summed over one."""
    times = config.batch_size if config.kl == "sum" else 1
    given = {row: setting.weights for row, setting in settings_of(name, config).items()}
    return {row: each._replace(E=each.E * times, P=each.P * times) for row, each in given.items()}


def train_arm(run: ae.Run, name: Name, config: Config, train: Digits, validation: Digits) -> list[ae.Trained]:
    """Train an arm with all its weights in one program; count its active units."""
    train, validation = (data._replace(balanced=np.bool_(ARMS[name].balanced)) for data in (train, validation))
    trained = run.train_settings(study(name, config), train, weights(name, config), validation=validation)
    for arm in trained:
        for metric in [metric for metric in run.measures[arm.name] if ", unit " in metric]:
            del run.measures[arm.name][metric]  # a row each would bury the others; they are in history.json
        for term in terms(arm):
            active = (units(arm, term)[:, :, -1] > ACTIVE).sum(0)
            run.measure(arm.name, f"{digit_reading.UNITS} {term}", active)
        loss = arm.validation["added"].astype(np.float64)
        run.measure(arm.name, RISE, [rise(row) for row in loss])
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
        tested, scores = digits(test, mean), digit_reading.judged_by(judge)
        trained = [arm for name in config.arms for arm in train_arm(run, name, config, *parts)]
        arms = {arm.name: digit_reading.read(run, arm, tested, scores) for arm in trained}
        for first, second in COMPARED:
            if first in arms and second in arms:
                run.compare(first, second, "test/accuracy", "test/share of the commonest digit")
        sums(run, train, mean, judge)
        draw(run, arms, tested, judge)
        shown = [arms[name] for name in FRACTIONS if name in arms]
        read = [digit_reading.fractions(run, arm, FRACTIONS[arm.name], test, judge, config.images) for arm in shown]
        for arm in shown:
            run.figure(f"line_{arm.name.split()[0]}", digit_reading.line(run, arm, test, judge, config.images))
        if shown:
            run.figure("fractions", digit_reading.fraction_images(shown, test, judge))
        digit_reading.outcomes(run, {name: all_settings(config)[name] for name in arms})
        digit_reading.fraction_table(run, shown, read, FRACTIONS)
        causes(run)
        overfitting(run)


def protocol(config: Config) -> str:
    """What was decided where the report is silent."""
    return (
        "Every arm is scored on pairs of test images whose sums are uniform, a perfect model thus reading 10% of each "
        f"digit, with the weights of the last epoch; curves are of up to {VALIDATION:,} test images. L2 is the mean "
        f"over pixels, KL the sum over the code's {config.code_size} numbers and its {config.kl} over the batch. "
        f"Codes are the means of their distributions, and samples where it says so. Outcomes: "
        f"{digit_reading.DEFINITIONS}. Decided here, for the report doesn't say: the weights of all arms but the "
        "generative (1 and 1 for the adder, those of the table's last row for the others), that the decoder is part "
        "II's with transposed convolutions, the layers of P (256, 256) and of ValueToLatent (64), the size of the "
        f"code, batches of {config.batch_size}, and that the generative arm is trained on balanced pairs."
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
    read = digit_classifier.captions(judge, blends)
    title = "The mean of all targets, and the digit read"
    run.figure("sums_mean", Images(title, [("", blends)], [*shares], captions=[read]))
    run.note(
        "The report finds small sums commoner, 0 more than 9. Of natural pairs, drawn here with b uniform up to 9 - a, "
        f"{shares['natural'][0]:.1%} have the sum 0 and {shares['natural'][9]:.1%} the sum 9: so drawn, it is the "
        "other way round (the report doesn't say how it draws b). The mean of all targets, which is what a model draws "
        f"that ignores its input, is read as {read[0]}, of balanced ones as {read[1]}."
    )


def draw(run: ae.Run, arms: Mapping[str, ae.Trained], test: Digits, judge: digit_reading.Judge) -> None:
    """Curves, KL by term and by unit, what digits are read, and pairs; of the table's rows the last stands for all."""
    rows = [arm for arm in arms.values() if arm.study.name == "generative"]
    models = [arm for arm in arms.values() if arm.name == FINAL or arm.study.name != "generative"]
    lines = []
    for arm in models:
        lines.append(by_epoch("training", arm.epochs["added"][arm.living], arm.name, colour=0, style="dashed"))
        lines.append(by_epoch("test", arm.validation["added"][arm.living], arm.name, colour=1))
    note = (
        "Of pairs drawn as those that the arm is trained on. In training codes are sampled, and weights are those on "
        "the way; in the test codes are means. Seeds that died are left out."
    )
    run.figure("curves", Curves("Error of the image of the sum", "epoch", "mean squared error", lines, note=note))
    if any(terms(arm) for arm in arms.values()):
        run.figure("kl", kl_terms([*arms.values()]))
        run.figure("kl_units", kl_units(models))
    title = "What the classifier reads in images of sums that are uniform from 0 to 9 (mean over the seeds that live)"
    groups = [(arm.name, 100 * digit_reading.shares(run, arm.name)[arm.living].mean(0)) for arm in models]
    run.figure("digits_read", Bars(title, "digit read", "images, %", tuple("0123456789"), groups))
    title = "Pairs, and what the models draw for a + b (the first seed that lives)"
    run.figure("pairs", digit_reading.pairs(models, test, judge, title))
    if len(rows) > 1:
        title = "What each row of the report's table draws for a + b (the first seed that lives)"
        run.figure("table", digit_reading.pairs(rows, test, judge, title))


def kl_terms(arms: Sequence[ae.Trained]) -> Curves:
    """KL by epoch."""
    lines = [
        by_epoch(f"KL of {term}", arm.epochs[f"KL of {term}"][arm.living], arm.name, colour="EP".index(term))
        for arm in arms
        for term in terms(arm)
    ]
    return Curves("KL to N(0, I) in training", "epoch", "nats, sum over units", lines, log=True)


def kl_units(arms: Sequence[ae.Trained]) -> Curves:
    """KL of each unit by epoch, of one seed, as another's units are others: below 0.01 nats it has collapsed."""
    lines = [
        by_epoch(f"unit {i + 1}", values[arm.shown][None], f"{arm.name}, {term}", colour=i)
        for arm in arms
        for term in terms(arm)
        for i, values in enumerate(units(arm, term))
    ]
    marks = [("below it a unit has collapsed", ACTIVE)]
    title = "KL of each unit of the code in training (the first seed that lives)"
    return Curves(title, "epoch", "nats", lines, marks, log=True)


# ---- what the numbers say of the report's words


def causes(run: ae.Run) -> None:
    """5.1.1: that balanced pairs alone left it with nines, and that ValueToLatent was the essential change."""
    arms = {"both": "vae", "ValueToLatent alone": "vae natural", "balanced pairs alone": "vae plain"}
    arms["neither"] = "vae natural plain"
    if not run.measures.keys() >= {*arms.values()}:
        return
    share = "test/share of the commonest digit"
    words = [f"{what}: {run.words(arm, 'test/accuracy')} and {run.words(arm, share)}" for what, arm in arms.items()]
    hits = {what: run.measures[arm][f"outcome/{NINES}"][run.living(arm)] for what, arm in arms.items()}
    collapsed = [what for what, seeds in hits.items() if seeds.mean() > 0.5]
    run.note(
        "What cured the nines? The report says that balanced pairs didn't, and that ValueToLatent was the essential "
        "change. Shares of a VAE's images that are read as a + b, and as the commonest digit: "
        f"{'; '.join(words)}. With the weights that these arms have here, most seeds collapse onto one digit with "
        f"{' and with '.join(collapsed) or 'none of the four'}. The differences, paired by seed, are below."
    )


def overfitting(run: ae.Run) -> None:
    """4.3, of the adder: whether the test error turns up."""
    if "adder" in run.measures:
        run.note(
            "Overfitting: the report sees none of the adder. The mean test error over the last tenth of the epochs "
            f"lies above that over the lowest tenth by {run.words('adder', RISE)}."
        )


if __name__ == "__main__":
    ae.cli(main, Config)
