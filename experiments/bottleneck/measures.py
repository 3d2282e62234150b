"""What is measured: training, PCA of the same size, denoising (step 5), the way from digit to digit (step 6)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments import digit_classifier, own_images
from experiments.bottleneck.method import authors
from experiments.bottleneck.paths import Paths, codes, path_measures, read_paths, strips
from jaxae.latent import decode, encode, traversal
from jaxae.report.explorer import gathered
from jaxae.report.figures import per_class
from jaxae.transforms import add_gaussian_noise, to_unit

FALL, REDUCTIONS = "train/loss/fall in the last 5 epochs, %", "train/reductions of the rate"
LIVING = "code/living units"
ROUGH = "test/roughness of rebuilt zeros, % of the digits'"
LEVELS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)  # of noise
METRICS = {"PSNR": ae.metrics.psnr, "SSIM": ae.metrics.ssim}
INPUTS = ("noisy input", "clipped input")  # what every arm is given


def measure(run: ae.Run, trained: Mapping[str, ae.Trained]) -> ae.Findings:
    """All of it; what only one arm shows is of the report's code of 8 numbers, where that was trained."""
    (digits, test), config = own_images.load(run), run.config
    if own_images.is_own(config):
        return measure_own(run, trained, digits, test)
    judge, shown = digit_classifier.judge(run), shown_arm(trained)
    errors = pca_errors(trained, digits, test)
    denoised = denoising(trained, shown, test, config.noise)
    paths = read_paths(trained.values(), shown, test, config.pairs, judge)
    return ae.results.collect(
        run.origin,
        trained.values(),
        digit_classifier.accuracy_of(judge, test),
        {name: training(arm, test) | rebuilt_zeros(arm, test) for name, arm in trained.items()},
        {f"PCA {size_of(name)}": {"test/mse": errors[size_of(name)]} for name in trained},
        {shown.name: gains(denoised["scores"][shown.name], config.noise)},
        path_measures(paths),
        differences=[(name, f"PCA {size_of(name)}", "test/mse") for name in trained],
        facts={
            "shown": shown.name,
            "PCA": errors.tolist(),
            "levels": levels(config.noise),
            "author": scored(authors(run), digits, test),
        },
        by_seed=ae.results.combined(denoised["by_seed"], probabilities(paths, shown.name)),
        arrays=ae.results.combined(
            {"": {"digits": test.image[per_class(test.image, test.label, 2)]}},
            pictures(trained, test, per_class(test.image, test.label, 2)),
            {shown.name: details(shown, test, config.noise, judge) | best_to_worst(shown, test)},
            explored(trained, shown, test),
        ),
        scores=denoised["scores"],
    )


def measure_own(run: ae.Run, trained: Mapping[str, ae.Trained], images: Any, test: ae.data.Dataset) -> ae.Findings:
    """Of other images all but what a classifier of digits reads."""
    shown, errors, noise = shown_arm(trained), pca_errors(trained, images, test), run.config.noise
    denoised, index = denoising(trained, shown, test, noise), own_images.some(test, 10)
    return ae.results.collect(
        run.origin,
        trained.values(),
        {name: training(arm, test) for name, arm in trained.items()},
        {f"PCA {size_of(name)}": {"test/mse": errors[size_of(name)]} for name in trained},
        {shown.name: gains(denoised["scores"][shown.name], noise)},
        differences=[(name, f"PCA {size_of(name)}", "test/mse") for name in trained],
        facts={"shown": shown.name, "PCA": errors.tolist(), "levels": levels(noise)},
        by_seed=denoised["by_seed"],
        arrays=ae.results.combined(
            {"": {"digits": np.asarray(test.image)[index]}},
            pictures(trained, test, index),
            {shown.name: code_units(shown, test, 0) | denoised_digits(shown, test, noise, index)},
            {shown.name: best_to_worst(shown, test)},
            explored(trained, shown, test),
        ),
        scores=denoised["scores"],
    )


def scored(network: tuple[ae.Study, ae.State] | None, digits: Any, test: ae.data.Dataset) -> dict[str, float]:
    """The author's network: its errors of the training and of the test digits, and how many units of its code live."""
    if network is None:
        return {}
    study, state = network
    errors = {
        f"{split}/mse": float(ae.evaluate.losses(study, ae.keys.root(0), state, data, {"every": 1})["loss"])
        for split, data in (("train", digits), ("test", test))
    }
    code = np.asarray(encode(study.model, {"params": state.params}, test.image))
    return {**errors, "living": int((np.ptp(code, axis=0) > 0).sum())}


def size_of(arm: str) -> int:
    """The numbers in an arm's code, which its name says."""
    return int(arm.split()[1])


def shown_arm(trained: Mapping[str, ae.Trained]) -> ae.Trained:
    """The report's code size, or the smallest."""
    sizes = {size_of(name): arm for name, arm in trained.items()}
    return sizes[8 if 8 in sizes else min(sizes)]


def explored(
    trained: Mapping[str, ae.Trained], shown: ae.Trained, test: ae.data.Dataset
) -> dict[str, dict[str, np.ndarray]]:
    """What the page draws with, of all sizes, the shown one first."""
    return gathered([shown, *(arm for arm in trained.values() if arm is not shown)], test)


# ---- training and code sizes


def training(arm: ae.Trained, test: ae.data.Dataset) -> dict[str, np.ndarray]:
    """How flat the curve is at its end, whether the schedule ever acted, and how many units of the code live."""
    losses, rate = arm.epochs["loss"], np.asarray(arm.state.opt_state[1].rate)
    fall = {FALL: 100 * (1 - losses[:, -1] / losses[:, -6])} if arm.study.epochs > 5 else {}
    living = [(np.ptp(codes(arm, test.image, lane), axis=0) > 0).sum() for lane in range(len(arm.keys))]
    reductions = np.round(np.log10(1e-3 / rate)).astype(np.float64)
    return fall | {REDUCTIONS: reductions, LIVING: ae.results.as_measure(living)}


def rebuilt_zeros(arm: ae.Trained, test: ae.data.Dataset) -> dict[str, np.ndarray]:
    """How rough the reconstructions of zeros are beside the digits themselves: the report sees imperfections of a 0
    smoothed off."""
    zeros = np.asarray(test.image)[np.asarray(test.label) == 0]
    own = roughness(np.asarray(to_unit(jnp.asarray(zeros))))
    seen = (
        decode(arm.study.model, arm.variables(lane), jnp.asarray(codes(arm, zeros, lane)))
        for lane in range(len(arm.keys))
    )
    return {ROUGH: ae.results.as_measure([100 * roughness(np.asarray(image)) / own for image in seen])}


def roughness(image: np.ndarray) -> float:
    """The mean distance of a pixel from the mean of its four neighbours, of float[n, h, w, c]; edges left out."""
    neighbours = image[:, :-2, 1:-1] + image[:, 2:, 1:-1] + image[:, 1:-1, :-2] + image[:, 1:-1, 2:]
    return float(np.abs(image[:, 1:-1, 1:-1] - neighbours / 4).mean(dtype=np.float64))


def pca_errors(trained: Mapping[str, ae.Trained], digits: ae.data.Dataset, test: ae.data.Dataset) -> np.ndarray:
    """The test error of PCA with 0 components, 1, and so on, up to as many as the largest code has numbers."""
    sizes = range(max(map(size_of, trained)) + 1)
    return ae.baselines.pca_errors(np.asarray(digits.image), np.asarray(test.image), sizes)


def pictures(
    trained: Mapping[str, ae.Trained], test: ae.data.Dataset, index: np.ndarray
) -> dict[str, dict[str, np.ndarray]]:
    """Step 4: these test images as the seed of every arm that is shown rebuilds them."""
    return {
        name: {"reconstructions": np.asarray(arm.sample(test, index, lane=arm.shown)[0].image)}
        for name, arm in trained.items()
    }


def best_to_worst(arm: ae.Trained, test: ae.data.Dataset) -> dict[str, np.ndarray]:
    """Test images from the best PSNR of the seed that is shown to the worst, and what it makes of them."""
    scores = np.asarray(arm.scores["psnr"])[arm.shown]
    index = ae.plots.best_to_worst(scores)
    outputs, _ = arm.sample(test, index, lane=arm.shown)
    return ae.plots.ranked(scores[index], original=np.asarray(test.image)[index], output=outputs.image)


def code_units(arm: ae.Trained, test: ae.data.Dataset, place: int) -> dict[str, np.ndarray]:
    """The test image at a place as each unit of its code changes, at percentiles of what it has over the test set."""
    seen, percents = codes(arm, test.image, arm.shown), 0.5 + 99 * np.linspace(0, 1, 9)
    values = np.percentile(seen, percents, axis=0).T
    grid = traversal(jnp.asarray(seen[place]), jnp.asarray(values, jnp.float32))
    decoded = np.asarray(decode(arm.study.model, arm.variables(arm.shown), grid))
    return {"units": decoded, "units, width": np.ptp(seen, axis=0), "units, percentiles": percents}


def details(arm: ae.Trained, test: ae.data.Dataset, noise: float, judge: Any) -> dict[str, np.ndarray]:
    """What is shown of one arm alone."""
    three = int(np.flatnonzero(test.label == 3)[0])
    denoised = denoised_digits(arm, test, noise, per_class(test.image, test.label, 1))
    return code_units(arm, test, three) | denoised | strips(arm, test, judge)


# ---- step 5: denoising


def levels(noise: float) -> list[float]:
    """Of the noise, the one asked for among them."""
    return sorted({*LEVELS, noise})


def noisy(key: jax.Array, data: tuple[ae.data.Dataset, jax.Array], index: jax.Array) -> ae.Batch:
    """Noisy digits to see and clean ones to compare with, unclipped: the report's x + 0.2 N(0, 1)."""
    images, deviation = data
    image = to_unit(images.image[index])
    return ae.Batch(add_gaussian_noise(ae.keys.stream(key, "noise"), image, deviation), image)


def in_and_out(outputs, batch: ae.Batch) -> dict[str, jax.Array]:
    """What goes in, also as any viewer of pictures shows it, and what comes out."""
    return {"noisy input": batch.inputs, "clipped input": jnp.clip(batch.inputs, 0, 1), "output": outputs.image}


def quality(outputs, batch: ae.Batch) -> dict[str, jax.Array]:
    """PSNR and SSIM of each, against the clean digit."""
    images = in_and_out(outputs, batch).items()
    return {f"{name}, {what}": score(image, batch.target) for name, score in METRICS.items() for what, image in images}


def count_noisy(data: tuple[ae.data.Dataset, jax.Array]) -> int:
    """Images of data with noise."""
    return data[0].image.shape[0]


def denoiser(study: ae.Study) -> ae.Study:
    """An autoencoder that is given noise, of digits and its deviation."""
    return replace(study, eval_batch=noisy, scores=quality, examples=count_noisy)


def denoising(
    trained: Mapping[str, ae.Trained], shown: ae.Trained, test: ae.data.Dataset, noise: float
) -> dict[str, dict[str, dict[str, np.ndarray]]]:
    """Means over images by level of noise, [seeds, levels], and scores of every image at the level asked for.

    What goes in is the same for every arm, and is told of the shown one.
    """
    at, by_seed, scores = levels(noise), {}, {}
    for name, arm in trained.items():
        swept = [arm.evaluate((test, np.float32(level)), denoiser(arm.study)) for level in at]
        kept = [key for key in swept[0] if arm is shown or key.split(", ")[1] not in INPUTS]
        by_seed[name] = {
            f"noise/{key}": np.stack([found[key].astype(np.float64).mean(1) for found in swept], axis=1) for key in kept
        }
        scores[name] = {score_name(key, noise): swept[at.index(noise)][key] for key in kept}
    return {"by_seed": by_seed, "scores": scores}


def score_name(key: str, noise: float) -> str:
    """What a score of noisy images is called: "PSNR, output" -> "PSNR with noise 0.2, output"."""
    metric, what = key.split(", ")
    return f"{metric} with noise {noise:g}, {what}"


def share_name(metric: str, noise: float) -> str:
    """The measure of how many images the autoencoder makes better than clipping does."""
    return f"test/images whose {metric} with noise {noise:g} is higher in the output than in the clipped input, %"


def gains(scores: Mapping[str, np.ndarray], noise: float) -> dict[str, np.ndarray]:
    """In how many images the output is closer to the clean digit than the clipped input."""
    found = {}
    for metric in METRICS:
        clipped, output = (scores[score_name(f"{metric}, {what}", noise)] for what in ("clipped input", "output"))
        found[share_name(metric, noise)] = 100 * (output > clipped).mean(1)
    return found


def denoised_digits(arm: ae.Trained, test: ae.data.Dataset, noise: float, index: np.ndarray) -> dict[str, np.ndarray]:
    """The report's figures 4 and 5: the digit, the digit with noise, the output, and their scores."""
    outputs, batch = arm.sample((test, np.float32(noise)), index, lane=arm.shown, study=denoiser(arm.study))
    images = {f"denoising, {what}": np.asarray(image) for what, image in in_and_out(outputs, batch).items()}
    scores = {f"denoising, {key}": np.asarray(value) for key, value in quality(outputs, batch).items()}
    return {"denoising, original": np.asarray(batch.target), **images, **scores}


# ---- step 6


def probabilities(paths: Paths, arm: str) -> dict[str, dict[str, np.ndarray]]:
    """What is read at each point of the shown arm's lines, by kind of pair, f64[seeds, 3, 10]."""
    kinds = paths.arms[arm, "line"].items()
    return {arm: {f"lines between {kind}": np.stack([lane.probability for lane in lanes]) for kind, lanes in kinds}}
