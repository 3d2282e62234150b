"""What is trained: two images from their mean, by an encoder and two decoders; and the report's numbers."""

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax.numpy as jnp
import optax

import jaxae as ae
from experiments import photo_classifier
from jaxae.transforms import SIGNED, mix, resize, signed_to_unit, to_rgb, to_signed, to_unit, unit_to_signed, unmix

IMAGES = ("digit", "photo")  # in the order in which the model gives them
FORMULA = "photo by subtraction"
GUESSES = "no network: black digit, mean photo"
FIRST, LAST = 1.094, 0.228  # the report's losses
SAMPLE = 128  # test pairs that the report scores
SCORES = {
    "psnr": {"photo": 62.79011552553733, "digit": 65.22051003145367},
    "ssim 7x7": {"photo": 0.9962222993689486, "digit": 0.99826334636813},
}
CHUNK = 10  # steps that a save and a stop wait for: a step of three seeds takes seconds on a CPU
EPOCH = 50_000  # pairs, however many images there are (but for --limit): the steps stay the report's
RATE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings, but for its ImageNet weights, which take a download; and what goes past them."""

    counts = (*ae.Flags.counts, "times")

    pretrained: tuple[str, ...] = ("none",)
    """What the encoder starts from, each an arm: none (drawn at random), cifar (trained here to classify the photos),
    imagenet (torchvision's weights from the Hugging Face hub), or the path of a .safetensors or .pth file of them."""
    decoders: tuple[Literal["plain", "skip"], ...] = ("plain",)
    """The report's decoders, or ones that see the encoder's maps and the mean itself too; each an arm."""
    times: tuple[int, ...] = (1,)
    """Arms that train so many times the epochs; above 1, with Adam's rate falling to 0 along a cosine."""
    consistency: tuple[float, ...] = (0.0,)
    """Weights in the loss of how far the two outputs are from averaging to the input, each an arm."""
    aligned: bool = False
    """Pair image i with image i, always, in place of new random pairs every epoch."""
    epochs: int = 1

    def __post_init__(self):
        super().__post_init__()
        files = [source for source in self.pretrained if source not in ("none", "cifar", "imagenet")]
        if absent := [file for file in files if not Path(file).is_file()]:
            raise ae.UsageError(
                f"--pretrained {absent[0]}: there is no such file; give none, cifar, imagenet or the path of a file"
            )
        if len({Path(file).stem for file in files}) < len(files):
            raise ae.UsageError(f"--pretrained {' '.join(files)}: arms are called by the files' names; rename one")
        if min(self.consistency) < 0:
            raise ae.UsageError(f"--consistency is {min(self.consistency):g}; it must be at least 0")


def arm_name(decoders: str, source: str, times: int) -> str:
    """What an arm is called: what of it isn't the default, but for its consistency weight, which `setting` adds."""
    start = {"none": "", "cifar": "from CIFAR-10", "imagenet": "from ImageNet"}.get(source, f"from {Path(source).stem}")
    return " ".join(filter(None, [decoders, start, f"{times} x epochs, cosine" if times > 1 else ""]))


def setting(weight: float) -> str:
    """What an arm's name says of its consistency weight."""
    return f"consistency {weight:g}" if weight else ""


# ---- what is reported

EPOCH_MEAN = "train/both/last"  # of an epoch, the last one
LOSSES = (  # measure, number, reading; the first of each number decides
    ("train/both/first step", FIRST, "the loss of the first batch"),
    ("train/both/last step", LAST, "the loss of the last batch"),
    ("train/both/last tenth", LAST, "the mean loss of the last tenth of the steps"),
    (
        EPOCH_MEAN,
        LAST,
        "the mean loss of the epoch, which the report's scores argue against: see the note on data ranges",
    ),
)
UNKNOWN = (
    "what makes the difference isn't known: the report's encoder was pretrained on ImageNet, "
    "and it doesn't give its decoders' geometry in full"
)
RANGE = "most of the difference is the data range: see the reading with 255"


def claims(config: Config) -> list[ae.Claim]:
    """The report's numbers, for the arms built and trained as it says, whatever the encoder started from."""
    if "plain" not in config.decoders or 1 not in config.times or 0 not in config.consistency:
        return []
    nearest = next((source for source in config.pretrained if source not in ("none", "cifar")), config.pretrained[0])
    found = [claim for source in config.pretrained for claim in claims_of(arm_name("plain", source, 1))]
    return [
        dataclasses.replace(claim, primary=claim.primary and claim.arm == arm_name("plain", nearest, 1))
        for claim in found
    ]


def claims_of(arm: str) -> list[ae.Claim]:
    """The report's losses, and its scores read with either data range.

    The range that fits its numbers decides, to be told from what needs no network. That its last loss is the epoch's
    mean explains nothing, since its own scores argue against it.
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


def plans(config: Config) -> list[tuple[str, int, str]]:
    """Decoders, times and what the encoder starts from, of every arm."""
    return list(itertools.product(config.decoders, config.times, config.pretrained))


def arms(config: Config, pairs: int = EPOCH) -> list[ae.Arm]:
    """A study for each of them, with every consistency weight in one program, for epochs of so many pairs."""
    found = []
    for decoders, times, source in plans(config):
        made = study(decoders, source, times, config)
        steps = 0 if times == 1 else made.epochs * max(pairs // config.batch_size, 1)
        weights = {setting(weight): {"consistency": weight, "steps": steps} for weight in config.consistency}
        found.append(ae.Arm(made, weights))
    return found


def study(decoders: str, source: str, times: int, config: Config) -> ae.Study:
    """One encoder and two decoders, on pairs that are drawn anew in every epoch."""
    model = ae.models.Unmixer(skip=decoders == "skip", dtype=config.dtype)
    return ae.Study(
        arm_name(decoders, source, times), model, batch, loss, adam, config.batch_size, times * config.epochs,
        scores=scores, index=draw_pairs, examples=len, scale=SIGNED,
    )  # fmt: skip


def adam(hparams: Mapping[str, Any]) -> optax.GradientTransformation:
    """Adam at the report's rate, which falls to 0 along a cosine where the lane has a number of steps for it."""
    return optax.adam(ae.schedules.cosine(RATE, hparams["steps"]))


def draw_pairs(key, data: ae.data.Pairs):
    """The pairs of an epoch."""
    return data.draw(key)


def train_pairs(run: ae.Run) -> ae.data.Pairs:
    """The training pairs: as many in an epoch as the report's, or with --limit as the smaller set has images."""
    digits, photos = run.data("mnist", "train"), run.data("cifar10", "train")
    return ae.data.pairs(digits, photos, count=None if run.limited else EPOCH, aligned=run.config.aligned)


def test_pairs(run: ae.Run) -> ae.data.Pairs:
    """The test pairs, as many as the smaller set has images."""
    return ae.data.pairs(run.data("mnist", "test"), run.data("cifar10", "test"), aligned=run.config.aligned)


def encoder(run: ae.Run, source: str) -> dict[str, Any] | None:
    """Variables for the model's encoder to start from: those of `--pretrained`."""
    if source == "none" or (source == "imagenet" and run.rehearsing):  # a plan downloads nothing
        return None
    if source == "cifar":
        found = photo_classifier.encoder(run)
    else:
        path = ae.models.weights.imagenet() if source == "imagenet" else Path(source)
        found = ae.models.weights.load(path, ae.models.ResNet18(classes=None))
        run.file(f"encoder, {Path(source).name}", path)
    return {kind: {"encoder": leaves} for kind, leaves in found.items()}


def train(run: ae.Run) -> dict[str, ae.Trained]:
    """Every arm, scored on the test pairs."""
    pairs, test = train_pairs(run), test_pairs(run)
    quick_first = sorted(run.config.pretrained, key=lambda source: source == "cifar")  # files may be refused
    starts = {source: encoder(run, source) for source in quick_first}
    trained = {}
    for (*_, source), arm in zip(plans(run.config), arms(run.config, len(pairs)), strict=True):
        trained |= run.train(arm, pairs, test=test, initial=starts[source], chunk=CHUNK)
    return trained
