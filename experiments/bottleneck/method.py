"""What is trained: an MLP for every code size, as the report's; and the one number that the report prints."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import flax.linen as nn
import optax

import experiments.bottleneck.author as author
import jaxae as ae
from experiments import digit_classifier, each_class, own_images
from jaxae.models.mlp import linear
from jaxae.run.flags import UNSET
from jaxae.transforms import UNIT, to_unit

MOST = 4096  # values of an image, whose principal components are found within a minute
DIGIT = (28, 28, 1)
LIVELY = "--code-activation linear has no units that can die"
ACTIVATIONS = {"relu": nn.relu, "linear": linear}


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings."""

    settings = (*ae.Flags.settings, "dataset")
    counts = (*ae.Flags.counts, "image_size")

    dataset: str = "mnist"
    """The images: a set that TFDS has prepared, or a folder of PNG or JPEG files, such as ./photos. Of others than the
    report's nothing is held against it, and where there are too few for 1,000 steps, the default --batch-size becomes
    smaller and the default --epochs more, given or not; a batch is never larger than the set."""
    image_size: Annotated[int | None, UNSET] = None
    """Scale the images of a folder to cover N x N pixels, and cut them to it; without it all must be of one size."""
    code_sizes: tuple[int, ...] = (8,)
    """Numbers in the code, each an arm. The report's 8 is "somewhat arbitrary", it says."""
    code_activation: Literal["relu", "linear"] = "relu"
    """What the code goes through. The report's ReLU can leave some of its units dead."""
    noise: float = 0.2
    """Standard deviation of the noise in the denoising test, for images in [0, 1]."""
    author_weights: Annotated[str | None, UNSET] = None
    """Folder of the author's MLP.8.pth (of the public code above), to be scored beside what is trained here."""
    pairs: int = 250
    """Paths to read between images of the same digit, and as many between different ones."""
    batch_size: int = 2048
    epochs: int = 50

    def __post_init__(self):
        super().__post_init__()
        own_images.refuse_size(self)
        most = MOST if own_images.is_own(self) else 784
        if not 1 <= min(self.code_sizes) <= max(self.code_sizes) <= most:
            raise ae.UsageError(f"--code-sizes {self.code_sizes}: give sizes from 1 to {most}, the values of an image")
        if self.noise <= 0:
            raise ae.UsageError(f"--noise is {self.noise}; give one above 0")
        if not 1 <= self.pairs <= 10_000:
            raise ae.UsageError(f"--pairs is {self.pairs}; give 1 to 10,000")
        if self.author_weights is not None and own_images.is_own(self):
            raise ae.UsageError(
                f"--author-weights: the author's network is of MNIST, not of {self.dataset}; leave it out"
            )


def claims(config: Config) -> list[ae.Claim]:
    """The first epoch's loss of the report's code size, and the last one's, which only its author's plot tells."""
    if arm_name(8, config) != "code 8" or 8 not in config.code_sizes or own_images.is_own(config):
        return []
    reading = "the mean over the first epoch's steps"
    where = "Results, Training Loss"
    first = ae.Claim("code 8", "train/loss/first", 0.108, where, reading, half_digit=0.0005, scale="log")
    if config.epochs != len(author.LOSSES):
        return [first]
    reading = "the mean over the last epoch's steps, read off the plot that the author published"
    end, margin = author.LOSSES[-1], {"half_digit": author.READ, "scale": "log"}
    return [first, ae.Claim("code 8", "train/loss/last", end, "Figure 1", reading, **margin)]


def arm_name(size: int, config: Config) -> str:
    """The report's activation is not named."""
    return f"code {size}" + " linear" * (config.code_activation == "linear")


def arms(config: Config, images: int | None = None, shape: own_images.Shape = DIGIT) -> list[ae.Arm]:
    """An autoencoder for every code size, small ones first; a batch has at most as many images as there are."""
    batch_size = min(config.batch_size, images or config.batch_size)
    every = {"every": (images or batch_size) // batch_size}  # steps in an epoch, for the schedule
    return [ae.Arm(study(size, batch_size, config, shape), {"": every}) for size in sorted(config.code_sizes)]


def study(size: int, batch_size: int, config: Config, shape: own_images.Shape = DIGIT) -> ae.Study:
    """Reconstruction under MSE; the rate falls when the training loss of an epoch stops falling."""
    activation = ACTIVATIONS[config.code_activation]
    options = {"code_activation": activation, "image_shape": shape, "dtype": config.dtype}
    model = ae.models.MLPAutoencoder(code_size=size, **options)
    return ae.Study(arm_name(size, config), model, batch, loss, adam, batch_size, config.epochs, scale=UNIT)


def batch(key, data: Any, index) -> ae.Batch:
    """Images in [0, 1], their own targets."""
    image = to_unit(data.image[index])
    return ae.Batch(inputs=image, target=image)


def loss(outputs, batch: ae.Batch, hparams: Any) -> tuple[Any, dict[str, Any]]:
    """MSE per pixel, f32[b]."""
    return ae.losses.mse(outputs.image, batch.target), {}


def adam(hparams: Mapping[str, Any]) -> optax.GradientTransformation:
    """Adam 1e-3 under ReduceLROnPlateau."""
    return optax.chain(optax.scale_by_adam(), ae.schedules.reduce_on_plateau(1e-3, every=hparams["every"]))


def authors(run: ae.Run) -> tuple[ae.Study, ae.State] | None:
    """The network that the report's author published, in the study of his code; None where it isn't given.

    Raises UsageError for a folder that doesn't hold it.
    """
    if run.config.author_weights is None:
        return None
    folder, his = Path(run.config.author_weights), study(8, 2048, Config())
    variables = author.variables(folder)
    run.file("the author's network", author.file(folder))
    return his, ae.train.init(his, ae.keys.root(0), run.data("mnist", "test"), {"every": 1}, variables)


def train(run: ae.Run) -> dict[str, ae.Trained]:
    """Every code size on all training images, tested after every epoch."""
    authors(run)  # refused before anything is trained
    digits, test = own_images.load(run, least=own_images.WINDOW)
    _refuse_values(digits, run.config)
    if not own_images.is_own(run.config):
        each_class.refuse_fewer(run, "mnist", "test", 2)  # which are shown
        digit_classifier.judge(run)  # what it refuses too
    trained, config = {}, own_images.paced(run.config, len(digits))
    own_images.say_pace(run, len(digits))
    if not own_images.is_own(config) and config.batch_size > len(digits):
        run.say(f"--batch-size {config.batch_size:,} is cut to the {len(digits):,} images that there are")
    if own_images.is_own(config) and config.code_activation == "relu":
        run.say(f"its code has ReLUs, of which few images can leave none alive: {LIVELY}")
    for arm in arms(config, len(digits), own_images.shape_of(digits)):
        trained |= run.train(arm, digits, validation=test, test=test)
    return trained


def _refuse_values(images: ae.data.Dataset, config: Config) -> None:
    values = images.image[0].size
    if values > MOST:
        largest = math.isqrt(MOST // images.image.shape[3])
        raise ae.UsageError(
            f"{config.dataset} has images of {values:,} values; their principal components, with which this study "
            f"compares, are found for up to {MOST:,}: give --image-size {largest} or less"
        )
    if max(config.code_sizes) > values:
        raise ae.UsageError(
            f"--code-sizes {max(config.code_sizes)}: the images have {values} values; give at most that"
        )
