"""precision: what computing in bfloat16 changes in the numbers of every study.

Each study is trained twice from the same keys, once with `--precision float32` and once with bfloat16. A seed has the
same initial parameters, data order, noise and pairs in both, so that its two numbers differ by the precision alone, and
what follows from it.

Source    no report's: all five computed in float32
Expected  experiments/results/precision.json (short trainings: what 240 steps show)
Run       python -m experiments.precision --limit 3840 --epochs 2 --batch-size 32
Also      --studies fc_vs_conv denoise; --epochs 10
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

import numpy as np

import jaxae as ae
from experiments import bottleneck, denoise, digit_addition, digit_codes, fc_vs_conv, unmix
from jaxae import check, flags, manifest, results, tables
from jaxae.run import Interrupted

Name = Literal["fc_vs_conv", "bottleneck", "denoise", "digit_codes", "digit_addition", "unmix"]
PHOTOS = ("denoise", "unmix")  # studies of CIFAR-10; the others need MNIST alone
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
    """How long each study is trained; all else is as the study has it."""

    settings = ()  # there is no report to depart from

    studies: tuple[Name, ...] = get_args(Name)
    """The studies to train, each twice."""
    epochs: int = 1
    batch_size: Annotated[int | None, flags.UNSET] = None  # pyright: ignore[reportIncompatibleVariableOverride]
    """Images per step; without it as many as each study has."""
    precision: Literal["bfloat16"] = "bfloat16"
    """What is held against float32."""


def main(config: Config) -> None:
    """Train every study twice, compare what it measures on the test images."""
    with ae.Run(config) as run:
        for name in ("mnist", "cifar10") if {*PHOTOS} & {*config.studies} else ("mnist",):
            for split in ("train", "test"):
                run.data(name, split)
        found = {}
        for name in config.studies:
            wide, narrow = rows(run, name, "float32"), rows(run, name, config.precision)
            found |= {(name, *key): pair for key, pair in paired(wide, narrow, STUDIES[name][2]).items()}
        for (name, arm, metric), (wide, narrow) in found.items():
            run.measure(f"{name}: {arm}", f"{metric}, {config.precision} - float32", narrow - wide)
        compared(run, found)


def rows(run: ae.Run, name: str, precision: str) -> list[results.Row]:
    """The results of a study that computes in `precision`: trained, gone on with, or read where it is complete."""
    module, reduced, _ = STUDIES[name]
    folder = run.folder / "runs" / f"{name}-{precision}"
    begun = folder.exists()
    if not (begun and manifest.read(folder)["status"] == "complete"):
        if run.signal:
            raise Interrupted(run.signal, run.again())
        try:
            module.main(
                module.Config(**taken_over(run.config), **reduced, precision=precision, resume=begun, out=folder)
            )
        except Interrupted as stop:  # the study names its own command, and this run's goes on with all of them
            raise Interrupted(stop.number, run.again()) from None
    return check.read(folder / "results.json")[1]


def taken_over(config: Any) -> dict[str, Any]:
    """The flags of this run that are those of every study."""
    names = ("seeds", "seed", "epochs", "limit", "source", "data_dir", "lanes", "devices", "quiet")
    given = {name: getattr(config, name) for name in names}
    return given if config.batch_size is None else given | {"batch_size": config.batch_size}


def paired(
    wide: Sequence[results.Row], narrow: Sequence[results.Row], metrics: Sequence[str]
) -> dict[tuple[str, str], tuple[np.ndarray, np.ndarray]]:
    """The values of every arm's `metrics` in both results, f64[seeds] each; all seeds, those that died among them."""

    def values(rows):
        return {
            (row.arm, row.metric): np.asarray(row.values)
            for row in rows
            if row.metric in metrics and not row.excluded and results.PAIRED not in row.arm and row.n_seeds > 1
        }

    first, second = values(wide), values(narrow)
    return {key: (first[key], second[key]) for key in first if key in second}


def compared(run: ae.Run, found: dict[tuple[str, str, str], tuple[np.ndarray, np.ndarray]]) -> None:
    """The table of all of them, and how many differ by more than seeds do."""
    lines, apart = [], []
    for (name, arm, metric), (wide, narrow) in found.items():
        row = results.measured(arm, metric, narrow - wide)
        if row.ci95 is not None and not row.ci95[0] <= 0 <= row.ci95[1]:
            apart.append(f"{name}: {arm}, {metric}")
        cells = [tables.over_seeds(values) for values in (wide, narrow)]
        lines.append([name, arm, metric, *cells, tables.reproduced(row), str(row.n_seeds)])
    words = [("Study", "text"), ("Arm", "text"), ("Measure", "code")]
    numbers = [(word, "number") for word in ("float32", run.config.precision, "difference by seed", "n")]
    run.table("Every measure in both precisions, mean over seeds", [*words, *numbers], lines)
    run.note(
        f"Of {len(found)} paired differences, {len(apart)} have a 95% interval that leaves out 0; of as many that are "
        f"0 in truth, some {0.05 * len(found):.1f} would{': ' if apart else ''}{'; '.join(apart)}."
    )


if __name__ == "__main__":
    ae.cli(main, Config)
