"""digit_classifier: the reader of digits that judges what other studies generate.

A small convolutional network learns to read MNIST: convolutions of 32, 64 and 64 channels, two poolings, dense layers
of 128 and 10, dropout 0.3. The training digits are shifted by up to a pixel, at a learning rate that rises and falls
once. No report gives numbers for it; studies that print what a generated picture shows also print how well this
reads real ones.

Expected  experiments/results/digit_classifier.json: over 99.2% of the test digits read right
Run       python -m experiments.digit_classifier --seeds 3
Use       variables = judge(run); probability = read_digits(variables, images)
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from experiments import each_class, result
from jaxae.report import numbers
from jaxae.report.figures import Bars, Images
from jaxae.transforms import UNIT, random_shift, to_unit

Judge = Mapping[str, Any]  # the classifier's variables

NAME = "digit classifier"
NEEDED = 0.992  # of the test digits read right, for a judge
CHUNK = 250


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The recipe; its defaults are the judge's."""

    learning_rate: float = 3e-3
    """Adam's highest rate, reached after a fifth of the steps from a 25th of it, then lowered to almost nothing."""
    dropout: float = 0.3
    """Of the inputs of both dense layers."""
    shift: int = 1
    """Pixels by which a training digit moves, at most, down and across."""
    batch_size: int = 64
    epochs: int = 3

    def __post_init__(self):
        super().__post_init__()
        if self.learning_rate <= 0 or not 0 <= self.dropout < 1 or not 0 <= self.shift < 28:
            given = f"--learning-rate {self.learning_rate} --dropout {self.dropout} --shift {self.shift}"
            raise ae.UsageError(f"{given}: give a rate above 0, a dropout from 0 to under 1 and a shift from 0 to 27")


def arms(config: Config, images: int | None = None) -> list[ae.Arm]:
    """One: cross-entropy on shifted digits, evaluated on digits as they are.

    The schedule's length follows from the number of images; a batch has at most as many as there are.
    """
    batch_size = min(config.batch_size, images or config.batch_size)
    model = ae.models.DigitClassifier(dropout=config.dropout, dtype=config.dtype)
    made = ae.Study(
        NAME, model, shifted(config.shift), loss, optimizer(config.learning_rate, steps(config, images, batch_size)),
        batch_size=batch_size, epochs=config.epochs, scores=scores, eval_batch=plain,
        scale=UNIT,
    )  # fmt: skip
    return [ae.Arm(made)]


def plain(key, data: Any, index) -> ae.Batch:
    """Digits as they are, their labels one-hot."""
    label = data.label[index]
    return ae.Batch(to_unit(data.image[index]), jax.nn.one_hot(label, 10), label)


@functools.cache  # equal studies have the same one
def shifted(pixels: int) -> Callable[..., ae.Batch]:
    """Digits moved by up to so many pixels."""

    def batch(key, data: Any, index) -> ae.Batch:
        whole = plain(key, data, index)
        return whole._replace(inputs=random_shift(ae.keys.stream(key, "shift"), whole.inputs, pixels))

    return batch


def steps(config: Any, images: int | None, batch_size: int) -> int:
    """Of the whole training, 5 at least: the schedule's length."""
    return max(config.epochs * ((images or batch_size) // batch_size), 5)


@functools.cache  # equal studies have the same one
def optimizer(rate: float, length: int) -> optax.GradientTransformation:
    """Adam at a rate that rises and falls once in so many steps."""
    return optax.adam(optax.cosine_onecycle_schedule(length, rate, pct_start=0.2))


def loss(logits, batch: ae.Batch, hparams) -> tuple[Any, dict[str, Any]]:
    """The cross-entropy of one-hot targets, f32[b]."""
    return optax.softmax_cross_entropy(logits, batch.target), {}


def scores(logits, batch: ae.Batch) -> dict[str, Any]:
    """Whether the label is the likeliest, 1 or 0, and the loss."""
    right = jnp.argmax(logits, axis=-1) == batch.label
    return {"accuracy": right.astype(jnp.float32), "cross_entropy": loss(logits, batch, None)[0]}


def recipe(config: Config) -> dict[str, Any]:
    """What decides the classifier's weights, next to the data."""
    names = ("seed", "epochs", "batch_size", "learning_rate", "dropout", "shift")
    return {name: getattr(config, name) for name in names}


def judge(run: ae.Run) -> Judge:
    """The classifier's variables, for a study that reads generated digits with `read_digits`.

    It is trained on MNIST's training digits, as many as --judge-limit or --limit says, with seed 0 and this file's
    defaults, once: afterwards it comes from the cache.
    """
    config, train = Config(), run.data("mnist", "train", use="judge")
    (arm,) = arms(config, len(train))
    return run.pretrained(arm.study, train, recipe(config))


def accuracy_of(variables: Judge, test: ae.data.Dataset) -> dict[str, dict[str, np.ndarray]]:
    """What share of `test` a judge reads right, as a measure of the arm NAME."""
    right = read_digits(variables, to_unit(jnp.asarray(test.image))).argmax(1) == test.label
    return {NAME: {"test/accuracy": ae.results.as_measure(right.mean())}}


def doubt(found: ae.Findings) -> str:
    """A paragraph where the classifier reads worse than a judge should; else nothing."""
    accuracy = np.atleast_1d(found.measures[NAME]["test/accuracy"])
    if (accuracy >= NEEDED).all():
        return ""
    shares = ", ".join(f"{value:.1%}" for value in accuracy)
    return f"The {NAME} reads {shares} of the test digits right, and a judge should read {NEEDED:.1%}."


def read_digits(variables: Judge, images: Any) -> np.ndarray:
    """The probability of every digit: float[..., 28, 28, 1] in [0, 1] -> f32[..., 10]; in chunks, any number."""
    images = np.asarray(images, np.float32)
    flat = images.reshape(-1, 28, 28, 1)
    padded = np.concatenate([flat, np.zeros((-len(flat) % CHUNK, 28, 28, 1), np.float32)])
    parts = [np.asarray(_probabilities(variables, chunk)) for chunk in padded.reshape(-1, CHUNK, 28, 28, 1)]
    return np.concatenate([np.zeros((0, 10), np.float32), *parts])[: len(flat)].reshape(*images.shape[:-3], 10)


def captions(variables: Judge, images: Any) -> list[str]:
    """What is read in each of the images float[n, 28, 28, 1], and its probability."""
    return [f"{p.argmax()} ({p.max():.0%})" for p in read_digits(variables, images)]


@jax.jit
def _probabilities(variables, images):
    logits: Any = ae.models.DigitClassifier().apply(variables, images)
    return jax.nn.softmax(logits)


def train(run: ae.Run) -> dict[str, ae.Trained]:
    """Train, and keep the first seed's model for other studies."""
    digits, test = run.data("mnist", "train"), run.data("mnist", "test")
    each_class.refuse_fewer(run, "mnist", "test", 1)  # each is scored
    (arm,) = arms(run.config, len(digits))
    trained = run.train(arm, digits, test=test)
    run.publish(trained[NAME], digits, recipe(run.config))
    return trained


def measure(run: ae.Run, trained: Mapping[str, ae.Trained]) -> ae.Findings:
    """How many digits are misread, which, and up to 24 of the seed that is shown, the surest mistakes first."""
    test, done = run.data("mnist", "test"), trained[NAME]
    right = done.scores["accuracy"]
    wrong = 100 * np.stack([1 - right[:, test.label == digit].mean(1) for digit in range(10)], axis=1)
    return ae.results.collect(
        run.origin,
        [done],
        {NAME: {"test/digits misread": ae.results.as_measure((1 - right).sum(1))}},
        by_seed={NAME: {"misread by digit, %": wrong}},
        arrays={NAME: misread(done, test)},
    )


def misread(done: ae.Trained, test: ae.data.Dataset) -> dict[str, np.ndarray]:
    """Misread digits, f32[n, 28, 28, 1], what they are, what they are read as, and the probability of that."""
    wrong = np.flatnonzero(done.scores["accuracy"][done.shown] == 0)
    logits, batch = done.sample(test, wrong, lane=done.shown)
    sure = np.asarray(jax.nn.softmax(logits))
    order = np.argsort(-sure.max(1), kind="stable")[:24]
    names = ("image", "digit", "read", "probability")
    values = (np.asarray(batch.inputs), np.asarray(batch.label), sure.argmax(1), sure.max(1))
    return {name: value[order] for name, value in zip(names, values, strict=True)}


def say(found: ae.Findings) -> ae.Document:
    """How well it reads."""
    accuracy = 100 * found.measures[NAME]["test/accuracy"]
    conclusions = f"- The classifier reads {numbers.percent(accuracy)} of the test digits right."
    drawn = figures(found) if found.arrays else {}
    return ae.Document(conclusions, found.rows(), figures=drawn, notes=doubt(found))


def figures(found: ae.Findings) -> dict[str, Any]:
    """Which digits are misread, and examples."""
    shares, seen = found.by_seed[NAME]["misread by digit, %"], found.arrays[NAME]
    title = "Test digits that are misread, by digit"
    drawn: dict[str, Any] = {
        "accuracy": Bars(
            title, "digit", "misread, in percent", tuple("0123456789"), (("misread", shares),), within=(0, 100)
        )
    }
    if len(seen["image"]):
        parts = zip(seen["digit"], seen["read"], seen["probability"], strict=True)
        captions = [f"{digit} as {read}, {sure:.0%}" for digit, read, sure in parts]
        title = (
            "Misread test digits: as what and how surely, the surest first (the first seed that learns, if one does)"
        )
        drawn["misread"] = Images(title, (("", seen["image"]),), captions=(captions,), columns=8)
    return drawn


EXPERIMENT = ae.Experiment(
    __name__, __doc__, Config, arms, train, measure=measure, say=say, measured=result("digit_classifier")
)

if __name__ == "__main__":
    ae.cli(EXPERIMENT)
