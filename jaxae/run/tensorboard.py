"""TensorBoard: by arm and lane the losses of every epoch and what becomes of the first images; the flags and the final
measures of every arm and seed, which its HParams tab compares."""

import contextlib
import math
import os
import re
import socket
import time
import warnings
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


class Events:
    """Event files in a folder and below it, in which each event is on disk before training goes on.

    tensorboardX's own writer leaves that to a thread, which dies of a full disk; training then waits for it for ever.
    Here the first event that can't be written is the last that is tried, it is said, and training goes on.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._file: Any = None  # until there is something to write
        self._ended = False

    def add(self, summaries: Sequence[Any], step: int = 0, *, session: str = "") -> None:
        """Write tensorboardX's summaries of a step; those of a session into a folder of its own below."""
        if self._ended:
            return
        try:
            if session:
                with contextlib.closing(_opened(self._folder / session)) as file:
                    _write(file, summaries, step)
            else:
                self._file = self._file or _opened(self._folder)
                _write(self._file, summaries, step)
        except OSError as error:
            self.close()
            warnings.warn(
                f"TensorBoard's events can't be written into {self._folder} ({error.strerror}); the run goes on "
                "without them",
                stacklevel=3,
            )

    def close(self) -> None:
        """Write no more."""
        self._ended = True
        if self._file is not None:
            with contextlib.suppress(OSError):  # of what couldn't be written before
                self._file.close()


def tensorboard_writer(folder: Path) -> Events:
    """What writes TensorBoard's events into `folder`. Raises UsageError where the extra isn't installed."""
    try:
        import tensorboardX  # noqa: F401  (now, and not after the first epoch)
    except ImportError as error:
        raise UsageError(
            f"--tensorboard needs tensorboardX; install it with: {commands.installing(['tensorboardX'])}"
        ) from error
    return Events(folder)


def _opened(folder: Path) -> Any:
    """A new event file, with its head, under a name that no other has."""
    from tensorboardX import RecordWriter

    folder.mkdir(parents=True, exist_ok=True)
    file = RecordWriter(str(folder / f"events.out.tfevents.{time.time():.6f}.{socket.gethostname()}.{os.getpid()}"))
    file.write(_event(file_version="brain.Event:2"))
    return file


def _write(file: Any, summaries: Sequence[Any], step: int) -> None:
    for summary in summaries:
        file.write(_event(step=step, summary=summary))
    file.flush()


def _event(**content: Any) -> bytes:
    from tensorboardX.proto import event_pb2

    event: Any = event_pb2.Event  # pyright: ignore[reportAttributeAccessIssue] (made at run time)
    return event(wall_time=time.time(), **content).SerializeToString()


def write_events(events: Events, arm: str, now: Any, per_epoch: int) -> None:
    """Write the losses of the epoch that ended with the Progress `now`, of every lane."""
    from tensorboardX.summary import scalar

    epoch = int(now.done) // per_epoch
    found = []
    for name, losses in now.train.items():
        for lane, values in enumerate(losses[:, (epoch - 1) * per_epoch : epoch * per_epoch]):
            found.append(scalar(f"{arm}/lane {lane}/train/{name}", values.mean()))
    for name, losses in now.validation.items():
        for lane, values in enumerate(losses):
            last = values[~np.isnan(values)][-1:]
            found.extend(scalar(f"{arm}/lane {lane}/validation/{name}", value) for value in last)
    events.add(found, epoch)


def write_images(events: Events, arm: Trained, data: Any, epoch: int, lanes: Sequence[int]) -> None:
    """Write the first images of `data` after an epoch: as these lanes are given them, give them back and should."""
    from tensorboardX.summary import image

    index = np.arange(min(SHOWN, arm.study.examples(data)))
    for lane in lanes:
        outputs, batch = arm.sample(data, index, lane=lane)
        given = {"input": batch.inputs, "output": outputs, "target": batch.target}
        shown = images_of_tree(given, arm.study.scale or UNIT)
        named = {f"{arm.name}/lane {lane}/{name}": images for name, images in shown.items()}
        events.add([image(tag, images, dataformats="NHWC") for tag, images in named.items()], epoch)


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


def write_results(events: Events, config: flags.Flags, arms: Sequence[Arm], found: Findings) -> None:
    """Write a session of the HParams tab for every trained arm and seed, into hparams/: flags, settings, measures."""
    from tensorboardX.summary import hparams, scalar

    given = {name: _word(value) for name, value in flags.science(config).items() if name != "seed"}
    settings = {name: of for arm in arms for name, of in zip(arm.names, arm.settings.values(), strict=True)}
    for arm in (name for name in settings if name in found.measures):
        for place, seed in enumerate(found.seeds):
            measured = {metric: float(of[place] if of.ndim else of) for metric, of in found.measures[arm].items()}
            finals = {_tag(f"final/{metric}"): value for metric, value in measured.items() if math.isfinite(value)}
            about = hparams({**given, **_numbers(settings[arm]), "arm": arm, "seed": seed}, finals)
            summaries = [*about, *(scalar(tag, value) for tag, value in finals.items())]
            events.add(summaries, session=f"hparams/{checkpoint.file_name(arm)}/seed {seed}")


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
