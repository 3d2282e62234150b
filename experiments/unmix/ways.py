"""The flags, and the ways to train that they name: the report's, what goes past it, and what it leaves open."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import jaxae as ae

RungName = Literal["plain", "pooled", "frozen", "cifar", "cifar-frozen", "betas", "aligned", "together"]


STAGES = 4  # of a ResNet, the first with what comes before it


class Way(NamedTuple):
    """How an arm is trained: decoders, times the epochs, what the encoder starts from, in how many stages, and what is
    otherwise."""

    decoders: str = "plain"
    times: int = 1
    source: str = "none"
    stages: int = STAGES
    pooled: bool = False
    frozen: bool = False
    beta: float = 0.9
    aligned: bool = False


RUNGS: Mapping[str, Way] = {
    "plain": Way(),
    "pooled": Way(pooled=True),
    "frozen": Way(frozen=True),
    "cifar": Way(source="cifar"),
    "cifar-frozen": Way(source="cifar", frozen=True),
    "betas": Way(beta=0.5),
    "aligned": Way(aligned=True),
    "together": Way(source="cifar", pooled=True, frozen=True, beta=0.5),
}


@dataclass(frozen=True, kw_only=True)
class Config(ae.Flags):
    """The report's settings, but for its ImageNet weights, which take a download; and what goes past them."""

    settings = (*ae.Flags.settings, "pretrained", "stages")
    reported: ClassVar[Mapping[str, Any]] = {"pretrained": ("imagenet",)}
    counts = (*ae.Flags.counts, "times", "stages")

    pretrained: tuple[str, ...] = ("none",)
    """What the encoder starts from, each an arm: none (drawn at random), cifar (trained here to classify all photos,
    whatever --limit says), imagenet (torchvision's weights from the Hugging Face hub), or the path of a .safetensors or
    .pth file of them."""
    stages: int = STAGES
    """How many of the encoder's four stages, from the first on, start from --pretrained; those after them are drawn."""
    decoders: tuple[Literal["plain", "skip"], ...] = ("plain",)
    """The report's decoders, or ones that see the encoder's maps and the mean itself too; each an arm."""
    times: tuple[int, ...] = (1,)
    """Arms that train so many times the epochs; above 1, with Adam's rate falling to 0 along a cosine."""
    consistency: tuple[float, ...] = (0.0,)
    """Weights in the loss of how far the two outputs are from averaging to the input, each an arm."""
    aligned: bool = False
    """Pair image i with image i, always, in place of new random pairs every epoch."""
    rungs: tuple[RungName, ...] = ()
    """Trainings in place of those of the four lists above, each an arm: plain, the report's, and what the report leaves
    open and might explain its scores. pooled: the encoder's 512 pooled features are the code, 2 x 16 x 16. frozen: the
    encoder stays at random weights. cifar, cifar-frozen: it starts from, or stays at, those of the classifier of
    photos. betas: Adam's are 0.5 and 0.999. aligned: image i always goes with image i. together: pooled, cifar-frozen,
    betas."""
    epochs: int = 1

    def __post_init__(self):
        super().__post_init__()
        files = files_of(self)
        if len({Path(file).stem for file in files}) < len(files):
            raise ae.UsageError(f"--pretrained {' '.join(files)}: arms are called by the files' names; rename one")
        ways = {name: getattr(self, name) for name in ("pretrained", "stages", "decoders", "times", "consistency")}
        if self.rungs and (given := [name for name, value in ways.items() if value != getattr(type(self), name)]):
            raise ae.UsageError(f"--rungs are trainings of their own, without --{given[0]}; leave one of them out")
        if self.stages > STAGES:
            raise ae.UsageError(f"--stages is {self.stages}; a ResNet has {STAGES}: give 1 to {STAGES}")
        if self.stages != STAGES and "none" in self.pretrained:
            raise ae.UsageError(f"--stages {self.stages} of what? Name it by --pretrained, without none")
        if min(self.consistency) < 0:
            raise ae.UsageError(f"--consistency is {min(self.consistency):g}; it must be at least 0")


def files_of(config: Config) -> list[str]:
    """The paths among what encoders start from."""
    return [source for source in config.pretrained if source not in ("none", "cifar", "imagenet")]


def refuse_absent(config: Config) -> None:
    """Raise UsageError for a file that isn't there: before training alone, since results are read without it."""
    if absent := [file for file in files_of(config) if not Path(file).is_file()]:
        raise ae.UsageError(
            f"--pretrained {absent[0]}: there is no such file; give none, cifar, imagenet or the path of a file"
        )


def arm_name(way: Way) -> str:
    """What an arm is called: what of it isn't the default, but for its consistency weight, which `setting` adds."""
    starts = {"none": "", "cifar": "from CIFAR-10", "imagenet": "from ImageNet"}
    words = (
        way.decoders,
        "512 features" if way.pooled else "",
        starts.get(way.source, f"from {Path(way.source).stem}"),
        f"in {way.stages} of {STAGES} stages" if way.stages != STAGES else "",
        "frozen" if way.frozen else "",
        f"betas {way.beta:g}" if way.beta != Way().beta else "",
        "aligned" if way.aligned else "",
        f"{way.times} x epochs, cosine" if way.times > 1 else "",
    )
    return " ".join(filter(None, words))


def setting(weight: float) -> str:
    """What an arm's name says of its consistency weight."""
    return f"consistency {weight:g}" if weight else ""


def ways(config: Config) -> list[Way]:
    """How every arm is trained."""
    if config.rungs:
        return [way for rung, way in RUNGS.items() if rung in config.rungs]  # a merge names them in another order
    stages = [config.stages]
    return [Way(*way) for way in itertools.product(config.decoders, config.times, config.pretrained, stages)]
