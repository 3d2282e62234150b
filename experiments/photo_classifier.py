"""photo_classifier: an encoder of photos, for studies that start from a pretrained one and have no ImageNet weights.

A ResNet-18 learns to tell the ten classes of CIFAR-10, on photos in [-1, 1] of which half are mirrored, at a learning
rate that rises and falls once. What it learned before its last layer is the stand-in for torchvision's weights: `unmix
--pretrained cifar` starts from it. No report gives numbers for it; the studies print how well it classifies.

Expected  experiments/results/photo_classifier.json, where it has been measured
Run       python -m experiments.photo_classifier --seeds 2
Use       variables = encoder(run, test)
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments.digit_classifier import loss, optimizer, scores
from jaxae.transforms import to_signed

NAME = "photo classifier"


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


def study(config: Config, train: ae.data.Dataset) -> ae.Study:
    """Cross-entropy on photos, some mirrored; evaluated on photos as they are."""
    classes = len(train.classes)

    def plain(key, data, index):
        label = data.label[index]
        return ae.Batch(to_signed(data.image[index]), jax.nn.one_hot(label, classes), label)

    def mirrored(key, data, index):
        batch = plain(key, data, index)
        turn = jax.random.bernoulli(ae.keys.stream(key, "mirror"), shape=(len(index), 1, 1, 1))
        return batch._replace(inputs=jnp.where(turn, batch.inputs[:, :, ::-1], batch.inputs))

    batch_size = min(config.batch_size, len(train))
    model, adam = ae.models.ResNet18(classes, dtype=config.dtype), optimizer(config, len(train) // batch_size)
    return ae.Study(NAME, model, mirrored, loss, adam, batch_size, config.epochs, scores=scores, eval_batch=plain)


def recipe(config: Config) -> dict[str, Any]:
    """What decides the weights, next to the data."""
    return {name: getattr(config, name) for name in ("seed", "epochs", "batch_size", "learning_rate")}


def encoder(run: ae.Run, test: ae.data.Dataset) -> dict[str, Any]:
    """The variables of a ResNet18 without classes: those of the classifier before its last layer.

    It is trained on all of CIFAR-10's training photos, whatever the run's --limit, with seed 0 and this file's
    defaults, once: afterwards it comes from the cache. What share of `test` it classifies right is a measure of the
    run, that of the arm "photo classifier".
    """
    config, train = Config(), run.data("cifar10", "train", whole=True)
    made = study(config, train)
    variables = run.pretrained(made, train, recipe(config))
    state = ae.State(jnp.zeros((), jnp.int32), variables["params"], variables["batch_stats"], ())
    scored = jax.jit(ae.evaluate.scores, static_argnames="study")(made, ae.keys.root(config.seed), state, test)
    run.measure(NAME, "test/accuracy", np.asarray(scored["accuracy"], np.float64).mean())
    kept = {name: leaf for name, leaf in variables["params"].items() if name != "fc"}
    return {"params": kept, "batch_stats": variables["batch_stats"]}


def main(config: Config) -> None:
    """Train, keep the first seed's model for other studies, show which photos are taken for others."""
    with ae.Run(config, claims=()) as run:
        train, test = run.data("cifar10", "train"), run.data("cifar10", "test")
        trained = run.train(study(config, train), train, test=test)
        run.publish(trained, train, recipe(config))
        run.figure("accuracy", accuracy(trained.scores["accuracy"], test))


def accuracy(right: np.ndarray, test: ae.data.Dataset) -> ae.plots.Bars:
    """How often each class is known: right f32[seeds, n], 1 where the photo was."""
    share = np.stack([right[:, test.label == label].mean(1) for label in range(len(test.classes))], axis=1)
    groups = (("right", 100 * share),)
    return ae.plots.Bars("Test photos that are classified right", "class", "right, in percent", test.classes, groups)


if __name__ == "__main__":
    ae.cli(main, Config)
