"""What is measured: losses above the least that a sigmoid can have, and conv against fc."""

from collections.abc import Mapping

import jax
import numpy as np

import experiments.fc_vs_conv.author as author
import jaxae as ae
from experiments.fc_vs_conv.method import RATE, authors
from jaxae.transforms import MNIST_MEAN, MNIST_STD

NOT_BELOW = {split: f"{split}/loss/epochs not below fc" for split in ("train", "validation")}
COMPARED = ("train/loss/mean over epochs", "test/loss", "test/psnr", "test/ssim")


def floor(data: ae.data.Dataset) -> float:
    """The least loss that outputs in [0, 1] can have against standardised targets: that of the clipped target."""
    target = (np.arange(256) / 255 - MNIST_MEAN) / MNIST_STD
    excess = (target - np.clip(target, 0, 1)) ** 2
    return float(np.bincount(data.image.ravel(), minlength=256) @ excess / data.image.size)


def measure(run: ae.Run, trained: Mapping[str, ae.Trained]) -> ae.Findings:
    """Losses above the floor and beside the author's log, epochs in which conv isn't below fc, their differences, 20
    reconstructions."""
    digits, test = run.data("mnist", "train"), run.data("mnist", "test")
    floors = {"unit": [0.0, 0.0], "standardised": [floor(digits), floor(test)]}
    shown = ae.plots.per_class(test.image, test.label, 2)
    pairs = [(name, rival) for name in trained if (rival := name.replace("conv", "fc", 1)) in trained.keys() - {name}]
    return ae.results.collect(
        run.origin,
        trained.values(),
        {name: above_floor(arm, floors[name.split()[1]][0]) for name, arm in trained.items()},
        {name: halves(arm) | by_epoch(name, arm, run.config.upsampling) for name, arm in trained.items()},
        {name: not_below(trained[name], trained[rival]) for name, rival in pairs},
        differences=[(name, rival, metric) for name, rival in pairs for metric in COMPARED],
        facts={"floors": floors, "author": losses_of(authors(run), test)},
        arrays={
            "": {"digits": test.image[shown]},
            **{
                name: {"reconstructions": pictures(arm, test, shown), **best_to_worst(arm, test)}
                for name, arm in trained.items()
            },
        },
    )


def losses_of(networks: Mapping[str, tuple[ae.Study, ae.State]], test: ae.data.Dataset) -> dict[str, float]:
    """The test loss of every network, the mean over images."""
    return {
        name: float(ae.evaluate.losses(study, ae.keys.root(0), state, test, RATE)["loss"])
        for name, (study, state) in networks.items()
    }


def above_floor(arm: ae.Trained, lowest: float) -> dict[str, np.ndarray]:
    """How much of the last epoch's training loss a better network could remove."""
    return {"train/loss/last, above the floor": arm.epochs["loss"][:, -1] - lowest}


def halves(arm: ae.Trained) -> dict[str, np.ndarray]:
    """Parameters of the encoder and of the decoder."""
    parts = arm.state.params.items()
    counts = {part: sum(leaf[0].size for leaf in jax.tree.leaves(leaves)) for part, leaves in parts}
    return {f"{part}/parameters": ae.results.as_measure(count) for part, count in counts.items()}


def not_below(arm: ae.Trained, rival: ae.Trained) -> dict[str, np.ndarray]:
    """In how many epochs the training loss, and the test loss, isn't below the rival's."""
    pairs = {"train": (arm.epochs, rival.epochs), "validation": (arm.validation, rival.validation)}
    return {
        NOT_BELOW[split]: ae.results.as_measure((ours["loss"] >= theirs["loss"]).sum(1))
        for split, (ours, theirs) in pairs.items()
    }


def by_epoch(name: str, arm: ae.Trained, upsampling: str) -> dict[str, np.ndarray]:
    """Both losses of every epoch that the author's log has, of a training as his; nothing of others."""
    model, *rest = name.split(" ", 1)
    if rest != ["standardised"] or (model, upsampling) == ("conv", "nearest"):
        return {}
    found = {"train": arm.epochs["loss"], "validation": arm.validation["loss"]}
    return {
        epoch_name(split, epoch): ae.results.as_measure(values)
        for split, log in author.LOG[model].items()
        for epoch, (_, values) in enumerate(zip(log, found[split].T, strict=False), 1)
    }


def epoch_name(split: str, epoch: int) -> str:
    """The measure of an epoch's loss, from 1."""
    return f"{split}/loss/epoch {epoch}"


def pictures(arm: ae.Trained, test: ae.data.Dataset, index: np.ndarray) -> np.ndarray:
    """What the seed that is shown makes of these digits, f32[n, 28, 28, 1]."""
    return np.asarray(arm.sample(test, index, lane=arm.shown)[0].image)


def best_to_worst(arm: ae.Trained, test: ae.data.Dataset) -> dict[str, np.ndarray]:
    """Test digits from the best PSNR of the seed that is shown to the worst, and what it makes of them."""
    scores = np.asarray(arm.scores["psnr"])[arm.shown]
    index = ae.plots.best_to_worst(scores)
    return ae.plots.ranked(scores[index], original=test.image[index], output=pictures(arm, test, index))
