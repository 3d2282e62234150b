"""unmix: two images from their mean (report 000).

A ResNet-18 sees the mean of an MNIST digit and a CIFAR-10 photo, and two decoders give both back from its 128 features.
The report's PSNR of 62.79 dB, for photos that it calls "highly blurry and barely recognizable", fits images in [0, 1]
scored with a data range of 255, which adds 20 log10(255) = 48.13 dB to the right 14.66. Both ranges are computed, and
so is the formula that the report turns to, photo = 2 * mean - digit, whose error is the digit's with the other sign.

Source    000_78e97eb95608c9b3.txt: one run, no seed; ResNet-18 pretrained on ImageNet, sum of two MSEs, Adam 1e-3,
          batch 128, one epoch of 50,000 pairs; images in [-1, 1], which only the first loss tells
Expected  experiments/results/unmix.json
Run       python -m experiments.unmix --seeds 3
Also      --pretrained none cifar (fine-tuning against training from scratch; cifar is an encoder trained here);
          --pretrained imagenet, as the report's (a download; or the path of the file);
          --decoders plain skip --times 1 5 (how far unmixing can go past the report); --consistency 0 1; --aligned
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from experiments import photo_classifier, unmix_pictures
from experiments.unmix_pictures import FIRST, FORMULA, IMAGES, LAST
from jaxae import tables
from jaxae.transforms import mix, resize, signed_to_unit, to_rgb, to_signed, to_unit, unit_to_signed, unmix

EPOCH = 50_000  # pairs, whatever the sets' sizes: the steps stay the report's
RATE = 1e-3
SAMPLE = 128  # test pairs that the report scores
GUESSES = "no network: black digit, mean photo"


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings, but for its ImageNet weights, which take a download; and what goes past them."""

    pretrained: tuple[str, ...] = ("none",)
    """What the encoder starts from, each an arm: none (drawn at random), cifar (trained here to classify the photos),
    imagenet (torchvision's weights from the Hugging Face hub), or the path of a .safetensors or .pth file."""
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
        if min(self.times) < 1:
            raise ae.UsageError(f"--times is {min(self.times)}; it must be at least 1")
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

BELOW = f"train/both/first step below {LAST}"
LOSSES = (  # measure, number, reading, and the measure of the number's other reading
    ("train/both/first step", FIRST, "the loss of the first batch", ""),
    ("train/both/last step", LAST, "the loss of the last batch", "train/both/last tenth"),
    ("train/both/last tenth", LAST, "the mean loss of the last tenth of the steps", "train/both/last step"),
)
SCORES = {
    "psnr": {"photo": 62.79011552553733, "digit": 65.22051003145367},
    "ssim 7x7": {"photo": 0.9962222993689486, "digit": 0.99826334636813},
}
ENCODER = "the report's encoder was pretrained on ImageNet, which this one wasn't"


def claims(config: Config) -> list[ae.Claim]:
    """The report's numbers, for the arms built and trained as it says, whatever the encoder started from."""
    if "plain" not in config.decoders or 1 not in config.times or 0 not in config.consistency:
        return []
    return [claim for source in config.pretrained for claim in claims_of(arm_name("plain", source, 1), source)]


def claims_of(arm: str, source: str) -> list[ae.Claim]:
    """The report's losses, and its scores read with either data range: where one differs, the other may explain it."""
    reason = ENCODER if source in ("none", "cifar") else ""
    found = [
        ae.Claim(
            arm, metric, number, "Model", reading, 5e-4, explained_by=((arm, other),) if other else (), reason=reason
        )
        for metric, number, reading, other in LOSSES
    ]
    for metric, numbers in SCORES.items():
        for image, number in numbers.items():
            right = f"{SAMPLE} test pairs/{image} {metric}"
            wrong = f"{right}, range 255"
            found.append(
                ae.Claim(arm, wrong, number, "Evaluation", "data range 255 on images in [0, 1]", reason=reason)
            )
            found.append(
                ae.Claim(
                    arm, right, number, "Evaluation", "data range 1, the images' own", explained_by=((arm, wrong),)
                )
            )
    return found


def claimed(config: Config) -> list[str]:
    """The arms that are held against the report."""
    return list(dict.fromkeys(claim.arm for claim in claims(config)))


# ---- what is trained


def batch(key, data: ae.data.Pairs, index) -> ae.Batch:
    """Means of pairs, f32[b, 32, 32, 3], and the pairs, f32[b, 2, 32, 32, 3], all signed."""
    digits, photos = jnp.asarray(data.first.image), jnp.asarray(data.second.image)
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
    """Both decoders' images and the photo by the formula against the true ones, as images in [0, 1], unclipped."""
    digit, photo = (signed_to_unit(batch.target[:, i]) for i in range(2))
    made = {
        name: (signed_to_unit(outputs.image[:, i]), true)
        for i, (name, true) in enumerate(zip(IMAGES, (digit, photo), strict=True))
    }
    formula = signed_to_unit(unmix(batch.inputs, outputs.image[:, 0]))
    made[FORMULA] = formula, photo
    found = {f"{name} {metric}": value for name, pair in made.items() for metric, value in quality(*pair).items()}
    parts = loss(outputs, batch, {"consistency": 0.0})[1]
    return found | {
        f"{FORMULA}, clipped psnr": ae.metrics.psnr(jnp.clip(formula, 0, 1), photo),
        "both": parts["both"],
        "consistency": parts["consistency"],
    }


def quality(image, target) -> dict[str, Any]:
    """Scores of unit images with their own data range, 1, and with the one that the report must have used."""
    return {
        "mse": ae.metrics.mse(image, target),
        "psnr": ae.metrics.psnr(image, target),
        "psnr, range 255": ae.metrics.psnr_as_reported(image, target),
        "ssim": ae.metrics.ssim(image, target),
        "ssim 7x7": ae.metrics.ssim_uniform(image, target),
        "ssim 7x7, range 255": ae.metrics.ssim_uniform(image, target, 255.0),
    }


def study(decoders: str, source: str, times: int, train: ae.data.Pairs, config: Config) -> ae.Study:
    """One encoder and two decoders, on pairs that are drawn anew in every epoch."""
    epochs = times * config.epochs
    steps = epochs * max(len(train) // config.batch_size, 1)
    rate = RATE if times == 1 else optax.cosine_decay_schedule(RATE, steps)
    model = ae.models.Unmixer(skip=decoders == "skip", dtype=config.dtype)
    return ae.Study(
        arm_name(decoders, source, times), model, batch, loss, optax.adam(rate),
        config.batch_size, epochs, scores=scores, index=draw_pairs, examples=len,
    )  # fmt: skip


def draw_pairs(key, data: ae.data.Pairs):
    """The pairs of an epoch."""
    return data.draw(key)


def encoder(run: ae.Run, source: str, test: ae.data.Dataset) -> dict[str, Any] | None:
    """Variables for the model's encoder to start from: those of `--pretrained`."""
    if source == "none":
        return None
    if source == "cifar":
        found = photo_classifier.encoder(run, test)
    else:
        path = ae.models.weights.imagenet() if source == "imagenet" else Path(source)
        found = ae.models.weights.load(path, ae.models.ResNet18(classes=None))
        run.file(f"encoder, {Path(source).name}", path)
    return {kind: {"encoder": leaves} for kind, leaves in found.items()}


def main(config: Config) -> None:
    """Train every arm, score, compare, draw."""
    settings = {setting(weight): {"consistency": weight} for weight in config.consistency}
    with ae.Run(config, claims(config)) as run:
        digits, photos = run.data("mnist", "train"), run.data("cifar10", "train")
        test = ae.data.pairs(run.data("mnist", "test"), run.data("cifar10", "test"), aligned=config.aligned)
        train = ae.data.pairs(digits, photos, count=None if config.limit else EPOCH, aligned=config.aligned)
        starts = {source: encoder(run, source, test.second) for source in config.pretrained}
        trained = []
        for decoders, times, source in itertools.product(config.decoders, config.times, config.pretrained):
            made = study(decoders, source, times, train, config)
            trained += run.train_settings(made, train, settings, test=test, initial=starts[source])
        sample = sampled(run.seeds, len(test))
        for done in trained:
            note_losses(run, done)
            note_scores(run, done, sample)
        note_guesses(run, train, test)
        compare(run, trained)
        columns(run, config)
        unmix_pictures.figures(run, trained, test, sample[0])
        for text in notes(run, config, trained, train, test):
            run.note(text)


# ---- what is measured


def sampled(seeds: Sequence[int], count: int) -> np.ndarray:
    """The random test pairs of each seed, as many as the report scored, i32[seeds, 128]."""
    keys = [ae.keys.stream(ae.keys.root(seed), "test pairs") for seed in seeds]
    return np.stack([jax.random.permutation(key, count)[:SAMPLE] for key in keys])


def note_losses(run: ae.Run, done: ae.Trained) -> None:
    """The first and the last total loss, however the report understood them; without consistency, which it hasn't."""
    losses = np.asarray(done.train["both"], np.float64)
    run.measure(done.name, "train/both/first step", losses[:, 0])
    run.measure(done.name, "train/both/last step", losses[:, -1])
    run.measure(done.name, "train/both/last tenth", losses[:, -max(losses.shape[1] // 10, 1) :].mean(1))
    below = losses < LAST
    if below.any(1).all():
        run.measure(done.name, BELOW, below.argmax(1) + 1)


def note_scores(run: ae.Run, done: ae.Trained, sample: np.ndarray) -> None:
    """The reported scores on the sampled pairs, and what the formula gains on the photo's decoder over all pairs."""
    for image, metric in itertools.product(IMAGES, SCORES):
        for name in (f"{image} {metric}", f"{image} {metric}, range 255"):
            chosen = np.take_along_axis(np.asarray(done.scores[name], np.float64), sample, 1)
            run.measure(done.name, f"{SAMPLE} test pairs/{name}", chosen.mean(1))
    for metric in ("psnr", "ssim"):
        gained = [run.measures[done.name][f"test/{image} {metric}"] for image in (FORMULA, "photo")]
        run.measure(done.name, f"test/{FORMULA} {metric}, gained", gained[0] - gained[1])


def note_guesses(run: ae.Run, train: ae.data.Pairs, test: ae.data.Pairs) -> None:
    """What two guesses without any network score: every digit black, every photo the mean one."""
    digit = to_rgb(resize(to_unit(jnp.asarray(test.first.image)), 32))
    photo = to_unit(jnp.asarray(test.second.image))
    mean = jnp.asarray(train.second.image.mean(0, np.float64) / 255, jnp.float32)
    scored = jax.jit(quality)
    for name, guess, true in (
        ("digit", jnp.zeros_like(digit), digit),
        ("photo", jnp.broadcast_to(mean, photo.shape), photo),
    ):
        for metric, values in scored(guess, true).items():
            run.measure(GUESSES, f"test/{name} {metric}", np.asarray(values, np.float64).mean())


def compare(run: ae.Run, trained: Sequence[ae.Trained]) -> None:
    """Every arm against the first, paired by seed: same pairs, same order."""
    for done in trained[1:]:
        measures = ("digit psnr", "photo psnr", f"{FORMULA}, clipped psnr", "photo ssim", "both", "consistency")
        run.compare(done.name, trained[0].name, *(f"test/{name}" for name in measures))


def columns(run: ae.Run, config: Config) -> None:
    """Each score as reported beside the right one, of the same pairs; and those of the guesses, of all images."""
    arms = [(arm, f"{SAMPLE} test pairs") for arm in claimed(config)]
    for metric, words in (("psnr", "PSNR, dB"), ("ssim 7x7", "SSIM")):
        rows = []
        for (arm, split), (image, reported) in itertools.product((*arms, (GUESSES, "test")), SCORES[metric].items()):
            right = run.measures[arm][f"{split}/{image} {metric}"]
            wrong = run.measures[arm][f"{split}/{image} {metric}, range 255"]
            rows.append([arm, image, f"{reported:.6g}", *map(tables.over_seeds, (wrong, right, wrong - right))])
        heads = ("reported", "range 255, as reported", "range 1, right", "difference")
        kinds = [("Arm", "text"), ("Image", "text"), *((f"{words}: {head}", "number") for head in heads)]
        title = f"{words}, under both data ranges, of {SAMPLE} random test pairs; without network, of all test images"
        run.table(title, kinds, rows)


# ---- what is said


def notes(run: ae.Run, config: Config, trained, train: ae.data.Pairs, test: ae.data.Pairs) -> list[str]:
    """What the numbers say."""
    found = [amount(config, train, test), start(config), ranges(train)]
    found += [identity(done) for done in trained]
    return [*found, data_range(), *(against(run, arm) for arm in claimed(config)), guesses(run)]


def amount(config: Config, train: ae.data.Pairs, test: ae.data.Pairs) -> str:
    """How much data there was, against the report's."""
    steps = len(train) // config.batch_size
    return (
        f"An epoch is {steps} steps on {len(train):,} pairs of {len(train.first):,} digits and {len(train.second):,} "
        f"photos; the report's was about 400 steps on 50,000 pairs of 60,000 and 50,000. Tested on {len(test):,} "
        f"pairs; {min(SAMPLE, len(test))} of them, others for each seed, stand for the report's {SAMPLE}."
    )


def start(config: Config) -> str:
    """What the encoders started from."""
    words = {"none": "random weights", "cifar": "weights trained here to classify the photos"}
    sources = [words.get(source, f"weights read from {source}") for source in config.pretrained]
    missing = "" if "imagenet" in config.pretrained else "; the report's, pretrained on ImageNet, is not among these"
    return f"The encoder started from {', and from '.join(sources)}{missing}."


def ranges(train: ae.data.Pairs, most: int = 5000) -> str:
    """The loss of an output of zeros in both value ranges, one of which gives the report's first loss."""
    first, second = train.first.image[:most], train.second.image[:most]
    digit, photo = to_rgb(resize(to_unit(jnp.asarray(first)), 32)), to_unit(jnp.asarray(second))
    unit = sum(float(jnp.square(image).mean()) for image in (digit, photo))
    signed = sum(float(jnp.square(unit_to_signed(image)).mean()) for image in (digit, photo))
    return (
        f"An output of zeros has a total loss of {signed:.3f} on images in [-1, 1] and of {unit:.3f} on images in "
        f"[0, 1] (first {len(first):,} digits and {len(second):,} photos); the report's first loss is 1.094."
    )


def identity(done: ae.Trained) -> str:
    """That the formula's error is the digit's."""
    digit, formula = (np.asarray(done.scores[f"{name} mse"], np.float64) for name in ("digit", FORMULA))
    apart = (np.abs(formula - digit) / np.maximum(digit, 1e-12)).max()
    means = {name: done.scores[f"{name} psnr"].mean() for name in (*IMAGES, FORMULA)}
    clipped = done.scores[f"{FORMULA}, clipped psnr"].mean()
    return (
        f"{done.name}: 2 * mean - digit has the digit's error with the opposite sign; the two mean squared errors "
        f"differ by at most {apart:.1e} of their size in {digit.size:,} pairs. It scores {means[FORMULA]:.2f} dB, "
        f"{clipped:.2f} dB clipped to [0, 1], where the photo's own decoder scores {means['photo']:.2f} dB and the "
        f"digit's {means['digit']:.2f} dB."
    )


def data_range() -> str:
    """Why both columns differ by a constant, and what the report's numbers are without it."""
    step = 20 * np.log10(255)
    photo, digit = SCORES["psnr"].values()
    right = {image: number - step for image, number in SCORES["psnr"].items()}
    total = 4 * sum(10 ** (-number / 10) for number in right.values())
    return (
        f"PSNR with data range 255 is 20 log10(255) = {step:.2f} dB above PSNR with data range 1, for any pair of "
        f"images. With range 1 the report's {photo:.2f} dB (photo) and {digit:.2f} dB (digit) would be errors of "
        f"{255 * 10 ** (-photo / 20):.2f} and {255 * 10 ** (-digit / 20):.2f} grey levels of 255 (root mean square), "
        f"where rounding to whole levels alone makes {12**-0.5:.2f}: no blurred photo has that. {step:.2f} dB lower "
        f"they are {right['photo']:.2f} and {right['digit']:.2f} dB: squared errors whose sum on images in [-1, 1] is "
        f"at least {total:.3f}, for a mean of decibels gives the geometric mean of the errors; its last training loss "
        f"is {LAST}. SSIM with that range is at least 0.85 for any images in [0, 1], whose means and variances are "
        "small beside its constants."
    )


def against(run: ae.Run, arm: str) -> str:
    """An arm's losses and scores beside the report's."""
    values = run.measures[arm]
    above = {
        image: values[f"{SAMPLE} test pairs/{image} psnr, range 255"].mean() - number
        for image, number in SCORES["psnr"].items()
    }
    reached = f" It is first below the report's, {LAST}, at step {run.words(arm, BELOW)}." if BELOW in values else ""
    return (
        f"{arm}: the training loss of the last tenth of the steps is {values['train/both/last tenth'].mean():.3f}."
        f"{reached} The test loss, on all pairs, is {values['test/both'].mean():.3f} ({geometric(values):.3f} from the "
        f"mean decibels). With data range 255 the photo's PSNR is {above['photo']:+.2f} dB from the report's and the "
        f"digit's {above['digit']:+.2f} dB: the range accounts for the size of the report's numbers, and the rest is "
        "how far the network has learned."
    )


def geometric(values: Mapping[str, np.ndarray]) -> float:
    """The loss that follows from mean PSNRs as if they were of the mean squared errors."""
    return 4 * sum(10 ** (-values[f"test/{image} psnr"].mean() / 10) for image in IMAGES)


def guesses(run: ae.Run) -> str:
    """What the scores stand beside."""
    digit, photo, *wide = (
        run.measures[GUESSES][f"test/{name} {metric}"][0]
        for metric in ("psnr", "psnr, range 255", "ssim 7x7, range 255")
        for name in IMAGES
    )
    return (
        f"Without any network, a black digit scores {digit:.2f} dB, and so does the photo by subtraction of it; the "
        f"mean training photo scores {photo:.2f} dB on the test photos. With data range 255 these are {wide[0]:.2f} "
        f"and {wide[1]:.2f} dB, and their SSIM is {wide[2]:.4f} and {wide[3]:.4f}."
    )


if __name__ == "__main__":
    ae.cli(main, Config)
