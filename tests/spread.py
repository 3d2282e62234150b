"""A study in parts and one in lanes, as a user's own file, for tests of one run by several processes."""

import os
from dataclasses import dataclass

import optax

import jaxae as ae
from jaxae.run import distributed, training
from jaxae.transforms import to_unit


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """Few steps of few images, of which each of two processes has a half."""

    source: str = "synthetic"  # pyright: ignore[reportIncompatibleVariableOverride]
    limit: int | None = 64
    batch_size: int = 16
    epochs: int = 3


def batch(key, data, index):
    image = to_unit(data.image[index])
    return ae.Batch(inputs=image, target=image)


def loss(outputs, batch, hparams):
    return ae.losses.mse(outputs.image, batch.target), {}


def arms(config):
    model = ae.models.FCAutoencoder(hidden=(32,), code_size=8)
    made = [("shared", 4), ("apart", 1)]  # the devices share a batch in parts; or each has lanes of its own
    return [
        ae.Arm(ae.Study(name, model, batch, loss, optax.adam(1e-3), config.batch_size, config.epochs, parts=parts))
        for name, parts in made
    ]


def train(run):
    digits, test = run.data("mnist", "train"), run.data("mnist", "test").head(300)
    return {
        name: done
        for arm in arms(run.config)
        for name, done in run.train(arm, digits, validation=test, test=test).items()
    }


def die_after(chunks: int) -> None:
    """This process ends as by the machine that is switched off, after so many chunks of training."""
    keep, left = training._keep, [None] * chunks

    def keep_or_die(*given):
        if not left:
            os.kill(os.getpid(), 9)
        left.pop()
        keep(*given)

    training._keep = keep_or_die


EXPERIMENT = ae.Experiment(__name__, "spread: over processes.", Config, arms, train)

if __name__ == "__main__":
    if "DIE_AFTER" in os.environ:
        die_after(int(os.environ["DIE_AFTER"]))
    if "WAIT" in os.environ:
        distributed.SILENT, distributed.WAIT = 0.5, int(os.environ["WAIT"])
    ae.cli(EXPERIMENT)
