"""photo_classifier: an encoder of photos, for studies that start from a pretrained one and have no ImageNet weights.

A ResNet-18 learns to tell the ten classes of CIFAR-10, on photos in [-1, 1] of which half are mirrored, at a learning
rate that rises and falls once. What it learned before its last layer is the stand-in for torchvision's weights: `unmix
--pretrained cifar` starts from it. No report gives numbers for it; the studies print how well it classifies.

Expected  experiments/results/photo_classifier.json, where it has been measured
Run       python -m experiments.photo_classifier --seeds 2
Use       variables = encoder(run)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments import each_class
from experiments.digit_classifier import loss, optimizer, scores, steps
from jaxae.programs import of_first
from jaxae.report import numbers
from jaxae.report.figures import Bars
from jaxae.transforms import SIGNED, to_signed

NAME = "photo classifier"
CLASSES = 10

_scores = of_first()(ae.evaluate.scores)


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The recipe; its defaults are those of the encoder."""

    learning_rate: float = 1e-3
    """Adam's highest rate, reached after a fifth of the steps from a 25th of it, then lowered to almost nothing."""
    epochs: int = 5

    def __post_init__(self):
        super().__post_init__()
        if self.learning_rate <= 0:
            raise ae.UsageError(f"--learning-rate is {self.learning_rate:g}; it must be above 0")


def arms(config: Config, photos: int | None = None) -> list[ae.Arm]:
    """One: cross-entropy on photos, some mirrored; evaluated on photos as they are.

    The schedule's length follows from the number of photos; a batch has at most as many as there are.
    """
    batch_size = min(config.batch_size, photos or config.batch_size)
    made = ae.Study(
        NAME, ae.models.ResNet18(CLASSES, dtype=config.dtype), mirrored, loss,
        optimizer(config.learning_rate, steps(config, photos, batch_size)), batch_size, config.epochs, scores=scores,
        eval_batch=plain, scale=SIGNED,
    )  # fmt: skip
    return [ae.Arm(made)]


def plain(key, data: Any, index) -> ae.Batch:
    """Photos as they are, signed, their labels one-hot."""
    label = data.label[index]
    return ae.Batch(to_signed(data.image[index]), jax.nn.one_hot(label, CLASSES), label)


def mirrored(key, data: Any, index) -> ae.Batch:
    """Photos of which half are mirrored, drawn anew at every visit."""
    batch = plain(key, data, index)
    turn = jax.random.bernoulli(ae.keys.stream(key, "mirror"), shape=(len(index), 1, 1, 1))
    return batch._replace(inputs=jnp.where(turn, batch.inputs[:, :, ::-1], batch.inputs))


def recipe(config: Config) -> dict[str, Any]:
    """What decides the weights, next to the data."""
    return {name: getattr(config, name) for name in ("seed", "epochs", "batch_size", "learning_rate")}


def classifier(run: ae.Run) -> tuple[ae.Study, dict[str, Any]]:
    """The classifier and its variables, for a study that needs more of it than `encoder`.

    It is trained on all of CIFAR-10's training photos, whatever the run's --limit, with seed 0 and this file's
    defaults, once: afterwards it comes from the cache.
    """
    config, photos = Config(), run.data("cifar10", "train", use="whole")
    (arm,) = arms(config, len(photos))
    return arm.study, run.pretrained(arm.study, photos, recipe(config))


def encoder(run: ae.Run) -> dict[str, Any]:
    """The variables of a ResNet18 without classes: those of the classifier before its last layer."""
    variables = classifier(run)[1]
    return {**variables, "params": {name: leaf for name, leaf in variables["params"].items() if name != "fc"}}


def accuracy_of(run: ae.Run) -> dict[str, dict[str, np.ndarray]]:
    """What share of the test photos it classifies right, as a measure of the arm NAME."""
    study, variables = classifier(run)
    state = ae.State(jnp.zeros((), jnp.int32), variables["params"], variables["batch_stats"], ())
    scored = _scores(study, ae.keys.root(Config().seed), state, run.data("cifar10", "test"))
    return {NAME: {"test/accuracy": ae.results.as_measure(np.asarray(scored["accuracy"], np.float64).mean())}}


def train(run: ae.Run) -> dict[str, ae.Trained]:
    """Train, and keep the first seed's model for other studies."""
    photos, test = run.data("cifar10", "train"), run.data("cifar10", "test")
    each_class.refuse_fewer(run, "cifar10", "test", 1)  # each is scored
    (arm,) = arms(run.config, len(photos))
    trained = run.train(arm, photos, test=test)
    run.publish(trained[NAME], photos, recipe(run.config))
    return trained


def measure(run: ae.Run, trained: Mapping[str, ae.Trained]) -> ae.Findings:
    """How often each class is known."""
    test, done = run.data("cifar10", "test"), trained[NAME]
    right = done.scores["accuracy"]
    share = np.stack([100 * right[:, test.label == label].mean(1) for label in range(CLASSES)], axis=1)
    return ae.results.collect(
        run.origin, [done], facts={"classes": list(test.classes)}, by_seed={NAME: {"right by class, %": share}}
    )


def say(found: ae.Findings) -> ae.Document:
    """How well it classifies."""
    accuracy = numbers.percent(100 * found.measures[NAME]["test/accuracy"])
    drawn = {"accuracy": by_class(found)} if found.by_seed else {}
    return ae.Document(f"- The classifier knows {accuracy} of the test photos.", found.rows(), figures=drawn)


def by_class(found: ae.Findings) -> Bars:
    """How often the photos of each class are known."""
    title, groups = "Test photos that are classified right", (("right", found.by_seed[NAME]["right by class, %"]),)
    return Bars(title, "class", "right, in percent", found.facts["classes"], groups, within=(0, 100))


EXPERIMENT = ae.Experiment(__name__, __doc__, Config, arms, train, measure=measure, say=say)

if __name__ == "__main__":
    ae.cli(EXPERIMENT)
