"""Checkpoints through orbax: the latest and the best state of every lane, and the losses so far, in one atomic step.

Arrays are saved from the host, so a checkpoint made on one kind of device opens on another.
"""

import contextlib
import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import AnyPreservationPolicy, LatestN

from jaxae.errors import UsageError
from jaxae.train.plan import Progress

STATES = ("state", "best")
ITEMS = (*STATES, "record")


def save(folder: Path, progress: Progress) -> None:
    """Save `progress` under its number of steps; the one before is deleted once this one is complete."""
    tree = jax.tree.map(np.asarray, progress)._asdict()
    with _manager(folder) as manager:
        manager.save(
            int(progress.done),
            args=ocp.args.Composite(**{name: ocp.args.StandardSave(item) for name, item in _items(tree).items()}),
            force=True,
        )
        manager.wait_until_finished()


def restore(folder: Path, like: Progress) -> Progress | None:
    """The Progress saved in `folder`, or None where there is none.

    `like` gives the structure, shapes and dtypes. Raises UsageError where they differ (orbax would cast in silence)
    and where the files are damaged.
    """
    if not _has_steps(folder):
        return None
    saved = _load(folder, _items(like._asdict()))
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
    if not _has_steps(folder):
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
    with _manager(folder) as manager:
        items = {**picked, "record": record}
        saved = {name: ocp.args.StandardSave(item) for name, item in items.items()}
        manager.save(done, args=ocp.args.Composite(**saved), force=True)
        manager.wait_until_finished()


def _whole(folder: Path) -> tuple[dict[str, Any], int]:
    """Everything that a study's checkpoint holds, lanes leading, but for `done`, the steps done."""
    if not _has_steps(folder):
        raise UsageError(f"{folder} holds no checkpoint, so its run can't be merged; train it again")
    found = _load(folder, dict.fromkeys(_saved_items(folder) & {*ITEMS}))
    done = int(found["record"].pop("done"))
    return found, done


def _arm(run: Path, arm: str) -> dict[str, Any]:
    """What the manifest says of an arm: settings of one study are trained, and saved, together."""
    try:
        return json.loads((run / "manifest.json").read_text())["arms"].get(arm, {})
    except (OSError, ValueError, KeyError):
        return {}


def file_name(arm: str) -> str:
    """An arm's name as a folder's name."""
    return "".join(letter if letter.isalnum() or letter in "-_.=" else "_" for letter in arm)


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
    options = ocp.CheckpointManagerOptions(
        preservation_policy=AnyPreservationPolicy([LatestN(1)]),  # the best states are inside the latest checkpoint
        enable_async_checkpointing=False,
        cleanup_tmp_directories=True,
    )
    handlers = {name: ocp.StandardCheckpointHandler() for name in ITEMS}  # else a fresh manager finds no metadata
    return ocp.CheckpointManager(folder.resolve(), options=options, item_handlers=handlers)


def _has_steps(folder: Path) -> bool:
    return folder.is_dir() and any(path.name.isdigit() for path in folder.iterdir())


def _saved_items(folder: Path) -> set[str]:
    """The items of the latest step."""
    steps = [path for path in folder.iterdir() if path.name.isdigit()]
    return {path.name for path in max(steps, key=lambda path: int(path.name)).iterdir()}


def _load(folder: Path, like: dict[str, Any]) -> dict[str, Any]:
    """Items of the latest step; those with a pattern are checked against it."""
    try:
        with _manager(folder) as manager:
            step = manager.latest_step() or 0
            for name, pattern in like.items():
                if pattern is not None:
                    there = name in _saved_items(folder)
                    saved = manager.item_metadata(step)[name].tree if there else {}
                    _refuse_misfit(folder, name, saved, pattern)
            args = {name: ocp.args.StandardRestore(_on_host(pattern)) for name, pattern in like.items()}
            return dict(manager.restore(step, args=ocp.args.Composite(**args)).items())
    except UsageError:
        raise
    except (ValueError, FileNotFoundError, KeyError, OSError) as error:
        raise UsageError(
            f"the checkpoint in {folder} is damaged ({str(error).splitlines()[0][:120]}); delete that folder to train "
            "the arm again"
        ) from error


def _on_host(pattern):
    return None if pattern is None else jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), pattern)


def _refuse_misfit(folder, name, saved, pattern):
    def described(tree):
        leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
        return {_path(path): (tuple(leaf.shape), np.dtype(leaf.dtype).name) for path, leaf in leaves}

    have, want = described(saved), described(pattern)
    for path in sorted(have.keys() | want.keys()):
        if have.get(path) != want.get(path):
            raise UsageError(
                f"the checkpoint in {folder} has {have.get(path, 'nothing')} at {name}/{path} and this run needs "
                f"{want.get(path, 'nothing')}; resume with the flags and the code that made it"
            )


def _path(path) -> str:
    """A leaf's path, the same for a NamedTuple's field and a dictionary's key."""
    return "/".join(str(getattr(entry, "name", getattr(entry, "key", getattr(entry, "idx", entry)))) for entry in path)
