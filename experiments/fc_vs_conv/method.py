"""What is trained: two autoencoders, on two kinds of targets, under SGD; and the report's numbers."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import optax

import experiments.fc_vs_conv.author as author
import jaxae as ae
from experiments import each_class
from jaxae.run.flags import UNSET
from jaxae.transforms import MNIST, MNIST_MEAN, MNIST_STD, UNIT, standardise, to_unit

MODELS = {"fc": ae.models.FCAutoencoder(), "conv": ae.models.ConvAutoencoder()}
UNROLL = {"fc": 4, "conv": 1}
RATE = {"learning_rate": np.float32(1)}
RATES = (1.0, 0.1)  # those that the report tried; it found 0.1 too slow
REPORTED = {"fc": 0.4988160799741745, "conv": 0.47607351556420324}
SIZES = {
    "fc": {"parameters": 468_368, "encoder/parameters": 233_856, "decoder/parameters": 234_512},
    "conv": {"parameters": 74_497, "encoder/parameters": 18_816, "decoder/parameters": 55_681},
}
LOWEST = "validation/loss/best"
SAME = LOWEST, "validation/loss/last"  # one number in the report's run, whose last epoch was the best
READINGS = (  # the author's code first
    ("standardised", LOWEST, "the lowest test loss of the epochs, standardised targets, as in the author's code"),
    ("unit", "train/loss/sum over epochs", "the sum of the epochs' mean losses, images in [0, 1]"),
    ("standardised", "train/loss/mean over epochs", "the mean over epochs, standardised targets"),
    ("standardised", "validation/loss/mean over epochs", "the mean over epochs on the test set, standardised targets"),
    ("standardised", "validation/loss/last", "the test set after the last epoch, standardised targets"),
)


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The settings of the report and its author's code; images in [0, 1] are another reading of its numbers."""

    listed = (*ae.Flags.listed, "upsampling", "learning_rates")

    arms: tuple[Literal["fc", "conv"], ...] = ("fc", "conv")
    """Which autoencoders to train."""
    targets: tuple[Literal["unit", "standardised"], ...] = ("unit", "standardised")
    """Images in [0, 1], or less 0.1307 and divided by 0.3081, as the author's code prepares them."""
    upsampling: Literal["bilinear", "nearest"] = "bilinear"
    """How conv enlarges: bilinearly with aligned corners, as in the author's code, or by repeating pixels."""
    learning_rates: tuple[float, ...] = (1.0,)
    """SGD's rates, each an arm. The report first tried 0.1, then chose 1.0."""
    stop_dead: bool = False
    """Train a seed no further once its network shows one picture for every digit, looked at after every epoch."""
    author_weights: Annotated[str | None, UNSET] = None
    """Folder of the author's fc_best.pth and conv_best.pth (best_weights of the public code above), to be scored beside
    what is trained here."""
    batch_size: int = 10
    epochs: int = 10

    def __post_init__(self):
        super().__post_init__()
        if min(self.learning_rates) <= 0:
            raise ae.UsageError(f"--learning-rates {min(self.learning_rates)}: give rates above 0")


def setting(rate: float) -> str:
    """What an arm's name says of its learning rate: nothing of the report's."""
    return "" if rate == 1.0 else f"rate {rate:g}"


def claims(config: Config) -> list[ae.Claim]:
    """The report's numbers under each reading; which learning rate it printed them for, it doesn't say.

    That its networks saw standardised images is known from its author's code: a reading is told from the others of that
    training, which every run that has it measures, and from the other printed number. Images in [0, 1] are tried beside
    them, and are no rival.
    """
    first = f"{config.targets[0]} {setting(config.learning_rates[0])}".strip()
    found = [
        ae.Claim(f"{arm} {first}", part, number, f"Results, {place}", exact=True)
        for place, (arm, counts) in enumerate(SIZES.items(), 1)
        for part, number in counts.items()
        if arm in config.arms
    ]
    readings = [reading for reading in READINGS if reading[0] in config.targets]
    rates = [rate for rate in config.learning_rates if rate in RATES]
    reported = [(arm, number) for arm, number in REPORTED.items() if arm in config.arms]
    for (arm, number), rate in itertools.product(reported, rates):
        names = [f"{arm} {targets} {setting(rate)}".strip() for targets, _, _ in readings]
        others = tuple((name, metric) for name, (_, metric, _) in zip(names, readings, strict=True))
        other = ", but nearest upsampling" if arm == "conv" and config.upsampling == "nearest" else ""
        rivals = {
            metric: ae.results.Rival(reading, name, metric)
            for name, (targets, metric, reading) in zip(names, readings, strict=True)
            if targets == "standardised"
        }
        printed = [ae.results.Rival(f"what it prints for {name}", value=REPORTED[name]) for name in {*REPORTED} - {arm}]
        for name, (_, metric, reading) in zip(names, readings, strict=True):
            decides = metric == LOWEST and rate == RATES[0] and not other
            own = SAME if metric in SAME else (metric,)
            told = (*(rival for of, rival in rivals.items() if of not in own), *printed)
            found.append(
                ae.Claim(
                    name, metric, number, "Results", reading + other, primary=decides, scale="log", rivals=told,
                    explained_by=others if decides else (),
                )
            )  # fmt: skip
    return found


def arms(config: Config) -> list[ae.Arm]:
    """Both networks on both kinds of targets, each at every rate in one program."""
    settings = {setting(rate): {"learning_rate": rate} for rate in config.learning_rates}
    pairs = itertools.product(config.targets, config.arms)
    return [ae.Arm(study(name, targets, config), settings) for targets, name in pairs]


def study(name: str, targets: str, config: Config) -> ae.Study:
    """Reconstruction under MSE: the input, however prepared, is its own target."""
    options = {"upsampling": config.upsampling} if name == "conv" else {}
    model = MODELS[name].clone(dtype=config.dtype, **options)
    return ae.Study(
        f"{name} {targets}", model, BATCHES[targets], loss, sgd, config.batch_size, config.epochs, scores=scores,
        unroll=UNROLL[name], parts=parts_of(name, config.batch_size), scale=SCALES[targets],
    )  # fmt: skip


def parts_of(name: str, batch_size: int) -> int:
    """Of fc's steps, most is the optimizer's, which devices can't share; half a batch of conv's pays, however small."""
    return 1 if name == "fc" else ae.train.parts_of(batch_size, smallest=min(batch_size // 2, 32))


def unit(key, data, index) -> ae.Batch:
    """Images in [0, 1]."""
    image = to_unit(data.image[index])
    return ae.Batch(inputs=image, target=image, label=image)


def standardised(key, data, index) -> ae.Batch:
    """Images less MNIST's mean, in its deviations; the label is the image in [0, 1]."""
    image = to_unit(data.image[index])
    prepared = standardise(image, MNIST_MEAN, MNIST_STD)
    return ae.Batch(inputs=prepared, target=prepared, label=image)


BATCHES = {"unit": unit, "standardised": standardised}
SCALES = {"unit": UNIT, "standardised": MNIST}


def loss(outputs, batch: ae.Batch, hparams: Any) -> tuple[Any, dict[str, Any]]:
    """MSE per pixel, f32[b]."""
    return ae.losses.mse(outputs.image, batch.target), {}


def scores(outputs, batch: ae.Batch) -> dict[str, Any]:
    """The loss, and how the picture that the sigmoid shows compares with the digit.

    With standardised targets it isn't trained to equal the digit.
    """
    shown = batch._replace(target=batch.label)
    return {"loss": ae.losses.mse(outputs.image, batch.target), **ae.metrics.reconstruction(outputs, shown)}


def sgd(hparams: Mapping[str, Any]) -> optax.GradientTransformation:
    """Plain gradient descent, at the lane's rate."""
    return optax.sgd(hparams["learning_rate"])


def authors(run: ae.Run) -> dict[str, tuple[ae.Study, ae.State]]:
    """The networks that the report's author published, in the study of his code; none where they aren't given.

    Raises UsageError for a folder that doesn't hold them.
    """
    if run.config.author_weights is None:
        return {}
    folder, found = Path(run.config.author_weights), {}
    for name in run.config.arms:
        variables = author.variables(folder, name)
        run.file(f"the author's {name}", author.file(folder, name))
        his = study(name, "standardised", Config())
        found[name] = his, ae.train.init(his, ae.keys.root(0), run.data("mnist", "test"), RATE, variables)
    return found


def train(run: ae.Run) -> dict[str, ae.Trained]:
    """Every arm on all training digits, tested after every epoch."""
    authors(run)  # refused before anything is trained
    digits, test = run.data("mnist", "train"), run.data("mnist", "test")
    each_class.refuse_fewer(run, "mnist", "test", 2)  # which are shown
    trained = {}
    for arm in arms(run.config):
        trained |= run.train(arm, digits, validation=test, test=test, stop_dead=run.config.stop_dead)
    return trained
