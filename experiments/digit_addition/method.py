"""What is trained: an adder and its variational kin, on pairs of images; what the report claims of them."""

import functools
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import optax

import experiments.digit_addition.ways as ways
import jaxae as ae
from experiments import digit_classifier, each_class
from experiments.digit_addition.outcomes import BLUR, DIGITS, READINGS
from experiments.digit_addition.recipes import FRACTIONS, NUMBERED, RECIPES, ROWS, TWINS, USUAL, Name, Setting, Weights
from jaxae.transforms import UNIT, Classes, addition_pairs, by_class, to_unit

VALIDATION = 2_000  # test images behind each point of the curves; every score is of all of them
ADAM = optax.adam(1e-3)


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings. It doesn't say its batch size, code size, the layers of P and how the KL is reduced."""

    settings = ("epochs", "precision", "widths")
    counts = (*ae.Flags.counts, "code_size", "images", "widths")

    arms: tuple[Name, ...] = USUAL  # pyright: ignore[reportAssignmentType]
    """The models of parts III, IV.1 and IV.2; course: all pairs of the course's, five times as many as images; natural,
    as adder alone: as many as images, b evenly; others: balanced. plain: P is shown the number."""
    table: bool = False
    """Train the generative arms with all the weights that the report tried, in place of the last."""
    rows: tuple[int, ...] = ()
    """Rows of the report's table, 1 to 16, whose weights the generative arms are trained with in place of the last; a
    vae as well, without the KL of P."""
    kl: Literal["mean", "sum"] = "mean"
    """Over a batch. The report doesn't say; a sum makes its weights as many times larger as a batch has images."""
    code_size: int = 7
    """Numbers in a code."""
    images: int = 50
    """Test images of each digit that fractions are added to; all, where there are fewer."""
    widths: tuple[int, int, int] = (32, 64, 128)
    """Channels of E's convolutions, mirrored in D."""
    epochs: int = 100

    def __post_init__(self):
        super().__post_init__()
        if self.table and not any(RECIPES[name].model.generative for name in self.arms):
            raise ae.UsageError("--table is of the generative arm; name it in --arms, or leave --table out")
        if self.kl == "sum" and not _weighed(self.arms):
            raise ae.UsageError("--kl sum: the adder's loss has no KL; name another arm, or leave --kl out")
        _refuse_rows(self.rows, self.arms, self.table)
        if self.stream:
            raise ae.UsageError(
                "--stream: digit_addition takes two images for each pair, which can't be read ahead; leave it out"
            )


def _refuse_rows(rows: tuple[int, ...], arms: tuple[Name, ...], table: bool) -> None:
    given = f"--rows {' '.join(map(str, rows))}"
    if not NUMBERED.keys() >= {*rows}:
        raise ae.UsageError(f"{given}: the report's table has the rows 1 to {max(NUMBERED)}; name some of those")
    if rows and table:
        raise ae.UsageError(f"{given}: --table trains all rows; leave one of the two out")
    if rows and not _weighed(arms):
        raise ae.UsageError(f"{given}: the adder's loss has no KL to weigh; name another arm, or leave --rows out")


def _weighed(arms: tuple[Name, ...]) -> bool:
    """Whether the loss of any of these has a KL."""
    return any(RECIPES[name].model.variational for name in arms)


def settings_of(name: Name, config: Config) -> dict[str, Setting]:
    """What an arm is trained with, by name: rows of the report's table, or the one setting that it has without."""
    model, _, setting = RECIPES[name]
    names = {NUMBERED[number] for number in config.rows}
    if model.generative:
        return {row: of for row, of in ROWS.items() if config.table or row in (names or {"row 16"})}
    if not model.variational or not names:
        return {"": setting}
    return {row: setting._replace(weights=ROWS[row].weights._replace(P=0.0)) for row in ROWS if row in names}


def all_settings(config: Config) -> dict[str, Setting]:
    """The same of all arms, by their names in the report of the run."""
    return {
        f"{name.replace('-', ' ')} {row}".strip(): setting
        for name in config.arms
        for row, setting in settings_of(name, config).items()
    }


def decides(arm: str, config: Config) -> bool:
    """Whether what an arm draws is the reading of the report that decides.

    Its pairs are taken to be the course's, balanced before it tried the table; it gives weights of the generative model
    alone, and doesn't say how the KL is reduced. Other readings are natural pairs, the table on pairs that aren't
    balanced, a VAE at the table's weights and a summed KL.
    """
    name = arm.replace(" ", "-")
    named = (name in RECIPES and name not in TWINS) or arm.startswith("generative row")
    return named and (config.kl == "mean" or arm.startswith("adder"))


def claims(config: Config) -> list[ae.Claim]:
    """Outcomes, and what is drawn for fractions: each seed has what the report saw (1) or hasn't (0)."""
    found = []
    for arm, (_, outcome, source) in all_settings(config).items():
        source = f"{source}, {arm[arm.index('row') :]}" if arm.startswith("generative") else source
        if outcome:
            claim = ae.Claim(arm, f"outcome/{outcome}", 1, source, READINGS[outcome], categorical=True)
            found.append(claim)
    for arm in [arm for arm in FRACTIONS if arm in all_settings(config)]:
        source, digits, blurred = FRACTIONS[arm]
        reading = f"7 + 1.4, 1.5 and 1.6 are read as {', '.join(map(str, digits))}, 7 + 1 and 7 + 2 as 8 and 9"
        found.append(ae.Claim(arm, DIGITS, 1, source, reading, categorical=True))
        if blurred:
            more = " and ".join(f"{value:g}" for value in blurred) + (" has" if len(blurred) == 1 else " have")
            reading = f"7 + {more} more gray than 7 + 1 and 7 + 2, which are read as 8 and 9"
            found.append(ae.Claim(arm, BLUR, 1, source, reading, categorical=True))
    return [replace(claim, primary=decides(claim.arm, config)) for claim in found]


# ---- what is trained


class Digits(NamedTuple):
    """Images to draw pairs from: uint8[n, 28, 28, 1], i32[n], where each class is, and class means f32[10, ...].

    Whether pairs that are drawn are `balanced`, bool[], is data, so that arms that differ in nothing else are one
    program. Where there are `pairs`, those are all.
    """

    image: Any
    label: Any
    classes: Classes
    mean: Any
    balanced: Any
    pairs: ways.Pairs | None = None


def digits(data: ae.data.Dataset, mean: np.ndarray) -> Digits:
    """A data set as balanced pairs are drawn from it. Raises UsageError where it lacks a digit."""
    return Digits(data.image, data.label, by_class(data.label), mean, np.bool_(True))


def class_means(data: ae.data.Dataset) -> np.ndarray:
    """The mean image of every digit, f32[10, 28, 28, 1] in [0, 1]: under MSE, the best answer to "an image of 9"."""
    classes = by_class(data.label)
    of_class = [data.image[rows] for rows in np.split(classes.order, classes.start[1:])]
    return np.stack([images.mean(0, dtype=np.float64) / 255 for images in of_class]).astype(np.float32)


def batch(key, data: Digits, index) -> ae.Batch:
    """(image of a, b) to (an image of a + b, the mean image of a + b); the label is a + b."""
    if data.pairs is not None:
        first, target = (places[index] for places in data.pairs)
        total = data.label[target]
        value = (total - data.label[first]).astype(np.float32)
        return ae.Batch((to_unit(data.image[first]), value), (to_unit(data.image[target]), data.mean[total]), total)
    draw = functools.partial(addition_pairs, key, data.image, data.label, data.classes, index)
    pairs = jax.lax.cond(data.balanced, lambda: draw(balanced=True), lambda: draw(balanced=False))
    return ae.Batch((pairs.image, pairs.value), (pairs.target, data.mean[pairs.total]), pairs.total)


def pairs_of(data: Digits) -> int:
    """In an epoch, as many as there are images, where they are drawn, and else all."""
    return len(data.image if data.pairs is None else data.pairs.first)


def paired(data: Digits, name: Name) -> Digits:
    """The data as an arm takes pairs from them."""
    kind = RECIPES[name].pairs
    if kind == "course":
        return data._replace(pairs=ways.course(data.label))
    return data._replace(balanced=np.bool_(kind == "balanced"))


def loss(outputs, batch, hparams: Weights) -> tuple[Any, dict[str, Any]]:
    """w_orig L2 of the image of a + w_added L2 of the sum's + k_enc KL of E + k_add KL of P; KL by unit, to be seen."""
    parts = {
        "original": ae.losses.mse(outputs.original, batch.inputs[0]),
        "added": ae.losses.mse(outputs.image, batch.target[0]),
    }
    total = hparams.original * parts["original"] + hparams.added * parts["added"]
    for name, code, weight in (("E", outputs.posterior, hparams.E), ("P", outputs.sum_posterior, hparams.P)):
        if code.log_variance is not None:
            units = ae.losses.gaussian_kl_per_dimension(*code)
            parts[f"KL of {name}"] = units.sum(axis=1)
            parts |= {f"KL of {name}, unit {i + 1}": units[:, i] for i in range(units.shape[1])}
            total = total + weight * parts[f"KL of {name}"]
    return total, parts


def study(name: Name, config: Config) -> ae.Study:
    """An arm; its weights come with the lane."""
    model = RECIPES[name].model.clone(code_size=config.code_size, widths=config.widths, dtype=config.dtype)
    return ae.Study(
        name.replace("-", " "), model, batch, loss, ADAM, config.batch_size, config.epochs, examples=pairs_of,
        parts=1 if model.variational else ae.train.parts_of(config.batch_size),  # what it draws is drawn for all
        scale=UNIT,
    )  # fmt: skip


def weights(name: Name, config: Config) -> dict[str, Weights]:
    """The weights that an arm is trained with, those of KL times the batch where it is summed over one."""
    times = config.batch_size if config.kl == "sum" else 1
    given = {row: setting.weights for row, setting in settings_of(name, config).items()}
    return {row: each._replace(E=each.E * times, P=each.P * times) for row, each in given.items()}


def all_weights(config: Config) -> dict[str, Weights]:
    """The same of all arms, by their names in the report of the run."""
    return {
        f"{name.replace('-', ' ')} {row}".strip(): of
        for name in config.arms
        for row, of in weights(name, config).items()
    }


def arms(config: Config) -> list[ae.Arm]:
    """Every model, with all its weights in one program."""
    many = {"course": ways.MANY}
    return [
        ae.Arm(study(name, config), weights(name, config), many.get(RECIPES[name].pairs, 1)) for name in config.arms
    ]


def train(run: ae.Run) -> dict[str, ae.Trained]:
    """Every arm on pairs of the training images, its curves on pairs of up to VALIDATION test images."""
    images, test = run.data("mnist", "train"), run.data("mnist", "test")
    for split in ("train", "test"):
        each_class.refuse_fewer(run, "mnist", split, 1)  # from which targets are drawn
    digit_classifier.judge(run)  # what it refuses is refused now, not when all is trained
    mean, trained = class_means(images), {}
    parts = digits(images, mean), digits(test.head(min(VALIDATION, len(test))), mean)
    for name, arm in zip(run.config.arms, arms(run.config), strict=True):
        pairs, held_out = (paired(data, name) for data in parts)
        trained |= run.train(arm, pairs, validation=held_out)
    return trained
