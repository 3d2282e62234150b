"""What is trained: three decoders on two losses with codes of two sizes; and the report's numbers."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from experiments import each_class, own_images
from jaxae.models import DigitAutoencoder, digits
from jaxae.models.output import check_halved
from jaxae.run.flags import UNSET
from jaxae.transforms import UNIT, to_unit

DECODERS = ("transposed", "upsampling", "interpolation")
LOSSES = {"mse": {"mse": 1.0, "bce": 0.0}, "bce": {"mse": 0.0, "bce": 1.0}}  # weights: both train in one program
SIZES = (2, 7)
SPLITS = ("train", "validation")
ARMS = tuple(f"{decoder}-{size}-{loss}" for size in SIZES for loss in LOSSES for decoder in DECODERS)
REPORTED = {  # of codes of 2 numbers, by decoder
    ("mse", "train"): (0.1745, 0.1762, 0.1765),
    ("mse", "validation"): (0.1839, 0.1834, 0.1814),
    ("bce", "train"): (0.1546, 0.1556, 0.1553),
    ("bce", "validation"): (0.1641, 0.1643, 0.1631),
}
READINGS = {  # of these numbers, by the loss that was minimised; the first decides
    "mse": {
        "rmse": "the root of the mean over all pixels of all images",
        "rmse per image": "the mean over images of each one's RMSE",
    },
    "bce": {
        "bce": "the cross-entropy per pixel, which was minimised",
        "rmse": "RMSE, with which the report compares it",
    },
}
DIGIT = (28, 28, 1)
HALVED = 2  # times, by the encoder
HELD_OUT = 6  # one training image in so many is for validation: 10,000 of MNIST's 60,000
ADAM = optax.adam(1e-3)


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings. It doesn't say its batch size and its split."""

    settings = ("epochs", "precision", "interpolation", "patience", "widths", "dataset")
    counts = (*ae.Flags.counts, "patience", "widths", "image_size")

    dataset: str = "mnist"
    """The images: a set that TFDS has prepared, or a folder of PNG or JPEG files, such as ./photos. Of others than the
    report's nothing is held against it, and where there are too few for 1,000 steps, the default --batch-size becomes
    smaller and the default --epochs more, given or not; a batch is never larger than the set."""
    image_size: Annotated[int | None, UNSET] = None
    """Scale the images of a folder to cover N x N pixels, and cut them to it; without it all must be of one size."""
    arms: tuple[str, ...] = ARMS
    """Which of the twelve: DECODER-SIZE-LOSS."""
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    """Of the third decoder. The report's is nearest."""
    patience: int | None = None
    """Stop an arm's seed after so many epochs without a lower validation loss; the report's curves reach the end."""
    widths: tuple[int, int, int] = (32, 64, 128)
    """Channels of the encoder's convolutions, mirrored in the decoder."""
    epochs: int = 100

    def __post_init__(self):
        super().__post_init__()
        own_images.refuse_size(self)
        if self.image_size is not None:
            check_halved((self.image_size, self.image_size, 1), HALVED)
        wrong = [arm for arm in self.arms if arm not in ARMS]
        if wrong:
            raise ae.UsageError(f"--arms {' '.join(self.arms)}: give different ones of {', '.join(ARMS)}")


def claims(config: Config) -> list[ae.Claim]:
    """The report's twelve numbers, each under two readings of what it is."""
    if own_images.is_own(config):
        return []
    found = []
    for (loss, split), numbers in REPORTED.items():
        metrics = {f"{split}/{name}/last": reading for name, reading in READINGS[loss].items()}
        for decoder, number in zip(DECODERS, numbers, strict=True):
            alike = tuple(f"{each} 2 {loss}" for each in DECODERS)
            found += readings(f"{decoder} 2 {loss}", number, metrics, alike)
    return [claim for claim in found if claim.arm in names(config)]


def readings(arm: str, number: float, metrics: Mapping[str, str], alike: tuple[str, ...]) -> list[ae.Claim]:
    """One number in each reading, {metric: words}. The first decides; of BCE each must be told from the others."""
    first, *others = metrics
    explained = tuple((arm, other) for other in others)
    return [
        ae.Claim(
            arm, metric, number, "3.2.5", words, primary=metric == first, half_digit=5e-5, scale="log", alike=alike,
            rivals=tuple(
                ae.results.Rival(metrics[other], arm, other)
                for other in metrics if other != metric and arm.endswith("bce")
            ),
            explained_by=explained if metric == first else (),
        )
        for metric, words in metrics.items()
    ]  # fmt: skip


def names(config: Config) -> list[str]:
    """What the arms are called in results."""
    return [arm.replace("-", " ") for arm in config.arms]


def arms(config: Config, shape: own_images.Shape = DIGIT) -> list[ae.Arm]:
    """A network with every decoder and code, and the losses that are wanted of it, in one program."""
    found = []
    for decoder, size in itertools.product(DECODERS, SIZES):
        wanted = {loss: LOSSES[loss] for loss in LOSSES if f"{decoder}-{size}-{loss}" in config.arms}
        found += [ae.Arm(study(decoder, size, config, shape), wanted)] if wanted else []
    return found


def study(decoder: str, size: int, config: Config, shape: own_images.Shape = DIGIT) -> ae.Study:
    """Reconstruction; the weights of both errors come with the lane."""
    third = digits.bilinear if config.interpolation == "bilinear" else digits.interpolated
    enlarge = {"transposed": digits.transposed, "upsampling": digits.upsampled, "interpolation": third}[decoder]
    model = DigitAutoencoder(size, enlarge, config.widths, image_shape=shape, dtype=config.dtype)
    return ae.Study(
        f"{decoder} {size}", model, batch, loss, ADAM, config.batch_size, config.epochs, scores=errors,
        parts=ae.train.parts_of(config.batch_size), scale=UNIT,
    )  # fmt: skip


def batch(key, image, index) -> ae.Batch:
    """uint8[n, 28, 28, 1] -> images in [0, 1], their own targets."""
    unit = to_unit(image[index])
    return ae.Batch(inputs=unit, target=unit)


def errors(outputs, batch) -> dict[str, Any]:
    """Both errors of every arm, f32[b], whichever it minimises, and the root of one."""
    mse = ae.losses.mse(outputs.image, batch.target)
    return {"mse": mse, "bce": ae.losses.bce(outputs.logits, batch.target), "rmse per image": jnp.sqrt(mse)}


def loss(outputs, batch, hparams) -> tuple[Any, dict[str, Any]]:
    """The weighted sum of both errors, one of which has the weight 0."""
    parts = errors(outputs, batch)
    return hparams["mse"] * parts["mse"] + hparams["bce"] * parts["bce"], parts


def split(image: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images to train on and images to validate with, the same whatever the seeds."""
    key = ae.keys.stream(ae.keys.root(0), "split")
    order = np.asarray(jax.random.permutation(key, len(image)))
    held_out = max(1, len(image) // HELD_OUT)
    first, second = (ae.lanes.aligned(image[np.sort(rows)]) for rows in (order[held_out:], order[:held_out]))
    return first, second


def train(run: ae.Run) -> dict[str, ae.Trained]:
    """Every arm, in the order of the flags; its models are those of the lowest validation loss."""
    digits, test = own_images.load(run)
    check_halved(own_images.shape_of(digits), HALVED)
    if not own_images.is_own(run.config):
        each_class.refuse_fewer(run, "mnist", "test", 1)  # some are shown
    images, held_out = split(digits.image)
    how = {"validation": held_out, "test": test.image, "patience": run.config.patience}
    trained, config = {}, own_images.paced(run.config, len(images))
    own_images.say_pace(run, len(images), len(held_out))
    for arm in arms(config, own_images.shape_of(digits)):
        trained |= run.train(arm, images, best=True, **how)
    return {name: trained[name] for name in names(run.config)}
