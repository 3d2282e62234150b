"""What is measured: the loss in every reading, both ways to the photo, what needs no network, and the first losses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments import photo_classifier
from experiments.unmix.method import (
    COLOUR,
    FORMULA,
    GUESSES,
    IMAGES,
    LAST,
    SAMPLE,
    SCORES,
    batch,
    coarse,
    quality,
    test_pairs,
    train_pairs,
)
from experiments.unmix.ways import ways
from jaxae.programs import of_first
from jaxae.transforms import resize, signed_to_unit, to_rgb, to_unit, unmix

GAINED = "test/gained by subtraction, clipped"
BELOW = f"train/both/first step below {LAST}"
SCATTER = "train/both/scatter of batches, %"  # around their running mean
DRAWN = "test/both/scatter of batches by their images, %"
FALL = "train/both/fall over the second half, %"
KEPT = "test/photo colours kept, %"
COMPARED = (*(f"{name}, clipped {metric}" for metric in ("psnr", "ssim") for name in (*IMAGES, FORMULA)),
            "both", "consistency")  # fmt: skip
AROUND = 20  # steps of which a loss's running mean is taken
TRIED = 20  # seeds of which the first loss is looked at
SHOWN = 20  # pairs in the report's figure
NEITHER = {"consistency": 0.0, "steps": 0}  # hparams of the report's training


def measure(run: ae.Run, trained: Mapping[str, ae.Trained]) -> ae.Findings:
    """All of it; arms against the first, and with consistency against without, in pairs."""
    pairs, test, arms = train_pairs(run), test_pairs(run), list(trained.values())
    sample = sampled(run.seeds, len(test))
    cifar = any(way.source == "cifar" for way in ways(run.config))
    guesses = guessed(pairs, test)
    return ae.results.collect(
        run.origin,
        arms,
        *(
            {name: losses(done) | unrest(done) | reported(done, sample) | gained(done) | colours(done, guesses)}
            for name, done in trained.items()
        ),
        {GUESSES: guesses},
        photo_classifier.accuracy_of(run) if cifar else {},
        differences=[(*names, f"test/{metric}") for names in rivals(trained) for metric in COMPARED],
        facts={
            "pairs": [len(pairs), len(test)],
            "images": [len(pairs.first), len(pairs.second)],
            "first losses": first_losses(arms[0].study, pairs),
        },
        by_seed={
            name: {f"steps/{part}": done.train[part] for part in ("both", *IMAGES)} for name, done in trained.items()
        },
        arrays={
            name: pictures(done, test, sample[done.shown][:SHOWN]) | best_to_worst(done, test)
            for name, done in trained.items()
        },
    )


def sampled(seeds: Sequence[int], count: int) -> np.ndarray:
    """The random test pairs of each seed, as many as the report scored, i32[seeds, 128]."""
    keys = [ae.keys.stream(ae.keys.root(seed), "test pairs") for seed in seeds]
    return np.stack([jax.random.permutation(key, count)[:SAMPLE] for key in keys])


def rivals(arms: Iterable[str]) -> list[tuple[str, str]]:
    """Every arm and the first, and every arm with consistency and the one without."""
    first, *others = names = list(arms)
    pairs = [(name, rival) for name in others for rival in (first, name.partition(" consistency")[0])]
    return [(name, rival) for name, rival in dict.fromkeys(pairs) if rival in names and rival != name]


def losses(done: ae.Trained) -> dict[str, np.ndarray]:
    """The first and the last total loss, however the report understood them; without consistency, which it hasn't.

    The first step with a loss below the report's last, counted from 1, is NaN for a seed that never gets there.
    """
    values = np.asarray(done.train["both"], np.float64)
    below = values < LAST
    return {
        "train/both/first step": values[:, 0],
        "train/both/last step": values[:, -1],
        "train/both/last tenth": values[:, -max(values.shape[1] // 10, 1) :].mean(1),
        BELOW: np.where(below.any(1), below.argmax(1) + 1.0, np.nan),
    }


def unrest(done: ae.Trained) -> dict[str, np.ndarray]:
    """How far the losses of single batches lie from their running mean in the second half of the training, and how far
    they would for their images alone: the deviation of the test pairs' losses over the root of the batch size.

    And how far the running mean falls in that half. All in percent of the mean there.
    """
    values, pairs = np.asarray(done.train["both"], np.float64), np.asarray(done.scores["both"], np.float64)
    found = {DRAWN: 100 * pairs.std(1) / pairs.mean(1) / np.sqrt(done.study.batch_size)}
    if values.shape[1] >= 4 * AROUND:
        away, mean = scatter(values, AROUND)
        half = slice(mean.shape[1] // 2, None)
        found[SCATTER] = 100 * away[:, half].std(1) / mean[:, half].mean(1)
        found[FALL] = 100 * (mean[:, half][:, 0] - mean[:, -1]) / mean[:, half].mean(1)
    return found


def scatter(values: np.ndarray, around: int) -> tuple[np.ndarray, np.ndarray]:
    """Each value, f64[seeds, steps], less the mean of the `around` others that are nearest, half before and half after,
    and that mean: f64[seeds, steps - around] twice.

    For values of one deviation around a straight line the differences have that deviation times sqrt(1 + 1 / around).
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, around + 1, axis=1)
    middle = windows[..., around // 2]
    mean = (windows.sum(-1) - middle) / around
    return middle - mean, mean


def colours(done: ae.Trained, guesses: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """How much less wrong the photos' overall colours are than those of the mean photo, in percent: 100 is right."""
    wrong = np.asarray(done.scores["photo mse"], np.float64) * done.scores[f"photo {COLOUR}"]
    return {KEPT: 100 * (1 - wrong.mean(1) / guesses["test/photo mse in colour"])}


def reported(done: ae.Trained, sample: np.ndarray) -> dict[str, np.ndarray]:
    """The reported scores on the sampled pairs, under both data ranges."""
    metrics = [f"{image} {metric}{wide}" for image in IMAGES for metric in SCORES for wide in ("", ", range 255")]
    scores = {name: np.asarray(done.scores[name], np.float64) for name in metrics}
    found = {}
    for name, values in scores.items():
        metric, chosen = f"{SAMPLE} test pairs/{name}", np.take_along_axis(values, sample, 1)
        found[metric] = chosen.mean(1)
        if chosen.shape[1] > 1:
            found[f"{metric}{ae.results.OVER_IMAGES}"] = chosen.std(1, ddof=1)
    return found


def gained(done: ae.Trained) -> dict[str, np.ndarray]:
    """What the formula gains on the photo's decoder over all test pairs, and in what share of them."""
    found = {}
    for metric in ("psnr", "ssim"):
        formula, decoder = (np.asarray(done.scores[f"{image}, clipped {metric}"]) for image in (FORMULA, "photo"))
        found[f"{GAINED} {metric}"] = (formula - decoder).mean(1, np.float64)
        found[f"{GAINED} {metric}, % of pairs"] = 100 * (formula > decoder).mean(1)
    return found


def guessed(pairs: ae.data.Pairs, test: ae.data.Pairs) -> dict[str, np.ndarray]:
    """What two guesses without any network score: every digit black, every photo the mean one of training."""
    digit = to_rgb(resize(to_unit(jnp.asarray(test.first.image)), 32))
    photo = to_unit(jnp.asarray(test.second.image))
    mean = jnp.asarray(pairs.second.image.mean(0, np.float64) / 255, jnp.float32)
    scored = jax.jit(lambda guess, true: jax.lax.map(lambda pair: quality(*pair), (guess, true)))
    guesses = {"digit": (jnp.zeros_like(digit), digit), "photo": (jnp.broadcast_to(mean, photo.shape), photo)}
    found = {
        f"{name} {metric}": np.asarray(values, np.float64)
        for name, (guess, true) in guesses.items()
        for metric, values in scored(guess[:, None], true[:, None]).items()  # one at a time: they fill the memory
    }
    for name, share in jax.jit(coarse)(*guesses["photo"]).items():
        found[f"photo {name}"] = np.asarray(share, np.float64)
    found["photo mse in colour"] = found["photo mse"] * found[f"photo {COLOUR}"]
    return {f"test/{name}": ae.results.as_measure(values.mean()) for name, values in found.items()}


def first_losses(study: ae.Study, pairs: ae.data.Pairs) -> dict[str, list[float]]:
    """The total loss of the first batch in either value range, from random weights, of the seeds 0 to 19."""
    roots = jnp.stack([ae.keys.root(seed) for seed in range(TRIED)])
    data = jax.tree.map(jnp.asarray, pairs)
    ranges = {"[-1, 1]": study, "[0, 1]": replace(study, batch=unit_batch)}
    return {name: np.asarray(_first_losses(made, roots, data)).tolist() for name, made in ranges.items()}


@of_first()
def _first_losses(study: ae.Study, roots: jax.Array, data: ae.data.Pairs) -> jax.Array:
    def first(key):
        state = ae.train.init(study, key, data, NEITHER)
        return ae.train.step(study, key, state, data, ae.train.order(study, key, data, 0)[0], NEITHER)[1]["both"]

    return jax.lax.map(first, roots)


def unit_batch(key, data: ae.data.Pairs, index) -> ae.Batch:
    """As `batch`, of images in [0, 1]."""
    return jax.tree.map(signed_to_unit, batch(key, data, index))


def pictures(done: ae.Trained, test: ae.data.Pairs, index: np.ndarray) -> dict[str, np.ndarray]:
    """Some test pairs, their means, both decoders' images and the photo by subtraction, f32[n, 32, 32, 3] in [0, 1],
    and the PSNR of what is made, f32[n], clipped as it is shown."""
    outputs, batch = done.sample(test, index, lane=done.shown)
    made = {"digit": outputs.image[:, 0], "photo": outputs.image[:, 1]}
    made[FORMULA] = unmix(batch.inputs, made["digit"])
    true = {"digit": batch.target[:, 0], "photo": batch.target[:, 1], FORMULA: batch.target[:, 1]}
    found = {**{f"true {name}": true[name] for name in IMAGES}, "mean": batch.inputs, **made}
    unit = {name: np.asarray(signed_to_unit(image)) for name, image in found.items()}
    score = {
        f"{name} psnr": np.asarray(ae.metrics.psnr(jnp.clip(signed_to_unit(image), 0, 1), signed_to_unit(true[name])))
        for name, image in made.items()
    }
    return unit | score


def best_to_worst(done: ae.Trained, test: ae.data.Pairs) -> dict[str, np.ndarray]:
    """Photos from the best PSNR of the seed that is shown to the worst, and the means that they were in."""
    index = ae.plots.best_to_worst(np.asarray(done.scores["photo, clipped psnr"])[done.shown])
    seen = pictures(done, test, index)
    images = {"original": seen["true photo"], "input": seen["mean"], "output": seen["photo"]}
    return ae.plots.ranked(seen["photo psnr"], **images)
