"""What is trained: every study, or a part of its arms, in both precisions, each a run of its own inside this one."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import jaxae as ae
from experiments import bottleneck, denoise, digit_addition, digit_codes, fc_vs_conv, unmix
from jaxae.run import flags, manifest
from jaxae.run.saved import load_result
from jaxae.run.signals import Interrupted
from jaxae.run.steps import perform

Name = Literal["fc_vs_conv", "bottleneck", "denoise", "digit_codes", "digit_addition", "unmix"]
SETS = {"denoise": ("cifar10",), "unmix": ("mnist", "cifar10")}  # the others need MNIST alone
PASSED = (
    "seeds",
    "seed",
    "epochs",
    "limit",
    "test_limit",
    "source",
    "data_dir",
    "lanes",
    "devices",
    "stream",
    "tensorboard",
    "quiet",
)


class Part(NamedTuple):
    """What of a study is trained, by its flags, and the measures that are compared."""

    experiment: ae.Experiment
    flags: dict[str, Any]
    measures: tuple[str, ...]


STUDIES = {
    "fc_vs_conv": Part(
        fc_vs_conv.EXPERIMENT, {"targets": ("unit",), "upsampling": "nearest"}, ("test/mse", "test/psnr", "test/ssim")
    ),
    "bottleneck": Part(bottleneck.EXPERIMENT, {}, ("test/mse", "test/psnr", "test/ssim")),
    "denoise": Part(
        denoise.EXPERIMENT,
        {"arms": ("ae", "deviation")},
        ("test/mse, signed", "test/psnr, 8-bit", "test/ssim, 8-bit"),
    ),
    "digit_codes": Part(
        digit_codes.EXPERIMENT,
        {"arms": ("transposed-2-mse", "upsampling-2-mse", "interpolation-2-mse")},
        ("test/rmse", "test/bce"),
    ),
    "digit_addition": Part(
        digit_addition.EXPERIMENT,
        {"arms": ("adder", "generative"), "images": 1, "judge_limit": 60_000},
        ("test/accuracy", "test/mse to the class mean"),
    ),
    "unmix": Part(unmix.EXPERIMENT, {}, ("test/both", "test/digit psnr", "test/photo psnr")),
}


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """How long each study is trained. All else is as the study has it, but that some train a part of their arms."""

    settings = ()  # there is no report to depart from
    fewest = 2  # for differences paired by seed

    studies: tuple[Name, ...] = get_args(Name)
    """The studies to train, each twice."""
    epochs: int = 1
    batch_size: Annotated[int | None, flags.UNSET] = None  # pyright: ignore[reportIncompatibleVariableOverride]
    """Images per step; without it as many as each study has."""
    precision: Literal["bfloat16"] = "bfloat16"
    """What is held against float32."""

    def __post_init__(self):
        super().__post_init__()
        if self.seeds < self.fewest:
            raise ae.UsageError(f"--seeds {self.seeds}: differences paired by seed take at least {self.fewest}")
        if self.stream and "digit_addition" in self.studies:
            others = " ".join(name for name in self.studies if name != "digit_addition")
            mend = f", or name the others: --studies {others}" if others else ""
            raise ae.UsageError(f"--stream: digit_addition can't be trained so; leave out --stream{mend}")

    @property
    def both(self) -> tuple[str, str]:
        """The precisions that are compared."""
        return "float32", self.precision


class Runs(NamedTuple):
    """What the studies found, by name and precision; and why the others can't be trained."""

    found: dict[tuple[str, str], ae.Findings]
    untrained: dict[tuple[str, str], str]


def config_of(config: Config, name: str, precision: str, **local: Any) -> Any:
    """The flags of a study, and local ones."""
    given = {name: getattr(config, name) for name in PASSED} | {"precision": precision}
    if config.batch_size is not None:
        given["batch_size"] = config.batch_size
    part = STUDIES[name]
    return part.experiment.config(**{**given, **part.flags, **local})


def arms(config: Config) -> list[ae.Arm]:
    """None of its own: what is trained are the studies, each a run within this one."""
    del config
    return []


def inside(config: Config) -> dict[str, tuple[ae.Experiment, Any]]:
    """The runs, by their places in the folder."""
    pairs = itertools.product(config.studies, config.both)
    return {
        str(place(name, precision)): (STUDIES[name].experiment, config_of(config, name, precision))
        for name, precision in pairs
    }


def place(name: str, precision: str) -> Path:
    """Where in the run's folder a study is trained in a precision."""
    return Path("runs", f"{name}-{precision}")


def train(run: ae.Run) -> Runs:
    """Every study in both precisions; a loss that is not finite leaves one out."""
    for name in dict.fromkeys(name for study in run.config.studies for name in SETS.get(study, ("mnist",))):
        for split in ("train", "test"):
            run.data(name, split)
    done = Runs({}, {})
    for name in run.config.studies:
        for precision in run.config.both:
            if reason := left_out(run, name, precision):
                done.untrained[name, precision] = reason
                continue
            try:
                done.found[name, precision] = result(run, name, precision)
            except ae.UsageError as error:
                if not isinstance(error.__cause__, ae.train.NonFiniteLossError):
                    raise ae.UsageError(f"{name} in {precision}: {error}") from error
                done.untrained[name, precision] = str(error)
    return done


def folder_of(run: ae.Run, name: str, precision: str) -> Path:
    """Where a study is trained in a precision."""
    return run.folder / place(name, precision)


def is_complete(folder: Path) -> bool:
    """Whether it holds a run that has ended well."""
    return folder.exists() and manifest.load_manifest(folder)["status"] == "complete"


def left_out(run: ae.Run, name: str, precision: str) -> str:
    """Why a run that is measured again has left a study out; nothing where it hasn't."""
    if run.training or is_complete(folder_of(run, name, precision)):
        return ""
    return load_result(run.folder).findings.facts["untrained"].get(f"{name} in {precision}", "")


def result(run: ae.Run, name: str, precision: str) -> ae.Findings:
    """What a study finds in a precision: trained, gone on with, or read where it is complete.

    Raises UsageError where the study refuses its flags or its data, and where it isn't complete and nothing may be
    trained.
    """
    folder = folder_of(run, name, precision)
    if not is_complete(folder):
        if not run.training:
            raise ae.UsageError(
                f"{folder} holds no complete run, so it can't be measured; train it with: {run.again()}"
            )
        run.stop_if_asked()
        train_study(run, name, precision, folder)
    return load_result(folder).findings


def train_study(run: ae.Run, name: str, precision: str, folder: Path) -> None:
    """Train a study into `folder`, or go on with it there."""
    begun = folder.exists()
    local = {"resume": begun, "force": begun and run.config.force, "out": folder}
    try:
        perform(STUDIES[name].experiment, config_of(run.config, name, precision, **local))
    except Interrupted as stop:  # the study names its own command, and this run's goes on with all of them
        raise Interrupted(stop.number, run.again()) from None
