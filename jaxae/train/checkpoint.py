"""Checkpoints through orbax: the latest and the best state of every lane, and the losses so far, in one atomic step.

Training goes on from the step before where the last is damaged. Whoever wants what was trained is refused a damaged
step, since the one before is another model, and is told which is sound.
"""

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxae.errors import UsageError
from jaxae.files import path_of
from jaxae.train.entries import arms_of
from jaxae.train.leaves import described
from jaxae.train.plan import Progress
from jaxae.train.stored import ITEMS, STATES, latest_sound, one_step, steps, write


def save(folder: Path | str, progress: Progress) -> None:
    """Save `progress` under its number of steps; of those before, the last is kept once this one is complete."""
    tree = jax.tree.map(np.asarray, progress)._asdict()
    write(path_of(folder), int(progress.done), _items(tree))


def restore(folder: Path | str, like: Progress) -> Progress | None:
    """The Progress saved in `folder`, or None where there is none.

    `like` gives the structure, shapes and dtypes. Where the latest step is damaged, the step before is given, with a
    warning. Raises UsageError where shapes or dtypes differ (orbax would cast in silence) and where all is damaged.
    """
    folder = path_of(folder)
    if not steps(folder):
        return None
    saved = latest_sound(folder, _items(like._asdict()))
    tree = Progress(state=saved["state"], best=saved.get("best"), **saved["record"])
    # the history is written in place
    return tree._replace(**{name: jax.tree.map(np.array, getattr(tree, name)) for name in ("train", "validation")})


def _items(tree: dict[str, Any]) -> dict[str, Any]:
    """What is saved of a Progress, each in a folder of its own: the best states where there are any."""
    states = {name: tree[name] for name in STATES if tree[name] is not None}
    return {**states, "record": {name: value for name, value in tree.items() if name not in STATES}}


def variables(
    run: Path | str, arm: str, *, lane: int = 0, which: str | None = None, step: int | None = None
) -> dict[str, Any]:
    """The variables of a trained lane, as `model.apply` takes them: {"params": ..., "batch_stats": ...}.

    `run` is a run directory, `arm` a name in its results, `lane` the place of the seed. `which` is "best" (the lowest
    validation loss) or "state" (the last); by default the one whose scores are in the results. `step` names a saved
    step in place of the last one.
    Raises UsageError where there is no such run, arm, lane, state or step, and DamagedError.
    """
    run = path_of(run)
    known = _arm(run, arm)
    folder = run / "checkpoints" / file_name(known.get("trained_as", arm))
    which = which or known.get("scored", "state")
    if which not in STATES:
        raise UsageError(f"which={which!r} is not saved; choose one of {', '.join(STATES)}")
    if not (there := steps(folder)):
        arms = sorted(path.name for path in folder.parent.glob("*"))
        others = f"it has {', '.join(arms)}" if arms else "it has none: take it from a sound copy, or train it again"
        raise UsageError(f"{run} holds no checkpoint of {arm!r}; {others}")
    if step is not None and step not in there:
        raise UsageError(f"{folder} holds no step {step}; choose from {', '.join(map(str, sorted(there)))}")
    saved = one_step(folder, [which], step)[which]
    if saved is None:
        raise UsageError(f"{arm!r} in {run} was trained without validation, so it has no best state; take 'state'")
    count = int(saved["step"].shape[0])
    start, stop = known.get("lanes", (0, count))
    if not 0 <= lane < stop - start:
        raise UsageError(
            f"{arm!r} in {run} has {stop - start} lanes, so no lane {lane}; choose 0 to {stop - start - 1}"
        )
    _refuse_lane(folder, start + lane, count)
    return jax.tree.map(
        lambda leaf: leaf[start + lane], {name: saved.get(name, {}) for name in ("params", "batch_stats")}
    )


def gather(sources: Sequence[tuple[Path, int]], folder: Path) -> None:
    """Save, in `folder`, a checkpoint whose lanes are those of `sources`: (a study's checkpoints, lane there).

    Raises UsageError where one has none, or is damaged, or holds other things than the first.
    """
    read = {path: _whole(path) for path in dict.fromkeys(path for path, _ in sources)}
    for path, lane in sources:
        _refuse_lane(path, lane, len(read[path][0]["record"]["active"]))
    lanes = [jax.tree.map(lambda leaf, at=lane: leaf[at], read[path][0]) for path, lane in sources]
    for (path, _), tree in zip(sources, lanes, strict=True):
        if described(tree) != described(lanes[0]):
            raise UsageError(f"{sources[0][0]} and {path} hold arrays of other kinds; merge runs of the same code")
    picked: Any = jax.tree.map(lambda *leaves: np.stack(leaves), *lanes)
    done = max(step for _, step in read.values())
    record = {**picked.pop("record"), "done": np.int32(done)}
    write(folder, done, {**picked, "record": record})


def _whole(folder: Path) -> tuple[dict[str, Any], int]:
    """Everything that a study's checkpoint holds, lanes leading, but for `done`, the steps done."""
    if not steps(folder):
        raise UsageError(f"{folder} holds no checkpoint, so its run can't be merged; train it again")
    found = {name: item for name, item in one_step(folder, ITEMS).items() if item is not None}
    done = int(found["record"].pop("done"))
    return found, done


def _refuse_lane(folder: Path, lane: int, count: int) -> None:
    if not 0 <= lane < count:
        raise UsageError(
            f"{folder} has {count} lanes, and its run's manifest.json finds an arm in lane {lane}; "
            "take the run from a sound copy"
        )


def _arm(run: Path, arm: str) -> dict[str, Any]:
    """What the manifest says of an arm: settings of one study are trained, and saved, together.

    Raises UsageError for a spoilt manifest, and where it has another arm whose folder this one's name would find.
    """
    arms = arms_of(run)
    known = {name: entry.get("trained_as", name) for name, entry in arms.items()}
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
