"""What is measured: both errors of every arm, overfitting, early stopping; decoders and losses in pairs."""

import itertools
from collections.abc import Collection, Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments import own_images
from experiments.digit_codes.method import DECODERS, LOSSES, SIZES, SPLITS, errors, split
from jaxae.latent import decode, encode
from jaxae.report.explorer import gathered
from jaxae.report.figures import per_class
from jaxae.train.curves import rise

PATIENCE = 10  # that of the early stopping which the curves are asked about
RISE = "overfitting/rise of the validation loss, %"
GAP = "overfitting/validation RMSE above training, best state, %"
LOWEST = "validation/epoch of the lowest loss"
SCATTER = "validation/scatter of the RMSE from epoch to epoch, %"
PLATEAU = "validation/epoch with 95% of the fall"
BENT = 6  # epochs, from which their scatter can be told
STEPS = 15  # points along each side of the grid of codes
COARSE = 6  # of that of images which would be too much for a page otherwise; a phone has room for as many
GRID = 250_000  # numbers in a grid's images, at most


def measure(run: ae.Run, trained: Mapping[str, ae.Trained]) -> ae.Findings:
    """All of it, five digits by every arm, and the codes of one arm of each loss whose code has two numbers."""
    train, test = own_images.load(run)
    (images, held_out), own = split(train.image), own_images.is_own(run.config)
    digits, label = np.asarray(test.image), np.asarray(test.label)
    shown = own_images.some(test, 5) if own else per_class(digits, label, 1)[1::2]
    last = {name: roots(arm) for name, arm in trained.items()}
    best = {name: of_best_state(arm, images) for name, arm in trained.items()}
    return ae.results.collect(
        run.origin,
        trained.values(),
        last,
        best,
        {name: of_validation(arm, run.config.patience) for name, arm in trained.items()},
        differences=pairs(trained),
        facts={"images": [len(images), len(held_out)], **({"classes": test.classes} if own else {})},
        arrays=ae.results.combined(
            {"": {"digits": digits[shown], "labels": label}},
            {name: reconstructions(arm, digits, shown) for name, arm in trained.items()},
            {name: best_to_worst(trained[name], digits) for name in two_numbers(trained)},
            {name: code_space(trained[name], digits) for name in two_numbers(trained)},
            gathered(by_worth(trained), test),
        ),
    )


def roots(arm: ae.Trained) -> dict[str, np.ndarray]:
    """RMSE at the last epoch and of the test images: roots of the means over all pixels of all images."""
    seen = ae.results.of_training(arm)
    found = {f"{name}/rmse/last": np.sqrt(seen[f"{name}/mse/last"]) for name in SPLITS}
    return found | {"test/rmse": np.sqrt(seen["test/mse"])}


def of_best_state(arm: ae.Trained, images: np.ndarray) -> dict[str, np.ndarray]:
    """Both errors with the weights of the lowest validation loss, and how far validation lies above training."""
    best = np.nanargmin(arm.validation["loss"], 1)
    again = arm.evaluate(images)  # logged training errors are of the weights on the way
    found = {}
    for name in ("mse", "bce"):
        held_out = np.take_along_axis(arm.validation[name].astype(np.float64), best[:, None], 1)[:, 0]
        for part, value in (("train", again[name].astype(np.float64).mean(1)), ("validation", held_out)):
            root = name == "mse"
            found[f"best state, {part}/{'rmse' if root else name}"] = np.sqrt(value) if root else value
    gap = 100 * (found["best state, validation/rmse"] / found["best state, train/rmse"] - 1)
    return found | {GAP: gap}


def of_validation(arm: ae.Trained, patience: int | None) -> dict[str, np.ndarray]:
    """What the validation losses tell of overfitting and, where no early stopping was in force, of that."""
    loss = arm.validation["loss"].astype(np.float64)
    known = ~np.isnan(loss)
    rows = [*zip(loss, known, strict=True)]
    found = {
        LOWEST: np.nanargmin(loss, 1) + 1,
        "validation/epochs trained": known.sum(1),
        RISE: [rise(row[there]) for row, there in rows],
        PLATEAU: [plateau(row[there]) for row, there in rows],
    }
    if known.sum(1).min() >= BENT:
        squares = zip(arm.validation["mse"].astype(np.float64), known, strict=True)
        found[SCATTER] = [scatter(np.sqrt(row[there])) for row, there in squares]  # one scale for both losses
    if patience is None and arm.study.epochs > PATIENCE:
        found[f"validation/stop with patience {PATIENCE}"] = [stop(row, PATIENCE) for row in loss]
    return {name: ae.results.as_measure(values) for name, values in found.items()}


def scatter(losses: np.ndarray) -> float:
    """How far the later half of a curve float[epochs] scatters from epoch to epoch around its course, in percent."""
    bends = np.diff(np.log(losses[len(losses) // 2 :]), 2)  # of independent errors they have six times the variance
    return float(100 * np.sqrt(np.square(bends).mean() / 6))


def plateau(losses: np.ndarray) -> int:
    """The epoch, from 1, by which a curve float[epochs] has done 95% of the way from its first value to its lowest."""
    low = losses.min()
    return int(np.argmax(losses <= low + 0.05 * (losses[0] - low))) + 1


def stop(losses: np.ndarray, patience: int) -> int:
    """The epoch, from 1, after which early stopping ends a curve float[epochs]: the last one where it never does."""
    best, stale = np.inf, 0
    for epoch, value in enumerate(losses, 1):
        best, stale = (value, 0) if value < best else (best, stale + 1)
        if stale == patience:
            return epoch
    return len(losses)


# ---- pairs of arms


def pairs(names: Collection[str]) -> list[tuple[str, str, str]]:
    """The differences that are taken: of decoders, and of losses."""
    found = []
    for size, loss in itertools.product(SIZES, LOSSES):
        for first, second in itertools.combinations(DECODERS, 2):
            pair = f"{first} {size} {loss}", f"{second} {size} {loss}"
            if {*names}.issuperset(pair):
                found += [(*pair, metric) for metric in ("train/rmse/last", "validation/rmse/last", "test/rmse")]
    metrics = ("validation/rmse/last", "validation/bce/last", "test/rmse", "test/bce")
    found += [(*pair, metric) for pair in loss_pairs(names) for metric in metrics]
    return found + [(*pair, metric) for pair in size_pairs(names) for metric in ("validation/rmse/last", GAP)]


def size_pairs(names: Collection[str]) -> list[tuple[str, str]]:
    """The arms that differ in the size of their code alone: (7, 2)."""
    found = [(f"{decoder} 7 {loss}", f"{decoder} 2 {loss}") for decoder in DECODERS for loss in LOSSES]
    return [pair for pair in found if {*names}.issuperset(pair)]


def loss_pairs(names: Collection[str]) -> list[tuple[str, str]]:
    """The arms that differ in their loss alone: (BCE, MSE)."""
    found = [(f"{decoder} {size} bce", f"{decoder} {size} mse") for size in SIZES for decoder in DECODERS]
    return [pair for pair in found if {*names}.issuperset(pair)]


# ---- for pictures


def reconstructions(arm: ae.Trained, images: np.ndarray, index: np.ndarray) -> dict[str, np.ndarray]:
    """What the seed that is shown makes of these digits, f32[n, 28, 28, 1], and each one's RMSE."""
    outputs, batch = arm.sample(images, index, lane=arm.shown)
    values = errors(outputs, batch)["rmse per image"]
    return {"reconstructions": np.asarray(outputs.image), "reconstructions, RMSE": np.asarray(values)}


def best_to_worst(arm: ae.Trained, images: np.ndarray) -> dict[str, np.ndarray]:
    """Test images from the best PSNR of the seed that is shown to the worst, and what it makes of them."""
    scores = -20 * np.log10(np.asarray(arm.scores["rmse per image"], np.float64)[arm.shown])
    index = ae.plots.best_to_worst(scores)
    outputs, _ = arm.sample(images, index, lane=arm.shown)
    return ae.plots.ranked(scores[index], original=images[index], output=outputs.image)


def two_numbers(names: Collection[str]) -> list[str]:
    """An arm of each loss whose code can be drawn: the first one."""
    of_loss = [[name for name in names if name.endswith(f" 2 {loss}")][:1] for loss in LOSSES]
    return [name for first in of_loss for name in first]


def by_worth(trained: Mapping[str, ae.Trained]) -> list[ae.Trained]:
    """All arms, those first whose codes are pictured."""
    first = two_numbers(trained)
    return [trained[name] for name in [*first, *(name for name in trained if name not in first)]]


def code_space(arm: ae.Trained, images: np.ndarray) -> dict[str, Any]:
    """Codes of all images, f32[n, 2], and what is decoded on a grid that covers 96% of them in each direction.

    The grid f32[steps, steps, h, w, c] is seen as a scatter of codes is: the second number grows upwards.
    """
    variables = arm.variables(arm.shown)
    code = np.asarray(encode(arm.study.model, variables, images))
    low, high = np.percentile(code, (2, 98), axis=0)
    steps = STEPS if STEPS**2 * images[0].size <= GRID else COARSE
    across, up = (np.linspace(a, b, steps, dtype=np.float32) for a, b in zip(low, high, strict=True))
    grid = decode(arm.study.model, variables, ae.latent.plane(jnp.asarray(across), jnp.asarray(up)))
    return {"codes": code, "grid": np.asarray(grid), "grid, across": across, "grid, upwards": up}
