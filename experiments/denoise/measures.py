"""What is measured: the losses as the report logs them, what a denoiser gains, the gap between train and test."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

import jaxae as ae
from experiments import own_images
from experiments.denoise.method import (
    ARMS,
    LOG,
    Recipe,
    as_it_is,
    images,
    logged_steps,
    recipes,
    signed_error,
    split,
)
from jaxae.transforms import signed_to_unit

GAP = "test - train/mse, signed"
ABOVE = "test/mse, signed, above the ae's"
AFTER = "train, after training/mse, signed"
COMPARED_SCORES = ("mse, signed", "psnr, 8-bit", "ssim, 8-bit")
COMPARED = tuple(f"test/{score}" for score in COMPARED_SCORES)
HELD_OUT = 5_000  # the report's validation images
SHOWN = 10  # test images in the report's figures


def measure(run: ae.Run, trained: Mapping[str, ae.Trained]) -> ae.Findings:
    """All of it; each improvement against its denoiser, the denoisers against the autoencoder, in pairs."""
    photos, test = own_images.load(run)
    epoch, once, held_out = split(photos, as_it_is(run))
    used = {recipe.name: recipe for recipe in recipes(run.config)}
    logs = {name: logged(done) for name, done in trained.items()}
    log = logged_steps(run.config, len(epoch)) if own_images.is_own(run.config) else LOG  # the report's name
    return ae.results.collect(
        run.origin,
        trained.values(),
        {name: {f"train/loss of {log} steps/first": losses[:, 0], f"train/loss of {log} steps/last": losses[:, -1]}
         for name, losses in logs.items()},
        {name: gained(done) for name, done in trained.items()},
        {name: gap(done, images(used[name], photos.image, once)) for name, done in trained.items()},
        above_autoencoder(trained),
        over_images(trained),
        {name: over_validation(done, images(used[name], photos.image, held_out)) for name, done in trained.items()},
        differences=pairs(trained, ARMS[run.config.improve]),
        facts={"images": [len(once), len(epoch), len(test)]},
        by_seed={name: {"logged": losses} for name, losses in logs.items()},
        arrays={"": {"images": test.image[:SHOWN]}, **{
            name: pictures(done, used[name], test) | best_to_worst(done, used[name], test)
            for name, done in trained.items()
        }},
    )  # fmt: skip


def running(losses: np.ndarray, per_epoch: int, log: int) -> np.ndarray:
    """f[seeds, steps] -> f[seeds, logs]: means of `log` steps, beginning anew in every epoch as the report's do."""
    epochs = np.asarray(losses, np.float64).reshape(len(losses), -1, per_epoch)
    kept = epochs[:, :, : per_epoch // log * log]
    return kept.reshape(len(losses), -1, log).mean(2)


def logged(done: ae.Trained) -> np.ndarray:
    """The logged training losses, f64[seeds, logs]."""
    per_epoch = done.train["loss"].shape[1] // done.study.epochs
    return running(done.train["loss"], per_epoch, min(LOG, per_epoch))


def gained(done: ae.Trained) -> dict[str, np.ndarray]:
    """How much more than the noisy image the output resembles the original."""
    mean = {name: np.asarray(values, np.float64).mean(1) for name, values in done.scores.items()}
    metrics = [name for name in ("psnr, 8-bit", "ssim, 8-bit") if f"input {name}" in mean]
    return {f"test/{name} gained": mean[name] - mean[f"input {name}"] for name in metrics}


def gap(done: ae.Trained, shown) -> dict[str, np.ndarray]:
    """The test images' loss less the training images' under the same trained model."""
    again = done.evaluate(shown, replace(done.study, scores=signed_error))["mse, signed"]
    train, test = np.asarray(again, np.float64), np.asarray(done.scores["mse, signed"], np.float64)
    difference = test.mean(1) - train.mean(1)
    error = np.sqrt(test.var(1) / test.shape[1] + train.var(1) / train.shape[1])
    return {AFTER: train.mean(1), GAP: difference, f"{GAP}, in standard errors": difference / error}


def above_autoencoder(trained: Mapping[str, ae.Trained]) -> dict[str, dict[str, np.ndarray]]:
    """What noise costs: each denoiser's test loss less the autoencoder's."""
    if "ae" not in trained:
        return {}
    loss = {name: np.asarray(done.scores["mse, signed"], np.float64).mean(1) for name, done in trained.items()}
    denoisers = [ARMS[noise] for noise in ("deviation", "variance") if ARMS[noise] in trained]
    return {name: {ABOVE: loss[name] - loss["ae"]} for name in denoisers}


def over_images(trained: Mapping[str, ae.Trained]) -> dict[str, dict[str, np.ndarray]]:
    """How far the reported scores of single test images lie apart, by seed."""
    scores = {
        name: {f"test/{score}": np.asarray(done.scores[score], np.float64) for score in COMPARED_SCORES}
        for name, done in trained.items()
    }
    return {
        name: {f"{metric}{ae.results.OVER_IMAGES}": values.std(1, ddof=1) for metric, values in of.items()}
        for name, of in scores.items()
    }


def over_validation(done: ae.Trained, shown) -> dict[str, np.ndarray]:
    """How far the last validation loss may lie off for want of images: ours are others than the report's, and fewer."""
    if len(shown.row) < 2:
        return {}
    each = np.asarray(done.evaluate(shown, replace(done.study, scores=signed_error))["mse, signed"], np.float64)
    missing = 1 / each.shape[1] + 1 / HELD_OUT
    return {f"validation/loss/last{ae.results.OF_IMAGES}": each.std(1, ddof=1) * missing**0.5}


def pairs(trained: Mapping[str, ae.Trained], base: str) -> list[tuple[str, str, str]]:
    """The differences that are taken."""
    noise = [(ARMS[name], "ae") for name in ("deviation", "variance") if {ARMS[name], "ae"} <= trained.keys()]
    changes = [(name, base) for name in changed(trained, base)]
    return [(first, second, metric) for first, second in [*noise, *changes] for metric in COMPARED]


def changed(arms: Mapping[str, object], base: str) -> list[str]:
    """The arms that change one thing in the arm `base`, where that was trained as well."""
    return [name for name in arms if name.startswith(f"{base}, ")] if base in arms else []


def pictures(done: ae.Trained, recipe: Recipe, test: ae.data.Dataset) -> dict[str, np.ndarray]:
    """What the seed that is shown is given of the first ten test images, and makes of them, in [0, 1], and PSNRs."""
    return seen(done, recipe, test, np.arange(min(SHOWN, len(test))))


def best_to_worst(done: ae.Trained, recipe: Recipe, test: ae.data.Dataset) -> dict[str, np.ndarray]:
    """Test images from the best PSNR of the shown seed to the worst, with noise drawn anew; of the report's arms."""
    if recipe.name not in ARMS.values():
        return {}
    index = ae.plots.best_to_worst(np.asarray(done.scores["psnr"])[done.shown])
    found = seen(done, recipe, test, index)
    given = {} if recipe.name == ARMS["ae"] else {"input": found["input"]}
    return ae.plots.ranked(found["output psnr"], original=test.image[index], output=found["output"], **given)


def seen(done: ae.Trained, recipe: Recipe, test: ae.data.Dataset, index: np.ndarray) -> dict[str, np.ndarray]:
    """What the seed that is shown is given of these test images and what it makes of them, in [0, 1], and PSNRs."""
    outputs, batch = done.sample(images(recipe, test.image), index, lane=done.shown)
    target, found = signed_to_unit(batch.target), {}
    for name, image in (("input", batch.inputs), ("output", outputs.image)):
        unit = signed_to_unit(image)
        found |= {name: np.asarray(unit), f"{name} psnr": np.asarray(ae.metrics.psnr(unit, target))}
    return found
