"""Checkpoints through orbax: the latest and the best state of every lane, and the losses so far, in one atomic step.

Arrays are saved from the host, so a checkpoint made on one kind of device opens on another. Beside them, in the same
step, is the SHA-256 of each, which what is read back must have: disks and copies change bits in silence. The two latest
steps are kept, so that training goes on from the one before where the last is damaged.
"""

import contextlib
import itertools
import json
import logging
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, LatestN

import jaxae.train.hosts as hosts
from jaxae.errors import UsageError
from jaxae.train.leaves import described, digests
from jaxae.train.plan import Progress

STATES = ("state", "best")
ITEMS = (*STATES, "record")
DIGESTS = "sha256"  # the item with the fingerprints of the others' leaves; checkpoints of earlier versions have none
KEPT = 2  # steps


def save(folder: Path, progress: Progress) -> None:
    """Save `progress` under its number of steps; of those before, the last is kept once this one is complete."""
    tree = jax.tree.map(np.asarray, progress)._asdict()
    _write(folder, int(progress.done), _items(tree))


def restore(folder: Path, like: Progress) -> Progress | None:
    """The Progress saved in `folder`, or None where there is none.

    `like` gives the structure, shapes and dtypes. Where the latest step is damaged, the step before is given, with a
    warning. Raises UsageError where shapes or dtypes differ (orbax would cast in silence) and where all is damaged.
    """
    if not _steps(folder):
        return None
    saved = _latest_sound(folder, _items(like._asdict()))
    tree = Progress(state=saved["state"], best=saved.get("best"), **saved["record"])
    # the history is written in place
    return tree._replace(**{name: jax.tree.map(np.array, getattr(tree, name)) for name in ("train", "validation")})


def _items(tree: dict[str, Any]) -> dict[str, Any]:
    """What is saved of a Progress, each in a folder of its own: the best states where there are any."""
    states = {name: tree[name] for name in STATES if tree[name] is not None}
    return {**states, "record": {name: value for name, value in tree.items() if name not in STATES}}


def variables(run: Path | str, arm: str, *, lane: int = 0, which: str | None = None) -> dict[str, Any]:
    """The variables of a trained lane, as `model.apply` takes them: {"params": ..., "batch_stats": ...}.

    `run` is a run directory, `arm` a name in its results, `lane` the place of the seed. `which` is "best" (the lowest
    validation loss) or "state" (the last); by default the one whose scores are in the results.
    Raises UsageError where there is no such run, arm, lane or state.
    """
    known = _arm(Path(run), arm)
    folder = Path(run) / "checkpoints" / file_name(known.get("trained_as", arm))
    which = which or known.get("scored", "state")
    if which not in STATES:
        raise UsageError(f"which={which!r} is not saved; choose one of {', '.join(STATES)}")
    if not _steps(folder):
        arms = sorted(path.name for path in folder.parent.glob("*"))
        raise UsageError(f"{run} holds no checkpoint of {arm!r}; it has {', '.join(arms) or 'none'}")
    if which not in _saved_items(folder):
        raise UsageError(f"{arm!r} in {run} was trained without validation, so it has no best state; take 'state'")
    saved = _load(folder, {which: None})[which]
    start, stop = known.get("lanes", (0, int(saved["step"].shape[0])))
    if not 0 <= lane < stop - start:
        raise UsageError(
            f"{arm!r} in {run} has {stop - start} lanes, so no lane {lane}; choose 0 to {stop - start - 1}"
        )
    return jax.tree.map(
        lambda leaf: leaf[start + lane], {name: saved.get(name, {}) for name in ("params", "batch_stats")}
    )


def gather(sources: Sequence[tuple[Path, int]], folder: Path) -> None:
    """Save, in `folder`, a checkpoint whose lanes are those of `sources`: (a study's checkpoints, lane there).

    Raises UsageError where one has none, or is damaged, or holds other things than the first.
    """
    read = {path: _whole(path) for path in dict.fromkeys(path for path, _ in sources)}
    lanes = [jax.tree.map(lambda leaf, at=lane: leaf[at], read[path][0]) for path, lane in sources]
    picked: Any = jax.tree.map(lambda *leaves: np.stack(leaves), *lanes)
    done = max(step for _, step in read.values())
    record = {**picked.pop("record"), "done": np.int32(done)}
    _write(folder, done, {**picked, "record": record})


def _whole(folder: Path) -> tuple[dict[str, Any], int]:
    """Everything that a study's checkpoint holds, lanes leading, but for `done`, the steps done."""
    if not _steps(folder):
        raise UsageError(f"{folder} holds no checkpoint, so its run can't be merged; train it again")
    found = _load(folder, dict.fromkeys(_saved_items(folder) - {DIGESTS}))
    done = int(found["record"].pop("done"))
    return found, done


def _arm(run: Path, arm: str) -> dict[str, Any]:
    """What the manifest says of an arm: settings of one study are trained, and saved, together.

    Raises UsageError where the manifest has another arm whose folder this one's name would find.
    """
    try:
        arms = json.loads((run / "manifest.json").read_text())["arms"]
        known = {name: entry.get("trained_as", name) for name, entry in arms.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    if arm not in known and alike(arm) in map(alike, known.values()):
        raise UsageError(f"{run} has no arm {arm!r}; it has {', '.join(sorted(known))}")
    return arms.get(arm, {})


def file_name(arm: str) -> str:
    """An arm's name as a folder's name. Two names may have one, or two that a file system takes for one: see `alike`.

    Raises UsageError for a name that no folder can have.
    """
    name = "".join(letter if letter.isalnum() or letter in "-_.=" else "_" for letter in arm)
    if not name.strip(".") or len(name.encode()) > 200:
        raise UsageError(f"the name {arm!r} is no folder's; give one of 1 to 200 letters, not of dots alone")
    return name


def alike(arm: str) -> str:
    """What the folders' names of two arms have in common where they are one folder on some file system: letters differ
    by case, or by how an accent is written, on some and not on others."""
    return unicodedata.normalize("NFC", file_name(arm)).casefold()


@contextlib.contextmanager
def _manager(folder: Path) -> Iterator[ocp.CheckpointManager]:
    """Orbax's manager of a folder; it tells every save to absl's log, whose level is the host's again afterwards."""
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with _opened(folder) as manager:
            yield manager
    finally:
        log.setLevel(level)


def _opened(folder: Path) -> ocp.CheckpointManager:
    several: Any = {}  # each process has to do with its own folder, and waits for no other
    if hosts.several():
        this = jax.process_index()
        several = {"multiprocessing_options": ocp.options.MultiprocessingOptions(this, {this}, str(this))}
        folder.mkdir(parents=True, exist_ok=True)  # orbax would wait before it makes one
    options = ocp.CheckpointManagerOptions(
        preservation_policy=AnyPreservationPolicy([LatestN(KEPT)]),  # the best states are inside the latest checkpoint
        enable_async_checkpointing=False,
        cleanup_tmp_directories=True,
        create=not several,
        **several,
    )
    handlers: Any = {name: ocp.StandardCheckpointHandler(**several) for name in ITEMS}  # else one finds no metadata
    handlers[DIGESTS] = ocp.JsonCheckpointHandler(**several)
    return ocp.CheckpointManager(folder.resolve(), options=options, item_handlers=handlers)


def _steps(folder: Path) -> list[int]:
    """The steps that are saved, the latest first."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(name) for name in names if name.isdecimal()), reverse=True)


def _saved_items(folder: Path, step: int | None = None) -> set[str]:
    """The items of a step, the latest where none is named."""
    return {path.name for path in (folder / str(_steps(folder)[0] if step is None else step)).iterdir()} & {
        *ITEMS,
        DIGESTS,
    }


def _write(folder: Path, step: int, items: dict[str, Any]) -> None:
    """Save items as a step. Steps from there on, which training hasn't gone on from, are damaged and moved aside."""
    for later in _steps(folder):
        if later >= step:
            _move_aside(folder / str(later))
    saved: dict[str, Any] = {name: ocp.args.StandardSave(item) for name, item in items.items()}
    saved[DIGESTS] = ocp.args.JsonSave(digests(items))
    try:
        with _manager(folder) as manager:
            manager.save(step, args=ocp.args.Composite(**saved), force=True)
            manager.wait_until_finished()
    except (OSError, ValueError) as error:  # ValueError: tensorstore's, for a full disk for instance
        raise UsageError(
            f"the checkpoint of step {step} can't be written into {folder} ({' '.join(str(error).split())[:120]}); "
            "make room or let it be written, then go on from the one before"
        ) from error


def _move_aside(step: Path) -> None:
    places = (step.with_name(f"{step.name}.damaged{number}") for number in itertools.count(1))
    step.rename(next(place for place in places if not place.exists()))


def _latest_sound(folder: Path, like: dict[str, Any]) -> dict[str, Any]:
    """Items of the latest step that isn't damaged. Raises UsageError, of the latest, where all are."""
    refused: list[UsageError] = []
    for step in _steps(folder):
        try:
            found = _load(folder, like, step)
        except UsageError as error:
            refused.append(error)
            continue
        if refused:
            warnings.warn(f"{refused[0]}; until then it goes on from step {step}", stacklevel=3)
        return found
    raise refused[0]


def _load(folder: Path, like: dict[str, Any], step: int | None = None) -> dict[str, Any]:
    """Items of a step, of the latest where none is named; those with a pattern are checked against it, all against
    their fingerprints."""
    step = _steps(folder)[0] if step is None else step
    try:
        with _manager(folder) as manager:
            for name, pattern in like.items():
                if pattern is not None:
                    there = name in _saved_items(folder, step)
                    saved = manager.item_metadata(step)[name].tree if there else {}
                    _refuse_misfit(folder, name, saved, pattern)
            args: dict[str, Any] = {name: ocp.args.StandardRestore(_on_host(pattern)) for name, pattern in like.items()}
            if DIGESTS in _saved_items(folder, step):
                args[DIGESTS] = ocp.args.JsonRestore()
            found = dict(manager.restore(step, args=ocp.args.Composite(**args)).items())
            _refuse_changed(found, found.pop(DIGESTS, None))
            return found
    except UsageError:
        raise
    except (ValueError, FileNotFoundError, KeyError, OSError) as error:
        raise UsageError(
            f"the checkpoint in {folder} is damaged after step {step} ({' '.join(str(error).split())[:120]}); delete "
            "that folder to train the arm again"
        ) from error


def _refuse_changed(found: dict[str, Any], recorded: dict[str, str] | None) -> None:
    """Raise ValueError unless every leaf has the fingerprint that was recorded of it, where one was."""
    if recorded is None:
        return
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
