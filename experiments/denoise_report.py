"""What the study `denoise` says of its numbers, and its figures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

import jaxae as ae
from jaxae import tables
from jaxae.transforms import signed_to_unit

ARMS = {"ae": "ae", "deviation": "dae deviation 0.1", "variance": "dae variance 0.1"}  # the report's
GAP = "test - train/mse, signed"
LOG = 100  # steps between two logged losses, each the mean of the training losses since the last one


def changes(run: ae.Run, base: str) -> list[str]:
    """The arms that change one thing in the arm `base`, where that was trained as well."""
    return [name for name in run.measures if name.startswith(f"{base}, ")] if base in run.measures else []


# ---- what the numbers say


def notes(run: ae.Run, trained: Sequence[ae.Trained], base: str, sizes: tuple[int, int, int]) -> list[str]:
    """All of it; `sizes`: images to train on, shown in an epoch, and to test on."""
    found = [amount(run.config, *sizes), *verdict(run), *baseline(run), *improved(run, base)]
    return [*found, *overfitting(run, trained)]


def amount(config: ae.Flags, train: int, epoch: int, test: int) -> str:
    """How much data there was, against the report's."""
    shown, times = epoch // config.batch_size * config.batch_size, epoch // train
    against = " of them" if config.limit else ", as many as the report's"
    often = f", each image {times} times and {epoch % train:,} of them once more" if times > 1 else ""
    return (
        f"Trained on {train:,} images and tested on {test:,}; the report had 45,000 and 10,000. An epoch shows "
        f"{shown:,}{against}{often}."
    )


def verdict(run: ae.Run) -> list[str]:
    """Which of the two noises the report used: one that reproduces all that the other does, and more."""
    found = {}
    for name in ("deviation", "variance"):
        rows = [row for row in run.rows() if row.arm == ARMS[name] and row.reported is not None]
        judged = [row for row in rows if row.verdict != ae.results.NOT_COMPARABLE and not row.excluded]
        found[name] = {row.metric: row.verdict == ae.results.REPRODUCED for row in judged}
    same = found["deviation"].keys() & found["variance"].keys()  # judged under both
    if not same:
        return []
    code, text = ({metric for metric in same if found[name][metric]} for name in ("deviation", "variance"))
    used = "the numbers do not decide between them"
    if code > text or text > code:  # one holds the other
        used = f"the report's noise had {'standard deviation 0.1' if code > text else 'variance 0.1'}"
    return [
        f"Which noise: of the {len(same)} reported numbers that are judged under both, standard deviation 0.1 "
        f"reproduces {len(code)} and variance 0.1 {len(text)}; {used}. The public code, which multiplies standard "
        "normal numbers by 0.1, says standard deviation. The numbers are not independent: most describe the same "
        "final model. The arms of a seed share their initial draws here and did not in the report, so that the "
        "difference between ae and dae varies less here."
    ]


def baseline(run: ae.Run) -> list[str]:
    """Whether the denoisers beat what they were given."""
    texts = []
    for arm in (ARMS["deviation"], ARMS["variance"]):
        seen = run.measures.get(arm, {})
        if "test/psnr, 8-bit" in seen:
            given, made = seen["test/input psnr, 8-bit"].mean(), seen["test/psnr, 8-bit"].mean()
            texts.append(
                f"{arm}: the noisy test images themselves score {given:.2f} dB, and what the model makes of them "
                f"{made:.2f} dB, a difference of {tables.over_seeds(seen['test/psnr, 8-bit gained'])} dB; in SSIM it "
                f"is {tables.over_seeds(seen['test/ssim, 8-bit gained'])}. The report's 24.48 dB are "
                f"{'below' if given > 24.48 else 'above'} the noisy images'."
            )
    return texts


def improved(run: ae.Run, base: str) -> list[str]:
    """What each change brings over the report's settings, paired by seed."""
    metric, words, found = "test/psnr, 8-bit", {-1: "worse", 0: "undecided", 1: "better"}, []
    for name in changes(run, base):
        gained = run.measures[name][metric] - run.measures[base][metric]
        low, high = ae.results.interval(gained) or (-np.inf, np.inf)
        beats = (run.measures[name][f"{metric} gained"] > 0).sum()
        found.append(
            f"{name.removeprefix(f'{base}, ')} {tables.over_seeds(gained)} dB ({words[int(low > 0) - int(high < 0)]}; "
            f"beats the noisy image in {beats} of {len(run.seeds)} seeds)"
        )
    return [f"What each change adds to the test PSNR of {base}, paired by seed: {'; '.join(found)}."] if found else []


def overfitting(run: ae.Run, trained: Sequence[ae.Trained]) -> list[str]:
    """The train-test gaps."""
    words = "; ".join(
        f"{done.name}: {run.measures[done.name][f'{GAP}, in standard errors'].mean():+.1f}" for done in trained
    )
    return [
        f"Overfitting: the test images' loss less the training images', in standard errors of that difference over "
        f"images, is {words}. What lies within 2 can be the choice of the images alone."
    ]


# ---- what is seen


def draw(run: ae.Run, trained: Sequence[ae.Trained], tested: Sequence[Any], base: str) -> None:
    """The report's figures: the logged losses, the first ten test images; and what each denoiser gains.

    `tested` holds what each arm is evaluated on; `base` is the arm that the others improve on.
    """
    named = {done.name: done for done in trained}
    reported = [(done, test) for done, test in zip(trained, tested, strict=True) if done.name in ARMS.values()]
    if reported:
        run.figure("logged_losses", logged(run, [done for done, _ in reported]))
        run.figure("test_images", pictures(reported))
    denoisers = [name for name in named if "test/psnr, 8-bit gained" in run.measures[name]]
    for metric, words in (("psnr", "PSNR, dB"), ("ssim", "SSIM")):
        if denoisers:
            run.figure(f"gains_{metric}", gains(run, denoisers, metric, words))
    changed = [named[name] for name in changes(run, base)]
    if changed:
        run.figure("convergence", convergence(named[base], changed))


def short(arm: str) -> str:
    """An arm's name where the noise is named elsewhere."""
    return arm.partition(", ")[2] or arm.removeprefix("dae ")


def logged(run: ae.Run, trained: Sequence[ae.Trained]) -> ae.plots.Curves:
    """Figures 2 and 13, with the printed numbers as points."""
    lines, marks = [], []
    for done in trained:
        every, train = run.history[done.name]["logged"].values()
        epochs = np.asarray(run.history[done.name]["validation_epochs"])
        steps = np.round(epochs * done.train["loss"].shape[1] / done.study.epochs)
        lines.append(ae.plots.Line(f"training, mean of {every} steps", steps, np.asarray(train), done.name))
        lines.append(ae.plots.Line("validation", steps, done.validation["loss"], done.name, style="dashed"))
        printed = {claim.metric: claim.reported for claim in run.claims if claim.arm == done.name}
        for place, x in (("first", steps[0]), ("last", steps[-1])):
            for words, metric in (("training", f"train/loss of {LOG} steps"), ("validation", "validation/loss")):
                marks.append(ae.plots.Mark(f"reported, {words}", printed[f"{metric}/{place}"], float(x), done.name))
    title = "The losses as the report logs them, and the numbers that it prints"
    return ae.plots.Curves(title, "step", "mean squared error of signed images", lines, marks, log=True)


def pictures(trained: Sequence[tuple[ae.Trained, Any]]) -> ae.plots.Images:
    """Figures 3 to 12 and 17 to 26: the first ten test images, what the models are given and what they make of it."""
    image = trained[0][1].image
    index = np.arange(min(10, len(image)))
    rows, captions = [("original", image[index])], [[""] * len(index)]
    for done, test in trained:
        outputs, batch = done.sample(test, index)
        given = [] if test.deviation is None else [(f"noise of {done.name}", batch.inputs)]
        for label, image in (*given, (done.name, outputs.image)):
            unit = signed_to_unit(image)
            rows.append((label, np.asarray(unit)))
            captions.append(
                [f"{value:.1f} dB" for value in np.asarray(ae.metrics.psnr(unit, signed_to_unit(batch.target)))]
            )
    title = "The first ten test images here, the noisy ones, and the outputs (first seed), with their PSNR"
    return ae.plots.Images(title, rows, captions=captions, columns=10)


def gains(run: ae.Run, names: list[str], metric: str, words: str) -> ae.plots.Bars:
    """How much more than its noisy input each denoiser's output resembles the original."""
    values = np.stack([run.measures[name][f"test/{metric}, 8-bit gained"] for name in names], axis=1)
    title = f"{words[:4]} gained on the noisy image; below 0, the noisy image is closer to the original"
    labels = ["\n".join(short(name).rsplit(" ", 1)) for name in names]
    return ae.plots.Bars(title, "denoiser", f"{words}: output less input", labels, [("gain", values)])


def convergence(base: ae.Trained, changed: Sequence[ae.Trained]) -> ae.plots.Curves:
    """How fast each change learns, beside the report's settings."""
    lines = []
    for done in changed:
        for label, arm, style in (("as reported", base, "dashed"), ("with the change", done, "solid")):
            loss = arm.validation["loss"]
            epochs = np.linspace(0, arm.study.epochs, loss.shape[1] + 1)[1:]
            lines.append(ae.plots.Line(label, epochs, loss, short(done.name), int(arm is done), style))
    title = f"Validation loss of {base.name} and with each change"
    return ae.plots.Curves(title, "epoch", "MSE, signed images", lines, log=True)
