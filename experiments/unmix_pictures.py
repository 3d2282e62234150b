"""The pictures of the study `unmix`: the report's sample, curves and 20 pairs; errors of both ways; the arms."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

import jaxae as ae
from experiments.unmix_notes import FIRST, FORMULA, IMAGES, LAST
from jaxae.transforms import signed_to_unit, unmix

SHOWN = 20


def figures(run: ae.Run, trained: Sequence[ae.Trained], test: ae.data.Pairs, sample: np.ndarray) -> None:
    """The report's pictures and curves, the errors of both ways to the photo, and the arms side by side."""
    index = sample[:SHOWN]
    run.figure("sample", triples(trained[0], test, index))
    run.figure("losses", curves(trained))
    for number, done in enumerate(trained):
        run.figure(f"unmixed_{number}", unmixed(done, test, index))
    run.figure("errors", errors(trained[0]))
    if len(trained) > 1:
        run.figure("arms", arms(run, trained))


def triples(done: ae.Trained, test: ae.data.Pairs, index: np.ndarray) -> ae.plots.Images:
    """The report's picture of a sample, for a few: digit, photo and their mean."""
    pairs = done.sample(test, index)[1]
    shown = {name: pairs.target[:8, i] for i, name in enumerate(IMAGES)} | {"mean": pairs.inputs[:8]}
    title = "Pairs of test images, and their means, which are all that the model sees."
    return ae.plots.Images(title, tuple((name, unit(image)) for name, image in shown.items()))


def unit(image) -> np.ndarray:
    """Signed images as they are shown."""
    return np.asarray(signed_to_unit(image))


def unmixed(done: ae.Trained, test: ae.data.Pairs, index: np.ndarray) -> ae.plots.Images:
    """The report's 20 random samples: truth, mean, both decoders' images, and the photo by subtraction."""
    outputs, pairs = done.sample(test, index)
    shown: dict[str, Any] = {"digit": pairs.target[:, 0], "photo": pairs.target[:, 1], "mean of both": pairs.inputs}
    shown |= {"digit's decoder": outputs.image[:, 0], "photo's decoder": outputs.image[:, 1]}
    shown[FORMULA] = unmix(pairs.inputs, outputs.image[:, 0])
    true = {"digit's decoder": 0, "photo's decoder": 1, FORMULA: 1}
    captions = [
        decibels(unit(image), unit(pairs.target[:, true[name]])) if name in true else [""] * len(index)
        for name, image in shown.items()
    ]
    title = (
        f"{len(index)} random test pairs, and what the arm {done.name} makes of their means (first seed), with the "
        "PSNR of what is shown, which is clipped to [0, 1]."
    )
    rows = tuple((name, unit(image)) for name, image in shown.items())
    return ae.plots.Images(title, rows, captions=captions, columns=10)


def decibels(image: np.ndarray, true: np.ndarray) -> list[str]:
    """The PSNR of each image as it is shown, clipped to [0, 1], in words."""
    return [
        f"{value:.1f} dB" for value in np.asarray(ae.metrics.psnr(jnp.asarray(image.clip(0, 1)), jnp.asarray(true)))
    ]


def curves(trained: Sequence[ae.Trained]) -> ae.plots.Curves:
    """The report's three curves: total loss, and each decoder's, over the batches."""
    names: Mapping[str, str] = {"both": "total", "digit": "digit's decoder", "photo": "photo's decoder"}
    lines = [
        ae.plots.Line(done.name, np.arange(1, values.shape[1] + 1), values, panel)
        for name, panel in names.items()
        for done in trained
        for values in (done.train[name],)
    ]
    last = float(min(len(line.x) for line in lines))
    marks = [
        ae.plots.Mark("reported, first and last", number, x, "total") for number, x in ((FIRST, 1.0), (LAST, last))
    ]
    title = "The loss of every batch: the sum of both decoders', and each alone."
    return ae.plots.Curves(title, "step", "mean squared error of signed images", lines, marks, log=True)


def errors(done: ae.Trained) -> ae.plots.Histogram:
    """The distributions of both ways to the photo, and the digit's, which is the formula's."""
    labels = {"photo": "photo, its decoder", "digit": "digit, its decoder", FORMULA: FORMULA}
    groups = [(label, done.scores[f"{name} psnr"].ravel()) for name, label in labels.items()]
    return ae.plots.Histogram(
        f"PSNR of every test pair before clipping ({done.name}, all seeds): the photo by subtraction has the digit's "
        "errors.",
        "PSNR, dB (data range 1)", "pairs", groups,
        note="The distributions of the digit and of the photo by subtraction coincide, so that one covers the other.",
    )  # fmt: skip


def arms(run: ae.Run, trained: Sequence[ae.Trained]) -> ae.plots.Bars:
    """How far each arm goes."""
    labels = {"digit": "digit, its decoder", "photo": "photo, its decoder", FORMULA: FORMULA}
    groups = [
        (label, np.stack([run.measures[done.name][f"test/{name}, clipped psnr"] for done in trained], 1))
        for name, label in labels.items()
    ]
    title = "PSNR over all test pairs, by arm, of images clipped to [0, 1]."
    return ae.plots.Bars(
        title, "arm", "PSNR, dB (data range 1)", [textwrap.fill(done.name, 14) for done in trained], groups
    )
