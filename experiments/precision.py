"""precision: what computing in bfloat16 changes in the numbers of every study.

Each study is trained twice from the same keys, once with `--precision float32` and once with bfloat16. A seed has the
same initial parameters, data order, noise and pairs in both, so that its two numbers differ by the precision alone, and
what follows from it.

Source    no report's: all five computed in float32
Expected  experiments/results/precision.json (trainings of 200 to 240 steps: unmix is a little worse in bfloat16; of the
          convolutional autoencoder of fc_vs_conv, at a learning rate of 1, two seeds of three stay at a black image;
          no other difference can be told from 0)
Run       python -m experiments.precision --limit 3840 --epochs 2 --batch-size 32
Also      --studies fc_vs_conv denoise; --epochs 10
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import numpy as np

import jaxae as ae
from experiments import bottleneck, denoise, digit_addition, digit_codes, fc_vs_conv, unmix
from jaxae import check, flags, manifest, results, tables
from jaxae.train.plan import NonFiniteLossError
from jaxae.run.run import Interrupted

Name = Literal["fc_vs_conv", "bottleneck", "denoise", "digit_codes", "digit_addition", "unmix"]
SETS = {"denoise": ("cifar10",), "unmix": ("mnist", "cifar10")}  # the others need MNIST alone
STUDIES = {  # what of each is trained, and the measures that are compared
    "fc_vs_conv": (fc_vs_conv, {"targets": ("unit",)}, ("test/mse", "test/psnr", "test/ssim")),
    "bottleneck": (bottleneck, {}, ("test/mse", "test/psnr", "test/ssim")),
    "denoise": (denoise, {"arms": ("ae", "deviation")}, ("test/mse, signed", "test/psnr, 8-bit", "test/ssim, 8-bit")),
    "digit_codes": (
        digit_codes,
        {"arms": ("transposed-2-mse", "upsampling-2-mse", "interpolation-2-mse")},
        ("test/rmse", "test/bce"),
    ),
    "digit_addition": (
        digit_addition,
        {"arms": ("adder", "generative"), "images": 1},
        ("test/accuracy", "test/mse to the class mean"),
    ),
    "unmix": (unmix, {}, ("test/both", "test/digit psnr", "test/photo psnr")),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """How long each study is trained. All else is as the study has it, but that some train a part of their arms."""

    settings = ()  # there is no report to depart from

    studies: tuple[Name, ...] = get_args(Name)
    """The studies to train, each twice."""
    epochs: int = 1
    batch_size: Annotated[int | None, flags.UNSET] = None  # pyright: ignore[reportIncompatibleVariableOverride]
    """Images per step; without it as many as each study has."""
    precision: Literal["bfloat16"] = "bfloat16"
    """What is held against float32."""

    def __post_init__(self):
        super().__post_init__()
        if self.seeds < 2:
            raise ae.UsageError(f"--seeds {self.seeds}: differences paired by seed take at least 2")


class Found(NamedTuple):
    """What a study found: its measures f64[seeds] by (arm, metric), and the seeds that died, by arm."""

    measures: dict[tuple[str, str], np.ndarray]
    dead: dict[str, list[int]]


def main(config: Config) -> None:
    """Train every study twice, compare what it measures on the test images."""
    with ae.Run(config) as run:
        for name in dict.fromkeys(name for study in config.studies for name in SETS.get(study, ("mnist",))):
            for split in ("train", "test"):
                run.data(name, split)
        lines = []
        for name in config.studies:
            wide, narrow = result(run, name, "float32"), result(run, name, config.precision)
            if wide and narrow:
                lines += compared(run, name, wide, narrow)
        words = [("Study", "text"), ("Arm", "text"), ("Measure", "code")]
        numbers = [
            (word, "number") for word in ("float32", config.precision, f"{config.precision} - float32, by seed", "n")
        ]
        run.table("Every measure in both precisions, mean over seeds", [*words, *numbers], lines)
        run.note(results.apart(run.rows(), named=True))


def result(run: ae.Run, name: str, precision: str) -> Found | None:
    """What a study finds in `precision`: trained, gone on with, or read where it is complete; None where its loss is
    not finite, which a note then says.

    Raises UsageError where the study refuses its flags or its data.
    """
    folder = run.folder / "runs" / f"{name}-{precision}"
    if not (folder.exists() and manifest.read(folder)["status"] == "complete"):
        if run.signal:
            raise Interrupted(run.signal, run.again())
        try:
            train(run.config, name, precision, folder)
        except Interrupted as stop:  # the study names its own command, and this run's goes on with all of them
            raise Interrupted(stop.number, run.again()) from None
        except ae.UsageError as error:
            if not isinstance(error.__cause__, NonFiniteLossError):
                raise ae.UsageError(f"{name} in {precision}: {error}") from error
            run.note(f"{name} can't be trained in {precision}: {error}.")
            return None
    found = check.read(folder / "results.json")[1]
    history = json.loads((folder / "history.json").read_text())
    measures = {(row.arm, row.metric): np.asarray(row.values) for row in found if not row.excluded and row.n_seeds > 1}
    return Found(measures, {arm: entry.get("dead", []) for arm, entry in history.items()})


def train(config: Any, name: str, precision: str, folder: Path) -> None:
    """Train a study into `folder`, or go on with it there."""
    module, part, _ = STUDIES[name]
    names = ("seeds", "seed", "epochs", "limit", "source", "data_dir", "lanes", "devices", "tensorboard", "quiet")
    given = {name: getattr(config, name) for name in names}
    if config.batch_size is not None:
        given["batch_size"] = config.batch_size
    begun = folder.exists()
    given |= {"resume": begun, "force": begun and config.force, "out": folder}
    module.main(module.Config(**given, **part, precision=precision))


def compared(run: ae.Run, name: str, wide: Found, narrow: Found) -> list[list[str]]:
    """The lines of a study's measures in the table; their differences are measures of the run."""
    lines = []
    for arm, metric in wide.measures:
        if metric not in STUDIES[name][2] or results.PAIRED in arm:
            continue
        both = [found.measures[arm, metric] for found in (wide, narrow)]
        row, place = results.measured(arm, metric, both[1] - both[0]), f"{name}: {arm}"
        run.measure(place, f"{metric}, {run.config.precision} - float32", row.values)
        run.dead[place] = dead = sorted({*wide.dead.get(arm, ()), *narrow.dead.get(arm, ())})
        died = f" (seed {', '.join(map(str, dead))} died in one of them)" if dead else ""
        lines.append(
            [name, arm + died, metric, *map(tables.over_seeds, both), tables.reproduced(row), str(row.n_seeds)]
        )
    return lines


if __name__ == "__main__":
    ae.cli(main, Config)
