"""The inside of training: pure functions of (study, key, data) for one lane, for jit, map and grad."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import traverse_util
from jax import lax

import jaxae.train.parts as parts
from jaxae.devices import platform
from jaxae.errors import UsageError
from jaxae.keys import stream
from jaxae.study import Batch, State, Study
from jaxae.study_refusals import refuse_other_values, streams_known
from jaxae.train.absent import Rows, blank, filled
from jaxae.train.plan import Losses

DRAWN = ("sample", "dropout")  # the streams that a model can draw from


def init(study: Study, key: jax.Array, data: Any, hparams: Any = None, initial: Any = None) -> State:
    """The state before the first step: parameters from the stream "init".

    `initial` holds variables to start from in their place: {"params": ..., "batch_stats": ...} or parts of these, such
    as a pretrained encoder. Raises UsageError where the model has no such variable, or one of another shape, and where
    it draws from another stream than "sample" and "dropout", or has variables of another collection.
    """
    data = jax.tree.map(jnp.asarray, data)
    inputs = study.batch(stream(key, "init/batch"), blank(data), any_index(study, data, 1)).inputs
    variables = _put(_variables(study, key, inputs), initial or {})
    params = variables["params"]
    opt_state = study.transformation(hparams).init(params)
    return State(jnp.zeros((), jnp.int32), params, variables.get("batch_stats", {}), opt_state)


def _variables(study, key, inputs):
    """The model's first variables. Raises UsageError where it draws from, or keeps, what training doesn't know of."""
    rngs = {name: stream(key, f"init/{name}") for name in ("params", *DRAWN)}
    with streams_known(study.model):
        found = study.model.init(rngs, inputs)
    if others := sorted({*found} - {"params", "batch_stats"}):
        raise UsageError(
            f"the model {type(study.model).__name__} has variables {others[0]!r}, which training doesn't keep; have "
            'them in the collection "batch_stats", which it does'
        )
    return found


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

    Within shard_map, the devices along `axis` share the study's parts of the batch, and all get the same state and
    losses, those of a CPU bitwise those of one device. The study must allow it: see `indivisible`. One device
    computes a batch in parts where this is traced for a CPU; what is exported from there to others keeps the parts.
    """
    data = jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, data)
    batch = batch_of_step(study, key, data, state.step, index)
    slope = functools.partial(jax.grad(_objective(study, key, state, hparams), has_aux=True), state.params)
    if study.parts > 1 and (axis or platform() == "cpu"):
        gradients, means = parts.mean(lambda part: _without_statistics(slope(part)), batch, study.parts, axis)
        batch_stats = state.batch_stats
    else:
        gradients, (means, batch_stats) = slope(batch)
    with jax.numpy_dtype_promotion("standard"):  # optax's Adam mixes dtypes, which a strict user would be refused
        updates, opt_state = study.transformation(hparams).update(
            gradients, state.opt_state, state.params, value=means["loss"]
        )
    params = optax.apply_updates(state.params, updates)
    return State(state.step + 1, params, batch_stats, opt_state), means


def losses_of_step(
    study: Study, key: jax.Array, state: State, data: Any, index: jax.Array, hparams: Any = None
) -> Losses:
    """The losses that `step` gives, of the whole batch, without an update.

    Raises UsageError, while tracing, where the loss isn't one value for each of the examples `index`.
    """
    batch = batch_of_step(study, key, data, state.step, index)
    return _objective(study, key, state, hparams, len(index))(state.params, batch)[1][0]


def _objective(study, key, state, hparams, count=None):
    """(params, batch) -> the loss of a step, and: all that it logs, and the batch statistics after it; with `count`
    it is held against that."""
    rngs = {name: stream(key, f"train/{name}", state.step) for name in DRAWN}
    hparams = study.scheduled(hparams, state.step)

    def objective(params, batch):
        variables = {"params": params, "batch_stats": state.batch_stats}
        with streams_known(study.model):
            outputs, changed = study.model.apply(
                variables, batch.inputs, train=True, mutable=["batch_stats"], rngs=rngs
            )
        losses = study.objective(outputs, batch, hparams)
        if count is not None:
            refuse_other_values(f"the loss of {study.name!r}", losses, count)
        means = {name: value.mean() for name, value in losses.items()}
        return means["loss"], (means, changed.get("batch_stats", state.batch_stats))

    return objective


def batch_of_step(study: Study, key: jax.Array, data: Any, number: jax.Array | int, index: jax.Array) -> Batch:
    """What a step sees, with what is drawn for it."""
    return study.batch(stream(key, "train/batch", number), data, index)


def _without_statistics(found):
    gradients, (means, _) = found
    return gradients, means


def follow(
    study: Study,
    key: jax.Array,
    state: State,
    data: Any,
    rows: jax.Array,
    hparams: Any = None,
    axis: str | None = None,
    images: Rows = None,
) -> tuple[State, Losses]:
    """One step per row of `rows` (i32[steps, batch]); the losses are f32[steps]. `axis` as in `step`.

    `images` are those that the steps take of absent ones, uint8[steps, b, h, w, c]: along `axis` each device has its
    part of every batch, and gets those of the others.
    """

    def body(state, turn):
        index, taken = turn
        if axis is not None:
            taken = jax.tree.map(lambda part: lax.all_gather(part, axis, tiled=True), taken)
        return step(study, key, state, filled(data, taken), index, hparams, axis)

    return lax.scan(body, state, (rows, images), unroll=study.unroll)


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


def indivisible(study: Study, key: jax.Array, data: Any, hparams: Any = None) -> str:
    """Why this study's batches can't be computed in its parts, in words; empty where they can.

    That neither the model nor the loss lets one example of a batch bear on another otherwise than by batch statistics
    can't be seen from here.
    """
    if study.parts < 1 or study.parts & (study.parts - 1):
        return "their number must be a power of two"
    if study.batch_size % study.parts:
        return f"a batch of {study.batch_size} doesn't divide into so many"
    data = jax.tree.map(jnp.asarray, data)
    batch = jax.eval_shape(lambda data: study.batch(key, blank(data), any_index(study, data, study.batch_size)), data)
    if any(leaf.shape[:1] != (study.batch_size,) for leaf in jax.tree.leaves(batch)):
        return "the batch holds arrays whose leading axis isn't that of the examples"
    state = jax.eval_shape(functools.partial(init, study), key, data, hparams)
    if state.batch_stats:
        return "the model normalises over the whole batch"
    drawn, _ = parts.traced(study.model, {"params": state.params}, batch.inputs, train=True, mutable=["batch_stats"])
    if drawn:
        return "the model draws for all examples of a batch at once"
    return ""


def any_index(study: Study, data: Any, count: int) -> jax.Array:
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
