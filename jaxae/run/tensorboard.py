"""TensorBoard: by arm and lane the losses of every epoch and what becomes of the first images; the flags and the final
measures of every arm and seed, which its HParams tab compares."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxae import commands
from jaxae.errors import UsageError
from jaxae.findings import Findings
from jaxae.run import flags
from jaxae.study import Arm
from jaxae.train import checkpoint
from jaxae.train.trained import Trained
from jaxae.transforms import UNIT, from_scale

SHOWN = 8  # images


def tensorboard_writer(folder: Path) -> Any:
    """A TensorBoard writer into `folder`. Raises UsageError where the extra isn't installed."""
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise UsageError(
            f"--tensorboard needs tensorboardX; install it with: {commands.installing(['tensorboardX'])}"
        ) from error
    return SummaryWriter(str(folder))


def write_events(writer: Any, arm: str, now: Any, per_epoch: int) -> None:
    """Write the losses of the epoch that ended with the Progress `now`, of every lane."""
    epoch = int(now.done) // per_epoch
    for name, losses in now.train.items():
        for lane, values in enumerate(losses[:, (epoch - 1) * per_epoch : epoch * per_epoch]):
            writer.add_scalar(f"{arm}/lane {lane}/train/{name}", values.mean(), epoch)
    for name, losses in now.validation.items():
        for lane, values in enumerate(losses):
            for value in values[~np.isnan(values)][-1:]:
                writer.add_scalar(f"{arm}/lane {lane}/validation/{name}", value, epoch)
    writer.flush()


def write_images(writer: Any, arm: Trained, data: Any, epoch: int, lanes: Sequence[int]) -> None:
    """Write the first images of `data` after an epoch: as these lanes are given them, give them back and should."""
    index = np.arange(min(SHOWN, arm.study.examples(data)))
    for lane in lanes:
        outputs, batch = arm.sample(data, index, lane=lane)
        given = {"input": batch.inputs, "output": outputs, "target": batch.target}
        for name, images in images_of_tree(given, arm.study.scale or UNIT).items():
            writer.add_images(f"{arm.name}/lane {lane}/{name}", images, epoch, dataformats="NHWC")
    writer.flush()


def images_of_tree(tree: Mapping[str, Any], scale: Any) -> dict[str, np.ndarray]:
    """The images among the arrays of a tree, by their names there: f32[n, h, w, c] in [0, 1], clipped; logits, and what
    is there already under another name, left out."""
    found: dict[str, np.ndarray] = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        if np.ndim(leaf) != 4 or leaf.shape[-1] not in (1, 3) or name.endswith("logits"):
            continue
        unit = np.asarray(leaf, np.float32) / 255 if leaf.dtype == np.uint8 else np.asarray(from_scale(leaf, scale))
        shown = unit.clip(0, 1)
        if not any(np.array_equal(shown, other) for other in found.values()):
            found[name] = shown
    return found


def write_results(writer: Any, config: flags.Flags, arms: Sequence[Arm], found: Findings) -> None:
    """Write a session of the HParams tab for every trained arm and seed, into hparams/: flags, settings, measures."""
    given = {name: _word(value) for name, value in flags.science(config).items() if name != "seed"}
    settings = {name: hparams for arm in arms for name, hparams in zip(arm.names, arm.settings.values(), strict=True)}
    for arm in (name for name in settings if name in found.measures):
        for place, seed in enumerate(found.seeds):
            values = {metric: float(of[place] if of.ndim else of) for metric, of in found.measures[arm].items()}
            writer.add_hparams(
                {**given, **_numbers(settings[arm]), "arm": arm, "seed": seed},
                {_tag(f"final/{metric}"): value for metric, value in values.items() if math.isfinite(value)},
                name=f"hparams/{checkpoint.file_name(arm)}/seed {seed}",
            )


def _word(value: Any) -> Any:
    """A flag's value as the tab takes it; nothing for one that wasn't given."""
    return " ".join(map(str, value)) if isinstance(value, list) else value


def _tag(name: str) -> str:
    """A name as tags are written, by which the tab finds a metric's value."""
    return re.sub(r"[^-/\w.]", "_", name)


def _numbers(hparams: Any) -> dict[str, float]:
    """The hparams that are single numbers."""
    named = hparams._asdict() if hasattr(hparams, "_asdict") else hparams
    plain = named if isinstance(named, Mapping) else {}
    return {str(name): float(value) for name, value in plain.items() if np.ndim(value) == 0}
