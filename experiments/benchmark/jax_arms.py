"""The studies' trainings as jaxae has them, for `jax_side`: every arm is a study's own Study on that study's own data.

So what is measured is what users get, but for conv: it has nearest upsampling, as PyTorch's side, and not bilinear.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments.bottleneck import method as bottleneck
from experiments.denoise import method as denoise
from experiments.digit_addition import method as digit_addition
from experiments.digit_addition import reading
from experiments.digit_codes import method as digit_codes
from experiments.fc_vs_conv import method as fc_vs_conv
from experiments.unmix import method as unmix
from jaxae.train.chunks import chunk_length
from jaxae.train.lanes import Mode


class Question(NamedTuple):
    """What is asked. `images`: train on so many, the set gone through as often as that takes."""

    ask: str
    arm: str = "fc"
    batch: int = 10
    device: str = "cpu"
    threads: int = 1
    seconds: float = 1.0
    source: str = "tfds"
    data_dir: str | None = None
    images: int | None = None
    lanes: int = 1
    mode: Mode | None = None  # as a run chooses it
    first: bool = False  # whether no more than the first steps are asked for
    precision: str = "float32"
    stream: bool = False
    folder: str = ""
    began: float = 0.0  # when the process was started

    def load(self, name: str) -> ae.data.Dataset:
        """A training set."""
        data = ae.data.load(name, "train", source=self.source, data_dir=self.data_dir)
        if self.images is None:
            return data
        parts = {part: getattr(data, part) for part in ("image", "label")}
        sized = {part: np.resize(array, (self.images, *array.shape[1:])) for part, array in parts.items()}
        return dataclasses.replace(data, **sized)

    def config(self, method: Any) -> Any:
        """The study's own settings but for batch size and precision."""
        return method.Config(batch_size=self.batch, precision=self.precision)


class Arm(NamedTuple):
    """A study's training; `arrays` is what the other side needs of the data, by the names that it knows.

    `scored` gives the study and the data of its scores, where those of its training aren't; what they take isn't made
    where no score is asked for. `chunk` are the steps of a call where the study says how many.
    """

    study: ae.Study
    data: Any
    arrays: dict[str, Any]
    hparams: Any = None
    scored: Callable[[], tuple[ae.Study, Any]] | None = None
    chunk: int | None = None


def fc(asked: Question) -> Arm:
    """The fully connected or the convolutional autoencoder of fc_vs_conv, on unit images."""
    data = asked.load("mnist")
    config = dataclasses.replace(asked.config(fc_vs_conv), upsampling="nearest")  # as the other side's
    study = fc_vs_conv.study(asked.arm, "unit", config)
    return Arm(study, data, {"image": data.image}, {"learning_rate": 1.0})


def mlp(asked: Question) -> Arm:
    """The bottleneck of eight numbers."""
    data = asked.load("mnist")
    (arm,) = bottleneck.arms(asked.config(bottleneck), len(data))
    return Arm(arm.study, data, {"image": data.image}, arm.settings[""])


def denoiser(asked: Question) -> Arm:
    """The denoiser of noise with standard deviation 0.1, on epochs of the report's size."""
    image, config, recipe = asked.load("cifar10").image, asked.config(denoise), denoise.REPORTED["deviation"]
    row = np.arange(len(image), dtype=np.int32)
    if asked.images is None:
        row = np.resize(row[len(image) // 10 :], max(denoise.EPOCH, len(image) - len(image) // 10))
    data = denoise.images(recipe, image, row)
    return Arm(denoise.study(recipe, config), data, {"image": image, "row": row})


def codes(asked: Question) -> Arm:
    """An autoencoder of digits with a code of two numbers, its decoder named by the arm, on the squared error."""
    image = digit_codes.split(asked.load("mnist").image)[0]
    study = digit_codes.study(asked.arm, 2, asked.config(digit_codes))
    return Arm(study, image, {"image": image}, digit_codes.LOSSES["mse"])


def addition(asked: Question) -> Arm:
    """The adder of part III, which draws nothing in its model, so that both sides can be compared."""
    data, config = asked.load("mnist"), asked.config(digit_addition)
    digits = digit_addition.digits(data, digit_addition.class_means(data))._replace(balanced=np.bool_(False))
    study, weights = digit_addition.study("adder", config), digit_addition.weights("adder", config)[""]

    def scored():
        judge = ae.models.DigitClassifier().init(ae.keys.root(0), jnp.zeros((1, 28, 28, 1)))  # as fast as a trained one
        return reading.judged(study), (digits, judge)

    return Arm(study, digits, {"image": data.image, "label": data.label}, weights, scored)


def unmixer(asked: Question) -> Arm:
    """The ResNet-18 and its two decoders, from random weights, on pairs."""
    digits, photos, config = asked.load("mnist"), asked.load("cifar10"), asked.config(unmix)
    pairs = ae.data.pairs(digits, photos, count=asked.images or unmix.EPOCH)
    (arm,) = unmix.arms(config, len(pairs))
    arrays = {"digit": digits.image, "photo": photos.image, "count": np.array([len(pairs)])}
    return Arm(arm.study, pairs, arrays, arm.settings[""], chunk=unmix.CHUNK)


ARMS: dict[str, Callable[[Question], Arm]] = {
    "fc": fc, "conv": fc, "bottleneck": mlp, "denoise": denoiser, "transposed": codes, "upsampling": codes,
    "addition": addition, "unmix": unmixer,
}  # fmt: skip


def chunk(asked: Question, arm: Arm) -> int:
    """Steps in one compiled call, about as many as in a run: each call takes its memory anew, which a step would bear.

    A divisor of an epoch's steps, so that every call is the same program, and a multiple of the study's `unroll` where
    there is one; at least 2, for XLA takes a loop of one step apart. So many lanes share them; and where no more than
    the first steps are asked for, they are so few, whatever they divide.
    """
    per_epoch, unroll = arm.study.steps_per_epoch(arm.data), arm.study.unroll
    if asked.first:
        return min(max(unroll, 2), per_epoch)
    most = (arm.chunk or chunk_length(per_epoch)) // asked.lanes
    divisors = [steps for steps in range(2, per_epoch + 1) if per_epoch % steps == 0] or [1]
    whole = [steps for steps in divisors if steps % unroll == 0] or divisors
    return max([steps for steps in whole if steps <= most] or whole[:1])
