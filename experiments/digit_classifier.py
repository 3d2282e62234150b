"""digit_classifier: the reader of digits that judges what other studies generate.

A small convolutional network learns to read MNIST: convolutions of 32, 64 and 64 channels, two poolings, dense layers
of 128 and 10, dropout 0.3. The training digits are shifted by up to a pixel, at a learning rate that rises and falls
once. No report gives numbers for it; studies that print what a generated picture shows also print how well this
reads real ones.

Expected  experiments/results/digit_classifier.json: over 99.2% of the test digits read right
Run       python -m experiments.digit_classifier --seeds 3
Use       variables = judge(run, test); probability = read(variables, images)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from jaxae.transforms import random_shift, to_unit

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


def study(config: Config, train: ae.data.Dataset) -> ae.Study:
    """Cross-entropy on shifted digits; evaluated on digits as they are."""

    def plain(key, data, index):
        label = data.label[index]
        return ae.Batch(to_unit(data.image[index]), jax.nn.one_hot(label, 10), label)

    def shifted(key, data, index):
        batch = plain(key, data, index)
        return batch._replace(inputs=random_shift(ae.keys.stream(key, "shift"), batch.inputs, config.shift))

    batch_size = min(config.batch_size, len(train))
    model = ae.models.DigitClassifier(dropout=config.dropout, dtype=config.dtype)
    return ae.Study(
        NAME, model, shifted, loss, optimizer(config, len(train) // batch_size),
        batch_size=batch_size, epochs=config.epochs, scores=scores, eval_batch=plain,
    )  # fmt: skip


def optimizer(config: Any, per_epoch: int) -> optax.GradientTransformation:
    """Adam at a rate that rises and falls once in all epochs, each of so many steps."""
    steps = max(config.epochs * per_epoch, 5)
    return optax.adam(optax.cosine_onecycle_schedule(steps, config.learning_rate, pct_start=0.2))


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


def judge(run: ae.Run, test: ae.data.Dataset) -> Judge:
    """The classifier's variables, for a study that reads generated digits with `read`.

    It is trained on all of MNIST's training digits, whatever the run's --limit, with seed 0 and this file's defaults,
    once: afterwards it comes from the cache. What share of `test` it reads right is a measure of the run, that of the
    arm "digit classifier".
    """
    config, train = Config(), run.data("mnist", "train", whole=True)
    variables = run.pretrained(study(config, train), train, recipe(config))
    right = read(variables, to_unit(jnp.asarray(test.image))).argmax(1) == test.label
    run.measure(NAME, "test/accuracy", right.mean())
    note_accuracy(run)
    return variables


def note_accuracy(run: ae.Run) -> None:
    """A paragraph where the classifier reads worse than a judge should."""
    accuracy = run.measures[NAME]["test/accuracy"]
    if accuracy.min() < NEEDED:
        found = ", ".join(f"{value:.2%}" for value in accuracy)
        run.note(f"The {NAME} reads {found} of the test digits right, and a judge should read {NEEDED:.1%}.")


def read(variables: Judge, images: Any) -> np.ndarray:
    """The probability of every digit: float[..., 28, 28, 1] in [0, 1] -> f32[..., 10]; in chunks, any number."""
    images = np.asarray(images, np.float32)
    flat = images.reshape(-1, 28, 28, 1)
    padded = np.concatenate([flat, np.zeros((-len(flat) % CHUNK, 28, 28, 1), np.float32)])
    parts = [np.asarray(_probabilities(variables, chunk)) for chunk in padded.reshape(-1, CHUNK, 28, 28, 1)]
    return np.concatenate([np.zeros((0, 10), np.float32), *parts])[: len(flat)].reshape(*images.shape[:-3], 10)


def captions(variables: Judge, images: Any) -> list[str]:
    """What is read in each of the images float[n, 28, 28, 1], and its probability."""
    return [f"{p.argmax()} ({p.max():.0%})" for p in read(variables, images)]


@jax.jit
def _probabilities(variables, images):
    logits: Any = ae.models.DigitClassifier().apply(variables, images)
    return jax.nn.softmax(logits)


def main(config: Config) -> None:
    """Train, keep the first seed's model for other studies, show what is misread."""
    with ae.Run(config, claims=()) as run:
        train, test = run.data("mnist", "train"), run.data("mnist", "test")
        trained = run.train(study(config, train), train, test=test)
        run.publish(trained, train, recipe(config))
        right = trained.scores["accuracy"]
        run.measure(NAME, "test/digits misread", (1 - right).sum(1))
        note_accuracy(run)
        run.figure("accuracy", accuracy(right, test))
        if not right[0].all():
            run.figure("misread", misread(trained, test))


def accuracy(right: np.ndarray, test: ae.data.Dataset) -> ae.plots.Bars:
    """Which digits are misread: right f32[seeds, n], 1 where the digit was read right."""
    share = np.stack([1 - right[:, test.label == digit].mean(1) for digit in range(10)], axis=1)
    return ae.plots.Bars(
        "Test digits that are misread, by digit", "digit", "misread, in percent", tuple("0123456789"),
        (("misread", 100 * share),), within=(0, 100),
    )  # fmt: skip


def misread(trained: ae.Trained, test: ae.data.Dataset) -> ae.plots.Images:
    """Up to 24 test digits that the first seed misreads, the surest mistakes first."""
    logits, batch = trained.sample(test, np.flatnonzero(trained.scores["accuracy"][0] == 0))
    sure = np.asarray(jax.nn.softmax(logits))
    order = np.argsort(-sure.max(1), kind="stable")[:24]
    captions = [f"{batch.label[i]} as {sure[i].argmax()}, {sure[i].max():.0%}" for i in order]
    return ae.plots.Images(
        "Misread test digits: as what and how surely, the surest first (first seed)",
        (("", np.asarray(batch.inputs)[order]),),
        captions=(captions,), columns=8,
    )  # fmt: skip


if __name__ == "__main__":
    ae.cli(main, Config)
