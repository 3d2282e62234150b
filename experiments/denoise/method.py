"""What is trained: the report's autoencoder and denoisers, what it suggests to change, and its numbers."""

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from experiments import own_images
from jaxae.run.flags import UNSET
from jaxae.transforms import SIGNED, add_gaussian_noise, signed_to_unit, to_signed

ARMS = {"ae": "ae", "deviation": "dae deviation 0.1", "variance": "dae variance 0.1"}  # the report's
LOG = 100  # steps between two logged losses, each the mean of the training losses since the last one
EPOCH = 45_000  # images; a smaller set is gone through as often as that takes, so that the steps stay the report's
PHOTO = (32, 32, 3)
WEIGHT_DECAY = 1e-5

Noise = Literal["deviation", "variance"]
Improvement = Literal["channels", "layers", "batch-norm", "l1", "epochs", "copies", "sgd", "rate"]


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings, and what it suggests to change."""

    settings = (*ae.Flags.settings, "dataset")
    counts = (*ae.Flags.counts, "image_size")

    dataset: str = "cifar10"
    """The images: a set that TFDS has prepared, or a folder of PNG or JPEG files, such as ./photos. Of others than the
    report's nothing is held against it, and where there are too few for 1,000 steps, the default --batch-size becomes
    smaller and the default --epochs more, given or not; a batch is never larger than the set."""
    image_size: Annotated[int | None, UNSET] = None
    """Scale the images of a folder to cover N x N pixels, and cut them to it; without it all must be of one size."""
    arms: tuple[Literal["ae", "deviation", "variance"], ...] = ("ae", "deviation", "variance")
    """The autoencoder, and the denoisers of noise with standard deviation 0.1 (public code) or variance 0.1 (text)."""
    improvements: tuple[Improvement, ...] = ()
    """The report's suggestions, each an arm of its own, which differs from the denoiser in that alone."""
    improve: Noise = "deviation"
    """The denoiser that the improvements are of."""
    batch_size: int = 16
    epochs: int = 3

    def __post_init__(self):
        super().__post_init__()
        own_images.refuse_size(self)
        if self.improve != "deviation" and not self.improvements:
            raise ae.UsageError(f"--improve {self.improve} needs --improvements, such as --improvements rate")


class Images(NamedTuple):
    """Images to train or evaluate on, and their noise: `image[row]`, uint8[h, w, c], for every entry of `row`.

    `deviation` is that of the noise on signed images; None: no noise. With `copies`, an image has that many noisy
    copies, drawn once, the same for every seed; without, every visit draws its noise afresh.
    """

    image: Any
    row: Any
    deviation: Any = None
    copies: Any = None


def adam(rate: float, *, l1: float = 0.0) -> optax.GradientTransformation:
    """torch.optim.Adam with its weight decay, which adds to the gradient; and with an L1 penalty, added likewise."""

    def penalise(updates, params):
        return jax.tree.map(lambda update, parameter: update + l1 * jnp.sign(parameter), updates, params)

    penalty = [optax.stateless(penalise)] if l1 else []
    return optax.chain(optax.add_decayed_weights(WEIGHT_DECAY), *penalty, optax.adam(rate))


MODEL = ae.models.DenoiseAutoencoder()
ADAM = adam(1e-4)
SGD = optax.chain(optax.add_decayed_weights(WEIGHT_DECAY), optax.sgd(1e-3, momentum=0.9))  # the public code's other one


@dataclass(frozen=True)
class Recipe:
    """An autoencoder and how it is trained. The defaults are the report's."""

    name: str
    deviation: float | None = None  # of the noise
    model: ae.models.DenoiseAutoencoder = MODEL
    optimizer: optax.GradientTransformation = ADAM
    epochs: int = 1  # in units of the run's
    copies: int | None = None


READINGS = {
    "deviation": "noise of standard deviation 0.1, as in the public code",
    "variance": "noise of variance 0.1, as the text says",
}
REPORTED = {
    "ae": Recipe(ARMS["ae"]),
    "deviation": Recipe(ARMS["deviation"], 0.1),
    "variance": Recipe(ARMS["variance"], math.sqrt(0.1)),
}
IMPROVEMENTS: dict[str, dict[str, dict[str, Any]]] = {
    "channels": {"32 channels": {"model": MODEL.clone(widths=(32, 32))}},
    "layers": {"8 layers": {"model": MODEL.clone(widths=(8, 8, 8, 8))}},
    "batch-norm": {"batch norm": {"model": MODEL.clone(batch_norm=True)}},
    "l1": {"L1 1e-5": {"optimizer": adam(1e-4, l1=1e-5)}},
    "epochs": {"3 x epochs": {"epochs": 3}},
    "copies": {"1 noisy copy": {"copies": 1}, "4 noisy copies": {"copies": 4}},
    "sgd": {"SGD 1e-3": {"optimizer": SGD}},
    "rate": {"Adam 1e-3": {"optimizer": adam(1e-3)}},
}


def claims(config: Config) -> list[ae.Claim]:
    """The report's numbers, under both readings of its noise.

    That of its code, which made them, decides; where it differs, the other may explain it.
    """
    if own_images.is_own(config):
        return []
    found = [
        ae.Claim("ae", "parameters", 1_611, "Figure 1, counted", exact=True),
        *loss_claims("ae", (0.232, 0.188, 0.012, 0.012, 0.012), ""),
        *denoiser_claims("deviation", "variance"),
        *denoiser_claims("variance", "deviation"),
    ]
    chosen = {ARMS[setting] for setting in config.arms}
    return [claim for claim in found if claim.arm in chosen]


def loss_claims(arm: str, numbers: tuple[float, ...], reading: str) -> list[ae.Claim]:
    """Claims on an arm's losses: at step 100 of epoch 1, at step 2800 of epoch 3, and on the test set."""
    metrics = (
        (f"train/loss of {LOG} steps/first", "Figure 14"), ("validation/loss/first", "Figure 14"),
        (f"train/loss of {LOG} steps/last", "Figure 15"), ("validation/loss/last", "Figure 15"),
        ("test/mse, signed", "Figure 16"),
    )  # fmt: skip
    return [
        ae.Claim(
            arm, metric, number, source, reading, half_digit=5e-4, scale="log",
            test_set="" if metric.startswith("train/") else "cifar10",
        )
        for (metric, source), number in zip(metrics, numbers, strict=True)
    ]  # fmt: skip


def denoiser_claims(setting: str, other: str) -> list[ae.Claim]:
    """The claims on a denoiser, each to be told from the other reading of the noise, and scores from the noisy image's.

    Both are one design, so that their deviation is one, where it is alike.
    """
    arm, reading, decides = ARMS[setting], READINGS[setting], setting == "deviation"
    found = loss_claims(arm, (0.249, 0.213, 0.016, 0.016, 0.016), reading)
    for metric, value, half, scale in (
        ("test/psnr, 8-bit", 24.48, 5e-3, "decibel"),
        ("test/ssim, 8-bit", 0.889, 5e-4, "plain"),
    ):
        given = ae.results.Rival("the noisy image itself", arm, metric.replace("test/", "test/input "))
        how: dict[str, Any] = {"scale": scale, "test_set": "cifar10", "rivals": (given,)}
        found.append(ae.Claim(arm, metric, value, "Figure 16", reading, half, **how))
    return [
        replace(
            claim, primary=decides, alike=(arm, ARMS[other]),
            rivals=(*claim.rivals, ae.results.Rival(READINGS[other], ARMS[other], claim.metric)),
            explained_by=((ARMS[other], claim.metric),) if decides else (),
        )
        for claim in found
    ]  # fmt: skip


def recipes(config: Config) -> list[Recipe]:
    """Those that the flags ask for."""
    base = REPORTED[config.improve]
    changed = [setting for name in config.improvements for setting in IMPROVEMENTS[name].items()]
    improved = [replace(base, name=f"{base.name}, {name}", **changes) for name, changes in changed]
    return [*(REPORTED[name] for name in config.arms), *improved]


def arms(config: Config) -> list[ae.Arm]:
    """A study for each of them."""
    return [ae.Arm(study(recipe, config)) for recipe in recipes(config)]


def study(recipe: Recipe, config: ae.Flags, shape: own_images.Shape = PHOTO) -> ae.Study:
    """Signed images, with noise or without, to the clean ones under MSE."""
    model, epochs = recipe.model.clone(image_shape=shape, dtype=config.dtype), recipe.epochs * config.epochs
    scores = clean_scores if recipe.deviation is None else noisy_scores
    return ae.Study(
        recipe.name, model, batch, loss, recipe.optimizer, config.batch_size, epochs, scores=scores, examples=visits,
        parts=ae.train.parts_of(config.batch_size), scale=SIGNED,
    )  # fmt: skip


def visits(data: Images) -> int:
    """How many images an epoch shows."""
    return data.row.shape[0]


def batch(key, data: Images, index) -> ae.Batch:
    """The images as they are given and as they should come back, f32[b, 32, 32, 3]."""
    row = data.row[index]
    image = to_signed(data.image[row])
    return ae.Batch(inputs=image if data.deviation is None else noisy(key, image, row, data), target=image)


def noisy(key, image, row, data: Images):
    """The images with noise, clipped to [-1, 1]: fresh, or one of each image's fixed copies."""
    if data.copies is None:
        return add_gaussian_noise(ae.keys.stream(key, "noise"), image, data.deviation, low=-1.0, high=1.0)
    copy = jax.random.randint(ae.keys.stream(key, "copy"), row.shape, 0, data.copies)
    drawn = jax.vmap(lambda *place: ae.keys.stream(ae.keys.root(0), "noisy copy", *place))(row, copy)
    return jax.vmap(lambda key, image: add_gaussian_noise(key, image, data.deviation, low=-1.0, high=1.0))(drawn, image)


def loss(outputs, batch: ae.Batch, hparams) -> tuple[Any, dict[str, Any]]:
    """MSE of signed images: four times that of unit images."""
    return ae.losses.mse(outputs.image, batch.target), {}


def clean_scores(outputs, batch: ae.Batch) -> dict[str, Any]:
    """How close the output is to the original."""
    return quality(outputs.image, batch.target)


def noisy_scores(outputs, batch: ae.Batch) -> dict[str, Any]:
    """The same, and how close the noisy image was already."""
    before = quality(batch.inputs, batch.target)
    return clean_scores(outputs, batch) | {f"input {name}": value for name, value in before.items()}


def signed_error(outputs, batch: ae.Batch) -> dict[str, Any]:
    """The loss alone."""
    return {"mse, signed": ae.metrics.mse(outputs.image, batch.target)}


def quality(image, target) -> dict[str, Any]:
    """Scores of signed images: the loss, dm-pix on unit images, and the report's protocol (8 bits, 7x7 SSIM)."""
    unit, truth = signed_to_unit(image), signed_to_unit(target)
    bits, levels = ae.metrics.quantise(unit), ae.metrics.quantise(truth)
    return {
        "mse, signed": ae.metrics.mse(image, target),
        "psnr": ae.metrics.psnr(unit, truth),
        "ssim": ae.metrics.ssim(unit, truth),
        "psnr, 8-bit": ae.metrics.psnr_as_reported(bits, levels),
        "ssim, 8-bit": ae.metrics.ssim_uniform(bits, levels, 255.0),
    }


def as_it_is(run: ae.Run) -> bool:
    """Whether an epoch shows each image once, however few there are: where it needn't have the report's steps."""
    return run.limited or own_images.is_own(run.config)


def shown_steps(config: Config, count: int) -> int:
    """Steps of an epoch that shows so many images."""
    return count // own_images.paced(config, count).batch_size


def logged_steps(config: Config, count: int) -> int:
    """Steps between two logged losses, of which an epoch that shows so many images has one at least."""
    return min(LOG, shown_steps(config, count))


def split(data: ae.data.Dataset, limited: bool) -> tuple[Any, Any, Any]:
    """Rows to train on, as often as an epoch shows them; the same, each once; and the 10% held out for validation.

    The split is the same for every seed of every run, so that it is no part of what varies between seeds.
    """
    key = ae.keys.stream(ae.keys.root(0), "split")
    shuffled = np.asarray(jax.random.permutation(key, len(data)), np.int32)
    held_out = round(0.1 * len(data))
    train, validation = shuffled[held_out:], shuffled[:held_out]
    return train if limited else np.resize(train, max(EPOCH, len(train))), train, validation


def images(recipe: Recipe, image: Any, row: Any = None) -> Images:
    """The images of these rows (default: all) under the recipe's noise."""
    row = np.arange(len(image), dtype=np.int32) if row is None else row
    return Images(image, row, None if recipe.deviation is None else np.float32(recipe.deviation))


def train(run: ae.Run) -> dict[str, ae.Trained]:
    """Every arm, validated at every log, scored on the test images."""
    photos, test = own_images.load(run, least=own_images.WINDOW)
    epoch, _, held_out = split(photos, as_it_is(run))
    trained, config = {}, own_images.paced(run.config, len(epoch))
    own_images.say_pace(run, len(epoch), len(held_out))
    for recipe in recipes(config):
        shown, validation = (images(recipe, photos.image, row) for row in (epoch, held_out))
        if recipe.copies is not None:
            shown = shown._replace(copies=np.int32(recipe.copies))
        made = study(recipe, config, own_images.shape_of(photos))
        log = min(LOG, made.steps_per_epoch(shown))
        options = {"validation": validation, "validate_every": log, "test": images(recipe, test.image)}
        trained |= run.train(made, shown, **options)
    return trained
