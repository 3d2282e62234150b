"""TensorBoard: the losses of every epoch, by arm and lane."""

from pathlib import Path
from typing import Any

import numpy as np

from jaxae import commands
from jaxae.errors import UsageError


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
    """Write the losses of the epoch that ended with the Progress `now`, of every lane; nothing within an epoch."""
    epoch, rest = divmod(int(now.done), per_epoch)
    if writer is None or rest:
        return
    for name, losses in now.train.items():
        for lane, values in enumerate(losses[:, (epoch - 1) * per_epoch : epoch * per_epoch]):
            writer.add_scalar(f"{arm}/lane {lane}/train/{name}", values.mean(), epoch)
    for name, losses in now.validation.items():
        for lane, values in enumerate(losses):
            for value in values[~np.isnan(values)][-1:]:
                writer.add_scalar(f"{arm}/lane {lane}/validation/{name}", value, epoch)
    writer.flush()
