"""What is trained: two images from their mean, by an encoder and two decoders; and the report's numbers."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import optax

import jaxae as ae
from experiments import photo_classifier
from experiments.unmix.ways import STAGES, Config, Way, arm_name, refuse_absent, setting, ways
from jaxae.transforms import SIGNED, mix, resize, signed_to_unit, to_rgb, to_signed, to_unit, unit_to_signed, unmix

IMAGES = ("digit", "photo")  # in the order in which the model gives them
FORMULA = "photo by subtraction"
GUESSES = "no network: black digit, mean photo"
COARSE, COLOUR = "error in 7x7 means, share", "error in colour, share"
FIRST, LAST = 1.094, 0.228  # the report's losses
SAMPLE = 128  # test pairs that the report scores
SCORES = {
    "psnr": {"photo": 62.79011552553733, "digit": 65.22051003145367},
    "ssim 7x7": {"photo": 0.9962222993689486, "digit": 0.99826334636813},
}
CHUNK = 10  # steps that a save and a stop wait for: a step of three seeds takes seconds on a CPU
EPOCH = 50_000  # pairs, however many images there are (but for --limit): the steps stay the report's
RATE = 1e-3

# ---- what is reported

EPOCH_MEAN = "train/both/last"  # of an epoch, the last one; no reading of the report's
LOSSES = (  # measure, number, reading; the first of each number decides
    ("train/both/first step", FIRST, "the loss of the first batch"),
    ("train/both/last step", LAST, "the loss of the last batch"),
    ("train/both/last tenth", LAST, "the mean loss of the last tenth of the steps"),
)
UNKNOWN = (
    "what makes the difference isn't known: the report's encoder was pretrained on ImageNet, "
    "and it doesn't give its decoders' geometry in full"
)
RANGE = "most of the difference is the data range: see the reading with 255"


def claims(config: Config) -> list[ae.Claim]:
    """The report's numbers, for the arms built and trained as it says, whatever the encoder started from.

    An encoder that started so in some stages alone decides none: it is neither the report's nor the plain one.
    """
    if 0 not in config.consistency:
        return []
    held = [way for way in ways(config) if (way.decoders, way.times) == ("plain", 1)]
    as_told = [way for way in held if way == Way(source=way.source)]
    nearest = [way for way in as_told if way.source not in ("none", "cifar")] or as_told
    primary = [arm_name(way) for way in nearest[:1]]
    found = [claim for way in held for claim in claims_of(arm_name(way))]
    return [dataclasses.replace(claim, primary=claim.primary and claim.arm in primary) for claim in found]


def claims_of(arm: str) -> list[ae.Claim]:
    """The report's losses, and its scores read with either data range.

    The range that fits its numbers decides, to be told from what needs no network. The epoch's mean isn't among the
    readings of its last loss, wherever it lies: a network that ended as well as ours has other scores than it reports.
    """
    end = ((arm, "train/both/last tenth"),)
    found = [
        ae.Claim(
            arm, metric, number, "Model", reading, 5e-4, scale="log", reason=UNKNOWN,
            primary=metric in ("train/both/first step", "train/both/last step"),
            explained_by=end if metric == "train/both/last step" else (),
        )
        for metric, number, reading in LOSSES
    ]  # fmt: skip
    for metric, numbers in SCORES.items():
        for image, number in numbers.items():
            right = f"{SAMPLE} test pairs/{image} {metric}"
            wrong = f"{right}, range 255"
            wide, own = "data range 255 on images in [0, 1]", "data range 1, the images' own"
            same: dict[str, Any] = {"scale": "decibel" if metric == "psnr" else "plain", "test_set": "cifar10"}
            guess = ae.results.Rival("what needs no network", GUESSES, f"test/{image} {metric}, range 255")
            rivals = (ae.results.Rival(own, arm, right), guess)
            found += [
                ae.Claim(arm, wrong, number, "Evaluation", wide, reason=UNKNOWN, rivals=rivals, **same),
                ae.Claim(arm, right, number, "Evaluation", own, reason=RANGE, primary=False, **same),
            ]
    return found


def claimed(config: Config) -> list[str]:
    """The arms that are held against the report."""
    return list(dict.fromkeys(claim.arm for claim in claims(config)))


# ---- what is trained


def batch(key, data: ae.data.Pairs, index) -> ae.Batch:
    """Means of pairs, f32[b, 32, 32, 3], and the pairs, f32[b, 2, 32, 32, 3], all signed."""
    digits: Any = data.first.image
    photos: Any = data.second.image
    digit = unit_to_signed(to_rgb(resize(to_unit(digits[index[:, 0]]), 32)))
    photo = to_signed(photos[index[:, 1]])
    return ae.Batch(inputs=mix(digit, photo), target=jnp.stack([digit, photo], 1))


def loss(outputs, batch: ae.Batch, hparams) -> tuple[Any, dict[str, Any]]:
    """The sum of both images' MSE, of signed images (four times that of unit images), and the weighted consistency."""
    parts = {name: ae.losses.mse(outputs.image[:, i], batch.target[:, i]) for i, name in enumerate(IMAGES)}
    parts["both"] = parts["digit"] + parts["photo"]
    parts["consistency"] = ae.losses.mse(outputs.image.mean(1), batch.inputs)
    return parts["both"] + hparams["consistency"] * parts["consistency"], parts


def scores(outputs, batch: ae.Batch) -> dict[str, Any]:
    """Both decoders' images and the photo by the formula against the true ones, as images in [0, 1].

    They are scored as they come, as the report's, and clipped to [0, 1], as one would show them.
    """
    digit, photo = (signed_to_unit(batch.target[:, i]) for i in range(2))
    made = {
        name: (signed_to_unit(outputs.image[:, i]), true)
        for i, (name, true) in enumerate(zip(IMAGES, (digit, photo), strict=True))
    }
    formula = signed_to_unit(unmix(batch.inputs, outputs.image[:, 0]))
    made[FORMULA] = formula, photo
    found = {f"{name} {metric}": value for name, pair in made.items() for metric, value in quality(*pair).items()}
    for name, (image, true) in made.items():
        clipped = jnp.clip(image, 0, 1)
        found[f"{name}, clipped psnr"] = ae.metrics.psnr(clipped, true)
        found[f"{name}, clipped ssim"] = ae.metrics.ssim(clipped, true)
    found |= {f"photo {name}": share for name, share in coarse(*made["photo"]).items()}
    parts = loss(outputs, batch, {"consistency": 0.0})[1]
    return found | {name: parts[name] for name in ("both", "consistency")}


def quality(image, target) -> dict[str, Any]:
    """Scores of unit images with their own data range, 1, and with the one that fits the report's numbers."""
    return {
        "mse": ae.metrics.mse(image, target),
        "psnr": ae.metrics.psnr(image, target),
        "psnr, range 255": ae.metrics.psnr_as_reported(image, target),
        "ssim": ae.metrics.ssim(image, target),
        "ssim 7x7": ae.metrics.ssim_uniform(image, target),
        "ssim 7x7, range 255": ae.metrics.ssim_uniform(image, target, 255.0),
    }


def coarse(image, target) -> dict[str, Any]:
    """What share of a photo's squared error is at low frequencies, and in its overall colour."""
    return {COARSE: ae.metrics.coarse_share(image, target), COLOUR: ae.metrics.coarse_share(image, target, 32)}


def arms(config: Config, pairs: int = EPOCH) -> list[ae.Arm]:
    """A study for each of them, with every consistency weight in one program, for epochs of so many pairs."""
    found = []
    for way in ways(config):
        made = study(way, config)
        steps = 0 if way.times == 1 else made.epochs * max(pairs // config.batch_size, 1)
        weights = {setting(weight): {"consistency": weight, "steps": steps} for weight in config.consistency}
        found.append(ae.Arm(made, weights))
    return found


def study(way: Way, config: Config) -> ae.Study:
    """One encoder and two decoders, on pairs that are drawn anew in every epoch."""
    model = ae.models.Unmixer(skip=way.decoders == "skip", dtype=config.dtype, pooled=way.pooled, frozen=way.frozen)
    return ae.Study(
        arm_name(way), model, batch, loss, adam if way.beta == Way().beta else forgetful_adam, config.batch_size,
        way.times * config.epochs, scores=scores, index=draw_aligned if way.aligned else draw_pairs, examples=len,
        scale=SIGNED,
    )  # fmt: skip


def adam(hparams: Mapping[str, Any]) -> optax.GradientTransformation:
    """Adam at the report's rate, which falls to 0 along a cosine where the lane has a number of steps for it."""
    return optax.adam(ae.schedules.cosine(RATE, hparams["steps"]))


def forgetful_adam(hparams: Mapping[str, Any]) -> optax.GradientTransformation:
    """The same with the betas usual for GANs, 0.5 and 0.999: it follows the last few gradients."""
    return optax.adam(ae.schedules.cosine(RATE, hparams["steps"]), b1=0.5)


def draw_pairs(key, data: ae.data.Pairs):
    """The pairs of an epoch."""
    return data.draw(key)


def draw_aligned(key, data: ae.data.Pairs):
    """Image i with image i, whatever the data say."""
    return dataclasses.replace(data, aligned=True).draw(key)


def train_pairs(run: ae.Run) -> ae.data.Pairs:
    """The training pairs: as many in an epoch as the report's, or with --limit as the smaller set has images."""
    digits, photos = run.data("mnist", "train"), run.data("cifar10", "train")
    return ae.data.pairs(digits, photos, count=None if run.limited else EPOCH, aligned=run.config.aligned)


def test_pairs(run: ae.Run) -> ae.data.Pairs:
    """The test pairs, as many as the smaller set has images."""
    return ae.data.pairs(run.data("mnist", "test"), run.data("cifar10", "test"), aligned=run.config.aligned)


def encoder(run: ae.Run, source: str) -> dict[str, Any] | None:
    """Variables for the model's encoder to start from: those of `--pretrained`, of as many stages as are asked for."""
    if source == "none" or (source == "imagenet" and run.rehearsing):  # a plan downloads nothing
        return None
    if source == "cifar":
        found = photo_classifier.encoder(run)
    else:
        path = ae.models.weights.imagenet() if source == "imagenet" else Path(source)
        found = ae.models.weights.load(path, ae.models.ResNet18(classes=None))
        run.file(f"encoder, {Path(source).name}", path)
    drawn = tuple(f"layer{stage}_" for stage in range(run.config.stages + 1, STAGES + 1))
    return {
        kind: {"encoder": {part: leaves[part] for part in leaves if not part.startswith(drawn)}}
        for kind, leaves in found.items()
    }


def train(run: ae.Run) -> dict[str, ae.Trained]:
    """Every arm, scored on the test pairs."""
    refuse_absent(run.config)
    pairs, test = train_pairs(run), test_pairs(run)
    sources = dict.fromkeys(way.source for way in ways(run.config))
    quick_first = sorted(sources, key=lambda source: source == "cifar")  # files may be refused
    starts = {source: encoder(run, source) for source in quick_first}
    trained = {}
    for way, arm in zip(ways(run.config), arms(run.config, len(pairs)), strict=True):
        trained |= run.train(arm, pairs, test=test, initial=starts[way.source], chunk=CHUNK)
    return trained
