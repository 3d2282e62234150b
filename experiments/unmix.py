"""unmix: two images from their mean (report 000).

A ResNet-18 sees the mean of an MNIST digit and a CIFAR-10 photo, and two decoders give both back from its 128 features.
The report's PSNR of 62.79 dB, for photos that it calls "highly blurry and barely recognizable", fits images in [0, 1]
scored with a data range of 255, which adds 20 log10(255) = 48.13 dB to the right 14.66. Both ranges are computed, and
so is the formula that the report turns to, photo = 2 * mean - digit, whose error is the digit's with the other sign.

Source    000_78e97eb95608c9b3.txt: one run, no seed; ResNet-18 pretrained on ImageNet, sum of two MSEs, Adam 1e-3,
          batch 128, one epoch of 50,000 pairs; trained on images in [-1, 1], which only the first loss tells
Expected  experiments/results/unmix.json (the PSNRs are no photo's, but for the data range; our networks are better,
          and with skip connections far better: a run of --decoders plain skip. 0.228 is reproduced as the mean loss of
          the epoch, at the edge of the range and against what the report's scores say), unmix_pretrained.json (100
          steps from our own encoder, or with --consistency 1, are no better than from scratch without it), and
          unmix_longer.json (of short trainings on 32 pairs a step, one of four times the steps at a falling rate is far
          better; the photos of the plain decoder stay blurs)
Run       python -m experiments.unmix --seeds 3
Also      --pretrained none cifar (fine-tuning against training from scratch; cifar is an encoder trained here);
          --pretrained imagenet, as the report's (downloads timm/resnet18.tv_in1k; or the path of that file);
          --decoders plain skip --times 1 5 (how far unmixing can go past the report); --consistency 0 1; --aligned
"""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from experiments import photo_classifier, unmix_notes, unmix_pictures
from experiments.unmix_notes import BELOW, FIRST, FORMULA, GUESSES, IMAGES, LAST, SAMPLE, SCORES
from jaxae import tables
from jaxae.transforms import mix, resize, signed_to_unit, to_rgb, to_signed, to_unit, unit_to_signed, unmix

GAINED = "test/gained by subtraction, clipped"
TRIED = 20  # seeds of which the first loss is looked at
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

MEAN = "train/both/last"  # of an epoch, the last one
LOSSES = (  # measure, number, reading
    ("train/both/first step", FIRST, "the loss of the first batch"),
    ("train/both/last step", LAST, "the loss of the last batch"),
    ("train/both/last tenth", LAST, "the mean loss of the last tenth of the steps"),
    (MEAN, LAST, "the mean loss of the epoch, which the report's scores argue against: see the note on data ranges"),
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
    return [claim for source in config.pretrained for claim in claims_of(arm_name("plain", source, 1))]


def claims_of(arm: str) -> list[ae.Claim]:
    """The report's losses, and its scores read with either data range: where one differs, the other may explain it."""
    others = {LAST: tuple((arm, metric) for metric, number, _ in LOSSES if number == LAST)}
    found = [
        ae.Claim(arm, metric, number, "Model", reading, 5e-4, explained_by=others.get(number, ()), reason=UNKNOWN)
        for metric, number, reading in LOSSES
    ]
    for metric, numbers in SCORES.items():
        for image, number in numbers.items():
            right = f"{SAMPLE} test pairs/{image} {metric}"
            wrong = f"{right}, range 255"
            wide, own = "data range 255 on images in [0, 1]", "data range 1, the images' own"
            found += [
                ae.Claim(arm, wrong, number, "Evaluation", wide, reason=UNKNOWN),
                ae.Claim(arm, right, number, "Evaluation", own, explained_by=((arm, wrong),), reason=RANGE),
            ]
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
        train = ae.data.pairs(digits, photos, count=None if run.sizes else EPOCH, aligned=config.aligned)
        quick_first = sorted(config.pretrained, key=lambda source: source == "cifar")  # files may be refused
        starts = {source: encoder(run, source, test.second) for source in quick_first}
        trained = []
        for decoders, times, source in itertools.product(config.decoders, config.times, config.pretrained):
            made = study(decoders, source, times, train, config)
            trained += run.train_settings(made, train, settings, test=test, initial=starts[source], chunk=CHUNK)
        sample = sampled(run.seeds, len(test))
        for done in trained:
            note_losses(run, done)
            note_scores(run, done, sample)
        note_guesses(run, train, test)
        compare(run, trained)
        columns(run, config)
        ways(run, trained)
        unmix_pictures.figures(run, trained, test, sample[0])
        first = first_losses(trained[0].study, train, config.seed)
        for text in unmix_notes.notes(run, trained, train, test, first, claimed(config)):
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
        formula, decoder = (np.asarray(done.scores[f"{image}, clipped {metric}"]) for image in (FORMULA, "photo"))
        run.measure(done.name, f"{GAINED} {metric}", (formula - decoder).mean(1, np.float64))
        run.measure(done.name, f"{GAINED} {metric}, % of pairs", 100 * (formula > decoder).mean(1))


def note_guesses(run: ae.Run, train: ae.data.Pairs, test: ae.data.Pairs) -> None:
    """What two guesses without any network score: every digit black, every photo the mean one."""
    digit = to_rgb(resize(to_unit(jnp.asarray(test.first.image)), 32))
    photo = to_unit(jnp.asarray(test.second.image))
    mean = jnp.asarray(train.second.image.mean(0, np.float64) / 255, jnp.float32)
    scored = jax.jit(lambda guess, true: jax.lax.map(lambda pair: quality(*pair), (guess, true)))
    for name, guess, true in (
        ("digit", jnp.zeros_like(digit), digit),
        ("photo", jnp.broadcast_to(mean, photo.shape), photo),
    ):
        for metric, values in scored(guess[:, None], true[:, None]).items():  # one at a time: they fill the memory
            run.measure(GUESSES, f"test/{name} {metric}", np.asarray(values, np.float64).mean())


def compare(run: ae.Run, trained: Sequence[ae.Trained]) -> None:
    """Every arm against the first, and with consistency against without, paired by seed: same pairs, same order."""
    for done in trained[1:]:
        clipped = [f"{name}, clipped {metric}" for metric in ("psnr", "ssim") for name in (*IMAGES, FORMULA)]
        without = done.name.partition(" consistency")[0]
        for other in dict.fromkeys((trained[0].name, without)):
            if other == done.name or other not in run.measures:
                continue
            run.compare(done.name, other, *(f"test/{name}" for name in (*clipped, "both", "consistency")))


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


def first_losses(study: ae.Study, data: ae.data.Pairs, seed: int) -> dict[str, np.ndarray]:
    """The total loss of the first batch in both value ranges, f32[20], of as many seeds from `seed` on."""

    def unit_batch(key, data, index):
        return jax.tree.map(signed_to_unit, batch(key, data, index))

    def first(made, data, key):
        state = ae.train.init(made, key, data, {"consistency": 0.0})
        index = ae.train.order(made, key, data, 0)[0]
        return ae.train.step(made, key, state, data, index, {"consistency": 0.0})[1]["both"]

    def losses(made):
        each = jax.jit(lambda keys, data: jax.lax.map(functools.partial(first, made, data), keys))
        return np.asarray(each(roots, jax.tree.map(jnp.asarray, data)))

    roots = jnp.stack([ae.keys.root(seed + number) for number in range(TRIED)])
    return {"[-1, 1]": losses(study), "[0, 1]": losses(dataclasses.replace(study, batch=unit_batch))}


def ways(run: ae.Run, trained: Sequence[ae.Trained]) -> None:
    """The photo by its decoder and by the report's formula, each as one would show it: clipped to [0, 1]."""
    rows = []
    for done, metric in itertools.product(trained, ("psnr", "ssim")):
        means = [run.words(done.name, f"test/{name}, clipped {metric}") for name in (*IMAGES, FORMULA)]
        gained = [run.words(done.name, f"{GAINED} {metric}{share}") for share in ("", ", % of pairs")]
        rows.append([done.name, metric.upper(), *means, *gained])
    heads = ("Digit's decoder", "Photo's decoder", "Photo by subtraction", "Gained by it", "In % of pairs")
    kinds = [("Arm", "text"), ("Score", "text"), *((head, "number") for head in heads)]
    run.table("Both ways to the photo, over all test pairs, of images clipped to [0, 1]", kinds, rows)


if __name__ == "__main__":
    ae.cli(main, Config)
