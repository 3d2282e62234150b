"""Training with checkpoints: between chunks a run shows, saves and stops, none of which can change a number."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jaxae import devices, keys, train
from jaxae.errors import UsageError
from jaxae.report.numbers import plural
from jaxae.run import terminal
from jaxae.run.cost import cost_of
from jaxae.run.tensorboard import write_events, write_images
from jaxae.study import Arm, Study
from jaxae.train import checkpoint, hosts, lanes, memory, stored, streaming
from jaxae.train.lanes import Lanes
from jaxae.train.plan import Plan, Progress
from jaxae.train.trained import of_progress

if TYPE_CHECKING:
    from jaxae.run.run import Run

SAVE_EVERY = 30.0  # seconds between checkpoints within an arm; every first epoch and every end are saved too
FITS = 0.5  # of the memory of a device that tells it: images that take more are read from their file


def train_or_restore(
    run: "Run", study: Study, roots: jax.Array, data: Any, plan: Plan, how: Lanes, **options: Any
) -> Progress:
    """The finished training of these lanes: from where its checkpoint stands, the beginning where there is none.

    `options` are those of `train.progress`. Raises UsageError where the run may not train and the end isn't there, and
    Interrupted, once all is saved, after a signal.
    """
    run.stop_if_asked()  # while an earlier arm was scored
    per_epoch, folder = study.steps_per_epoch(data), checkpoints(run.folder, study)
    with run.working(f"{study.name}: preparing its first state", at_once=False):
        start = _start(run, study, roots, data, plan, how, folder, options)
    if not run.training:
        return _ended(start, plan, per_epoch, study, run)
    count, epochs, steps = plural(len(roots), "lane"), plural(plan.epochs, "epoch"), plural(per_epoch, "step")
    place, later = _place(run, study)
    run.say(f"{place}{study.name}: {count}, {epochs} of {steps}, batch {study.batch_size}")
    clock = terminal.Clock(study.batch_size, int(start.done))
    look = {"console": run.console, "quiet": run.config.quiet, "later": later}
    options = {name: value for name, value in options.items() if name != "initial"}
    now = start
    if not _is_ended(start, plan, per_epoch):
        scores_file(run.folder, study).unlink(missing_ok=True)  # of a checkpoint that is there no more
    with terminal.Bar(study.name, plan.epochs, per_epoch, int(start.done), **look) as bar:
        for now in train.progress(study, roots, data, plan, how=how, start=start, **options):
            clock.tick(now)
            bar.update(now, clock.rate)
            run.note_arm(study.name, **clock.summary(run.spent(study.name)))
            stopping = _keep(run, folder, now, clock, per_epoch, plan.epochs, how)
            _show(run, study, roots, data, now, per_epoch, how, plan, options.get("validation"))
            if stopping:
                run.stop_if_asked()
    return now


def _place(run: "Run", study: Study) -> tuple[str, float]:
    """ "arm 2 of 4: ", and how long the arms after this one take, as a multiple of it; nothing for what is no arm."""
    arms = {arm.study.name: arm for arm in run.experiment.arms(run.config)}
    if study.name not in arms:
        return "", 0.0
    cost, names = cost_of(run.experiment, run.config), list(arms)
    lengths = {name: arm.study.epochs * arm.examples * len(arm.settings) for name, arm in arms.items()}
    each = cost.studies if cost else lengths
    at = names.index(study.name)
    return f"arm {at + 1} of {len(names)}: ", sum(each[name] for name in names[at + 1 :]) / each[study.name]


def checkpoints(folder: Path, study: Study) -> Path:
    """Where a run keeps the checkpoints of a study."""
    return folder / "checkpoints" / checkpoint.file_name(study.name)


def scores_file(folder: Path, study: Study) -> Path:
    """Where a run keeps the scores of a study's lanes."""
    return folder / "scores" / f"{checkpoint.file_name(study.name)}.npz"


def refuse_devices(asked: int | None) -> None:
    """Raise UsageError for more devices than there are, before anything is trained."""
    if asked is not None and asked > (there := len(devices.found())):
        raise UsageError(f"--devices is {asked} and there can be {there} here; ask for fewer, or leave it out")


def choose_lanes(run: "Run", study: Study, count: int, *sets: Any) -> Lanes:
    """As asked for; else side by side on accelerators, and on a CPU as is soonest done, with the same bits.

    Images are read from their file where that is asked for, and where those of `sets` (the training's, then those that
    are evaluated) don't fit, if they can be.
    """
    how = lanes.arranged(study, count, run.config.lanes, run.config.devices)
    return dataclasses.replace(how, stream=run.config.stream or _streams_unasked(run, study, sets))


def _streams_unasked(run: "Run", study: Study, sets: Any) -> bool:
    """Whether the images don't fit and can be read from their file, in all processes; it is said."""
    if hosts.least(_fit(sets)) or not hosts.least(_can_stream(study, keys.root(run.config.seed), sets)):
        return False
    run.say(f"{study.name}: its images take more than half of a device's memory, so they are read from their file")
    return True


def _can_stream(study: Study, key: jax.Array, sets: Any) -> bool:
    try:
        streaming.load_grain()
    except UsageError:
        return False
    return not streaming.unstreamable(study, key, *sets)


def side_by_side(run: "Run", arm: Arm, roots: jax.Array, how: Lanes, sets: Mapping[str, Any]) -> Lanes:
    """`how`, in turns of as many lanes as a device has room for; it is said."""
    found = memory.limited(how, arm.study, roots[0], len(roots), sets, next(iter(arm.settings.values())))
    if found.beside:
        turns = f"{len(roots)} lanes take turns, {found.beside} at a time on each device"
        run.say(f"{arm.study.name}: {turns}: more have no room side by side")
    return found


def _fit(sets: Any) -> bool:
    """Whether the images of all sets together fit a device; they do where it doesn't tell its memory, as a CPU."""
    there = memory.capacity()
    return there is None or memory.images_of(sets) <= FITS * there


def non_finite(run: "Run", study: Study, names: list[str], error: train.NonFiniteLossError) -> UsageError:
    """The sentence for a loss that is not finite: of which arm and seed, where, and what is kept."""
    place, seed = divmod(error.lane, len(run.seeds))
    folder = checkpoints(run.folder, study)
    steps = stored.steps(folder)
    kept = f"the checkpoint after step {steps[0]} is kept" if steps else "no epoch was complete, nothing is kept"
    return UsageError(
        f"{names[place]}, seed {run.seeds[seed]}: {error.what} step {error.step} of epoch {error.epoch}; lower the "
        f"learning rate ({kept} in {folder})"
    )


def _start(run, study, roots, data, plan, how, folder, options) -> Progress:
    given = {name: options.get(name) for name in ("hparams", "initial")}
    validate = options.get("validation") is not None
    begun = train.begin(study, roots, data, plan, validate=validate, how=how, **given)
    return (checkpoint.restore(folder, begun) if run.before else None) or begun


def _show(run, study, roots, data, now, per_epoch, how, plan, validation) -> None:
    """For TensorBoard, where it is asked for and an epoch has ended."""
    epoch, rest = divmod(int(now.done), per_epoch)
    if run.writer is None or rest:
        return
    write_events(run.writer, study.name, now, per_epoch)
    seen = of_progress(study.name, study, roots, now, how, plan, per_epoch)
    firsts = range(0, len(roots), len(run.seeds))  # a lane of each setting
    write_images(run.writer, seen, data if validation is None else validation, epoch, firsts)


def _is_ended(now: Progress, plan: Plan, per_epoch: int) -> bool:
    return int(now.done) >= plan.epochs * per_epoch or not np.asarray(now.active).any()


def _ended(now: Progress, plan: Plan, per_epoch: int, study: Study, run: "Run") -> Progress:
    if not _is_ended(now, plan, per_epoch):
        raise UsageError(f"{run.folder} holds no checkpoint of the trained {study.name!r}, so it can't be measured")
    return now


def _keep(run, folder, now, clock, per_epoch, epochs, how) -> bool:
    """Save where it is due; whether a signal asked to stop, any process of several: then it is."""
    done = int(now.done)
    if how.across:
        run.stop.number = hosts.most(run.stop.number, NamedSharding(how.mesh, P()))
    due = done in (per_epoch, epochs * per_epoch) or time.perf_counter() - clock.saved > SAVE_EVERY
    stopping = run.stop.number != 0  # a signal that comes from here on stops after the next chunk, which is saved then
    if due or stopping or not np.asarray(now.active).any():
        if hosts.first():
            checkpoint.save(folder, now)
        clock.saved = time.perf_counter()
    return stopping
