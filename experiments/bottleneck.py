"""bottleneck: what eight numbers keep of a digit (report 002).

A four-layer MLP, 784-392-8-392-784 with a ReLU on the code too, learns to reconstruct MNIST. The report then gives it
noisy digits, which it never saw in training, and decodes the straight line between the codes of two digits. Here other
code sizes stand beside PCA of the same size, the best that a linear autoencoder can do, and a classifier reads what
lies on the way from one digit to another.

Source    002_33d737c79ea82370.txt: one run, no seed; MNIST, MSE, Adam 1e-3, batch 2048, 50 epochs, ReduceLROnPlateau
Expected  experiments/results/bottleneck.json (n seeds, device and command are in it)
Run       python -m experiments.bottleneck --code-sizes 2 4 8 16 32
Also      no flags: the report's code of 8 alone; --code-activation linear; --noise 0.3; --source synthetic
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from experiments import digit_classifier
from experiments.digit_paths import codes, interpolation
from jaxae import tables
from jaxae.latent import decode, traversal
from jaxae.report.figures import Curves, Images, Line, per_class, shades
from jaxae.transforms import add_gaussian_noise, to_unit

ACTIVATIONS = {"relu": nn.relu, "linear": lambda code: code}
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # of noise
METRICS = {"PSNR": ae.metrics.psnr, "SSIM": ae.metrics.ssim}
INPUTS = {"noisy input": 4, "clipped input": 1}  # and their colours in the palette
Arms = Mapping[int, ae.Trained]  # by code size, small ones first


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
    """Paths to read between images of the same digit, and as many between different ones."""
    batch_size: int = 2048
    epochs: int = 50

    def __post_init__(self):
        super().__post_init__()
        if not 1 <= min(self.code_sizes) <= max(self.code_sizes) <= 784:
            raise ae.UsageError(f"--code-sizes {self.code_sizes}: give sizes from 1 to 784, the pixels of an image")
        if self.noise <= 0:
            raise ae.UsageError(f"--noise is {self.noise}; give one above 0")
        if not 1 <= self.pairs <= 10_000:
            raise ae.UsageError(f"--pairs is {self.pairs}; give 1 to 10,000")


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
        judge = digit_classifier.judge(run, test)
        studies = {size: study(size, config, train) for size in sorted(config.code_sizes)}
        arms = {size: run.train(arm, train, validation=test, test=test) for size, arm in studies.items()}
        shown = arms[8 if 8 in arms else min(arms)]
        training(run, arms, shown, test)
        compare_with_pca(run, arms, train, test)
        run.figure("reconstructions", reconstructions(arms, test))
        run.figure("code_units", code_units(shown, test))
        denoising(run, arms, shown, test, config.noise)
        interpolation(run, arms, shown, test, config.pairs, judge)


# ---- training and code sizes


def training(run: ae.Run, arms: Arms, shown: ae.Trained, test: ae.data.Dataset) -> None:
    """How flat the curves are at their end, whether the schedule ever acted, and how many units of the code live."""
    fall, reductions = "train/loss/fall in the last 5 epochs, %", "train/reductions of the rate"
    for arm in arms.values():
        losses, rate = arm.epochs["loss"], np.asarray(arm.state.opt_state[1].rate)
        if arm.study.epochs > 5:
            run.measure(arm.name, fall, 100 * (1 - losses[:, -1] / losses[:, -6]))
        run.measure(arm.name, reductions, np.round(np.log10(1e-3 / rate)))
        living = [(np.ptp(codes(arm, test.image, lane), axis=0) > 0).sum() for lane in range(len(run.seeds))]
        run.measure(arm.name, "code/living units", living)
    if shown.study.epochs > 5:
        run.note(
            f'The report\'s curve begins to "flatten out" in its last few epochs. In the last 5 of {shown.name} the '
            f"training loss falls by {run.words(shown.name, fall, by_seed=True)}: by under 1% an epoch with "
            f"{(run.measures[shown.name][fall] < 5).sum()} of {len(run.seeds)} seeds."
        )
    count = sum(run.measures[arm.name][reductions].sum() for arm in arms.values())
    never = ", so nothing here would differ without it" * (not count)
    run.note(f"ReduceLROnPlateau acted {count:.0f} times in {len(arms) * len(run.seeds)} trainings{never}.")


def compare_with_pca(run: ae.Run, arms: Arms, train: ae.data.Dataset, test: ae.data.Dataset) -> None:
    """The test error of each code size, beside PCA with as many components, and with as many as units live."""
    errors = ae.baselines.pca_errors(np.asarray(train.image), np.asarray(test.image), range(max(arms) + 1))
    sizes, sides = list(arms), {"below": [], "not told apart": [], "above": []}
    for size, arm in arms.items():
        run.measure(f"PCA {size}", "test/mse", errors[size])
        run.compare(arm.name, f"PCA {size}", "test/mse")
        low, high = ae.results.interval(run.measures[arm.name]["test/mse"] - errors[size]) or (-np.inf, np.inf)
        sides["below" if high < 0 else "above" if low > 0 else "not told apart"].append(str(size))
    found = "; ".join(f"{side} at {', '.join(same)}" for side, same in sides.items() if same)
    run.note(
        "The test error against that of PCA with as many numbers, by the 95% interval of the paired difference "
        f"(n = {len(run.seeds)}): {found}."
    )
    living = np.stack([run.measures[arm.name]["code/living units"] for arm in arms.values()], axis=1).astype(int)
    counts = ", ".join(f"{mean:.1f} of {size}" for size, mean in zip(sizes, living.mean(0), strict=True))
    run.note(f"Units of the code that vary over the test set, mean over seeds: {counts}. The others are dead.")
    rows = [
        [str(size), tables.over_seeds(run.measures[arm.name]["test/mse"]), tables.number(errors[size])]
        for size, arm in arms.items()
    ]
    kinds = [("Numbers in the code", "number"), ("Autoencoder", "number"), ("PCA", "number")]
    run.table("Test MSE by code size", kinds, rows)
    if len(sizes) > 1:
        ours = np.stack([run.measures[arm.name]["test/mse"] for arm in arms.values()], axis=1)
        lines = (
            Line("autoencoder", sizes, ours),
            Line("PCA, the best linear autoencoder", sizes, errors[None, sizes], style="dashed"),
            Line("PCA with as many components as units live", sizes, errors[living], style="dotted"),
        )
        axes = "numbers in the code", "test MSE"
        run.figure("code_sizes", Curves("Test error by code size", *axes, lines, log=True, log_x=True))


def reconstructions(arms: Arms, test: ae.data.Dataset) -> Images:
    """Step 4: digits and their reconstructions."""
    index = per_class(test.image, test.label, 2)
    rows = [(arm.name, np.asarray(arm.sample(test, index)[0].image)) for arm in arms.values()]
    title = "Two test digits per class and their reconstructions (first seed)"
    return Images(title, (("original", test.image[index]), *rows))


def code_units(arm: ae.Trained, test: ae.data.Dataset) -> Images:
    """What each unit of the code does: one is varied, the others stay as a digit has them."""
    seen, percents = codes(arm, test.image), 0.5 + 99 * np.linspace(0, 1, 9)
    values = np.percentile(seen, percents, axis=0).T
    digit = int(np.flatnonzero(test.label == 3)[0])
    grid = traversal(jnp.asarray(seen[digit]), jnp.asarray(values, jnp.float32))
    labels = [f"unit {i}" + " (dead)" * (not width) for i, width in enumerate(np.ptp(seen, axis=0), 1)]
    return Images(
        f"A test digit 3 as one unit of its code changes ({arm.name}, first seed)",
        tuple(zip(labels, np.asarray(decode(arm.study.model, arm.variables(), grid)), strict=True)),
        column_labels=[f"{percent:.1f}%" for percent in percents],
        note="Columns: percentiles of the unit's values over the test set.",
    )  # fmt: skip


# ---- step 5: denoising


def noisy(key: jax.Array, data: tuple[ae.data.Dataset, jax.Array], index: jax.Array) -> ae.Batch:
    """Noisy digits to see and clean ones to compare with, unclipped: the report's x + 0.2 N(0, 1)."""
    images, deviation = data
    image = to_unit(images.image[index])
    return ae.Batch(add_gaussian_noise(ae.keys.stream(key, "noise"), image, deviation), image)


def pictures(outputs, batch: ae.Batch) -> dict[str, jax.Array]:
    """What goes in, also as any viewer of pictures shows it, and what comes out."""
    return {"noisy input": batch.inputs, "clipped input": jnp.clip(batch.inputs, 0, 1), "output": outputs.image}


def quality(outputs, batch: ae.Batch) -> dict[str, jax.Array]:
    """PSNR and SSIM of each, against the clean digit."""
    images = pictures(outputs, batch).items()
    return {f"{name}, {what}": score(image, batch.target) for name, score in METRICS.items() for what, image in images}


def denoising(run: ae.Run, arms: Arms, shown: ae.Trained, test: ae.data.Dataset, noise: float) -> None:
    """What goes in and what comes out, for more and more noise."""
    levels, lines = sorted({*LEVELS, noise}), {metric: [] for metric in METRICS}
    for arm, colour in zip(arms.values(), shades(len(arms)), strict=True):
        swept = [arm.evaluate((test, np.float32(level)), denoiser(arm.study)) for level in levels]
        for name, values in swept[levels.index(noise)].items():
            metric, what = name.split(", ")
            if arm is not shown and what in INPUTS:
                continue  # every arm is given the same
            run.score(arm.name, f"{metric} with noise {noise:g}, {what}", values)
            means = np.stack([scores[name].astype(np.float64).mean(1) for scores in swept], axis=1)
            means = means if arm is shown else means.mean(0, keepdims=True)
            label, style = (what, "dashed") if what in INPUTS else (f"output, {arm.name}", "solid")
            lines[metric].append(Line(label, levels, means, colour=INPUTS.get(what, colour), style=style))
    for metric, unit, more in (("PSNR", " in dB", " Without noise that of the input is infinite."), ("SSIM", "", "")):
        title = f"{metric} against the clean test digit, with and without the autoencoder"
        axes = "standard deviation of the noise", metric + unit
        note = f"Of codes other than {shown.name} the means over seeds are shown alone.{more}"
        drawn = sorted(lines[metric], key=lambda line: line.style)  # the inputs first
        run.figure(f"denoising_{metric.lower()}", Curves(title, *axes, drawn, note=note))
    run.figure("denoising", denoised(shown, test, noise))
    run.note(conclusion(run, shown.name, noise))


def denoiser(study: ae.Study) -> ae.Study:
    """An autoencoder that is given noise, of digits and its deviation."""
    return replace(study, eval_batch=noisy, scores=quality, examples=lambda data: data[0].image.shape[0])


def denoised(arm: ae.Trained, test: ae.data.Dataset, noise: float) -> Images:
    """The report's figures 4 and 5: the digit, the digit with noise, the output."""
    index = per_class(test.image, test.label, 1)
    outputs, batch = replace(arm, study=denoiser(arm.study)).sample((test, np.float32(noise)), index)
    images, scores = pictures(outputs, batch), quality(outputs, batch)
    rows = [("original", batch.target), *((what, images[what]) for what in ("clipped input", "output"))]
    captions = [
        [f"{a:.1f}, {b:.2f}" for a, b in zip(*(scores[f"{m}, {what}"] for m in METRICS), strict=True)]
        for what, _ in rows[1:]
    ]
    return Images(
        f"Digits with noise of {noise:g}, and what {arm.name} makes of them (first seed)",
        tuple((name, np.asarray(image)) for name, image in rows), captions=([], *captions),
        note="Below: PSNR in dB, SSIM. The input is shown and scored clipped to [0, 1]; the model gets it unclipped.",
    )  # fmt: skip


def conclusion(run: ae.Run, arm: str, noise: float) -> str:
    """Numbers before and after, and which is higher: in the mean, and on how many images."""
    told = [f'The report: "performs well in denoising". Here, with noise of {noise:g}, against the clean digit.']
    for metric, unit in zip(METRICS, (" in dB", ""), strict=True):
        names = [f"{metric} with noise {noise:g}, {what}" for what in (*INPUTS, "output")]
        clipped, output = (run.scores[f"{arm}/{name}"] for name in names[1:])
        share = f"test/images whose {metric} with noise {noise:g} is higher in the output than in the clipped input, %"
        run.measure(arm, share, 100 * (output > clipped).mean(1))
        before, shown, after, without = (run.words(arm, f"test/{name}") for name in (*names, metric.lower()))
        told.append(
            f"{metric}{unit}: input {before}, clipped to [0, 1] {shown}, output of {arm} {after} (without noise "
            f"{without}); the {'output' if output.mean() > clipped.mean() else 'clipped input'} has the higher mean, "
            f"and on {run.words(arm, share, by_seed=True)} of the images the output is higher."
        )
    return " ".join(told)


if __name__ == "__main__":
    ae.cli(main, Config)
