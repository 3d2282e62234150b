"""bottleneck: what eight numbers keep of a digit (report 002).

A four-layer MLP, 784-392-8-392-784 with a ReLU on the code too, learns to reconstruct MNIST. The report then gives it
noisy digits, which it never saw in training, and decodes the straight line between the codes of two digits. Here other
code sizes stand beside PCA of the same size, the best that a linear autoencoder can do, and a classifier reads what
lies on the way from one digit to another.

Source    002_33d737c79ea82370.txt: one run, no seed; MNIST, MSE, Adam 1e-3, batch 2048, 50 epochs, ReduceLROnPlateau
Expected  experiments/results/bottleneck.json (n seeds, device and command are in it)
Run       python -m experiments.bottleneck --seeds 3
Also      --code-sizes 2 4 8 16 32; --code-activation linear; --noise 0.3; --source synthetic
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from experiments import digit_classifier
from jaxae.latent import decode, encode, lerp, slerp, traversal
from jaxae.plots import Bars, Curves, Images, Line
from jaxae.transforms import add_gaussian_noise, to_unit

ACTIVATIONS = {"relu": nn.relu, "linear": lambda code: code}
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # of noise
STEPS = np.arange(10, dtype=np.float32) / 9  # both ends of a path, and the report's eight steps between them
STRIPS = ((2, 2), (8, 8), (1, 7), (4, 9), (3, 6), (0, 5))  # from which digit to which
SAME, DIFFERENT = "the same digit", "different digits"


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings."""

    code_sizes: tuple[int, ...] = (8,)
    """Numbers in the code, each an arm. The report's 8 is "somewhat arbitrary", it says."""
    code_activation: Literal["relu", "linear"] = "relu"
    """What the code goes through. The report's ReLU can leave some of its units dead."""
    noise: float = 0.2
    """Standard deviation of the noise in the denoising test, for images in [0, 1]."""
    pairs: int = 250
    """Paths to read between images of the same digit, and between different ones; at most a 40th of the test set."""
    batch_size: int = 2048
    epochs: int = 50

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= min(self.code_sizes) <= max(self.code_sizes) <= 784:
            raise ae.UsageError(f"--code-sizes {self.code_sizes}: give sizes from 1 to 784, the pixels of an image")
        if self.noise <= 0 or self.pairs < 1:
            raise ae.UsageError(f"--noise {self.noise} --pairs {self.pairs}: both must be above 0")


def claims(config: Config) -> list[ae.Claim]:
    """The one number that the report prints."""
    reading = "the mean over the first epoch's steps"
    return [ae.Claim("code 8", "train/loss/first", 0.108, "Results, Training Loss", reading, half_digit=0.0005)]


def arm_name(size: int, config: Config) -> str:
    """The report's activation is not named."""
    return f"code {size}" + " linear" * (config.code_activation == "linear")


def study(size: int, config: Config, train: ae.data.Dataset) -> ae.Study:
    """Reconstruction under MSE; the rate falls when the training loss of an epoch stops falling."""

    def batch(key, data, index):
        image = to_unit(data.image[index])
        return ae.Batch(inputs=image, target=image)

    def loss(outputs, batch, hparams):
        return ae.losses.mse(outputs.image, batch.target), {}

    batch_size = min(config.batch_size, len(train))
    rate = ae.schedules.reduce_on_plateau(1e-3, every=len(train) // batch_size)
    activation = ACTIVATIONS[config.code_activation]
    model = ae.models.MLPAutoencoder(code_size=size, code_activation=activation, dtype=config.dtype)
    return ae.Study(
        arm_name(size, config), model, batch, loss, optax.chain(optax.scale_by_adam(), rate), batch_size, config.epochs,
    )  # fmt: skip


def main(config: Config) -> None:
    """Train every code size, then the report's steps 4 (reconstruction), 5 (denoising) and 6 (interpolation)."""
    with ae.Run(config, claims(config)) as run:
        train, test = run.data("mnist", "train"), run.data("mnist", "test")
        judge = digit_classifier.judge(run, train, test)
        arms = [run.train(study(size, config, train), train, validation=test, test=test) for size in config.code_sizes]
        shown = arms[config.code_sizes.index(8) if 8 in config.code_sizes else 0]
        for arm in arms:
            training(run, arm, test)
        compare_with_pca(run, arms, config.code_sizes, train, test)
        run.figure("reconstructions", reconstructions(arms, test))
        run.figure("code_units", code_units(shown, test))
        denoising(run, arms, shown, test, config.noise)
        interpolation(run, arms, shown, test, config.pairs, judge)


# ---- training and code sizes


def training(run: ae.Run, arm: ae.Trained, test: ae.data.Dataset) -> None:
    """How flat the curve is at its end, whether the schedule ever acted, and how many units of the code live."""
    epochs = arm.train["loss"].reshape(len(run.seeds), arm.study.epochs, -1).mean(2)
    if arm.study.epochs > 5:
        run.measure(arm.name, "train/loss/fall in the last 5 epochs, %", 100 * (1 - epochs[:, -1] / epochs[:, -6]))
    rate = np.asarray(arm.state.opt_state[1].rate)
    run.measure(arm.name, "train/reductions of the rate", np.round(np.log10(1e-3 / rate)))
    living = [(np.ptp(codes(arm, test.image, lane), axis=0) > 0).sum() for lane in range(len(run.seeds))]
    run.measure(arm.name, "code/living units", living)


def codes(arm: ae.Trained, image: Any, lane: int = 0) -> np.ndarray:
    """uint8[n, 28, 28, 1] -> f32[n, size]."""
    return np.asarray(encode(arm.study.model, arm.variables(lane), image))


def compare_with_pca(run, arms, sizes, train, test) -> None:
    """The test error of each code size, beside PCA with as many components, and with as many as units live."""
    errors = ae.baselines.pca_errors(train.image, test.image, range(max(sizes) + 1))
    for arm, size in zip(arms, sizes, strict=True):
        run.measure(f"PCA {size}", "test/mse", errors[size])
        run.compare(arm.name, f"PCA {size}", "test/mse")
    living = np.stack([run.measures[arm.name]["code/living units"] for arm in arms], axis=1).astype(int)
    counts = ", ".join(f"{mean:.1f} of {size}" for size, mean in zip(sizes, living.mean(0), strict=True))
    run.note(f"Units of the code that vary over the test set, mean over seeds: {counts}. The others are dead.")
    if len(sizes) > 1:
        order, x = np.argsort(sizes), np.sort(sizes)
        ours = np.stack([run.measures[arm.name]["test/mse"] for arm in arms], axis=1)
        lines = (
            Line("autoencoder", x, ours[:, order]),
            Line("PCA, the best linear autoencoder", x, errors[None, x], style="dashed"),
            Line("PCA with as many components as units live", x, errors[living[:, order]], style="dotted"),
        )
        run.figure("code_sizes", Curves("Test error by code size", "numbers in the code", "test MSE", lines, log=True))


def reconstructions(arms: Sequence[ae.Trained], test: ae.data.Dataset) -> Images:
    """Step 4: digits and their reconstructions."""
    index = ae.plots.per_class(test.image, test.label, 2)
    rows = [(arm.name, np.asarray(arm.sample(test, index)[0].image)) for arm in arms]
    title = "Two test digits per class and their reconstructions (first seed)"
    return Images(title, (("original", test.image[index]), *rows))


def code_units(arm: ae.Trained, test: ae.data.Dataset) -> Images:
    """What each unit of the code does: one is varied, the others stay as a digit has them."""
    seen, shares = codes(arm, test.image), np.linspace(0, 1, 9)
    low, high = np.percentile(seen, (0.5, 99.5), axis=0)
    values = low[:, None] + np.outer(high - low, shares)
    digit = int(np.flatnonzero(test.label == 3)[0])
    grid = traversal(jnp.asarray(seen[digit]), jnp.asarray(values, jnp.float32))
    labels = [f"unit {i}" + " (dead)" * (not width) for i, width in enumerate(np.ptp(seen, axis=0), 1)]
    return Images(
        f"A test digit 3 as one unit of its code changes ({arm.name}, first seed)",
        tuple(zip(labels, np.asarray(decode(arm.study.model, arm.variables(), grid)), strict=True)),
        column_labels=[f"{share:.1%}" for share in (0.005 + 0.99 * shares)],
        note="Columns: from the 0.5th to the 99.5th percentile of the unit's values over the test set, evenly.",
    )  # fmt: skip


# ---- step 5: denoising


def noisy(key: jax.Array, data: tuple[ae.data.Dataset, jax.Array], index: jax.Array) -> ae.Batch:
    """Noisy digits to see and clean ones to compare with, unclipped: the report's x + 0.2 N(0, 1)."""
    images, deviation = data
    image = to_unit(images.image[index])
    return ae.Batch(add_gaussian_noise(ae.keys.stream(key, "noise"), image, deviation), image)


GAINED = (
    "Never shown noise, the autoencoder removes it by what its code can't hold, and the digit's own details with it."
)
SEEN = {
    "noisy input": lambda outputs, batch: batch.inputs,
    "noisy input, clipped": lambda outputs, batch: jnp.clip(batch.inputs, 0, 1),
    "output": lambda outputs, batch: outputs.image,
}


def denoising_study(trained: ae.Study, what: str) -> ae.Study:
    """PSNR and SSIM, against the clean digit, of the input or the output of an autoencoder that is given noise."""

    def scores(outputs, batch):
        image = SEEN[what](outputs, batch)
        return {"PSNR": ae.metrics.psnr(image, batch.target), "SSIM": ae.metrics.ssim(image, batch.target)}

    return dataclasses.replace(trained, eval_batch=noisy, scores=scores, examples=lambda data: data[0].image.shape[0])


def denoising(run, arms, shown, test, noise: float) -> None:
    """What goes in and what comes out; the clipped input is what any viewer of pictures makes of it."""
    levels = sorted({*LEVELS, noise})
    lines: dict[str, list[Line]] = {"PSNR": [], "SSIM": []}
    for arm, what in [(shown, "noisy input"), (shown, "noisy input, clipped"), *((arm, "output") for arm in arms)]:
        scored = denoising_study(arm.study, what)
        scores = [arm.evaluate((test, np.float32(level)), scored) for level in levels]
        label, style = (f"output, {arm.name}", "solid") if what == "output" else (what, "dashed")
        for metric, drawn in lines.items():
            means = np.stack([score[metric].astype(np.float64).mean(1) for score in scores], axis=1)
            drawn.append(Line(label, levels, means, style=style))
            run.score(arm.name, f"{metric} with noise {noise:g}, {what}", scores[levels.index(noise)][metric])
    for metric, unit in (("PSNR", " in dB"), ("SSIM", "")):
        title = f"{metric} against the clean test digit, with and without the autoencoder"
        axes = "standard deviation of the noise", metric + unit
        run.figure(f"denoising_{metric.lower()}", Curves(title, *axes, lines[metric]))
    run.figure("denoising", denoised(shown, test, noise))
    psnr = {what: run.measures[shown.name][f"test/PSNR with noise {noise:g}, {what}"].mean() for what in SEEN}
    run.note(
        f"With noise of {noise:g} the input has {psnr['noisy input']:.2f} dB, clipped to [0, 1] "
        f"{psnr['noisy input, clipped']:.2f} dB, and the output of {shown.name} {psnr['output']:.2f} dB; without "
        f"noise the output has {run.measures[shown.name]['test/psnr'].mean():.2f} dB. "
        + GAINED
        * bool(psnr["output"] > psnr["noisy input, clipped"])
    )


def denoised(arm: ae.Trained, test: ae.data.Dataset, noise: float) -> Images:
    """The report's figures 4 and 5: the digit, the digit with noise, the output."""
    scored = dataclasses.replace(arm, study=denoising_study(arm.study, "output"))
    index = ae.plots.per_class(test.image, test.label, 1)
    outputs, batch = scored.sample((test, np.float32(noise)), index)
    rows = {"original": batch.target, "noisy input": batch.inputs, "output": outputs.image}
    captions = [[f"{value:.1f} dB" for value in ae.metrics.psnr(image, batch.target)] for image in rows.values()]
    return Images(
        f"Digits with noise of {noise:g}, and what {arm.name} makes of them (first seed; PSNR below)",
        tuple((name, np.asarray(image)) for name, image in rows.items()), captions=([], *captions[1:]),
    )  # fmt: skip


# ---- step 6: interpolation


def path(walk, arm: ae.Trained, images: Any, lane: int = 0) -> np.ndarray:
    """Decoded points of the walk between codes: uint8[2, n, 28, 28, 1], starts and ends -> f32[10, n, 28, 28, 1]."""
    start, end = (codes(arm, image, lane) for image in images)
    return np.asarray(
        decode(arm.study.model, arm.variables(lane), walk(jnp.asarray(start), jnp.asarray(end), jnp.asarray(STEPS)))
    )


class Reading(NamedTuple):
    """What the classifier reads along paths: their mean, in percent.

    probability  f64[3, 10]: of the start's digit, the end's and any other, at each point
    detours      paths that are read as another digit at one of the eight steps between the ends, or more: of those
                 whose ends are both read right, so that the path and not the reconstruction is judged
    ends         ends that are not read as their own digit: reconstructions that failed
    """

    probability: np.ndarray
    detours: float
    ends: float


def read(judge: Mapping[str, Any], images: np.ndarray, label: np.ndarray) -> Reading:
    """The Reading of paths f32[10, n, 28, 28, 1] between digits of these labels, int[n, 2]."""
    seen = digit_classifier.read(judge, images.reshape(-1, *images.shape[2:])).reshape(*images.shape[:2], 10)
    wanted = np.eye(10)[label].transpose(1, 0, 2)  # start or end, path, digit
    strange = ~np.any(wanted, axis=0)
    of_ends = [(seen * end).sum(2).mean(1) for end in wanted]
    digit = seen.argmax(2)
    other: Any = np.take_along_axis(strange[None], digit[..., None], 2)[..., 0]
    failed: Any = label != digit[[0, -1]].T
    detours = other[1:-1].any(0)[~failed.any(1)]
    return Reading(
        100 * np.stack([*of_ends, (seen * strange).sum(2).mean(1)]),
        100 * detours.mean() if detours.size else math.nan,
        100 * failed.mean(),
    )


def interpolation(run, arms, shown, test, count: int, judge: Mapping[str, Any]) -> None:
    """The report's strips, then what the classifier reads along many such paths, and along cross-fades of pixels."""
    run.figure("interpolation", strips(shown, test, judge))
    key = ae.keys.stream(ae.keys.root(run.seeds[0]), "pairs")  # one draw for all seeds: their models are compared
    walks = [*((arm, "line", lerp) for arm in arms), (shown, "arc", slerp)]
    readings: dict[tuple[str, str], dict[str, list[Reading]]] = {}
    for kind, index in pairs(key, test.label, min(count, len(test) // 40)).items():
        images, label = test.image[index.T], test.label[index]
        start, end = to_unit(jnp.asarray(images))
        fades = np.asarray(lerp(start, end, jnp.asarray(STEPS)))
        readings.setdefault(("pixels", "line"), {})[kind] = [read(judge, fades, label)] * len(run.seeds)
        for arm, name, walk in walks:
            lanes = [read(judge, path(walk, arm, images, lane), label) for lane in range(len(run.seeds))]
            readings.setdefault((arm.name, name), {})[kind] = lanes
    for (arm, name), kinds in readings.items():
        for kind, lanes in kinds.items():
            run.measure(arm, f"{name} between {kind}/through another, %", [lane.detours for lane in lanes])
            run.measure(arm, f"{name} between {kind}/ends misread, %", [lane.ends for lane in lanes])
    run.figure("interpolation_probability", probabilities(readings[shown.name, "line"], shown.name))
    run.figure("interpolation_detours", detours(readings))
    said = {kind: np.mean([lane.detours for lane in lanes]) for kind, lanes in readings[shown.name, "line"].items()}
    run.note(
        f"The report saw signs of another digit on the way in uncommon cases. Of the straight lines between codes "
        f"of {shown.name} whose ends it reads right, the classifier reads another digit on {said[DIFFERENT]:.0f}% of "
        f"those between different digits, and on {said[SAME]:.0f}% of those between images of one digit."
    )


def pairs(key: jax.Array, label: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Pairs of images, int[count, 2] of each kind."""
    # a tenth of all pairs show the same digit; far more than it takes are drawn
    drawn = np.asarray(jax.random.randint(key, (20 * count + 1000, 2), 0, len(label)))
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    same = label[drawn[:, 0]] == label[drawn[:, 1]]
    return {SAME: drawn[same][:count], DIFFERENT: drawn[~same][:count]}


def strips(arm: ae.Trained, test: ae.data.Dataset, judge: Mapping[str, Any]) -> Images:
    """The report's figures 6 and 7: start, eight steps between the codes, end; what the classifier reads below."""
    index = ae.plots.per_class(test.image, test.label, 2).reshape(-1, 2)
    index = np.array([(index[a, 0], index[b, int(a == b)]) for a, b in STRIPS]).T
    decoded = path(lerp, arm, test.image[index])[1:-1]
    ends = np.asarray(to_unit(jnp.asarray(test.image[index])))
    rows = np.concatenate([ends[:1], decoded, ends[1:]]).swapaxes(0, 1)
    seen = [digit_classifier.read(judge, row) for row in rows]
    return Images(
        f"Eight steps between the codes of two digits, as a classifier reads them ({arm.name}, first seed)",
        tuple((f"{a} to {b}", row) for (a, b), row in zip(STRIPS, rows, strict=True)),
        column_labels=("start", *(f"{i}/9" for i in range(1, 9)), "end"),
        captions=[[f"{p.argmax()} ({p.max():.0%})" for p in row] for row in seen],
    )


def probabilities(kinds: Mapping[str, Sequence[Reading]], name: str) -> Curves:
    """What is read at each point of the straight line between codes."""
    words = ("the start's digit", "the end's digit", "any other digit")
    lines = [
        Line(label, STEPS, np.stack([lane.probability[i] for lane in lanes]), panel=f"between {kind}")
        for kind, lanes in kinds.items()
        for i, label in enumerate(words)
        if kind == DIFFERENT or i != 1
    ]
    title = f"What a classifier reads along the line between two codes ({name})"
    return Curves(title, "place on the line", "mean probability, %", lines)


def detours(readings: Mapping[tuple[str, str], Mapping[str, Sequence[Reading]]]) -> Bars:
    """How many paths show another digit."""
    groups = [
        (f"{arm}, {walk}", np.array([[lane.detours for lane in kinds[kind]] for kind in (SAME, DIFFERENT)]).T)
        for (arm, walk), kinds in readings.items()
    ]
    groups = [(label, values[:1] if label.startswith("pixels") else values) for label, values in groups]
    title = "Paths on which a classifier reads a digit that is at neither end"
    return Bars(title, "path between", "paths, %", (SAME, DIFFERENT), groups)


if __name__ == "__main__":
    ae.cli(main, Config)
