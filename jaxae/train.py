"""Training: a scan over steps inside one compiled program, a loop over chunks of steps outside.

The inside is pure: `init` and `steps` are functions of (study, key, data) and can be jitted, mapped and
differentiated. The outside is a generator: between chunks the caller shows progress, saves and stops, none of which
can change a number.
"""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import traverse_util
from flax.errors import InvalidRngError
from jax import lax

from jaxae import evaluate, lanes
from jaxae.errors import UsageError
from jaxae.keys import stream
from jaxae.lanes import Lanes
from jaxae.record import CARRIED, Losses, Plan, Progress, keep_best, record
from jaxae.study import State, Study

# ---- inside: pure functions of one lane


def init(study: Study, key: jax.Array, data: Any, hparams: Any = None, initial: Any = None) -> State:
    """The state before the first step: parameters from the stream "init".

    `initial` holds variables to start from in their place: {"params": ..., "batch_stats": ...} or parts of these, such
    as a pretrained encoder. Raises UsageError where the model has no such variable, or one of another shape.
    """
    data = jax.tree.map(jnp.asarray, data)
    inputs = study.batch(stream(key, "init/batch"), data, _no_index(study, data, 1)).inputs
    rngs = {name: stream(key, f"init/{name}") for name in ("params", "sample", "dropout")}
    variables = _put(study.model.init(rngs, inputs), initial or {})
    params = variables["params"]
    opt_state = study.transformation(hparams).init(params)
    return State(jnp.zeros((), jnp.int32), params, variables.get("batch_stats", {}), opt_state)


def order(study: Study, key: jax.Array, data: Any, epoch: jax.Array | int) -> jax.Array:
    """The index of an epoch's steps, i32[steps, batch, ...]: a fresh permutation, cut into complete batches."""
    count, rows = study.examples(data), study.steps_per_epoch(data)
    shuffled = jax.random.permutation(stream(key, "order", epoch), count)[: rows * study.batch_size]
    index = study.one_pass(stream(key, "index", epoch), data)[shuffled].astype(jnp.int32)
    return index.reshape(rows, study.batch_size, *index.shape[1:])


def step(
    study: Study,
    key: jax.Array,
    state: State,
    data: Any,
    index: jax.Array,
    hparams: Any = None,
    axis: str | None = None,
) -> tuple[State, Losses]:
    """One update on the examples `index` (i32[b]). The losses are batch means, taken before the update.

    Within shard_map or pmap, the devices along `axis` share the batch (data parallel): each computes its part, and all
    get the same state and losses, those of one device but for rounding. The study must allow it: see `indivisible`.
    """
    batch = study.batch(stream(key, "train/batch", state.step), data, index)
    batch = batch if axis is None else lanes.share(batch, axis)
    rngs = {name: stream(key, f"train/{name}", state.step) for name in ("sample", "dropout")}

    def objective(params):
        variables = {"params": params, "batch_stats": state.batch_stats}
        outputs, changed = study.model.apply(variables, batch.inputs, train=True, mutable=["batch_stats"], rngs=rngs)
        losses, parts = study.loss(outputs, batch, hparams)
        means = {"loss": losses.mean(), **{name: part.mean() for name, part in parts.items()}}
        return means["loss"], (means, changed.get("batch_stats", state.batch_stats))

    gradients, (means, batch_stats) = jax.grad(objective, has_aux=True)(state.params)
    gradients, means = (gradients, means) if axis is None else lax.pmean((gradients, means), axis)
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam mixes dtypes, which a strict user would be refused
        updates, opt_state = study.transformation(hparams).update(
            gradients, state.opt_state, state.params, value=means["loss"]
        )
    params = optax.apply_updates(state.params, updates)
    return State(state.step + 1, params, batch_stats, opt_state), means


def follow(
    study: Study, key: jax.Array, state: State, data: Any, rows: jax.Array, hparams: Any = None, axis: str | None = None
) -> tuple[State, Losses]:
    """One step per row of `rows` (i32[steps, batch]); the losses are f32[steps]. `axis` as in `step`."""

    def body(state, index):
        return step(study, key, state, data, index, hparams, axis)

    return lax.scan(body, state, rows, unroll=study.unroll)


def steps(
    study: Study, key: jax.Array, state: State, data: Any, count: int, hparams: Any = None
) -> tuple[State, Losses]:
    """`count` steps from wherever `state` stands: pure, jittable, mappable.

    `steps(a + b)` equals `steps(b)` after `steps(a)`, bitwise (where a is a multiple of `study.unroll`). Losses are
    f32[count].
    """
    data, per_epoch = jax.tree.map(jnp.asarray, data), study.steps_per_epoch(data)
    first, offset = jnp.divmod(state.step, per_epoch)
    touched = (count - 1) // per_epoch + 2  # whatever the offset
    rows = jnp.concatenate([order(study, key, data, first + i) for i in range(touched)])
    return follow(study, key, state, data, lax.dynamic_slice_in_dim(rows, offset, count), hparams)


def indivisible(study: Study, key: jax.Array, data: Any, devices: int, hparams: Any = None) -> str:
    """Why `devices` devices can't share the batches of this study's training, in words; empty where they can.

    That neither the model nor the loss lets one example of a batch bear on another otherwise than by batch statistics
    can't be seen from here.
    """
    if study.batch_size % devices:
        return f"a batch of {study.batch_size} doesn't divide among {devices} devices"
    data = jax.tree.map(jnp.asarray, data)
    batch = jax.eval_shape(lambda data: study.batch(key, data, _no_index(study, data, study.batch_size)), data)
    if any(leaf.shape[:1] != (study.batch_size,) for leaf in jax.tree.leaves(batch)):
        return "the batch holds arrays whose leading axis isn't that of the examples"
    state = jax.eval_shape(functools.partial(init, study), key, data, hparams)
    if state.batch_stats:
        return "the model normalises over the whole batch"
    model = functools.partial(study.model.apply, train=True, mutable=["batch_stats"])
    try:
        jax.eval_shape(model, {"params": state.params}, batch.inputs)  # without keys to draw from
    except InvalidRngError:
        return "the model draws for all examples of a batch at once"
    return ""


# ---- outside: lanes, chunks, validation


def begin(
    study: Study, keys: jax.Array, data: Any, plan: Plan, *, validate=False, hparams=None, initial=None, how=lanes.SOLO
):
    """The Progress of `keys` ([lanes]) before the first step; `initial` as in `init`, the same for all lanes."""
    count = keys.shape[0]
    state = _init(study, keys, data, hparams, initial, how)
    per_epoch = study.steps_per_epoch(data)
    shapes = jax.eval_shape(functools.partial(step, study), *_one_lane(study, keys, state, data, hparams))
    points = plan.epochs * len(plan.stops(per_epoch)) if validate else 0

    def unknown(length):
        return {name: np.full((count, length), np.nan, np.float32) for name in shapes[1]}

    return Progress(
        state=state,
        best=jax.tree.map(jnp.copy, state),
        best_loss=jnp.full((count,), jnp.inf, jnp.float32),
        stale=jnp.zeros((count,), jnp.int32),
        active=jnp.ones((count,), bool),
        done=np.int32(0),
        train=unknown(plan.epochs * per_epoch),
        validation=unknown(points) if validate else {},
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

    Arguments
      data, validation   pytrees of arrays as `study.batch` takes them; moved to the device once
      hparams            a pytree of arrays with the lanes leading, or None
      initial            variables to start from in place of those drawn, the same for all lanes (see `init`), or None
      how                `map` (each lane bitwise equal to its solo run), `vmap` or `split`, and on which devices
      start              a Progress to go on from, bitwise (its arrays are consumed)

    Raises NonFiniteLossError at the first loss that is not finite, and UsageError for `split` where the study's batches
    are `indivisible`.
    """
    per_epoch = study.steps_per_epoch(data)
    if how.axis and (reason := indivisible(study, keys[0], data, how.devices, _first(hparams))):
        raise UsageError(f"{study.name} can't be trained with lanes 'split': {reason}; use 'map'")
    data, validation = lanes.resident(data, how), lanes.resident(validation, how)
    options = {"validate": validation is not None, "hparams": hparams, "initial": initial, "how": how}
    now = start or begin(study, keys, data, plan, **options)
    now = now._replace(**lanes.spread({name: getattr(now, name) for name in CARRIED}, how))
    stops = plan.stops(per_epoch)
    chunk = _multiple(plan.chunk or _chunk_length(per_epoch), study.unroll)
    rows, rows_epoch = None, -1
    while int(now.done) < plan.epochs * per_epoch and bool(np.any(now.active)):
        epoch, at = divmod(int(now.done), per_epoch)
        if epoch != rows_epoch:
            rows, rows_epoch = _orders(study, keys, data, epoch, how), epoch
        until = min([stop for stop in stops if stop > at] or [per_epoch])
        count = _whole_rounds(min(chunk, until - at), study.unroll)
        state, losses = _follow(study, keys, now.state, data, rows, at, count, hparams, now.active, how)
        now = now._replace(state=state, done=np.int32(now.done + count))
        record(study, now, losses, count, per_epoch)
        if validation is not None and at + count in stops:
            point = epoch * len(stops) + stops.index(at + count)
            now = _validate(study, keys, now, validation, point, hparams, plan.patience, how)
        elif validation is None:
            now = now._replace(best=jax.tree.map(jnp.copy, now.state))
        yield now


def fit(study: Study, keys: jax.Array, data: Any, *, epochs: int | None = None, **options: Any) -> Progress:
    """Train to the end: `progress` without the view. `options` are those of `progress`, and of `Plan`."""
    plan, options = Plan.split(study.epochs if epochs is None else epochs, options)
    now = options.get("start")
    for now in progress(study, keys, data, plan, **options):  # noqa: B007  the last one is what is wanted
        pass
    assert now is not None
    return now


def _one_lane(study, keys, state, data, hparams):
    return keys[0], _first(state), data, _no_index(study, data, study.batch_size), _first(hparams)


def _first(tree):
    """The first lane of it."""
    return jax.tree.map(lambda leaf: leaf[0], tree)


def _no_index(study, data, count):
    """`count` indices that stand for any."""
    shape = jax.eval_shape(study.one_pass, jax.random.key(0), data).shape
    return jnp.zeros((count, *shape[1:]), jnp.int32)


def _put(variables, initial):
    """`variables` with those of `initial`, nested dictionaries both, in the place of theirs."""
    flat: dict[Any, Any] = dict(traverse_util.flatten_dict(variables))
    given: dict[Any, Any] = dict(traverse_util.flatten_dict(initial))
    for path, value in given.items():
        have = flat[path].shape if path in flat else "none"
        if have != np.shape(value):
            raise UsageError(
                f"initial variables hold {'/'.join(path)} of shape {np.shape(value)} and the model has {have}; give "
                "those of an equal model"
            )
        flat[path] = jnp.asarray(value, flat[path].dtype)
    return traverse_util.unflatten_dict(flat)


def _chunk_length(per_epoch: int) -> int:
    """About a tenth of an epoch, and a divisor of it where one is near: another length is another compilation."""
    if per_epoch <= 50:
        return per_epoch
    target = max(per_epoch // 10, 20)
    near = [length for length in range(target, target // 2, -1) if per_epoch % length == 0]
    return near[0] if near else target


def _whole_rounds(count: int, unroll: int) -> int:
    """`count` without what is left over after whole rounds of unrolled steps, which is a chunk of its own."""
    return count - count % unroll if count > unroll else count


def _multiple(count: int, unroll: int) -> int:
    """`count` rounded up: XLA fuses unrolled steps, so each must keep its place among them to keep its bits."""
    return -(-count // unroll) * unroll


@functools.partial(jax.jit, static_argnames=("study", "how"))
def _init(study, keys, data, hparams, initial, how):
    def lane(shared, key, h):
        return init(study, key, shared[0], h, shared[1])

    return lanes.apply(lane, how, (data, initial), keys, hparams)


@functools.partial(jax.jit, static_argnames=("study", "how"))
def _orders(study, keys, data, epoch, how):
    return lanes.apply(lambda shared, key: order(study, key, *shared), how, (data, epoch), keys)


@functools.partial(jax.jit, static_argnames=("study", "count", "how"), donate_argnames=("state",))
def _follow(study, keys, state, data, rows, at, count, hparams, active, how):
    """`count` steps of every active lane, from row `at` on; the losses of the others are NaN."""

    def train(shared, key, state, rows, h):
        data, at = shared
        return follow(study, key, state, data, lax.dynamic_slice_in_dim(rows, at, count), h, how.axis)

    def rest(shared, key, state, rows, h):
        shapes = jax.eval_shape(train, shared, key, state, rows, h)[1]
        return state, jax.tree.map(lambda leaf: jnp.full(leaf.shape, jnp.nan, leaf.dtype), shapes)

    def lane(shared, active, *lane):
        return lax.cond(active, train, rest, shared, *lane)

    return lanes.apply_divided(lane, how, (data, at), active, keys, state, rows, hparams)


@functools.partial(jax.jit, static_argnames=("study", "how"))
def _losses(study, keys, state, data, hparams, how):
    def lane(data, key, state, h):
        return evaluate.losses(study, key, state, data, h)

    return lanes.apply(lane, how, data, keys, state, hparams)


def _validate(study, keys, now, data, point, hparams, patience, how):
    losses = _losses(study, keys, now.state, data, hparams, how)
    best, best_loss, stale, active = keep_best(
        now.state, now.best, now.best_loss, now.stale, now.active, losses["loss"], patience
    )
    was_active = np.asarray(now.active)
    for name, values in losses.items():
        now.validation[name][was_active, point] = np.asarray(values)[was_active]
    return now._replace(best=best, best_loss=best_loss, stale=stale, active=active)
