"""digit_codes: three decoders, two losses and two code sizes for MNIST (report 003, part II).

One convolutional encoder, and decoders that enlarge by transposed convolution, by nearest upsampling or by
interpolation, each trained on the squared error and on the binary cross-entropy, with codes of 2 and of 7 numbers:
twelve arms. The report compares the RMSE of one loss with the cross-entropy of the other; here every arm has both, on
training and validation images. It calls the transposed decoder the best; here decoders are compared in pairs over
seeds. Its "nearest interpolation" is nearest upsampling: its second and third decoders are one network with two names,
so that what lies between them is chance alone.

Source    003_a7ffb30fa963b16e.txt: part II; one run of each arm, no seed given; MNIST, Adam 1e-3, 100 epochs
Expected  experiments/results/digit_codes.json and, with codes of 7, digit_codes_7.json (fewer epochs and images than
          the report's: two-core runs)
Run       python -m experiments.digit_codes --seeds 3
Also      --arms transposed-2-mse interpolation-2-mse; --interpolation bilinear; --patience 10; --source synthetic
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxae as ae
from jaxae.train.trained import rise
from jaxae.latent import decode, encode
from jaxae.models import DigitAutoencoder, digits
from jaxae.report.figures import Curves, Images, Mark, Scatter, by_epoch
from jaxae.transforms import to_unit

DECODERS = ("transposed", "upsampling", "interpolation")
LOSSES = {"mse": {"mse": 1.0, "bce": 0.0}, "bce": {"mse": 0.0, "bce": 1.0}}  # weights: both train in one program
SIZES = (2, 7)
SPLITS = ("train", "validation")
ARMS = tuple(f"{decoder}-{size}-{loss}" for size in SIZES for loss in LOSSES for decoder in DECODERS)
REPORTED = {  # of codes of 2 numbers, by decoder
    ("mse", "train"): (0.1745, 0.1762, 0.1765),
    ("mse", "validation"): (0.1839, 0.1834, 0.1814),
    ("bce", "train"): (0.1546, 0.1556, 0.1553),
    ("bce", "validation"): (0.1641, 0.1643, 0.1631),
}
READINGS = {  # of these numbers, by the loss that was minimised
    "mse": {
        "rmse": "the root of the mean over all pixels of all images",
        "rmse per image": "the mean over images of each one's RMSE",
    },
    "bce": {
        "rmse": "RMSE, with which the report compares it",
        "bce": "the cross-entropy per pixel, which was minimised",
    },
}
NAMES = {"rmse": "RMSE", "bce": "binary cross-entropy"}
HELD_OUT = 6  # one training image in so many is for validation: 10,000 of MNIST's 60,000
PATIENCE = 10  # that of the early stopping which the curves are asked about
ROUNDING = 1e-5  # of a value: sums over all pixels of all images in float32 agree to no more
RISE = "overfitting/rise of the validation loss, %"
GAP = "overfitting/validation RMSE above training, best state, %"
ADAM = optax.adam(1e-3)


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings. It doesn't say its batch size and its split."""

    settings = ("epochs", "precision", "interpolation", "patience", "widths")
    counts = (*ae.Flags.counts, "patience", "widths")

    arms: tuple[str, ...] = ARMS
    """Which of the twelve: DECODER-SIZE-LOSS."""
    interpolation: Literal["nearest", "bilinear"] = "nearest"
    """Of the third decoder. The report's is nearest."""
    patience: int | None = None
    """Stop an arm's seed after so many epochs without a lower validation loss; the report's curves reach the end."""
    widths: tuple[int, int, int] = (32, 64, 128)
    """Channels of the encoder's convolutions, mirrored in the decoder."""
    epochs: int = 100

    def __post_init__(self):
        super().__post_init__()
        wrong = [arm for arm in self.arms if arm not in ARMS]
        if wrong:
            raise ae.UsageError(f"--arms {' '.join(self.arms)}: give different ones of {', '.join(ARMS)}")


def claims(config: Config) -> list[ae.Claim]:
    """The report's twelve numbers, each under two readings of what it is."""
    found = []
    for (loss, split), numbers in REPORTED.items():
        metrics = {f"{split}/{name}/last": reading for name, reading in READINGS[loss].items()}
        for decoder, number in zip(DECODERS, numbers, strict=True):
            arm = f"{decoder} 2 {loss}"
            for metric, reading in metrics.items():
                others = tuple((arm, other) for other in metrics if other != metric)
                found.append(ae.Claim(arm, metric, number, "3.2.5", reading, half_digit=5e-5, explained_by=others))
    return [claim for claim in found if claim.arm.replace(" ", "-") in config.arms]


# ---- what is trained


def study(decoder: str, size: int, config: Config) -> ae.Study:
    """Reconstruction; the weights of both errors come with the lane."""
    third = digits.bilinear if config.interpolation == "bilinear" else digits.interpolated
    enlarge = {"transposed": digits.transposed, "upsampling": digits.upsampled, "interpolation": third}[decoder]
    model = DigitAutoencoder(size, enlarge, config.widths, dtype=config.dtype)
    return ae.Study(f"{decoder} {size}", model, batch, loss, ADAM, config.batch_size, config.epochs, scores=errors)


def batch(key, image, index) -> ae.Batch:
    """uint8[n, 28, 28, 1] -> images in [0, 1], their own targets."""
    unit = to_unit(image[index])
    return ae.Batch(inputs=unit, target=unit)


def errors(outputs, batch) -> dict[str, Any]:
    """Both errors of every arm, f32[b], whichever it minimises, and the root of one."""
    mse = ae.losses.mse(outputs.image, batch.target)
    return {"mse": mse, "bce": ae.losses.bce(outputs.logits, batch.target), "rmse per image": jnp.sqrt(mse)}


def loss(outputs, batch, hparams) -> tuple[Any, dict[str, Any]]:
    """The weighted sum of both errors, one of which has the weight 0."""
    parts = errors(outputs, batch)
    return hparams["mse"] * parts["mse"] + hparams["bce"] * parts["bce"], parts


def split(image: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images to train on and images to validate with, the same for all seeds of a run."""
    key = ae.keys.stream(ae.keys.root(seed), "split")
    order = np.asarray(jax.random.permutation(key, len(image)))
    held_out = max(1, len(image) // HELD_OUT)
    return image[np.sort(order[held_out:])], image[np.sort(order[:held_out])]


def main(config: Config) -> None:
    """Train the arms, both losses of a network in one program; compare them, draw, and judge what the report says."""
    with ae.Run(config, claims(config)) as run:
        train, test = run.data("mnist", "train"), run.data("mnist", "test")
        parts = split(train.image, config.seed)
        how = {"validation": parts[1], "test": test.image, "best": True, "patience": config.patience}
        arms = [arm for group in groups(config) for arm in run.train_settings(group[0], parts[0], group[1], **how)]
        arms.sort(key=lambda arm: config.arms.index(arm.name.replace(" ", "-")))
        for arm in arms:
            measure(run, arm, parts[0])
        compare(run, arms)
        for name in NAMES:
            run.figure(f"curves_{name}", curves(arms, name))
        run.figure("reconstructions", reconstructions(arms, test))
        code_spaces(run, arms, test)
        run.note(
            f"Trained on {len(parts[0]):,} images and validated on {len(parts[1]):,}; scored with the weights of the "
            "lowest validation loss, while the rows called last are of the last epoch, which the report chose. "
            + ("" if config.patience is None else f"Early stopping had a patience of {config.patience} epochs.")
        )
        died(run, arms)
        scales(run, arms)
        ranking(run, arms, config)
        overfitting(run, arms)


def groups(config: Config) -> Iterator[tuple[ae.Study, dict[str, dict[str, float]]]]:
    """A network, and the losses that are wanted of it."""
    for decoder, size in itertools.product(DECODERS, SIZES):
        wanted = {loss: LOSSES[loss] for loss in LOSSES if f"{decoder}-{size}-{loss}" in config.arms}
        if wanted:
            yield study(decoder, size, config), wanted


# ---- what is measured


def measure(run: ae.Run, arm: ae.Trained, train: np.ndarray) -> None:
    """RMSE at the last epoch, both errors of the best state, and what tells overfitting and early stopping."""
    seen, loss = run.measures[arm.name], arm.validation["loss"].astype(np.float64)
    for name in SPLITS:
        run.measure(arm.name, f"{name}/rmse/last", np.sqrt(seen[f"{name}/mse/last"]))
    run.measure(arm.name, "test/rmse", np.sqrt(seen["test/mse"]))
    best = np.nanargmin(loss, 1)
    again = arm.evaluate(train)  # logged training errors are of the weights on the way
    for name in ("mse", "bce"):
        values = np.take_along_axis(arm.validation[name].astype(np.float64), best[:, None], 1)[:, 0]
        for part, value in (("train", again[name].astype(np.float64).mean(1)), ("validation", values)):
            root = name == "mse"
            run.measure(arm.name, f"best state, {part}/{'rmse' if root else name}", np.sqrt(value) if root else value)
    run.measure(arm.name, "validation/epoch of the lowest loss", best + 1)
    run.measure(arm.name, "validation/epochs trained", (~np.isnan(loss)).sum(1))
    if PATIENCE < arm.study.epochs == (~np.isnan(loss)).sum(1).min():  # none was in force
        run.measure(arm.name, f"validation/stop with patience {PATIENCE}", [stop(row, PATIENCE) for row in loss])
    run.measure(arm.name, RISE, [rise(row[~np.isnan(row)]) for row in loss])
    gap = 100 * (seen["best state, validation/rmse"] / seen["best state, train/rmse"] - 1)
    run.measure(arm.name, GAP, gap)


def stop(losses: np.ndarray, patience: int) -> int:
    """The epoch, from 1, after which early stopping ends a curve float[epochs]: the last one where it never does."""
    best, stale = np.inf, 0
    for epoch, value in enumerate(losses, 1):
        best, stale = (value, 0) if value < best else (best, stale + 1)
        if stale == patience:
            return epoch
    return len(losses)


def compare(run: ae.Run, arms: Sequence[ae.Trained]) -> None:
    """Paired differences of decoders, and of losses."""
    names = {arm.name for arm in arms}
    for size, loss in itertools.product(SIZES, LOSSES):
        for first, second in itertools.combinations(DECODERS, 2):
            pair = f"{first} {size} {loss}", f"{second} {size} {loss}"
            if names.issuperset(pair):
                run.compare(*pair, "train/rmse/last", "validation/rmse/last", "test/rmse")
    for first, second in loss_pairs(names):
        run.compare(first, second, "validation/rmse/last", "validation/bce/last", "test/rmse", "test/bce")


def loss_pairs(names: set[str]) -> list[tuple[str, str]]:
    """The arms that differ in their loss alone: (BCE, MSE)."""
    pairs = [(f"{decoder} {size} bce", f"{decoder} {size} mse") for size in SIZES for decoder in DECODERS]
    return [pair for pair in pairs if names.issuperset(pair)]


def sign(run: ae.Run, first: str, second: str, metric: str) -> int:
    """-1 or 1 where the interval of `first` less `second`, paired by living seed, lies below or above 0; else 0."""
    paired = (run.measures[first][metric] - run.measures[second][metric])[run.living(first, second)]
    found, least = ae.results.interval(paired), ROUNDING * np.abs(run.measures[second][metric]).max()
    return 0 if found is None or abs(paired.mean()) < least else int(found[0] > 0) - int(found[1] < 0)


# ---- what the numbers say of the report's three statements


def died(run: ae.Run, arms: Sequence[ae.Trained]) -> None:
    """Which seeds draw the same picture whatever they are given."""
    words = [f"{arm.name}, seed {', '.join(map(str, run.dead[arm.name]))}" for arm in arms if run.dead[arm.name]]
    if words:
        run.note(
            f"Died, which is to draw the same picture for every digit: {'; '.join(words)}. Statements (a) to (c) and "
            "the figures leave these seeds out."
        )


def scales(run: ae.Run, arms: Sequence[ae.Trained]) -> None:
    """(a) That BCE converges to lower values than L2."""
    pairs = loss_pairs({arm.name for arm in arms})
    if not pairs or len(run.seeds) < 2:
        return
    signs = {name: [sign(run, *pair, f"validation/{name}/last") for pair in pairs] for name in NAMES}
    words = [
        f"in {long} the BCE-trained arm is lower in {signs[name].count(-1)} of {len(pairs)} pairs, higher in "
        f"{signs[name].count(1)}, undecided in {signs[name].count(0)}"
        for name, long in NAMES.items()
    ]
    lower, higher = (signs["rmse"].count(side) for side in (-1, 1))
    holds = {(len(pairs), 0): "holds", (0, len(pairs)): "doesn't hold"}.get(
        (lower, higher), "isn't decided for all pairs"
    )
    run.note(
        "(a) Is BCE lower? The report holds BCE-trained values of 0.155 to 0.164 against MSE-trained ones of 0.175 to "
        f"0.184. On one scale, the validation images at the last epoch, paired by seed: {'; '.join(words)}. In RMSE, "
        f"that BCE reaches a lower value {holds}; what the report compares is one loss's RMSE with the other's entropy."
    )


def ranking(run: ae.Run, arms: Sequence[ae.Trained], config: Config) -> None:
    """(b) That the transposed decoder has the lowest RMSE on training and validation images; a table, and in words."""
    names, cells = {arm.name for arm in arms}, []
    for size, loss, split in itertools.product(SIZES, LOSSES, SPLITS):
        group = [f"{decoder} {size} {loss}" for decoder in DECODERS]
        if names.issuperset(group) and len(run.seeds) > 1:
            means = [f"{run.measures[name][f'{split}/rmse/last'][run.living(name)].mean():.4f}" for name in group]
            signs = [sign(run, group[0], other, f"{split}/rmse/last") for other in group[1:]]
            word = "best" if max(signs) < 0 else "not best" if max(signs) > 0 else "undecided"
            cells.append([str(size), loss.upper(), split, *means, word])
    if not cells:
        return
    head = ("Code", "number"), ("Loss", "text"), ("Images", "text")
    columns = (*head, *((decoder, "number") for decoder in DECODERS), ("Is transposed the best?", "text"))
    run.table(
        f"RMSE by decoder, at the last epoch, the mean over {len(run.seeds)} seeds but for dead ones", columns, cells
    )
    words = [row[-1] for row in cells]
    same = "Upsampling and interpolation are one network with other initial draws: a difference between them is chance."
    run.note(
        "(b) Which decoder is best? The report says the transposed one on both splits, though its own validation "
        "numbers put interpolation first, by 0.0025. By its differences from the others, paired by seed, it is better "
        f"than both in {words.count('best')} of {len(words)} rows of the table, worse than one or both in "
        f"{words.count('not best')} and undecided in {words.count('undecided')}."
        + f" {same}"
        * (config.interpolation == "nearest")
    )


def overfitting(run: ae.Run, arms: Sequence[ae.Trained]) -> None:
    """(c) That there are no clear signs of overfitting; one epoch can't show any."""
    if arms[0].study.epochs < 2:
        return
    rises = {arm.name: ae.results.interval(run.measures[arm.name][RISE][run.living(arm.name)]) for arm in arms}
    judged = {name: found for name, found in rises.items() if found is not None}
    risen = [name for name, (low, _) in judged.items() if low > 1]
    gaps = [round(run.measures[arm.name][GAP][run.living(arm.name)].mean(), 1) + 0.0 for arm in arms]
    reported = [
        100 * (REPORTED["mse", "validation"][i] / REPORTED["mse", "train"][i] - 1) for i in range(len(DECODERS))
    ]
    unjudged = f"; of {len(arms) - len(judged)} there is none, for want of seeds" * (len(judged) < len(arms))
    run.note(
        "(c) Overfitting? The report sees none: its validation curves don't turn up, and end "
        f"{min(reported):.1f} to {max(reported):.1f}% above the training curves, in RMSE, where MSE was minimised. "
        f"Here validation RMSE lies {min(gaps):.1f} to {max(gaps):.1f}% above training RMSE, by arm, with the best "
        "weights for both. The validation loss of the last tenth of the epochs lies more than 1% above that of the "
        f"lowest tenth, by its interval over seeds, in {len(risen)} of {len(judged)} arms"
        f"{': ' * bool(risen)}{', '.join(risen)}{unjudged}."
    )


# ---- what is seen


def curves(arms: Sequence[ae.Trained], name: str) -> Curves:
    """Training and validation curves of all arms in one error, with the reported numbers that may be of this error."""
    lines, marks = [], []
    for arm in arms:
        decoder, size, loss = arm.name.split()
        panel, colour = f"code {size}, trained on {loss.upper()}", DECODERS.index(decoder)
        for split, history in (("training", arm.epochs), ("validation", arm.validation)):
            values = (history["mse"] ** 0.5 if name == "rmse" else history[name])[arm.living]
            if split == "training":  # its mean alone: six bands would hide each other
                values = values.mean(0, keepdims=True)
            style = "dashed" if split == "training" else "solid"
            lines.append(by_epoch(f"{decoder}, {split}", values, panel, colour=colour, style=style))
            if size == "2" and name in READINGS[loss]:
                value = REPORTED[loss, "train" if split == "training" else split][DECODERS.index(decoder)]
                marks.append(Mark(f"reported, {split}", value, float(arm.study.epochs), panel, colour))
    title = f"{NAMES[name][0].upper()}{NAMES[name][1:]} by epoch"
    note = "Bands are of validation; the training curves are means over seeds. Seeds that died are left out."
    if marks:
        title += ", and the numbers that the report prints"
        note += f" The report's numbers, in the colours of its decoders, are of {Config.epochs} epochs."
    return Curves(title, "epoch", f"{NAMES[name]} per pixel", lines, marks, note=note)


def reconstructions(arms: Sequence[ae.Trained], test: ae.data.Dataset) -> Images:
    """Figures 5 to 9, 12 to 16, 18 and 19: five digits by every arm."""
    index = ae.plots.per_class(test.image, test.label, 1)[1::2]
    shown = [(arm.name, *arm.sample(test.image, index, lane=arm.shown)) for arm in arms]
    captions = [[f"{value:.3f}" for value in errors(out, batch)["rmse per image"]] for _, out, batch in shown]
    rows = [(name, np.asarray(out.image)) for name, out, _ in shown]
    title = "Five test digits and their reconstructions by every arm (its first seed that lives), with their RMSE"
    return Images(title, (("original", test.image[index]), *rows), captions=([], *captions))


def code_spaces(run: ae.Run, arms: Sequence[ae.Trained], test: ae.data.Dataset) -> None:
    """Where the digits lie in codes of two numbers, and what is decoded there: one arm of each loss."""
    for loss in LOSSES:
        for arm in [arm for arm in arms if arm.name.endswith(f" 2 {loss}")][:1]:
            code = np.asarray(encode(arm.study.model, arm.variables(arm.shown), test.image))
            which = f"{arm.name}, seed {run.seeds[arm.shown]}"
            note = f"The grid in the next figure covers 96% of the test images in each direction: {which}."
            title = f"Test digits in the two-dimensional code ({which})"
            names = tuple("0123456789")
            scatter = Scatter(title, "first code number", "second code number", code, test.label, names, note)
            run.figure(f"codes_{loss}", scatter)
            run.figure(f"codes_{loss}_decoded", decoded(arm, code, which))


def decoded(arm: ae.Trained, code: np.ndarray, which: str, steps: int = 15) -> Images:
    """What the decoder makes of a grid of codes f32[n, 2], seen as the scatter is: the second number grows upwards."""
    low, high = np.percentile(code, (2, 98), axis=0)
    across, up = (np.linspace(a, b, steps, dtype=np.float32) for a, b in zip(low, high, strict=True))
    grid = decode(arm.study.model, arm.variables(arm.shown), ae.latent.plane(jnp.asarray(across), jnp.asarray(up)))
    rows = [(f"{y:.3g}", np.asarray(row)) for y, row in zip(up[::-1], grid, strict=True)]
    title = f"What is decoded from a grid over the code: first number across, second upwards ({which})"
    labels = [f"{x:.3g}" for x in across]
    note = "Columns: the first code number; rows: the second, growing upwards, as in the figure before."
    return Images(title, rows, labels, columns=steps, note=note)


if __name__ == "__main__":
    ae.cli(main, Config)
