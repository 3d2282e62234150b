"""The outside of training: lanes, chunks, validation. Between chunks the caller shows progress, saves and stops, none
of which can change a number."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import repeat
from typing import Any

import jax
import numpy as np
from jax import lax

import jaxae.train.evaluation as evaluation
import jaxae.train.lanes as lanes
import jaxae.train.loop as loop
import jaxae.train.memory as memory
import jaxae.train.ranges as ranges
import jaxae.train.streaming as streaming
from jaxae.errors import UsageError
from jaxae.programs import of_first
from jaxae.study import Study
from jaxae.train.absent import blank, without_images
from jaxae.train.chunks import chunk_length, spans
from jaxae.train.curves import epoch_line
from jaxae.train.dying import living
from jaxae.train.early_stopping import copied, keep_best, model_of
from jaxae.train.finite import refuse_non_finite, refuse_non_finite_data, refuse_non_finite_validation
from jaxae.train.lanes import Lanes, Mode, arranged
from jaxae.train.plan import CARRIED, Plan, Progress, steps_taken
from jaxae.train.refusals import refuse_data, refuse_lanes, refuse_other_state, refuse_plan
from jaxae.train.trained import Trained, of_progress


def fit(
    study: Study,
    keys: jax.Array,
    data: Any,
    *,
    validation: Any = None,
    epochs: int | None = None,
    hparams: Any = None,
    initial: Any = None,
    validate_every: int | None = None,
    patience: int | None = None,
    stop_dead: bool = False,
    chunk: int | None = None,
    lanes: Mode | None = None,
    devices: int | None = None,
    stream: bool = False,
    start: Progress | None = None,
    show: Callable[[str], object] | None = None,
) -> Trained:
    """Train to the end: one lane for every key of `keys` ([lanes], of `jaxae.keys.root`), in one compiled program.

    - `data`, `validation`: pytrees of arrays as `study.batch` takes them
    - `epochs`: in place of the study's
    - `hparams`: a pytree of arrays with the lanes leading (see `jaxae.lanes.stack`), or None
    - `initial`: variables to start from in place of those drawn, the same for all lanes (see `init`)
    - `validate_every`: steps between validations, counted within the epoch; None: once, at its end
    - `patience`: validations without a lower loss after which a lane stops; None: never
    - `stop_dead`: whether a lane stops at the end of an epoch from the 1,000th step on after which its model is dead
    - `chunk`: steps in one compiled call; None: about a tenth of an epoch, on accelerators a whole one. No result
      depends on it
    - `lanes`: "map" (each lane bitwise equal to its solo run) or "vmap" (as many at a time as there is room for on an
      accelerator); None: vmap on accelerators, map on a CPU
    - `devices`: over so many, which share the study's parts of a batch where that is sooner done, and the validation of
      a lone lane; None: all that are worth using: of a CPU one, where neither `ae.set_up()` nor a variable made more
    - `stream`: whether stored images, uint8[n, h, w, c] of numpy's such as a Dataset's, are read from their file while
      training goes on, for sets larger than a device's memory; no result depends on it
    - `start`: a Progress to go on from, bitwise (its arrays are consumed)
    - `show`: what is told of every epoch, in a line, such as print; None: nothing

    A Notice, which is a warning, tells of images from 0 to 255 that no batch scales. Raises UsageError, before training
    is compiled, for what doesn't fit together, and NonFiniteLossError at the first loss that is not finite.
    """
    plan = Plan(study.epochs if epochs is None else epochs, validate_every, patience, chunk, stop_dead)
    refuse_lanes(keys, hparams)
    if show is not None and not callable(show):
        raise UsageError(f"show is {show!r}; give a function that takes a line, such as print, or leave it out")
    refuse_data(study, keys[0], {"training": data, "validation": validation})
    ranges.note_bytes(study, keys[0], data, validation)
    how = replace(arranged(study, len(keys), lanes, devices), stream=stream)
    sets = {"training": data, "validation": validation}
    how = memory.limited(how, study, keys[0], len(keys), sets, _first(hparams))
    options = {"validation": validation, "hparams": hparams, "initial": initial, "how": how}
    now, per_epoch = start, study.steps_per_epoch(data)
    for now in progress(study, keys, data, plan, start=start, **options):
        if show and int(now.done) % per_epoch == 0:
            show(epoch_line(study.name, now, per_epoch, plan.epochs))
    assert now is not None
    found = of_progress(study.name, study, keys, now, how, plan, per_epoch)
    return replace(found, alive=_alive(study, keys, now, validation, how)) if stop_dead else found


def begin(
    study: Study,
    keys: jax.Array,
    data: Any,
    plan: Plan,
    *,
    validate: bool = False,
    hparams: Any = None,
    initial: Any = None,
    how: Lanes = lanes.SOLO,
) -> Progress:
    """The Progress of `keys` ([lanes]) before the first step; the other arguments are those of `progress`."""
    refuse_lanes(keys, hparams)
    count, per_epoch = keys.shape[0], study.steps_per_epoch(data)
    points = len(plan.points(per_epoch)) if validate else 0
    data = lanes.resident(data, how)
    given = keys, data, hparams, initial
    own, images, settings, start = lanes.on_one(given) if how.axis else given
    state = lanes.placed(_init(study, own, images, settings, start, how.once), how)
    names = jax.eval_shape(functools.partial(_first_losses, study), keys, state, data, hparams)

    def nothing(length):
        return {name: np.full((count, length), np.nan, np.float32) for name in names}

    return Progress(
        state=state,
        best=copied(state) if validate else None,
        best_loss=np.full(count, np.inf, np.float32),
        stale=np.zeros(count, np.int32),
        active=np.ones(count, bool),
        done=np.int32(0),
        train=nothing(plan.epochs * per_epoch),
        validation=nothing(points) if validate else {},
    )


def progress(
    study: Study,
    keys: jax.Array,
    data: Any,
    plan: Plan,
    *,
    validation: Any = None,
    hparams: Any = None,
    initial: Any = None,
    how: Lanes = lanes.SOLO,
    start: Progress | None = None,
) -> Iterator[Progress]:
    """Train the lanes of `keys`, yielding a Progress after every chunk; the last one is the finished training.

    A Progress is good until the next one is asked for: its state and best are then consumed, and its losses are written
    on in place. Whoever keeps one longer copies it, as `jaxae.checkpoint.save` does. Arguments as in `fit`, but for
    `plan` and `how`, which hold the rest of its.

    Raises NonFiniteLossError at the first loss that is not finite, and UsageError as `fit` does, for a `start` that
    began otherwise, and where the file of stored images is written meanwhile.
    """
    per_epoch = study.steps_per_epoch(data)
    _refuse(study, keys, data, plan, validation, hparams, how, start)
    chunk, stored = plan.chunk or chunk_length(per_epoch), data
    checking = how if validation is None else evaluation.lanes_for(study, validation, how)
    if how.stream:
        chunk = streaming.steps_at_once(study, data, len(keys), chunk)
    else:
        validation = lanes.resident(validation, checking)
    data = lanes.resident(data, how)
    options = {"validate": validation is not None, "hparams": hparams, "initial": initial, "how": how}
    if start is not None:
        lane = jax.eval_shape(functools.partial(_init_of_first, study), keys, data, hparams, initial)
        refuse_other_state(start.state, lane, len(keys))
    now = start or begin(study, keys, data, plan, **options)
    now = now._replace(**lanes.placed({name: getattr(now, name) for name in CARRIED}, how))
    stops = plan.stops(per_epoch)
    while int(now.done) < plan.epochs * per_epoch and np.asarray(now.active).any():
        epoch, at = divmod(int(now.done), per_epoch)
        cut = spans(at, per_epoch, stops, chunk, study.unroll)
        for rows, span, images in _turns(study, keys, data, stored, epoch, cut, how):
            if not np.asarray(now.active).any():
                return
            at, count = span.start, span.stop - span.start
            state, losses = _follow(study, keys, now.state, data, rows, at, count, hparams, now.active, images, how)
            now = _gone_on(now, state, losses, count)
            refuse_non_finite(study, now, losses, count, per_epoch)
            if validation is not None and span.stop in stops:
                point = epoch * len(stops) + stops.index(span.stop)
                losses = _losses(study, keys, now, validation, hparams, how, checking)
                refuse_non_finite_validation(study, now, losses, per_epoch)
                now = _validated(now, losses, point, plan.patience)
            if plan.stop_dead and span.stop == per_epoch:
                alive = _alive(study, keys, now, validation, how)
                now = now._replace(active=lanes.placed(np.asarray(now.active) & alive, how))
            yield now


def _refuse(study, keys, data, plan, validation, hparams, how, start) -> None:
    """Raise UsageError, before anything is compiled, for what doesn't fit together."""
    refuse_lanes(keys, hparams)
    refuse_plan(plan, validation, start, len(keys), study.steps_per_epoch(data))
    _refuse_parts(study, keys, without_images(data) if how.stream else data, hparams)
    refuse_non_finite_data(data, "the training data")
    refuse_non_finite_data(validation, "the validation data")
    if how.stream:
        streaming.load_grain()
        streaming.refuse_unstreamable(study, keys[0], data, validation)


def _turns(study, keys, data, stored, epoch, cut, how) -> Iterator[tuple[Any, slice, Any]]:
    """An epoch cut into steps: the index of all of it, the steps of a turn, and the images that they take where images
    are read from their file."""
    streaming.refuse_rewritten_files(stored)
    rows = _orders(study, keys, data, epoch, how)
    ahead = streaming.of_epoch(study, keys, stored, rows, epoch, cut, how) if how.stream else repeat(None)
    for span, images in zip(cut, ahead, strict=False):
        yield rows, span, images


def _refuse_parts(study: Study, keys: jax.Array, data: Any, hparams: Any) -> None:
    """Raise UsageError where the study asks for parts that its batches can't be computed in."""
    if study.parts != 1 and (reason := loop.indivisible(study, keys[0], data, _first(hparams))):
        raise UsageError(f"{study.name} can't be trained with parts={study.parts}: {reason}; use parts=1")


def _first_losses(study, keys, state, data, hparams):
    """The losses of the first lane's first step, for their names. The lane is cut out in here, where it takes no
    program for each array."""
    index = loop.any_index(study, data, study.batch_size)
    return loop.losses_of_step(study, keys[0], _first(state), blank(data), index, _first(hparams))


def _init_of_first(study, keys, data, hparams, initial):
    """The first lane's state before the first step."""
    return loop.init(study, keys[0], data, _first(hparams), initial)


def _first(tree):
    """The first lane of it."""
    return jax.tree.map(lambda leaf: leaf[0], tree)


def _gone_on(now: Progress, state: Any, losses: Any, count: int) -> Progress:
    """`now` after a chunk of so many steps; its losses are written into the history in place."""
    first = int(now.done)
    for name, values in losses.items():
        now.train[name][:, first : first + count] = np.asarray(values)
    return now._replace(state=state, done=np.int32(now.done + count))


@of_first(quick=True, static_argnames=("how",))
def _init(study, keys, data, hparams, initial, how):
    def lane(shared, key, h):
        return loop.init(study, key, shared[0], h, shared[1])

    return lanes.apply(lane, how, (data, initial), keys, hparams)


@of_first(quick=True, static_argnames=("how",))
def _orders(study, keys, data, epoch, how):
    return lanes.apply(lambda shared, key: loop.order(study, key, *shared), how, (data, epoch), keys)


@of_first(static_argnames=("count", "how"), donate_argnames=("state",))
def _follow(study, keys, state, data, rows, at, count, hparams, active, images, how):
    """`count` steps of every active lane, from row `at` on, with the `images` that they take of absent ones; the losses
    of the others are NaN."""

    @functools.partial(jax.jit, inline=True)  # traced once for `rest` and for what is compiled
    def train(shared, key, state, rows, h, images=None):
        data, at = shared
        return loop.follow(study, key, state, data, lax.dynamic_slice_in_dim(rows, at, count), h, how.axis, images)

    def rest(shared, key, state, *lane):
        return state, evaluation.unknown(jax.eval_shape(train, shared, key, state, *lane)[1])

    def lane(shared, active, *lane):
        return lax.cond(active, train, rest, shared, *lane)

    return lanes.apply_shared(lane, how, (data, at), active, keys, state, rows, hparams, apart=images, along=2)


def _losses(study, keys, now, validation, hparams, how, checking):
    """The validation losses of the active lanes, which lie as `how` says and are checked as `checking` does."""
    if checking == how:
        return evaluation.losses_of(study, keys, now.state, validation, hparams, now.active, how)
    state, active = lanes.placed(model_of(now.state), checking), np.asarray(now.active)
    return jax.device_get(evaluation.losses_of(study, keys, state, validation, hparams, active, checking))


def _alive(study, keys, now, validation, how):
    """bool[lanes]: which models live, as the validation images tell."""
    return living(study, keys, now.state, validation, steps_taken(now.train), how)


def _validated(now, losses, point, patience):
    """`now` with these validation losses, {name: f32[lanes]}, of the lanes that were active as those of `point`."""
    best, best_loss, stale, active = keep_best(
        now.state, now.best, now.best_loss, now.stale, now.active, losses["loss"], patience
    )
    was_active = np.asarray(now.active)
    for name, values in losses.items():
        now.validation[name][was_active, point] = np.asarray(values)[was_active]
    return now._replace(best=best, best_loss=best_loss, stale=stale, active=active)
