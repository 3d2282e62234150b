"""Steps on disk, by orbax: each a folder of items, complete or not there, and the fingerprints of all their arrays.

Arrays are saved from the host, so a checkpoint made on one kind of device opens on another. Beside them, in the same
step, is the SHA-256 of each, which what is read back must have: disks and copies change bits in silence. The two latest
steps are kept, so that training goes on from the one before where the last is damaged.
"""

import contextlib
import errno
import itertools
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

import jaxae.train.hosts as hosts
from jaxae.errors import UsageError
from jaxae.files import ANY, misfit
from jaxae.train.leaves import described, digests

if TYPE_CHECKING:
    import orbax.checkpoint as ocp

STATES = ("state", "best")
ITEMS = (*STATES, "record")
DIGESTS = "sha256"  # the item with the fingerprints of the others' leaves; checkpoints of earlier versions have none
SAVED = "_CHECKPOINT_METADATA"  # orbax's note, in a step, of the items that it was saved with
KEPT = 2  # steps
MOMENT = 0.2  # seconds, in which reads end that were begun when one failed


class DamagedError(UsageError):
    """A step that isn't what was saved: `what`, without what can be done."""

    def __init__(self, what: str, mend: str = "move that folder away, and --resume trains the arm again"):
        super().__init__(f"{what}; {mend}")
        self.what = what


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Within it nothing is told of what is an error anyhow: by orbax, which tells absl's log of every save too, and by
    the threads that it has left reading when it ended with an error."""
    log, hook = logging.getLogger("absl"), sys.unraisablehook
    level = log.level
    log.setLevel(logging.CRITICAL)
    sys.unraisablehook = lambda *_: None
    try:
        yield
    finally:
        log.setLevel(level)
        sys.unraisablehook = hook


def _writer(folder: Path) -> "ocp.CheckpointManager":
    import orbax.checkpoint as ocp
    from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, LatestN

    several = _several()
    if several:
        folder.mkdir(parents=True, exist_ok=True)  # orbax would wait before it makes one
    options = ocp.CheckpointManagerOptions(
        preservation_policy=AnyPreservationPolicy([LatestN(KEPT)]),  # the best states are inside the latest checkpoint
        enable_async_checkpointing=False,
        cleanup_tmp_directories=True,
        create=not several,
        **several,
    )
    return ocp.CheckpointManager(folder.resolve(), options=options, item_handlers=_handlers(several))


def _reader() -> "ocp.Checkpointer":
    """It reads one step, and looks at no other, which may be damaged."""
    import orbax.checkpoint as ocp

    several = _several()
    handler = ocp.CompositeCheckpointHandler(composite_options=ocp.CompositeOptions(**several), **_handlers(several))
    return ocp.Checkpointer(handler, **several)


def _several() -> dict[str, Any]:
    """Of several processes each has to do with its own folder, and waits for no other."""
    if not hosts.several():
        return {}
    from orbax.checkpoint.options import MultiprocessingOptions

    this = jax.process_index()
    return {"multiprocessing_options": MultiprocessingOptions(this, {this}, str(this))}


def _handlers(several: dict[str, Any]) -> dict[str, Any]:
    import orbax.checkpoint as ocp

    standard = {name: ocp.StandardCheckpointHandler(**several) for name in ITEMS}  # else one finds no metadata
    return {**standard, DIGESTS: ocp.JsonCheckpointHandler(**several)}


def steps(folder: Path) -> list[int]:
    """The steps that are saved, the latest first. Raises UsageError for a folder that can't be looked into."""
    try:
        names = [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []
    except OSError as error:
        raise UsageError(f"{folder} can't be read ({error.strerror}); let it be read") from None
    numbers = [int(name) for name in names if name.isdecimal()]
    return sorted((number for number in numbers if str(number) in names), reverse=True)


def _saved_items(step: Path) -> set[str]:
    """The items that a step was saved with. Raises ValueError where one of them isn't there."""
    if not (step / SAVED).is_file():
        raise ValueError(f"its {SAVED} is gone")
    items = {*json.loads((step / SAVED).read_text())["item_handlers"]} & {*ITEMS, DIGESTS}
    if lost := sorted(name for name in items | {"state", "record"} if not (step / name).is_dir()):
        raise ValueError(f"its {lost[0]} is gone")
    return items


def write(folder: Path, step: int, items: dict[str, Any]) -> None:
    """Save items as a step. Steps from there on, which training hasn't gone on from, are damaged and moved aside."""
    from orbax.checkpoint import args

    for later in steps(folder):
        if later >= step:
            _move_aside(folder / str(later))
    saved: dict[str, Any] = {name: args.StandardSave(item) for name, item in items.items()}
    saved[DIGESTS] = args.JsonSave(digests(items))
    try:
        with _quietly(), _writer(folder) as manager:
            manager.save(step, args=args.Composite(**saved), force=True)
            manager.wait_until_finished()
    except (OSError, ValueError) as error:  # ValueError: tensorstore's, for a full disk for instance
        raise UsageError(
            f"the checkpoint of step {step} can't be written into {folder} ({' '.join(str(error).split())[:120]}); "
            "make room or let it be written, then go on from the one before"
        ) from error


def _move_aside(step: Path) -> None:
    places = (step.with_name(f"{step.name}.damaged{number}") for number in itertools.count(1))
    step.rename(next(place for place in places if not place.exists()))


def latest_sound(folder: Path, like: dict[str, Any]) -> dict[str, Any]:
    """Items of the latest step that isn't damaged. Raises UsageError, of the latest, where all are."""
    refused: list[UsageError] = []
    for step in steps(folder):
        try:
            found = _load(folder, like, step)
        except UsageError as error:
            refused.append(error)
            continue
        if refused:
            what = getattr(refused[0], "what", refused[0])
            warnings.warn(f"{what}; step {step} is sound, and taken in its place", stacklevel=3)
        return found
    raise refused[0]


def one_step(folder: Path, names: Sequence[str], step: int | None = None) -> dict[str, Any]:
    """Items of the last step, or of the one that is named; None for those that it was saved without.

    Raises DamagedError, which says which step before it is sound.
    """
    there, like = steps(folder), dict.fromkeys(names)
    step = there[0] if step is None else step
    try:
        return _load(folder, like, step)
    except DamagedError as error:
        for before in (number for number in there if number < step):
            with contextlib.suppress(UsageError):
                _load(folder, like, before)
                again = "the run's command with --resume trains the rest again"
                mend = f"step {before} is sound: {again}, and ae.load(..., step={before}) gives that one"
                break
        else:
            raise
        raise DamagedError(error.what, mend) from error


def _load(folder: Path, like: dict[str, Any], step: int) -> dict[str, Any]:
    """Items of a step, checked against their fingerprints and, where they have one, against their pattern; None for an
    item that it was saved without. Raises DamagedError, and UsageError for other shapes than the pattern's."""
    try:
        with _quietly(), _reader() as reader:
            return _checked(reader, folder, like, step)
    except (UsageError, MemoryError):
        raise
    except Exception as error:  # of orbax and of what it calls, whatever they stumble over
        if closed := [path for path in (folder / str(step)).rglob("*") if not os.access(path, os.R_OK)]:
            raise UsageError(f"{closed[0]} can't be read ({os.strerror(errno.EACCES)}); let it be read") from None
        reason = " ".join(str(error).split())[:120]
        raise DamagedError(f"the checkpoint in {folder} is damaged after step {step} ({reason})") from error


def _checked(reader: "ocp.Checkpointer", folder: Path, like: dict[str, Any], step: int) -> dict[str, Any]:
    from orbax.checkpoint import args

    place = (folder / str(step)).resolve()
    there = _saved_items(place)
    about: Any = reader.metadata(place).item_metadata if any(of is not None for of in like.values()) else {}
    for name, pattern in like.items():
        if pattern is not None:
            _refuse_misfit(folder, name, about[name].tree if name in there else {}, pattern)
    asked: dict[str, Any] = {name: args.StandardRestore(_on_host(like[name])) for name in like if name in there}
    if DIGESTS in there:
        asked[DIGESTS] = args.JsonRestore()
    try:
        found = dict(reader.restore(place, args=args.Composite(**asked)).items())
    except Exception:
        time.sleep(MOMENT)
        raise
    if DIGESTS in there:
        _refuse_changed(found, found.pop(DIGESTS))
    return {name: found.get(name) for name in like}


def _refuse_changed(found: dict[str, Any], recorded: Any) -> None:
    """Raise ValueError unless every leaf has the fingerprint that was recorded of it."""
    if misfit(recorded, {ANY: str}):
        raise ValueError("its fingerprints can't be read")
    for path, have in digests(found).items():
        if have != recorded.get(path):
            raise ValueError(f"the SHA-256 of {path} is not the one recorded")


def _on_host(pattern):
    return None if pattern is None else jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), pattern)


def _refuse_misfit(folder, name, saved, pattern):
    have, want = described(saved), described(pattern)
    for path in sorted(have.keys() | want.keys()):
        if have.get(path) != want.get(path):
            raise UsageError(
                f"the checkpoint in {folder} has {have.get(path, 'nothing')} at {name}/{path} and this run needs "
                f"{want.get(path, 'nothing')}; resume with the flags and the code that made it"
            )
