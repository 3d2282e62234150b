"""The outside of evaluation: every lane's model on every example, whose images are on the device or read on the way."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

import jaxae.train.evaluate as evaluate
import jaxae.train.lanes as lanes
import jaxae.train.streaming as streaming
from jaxae.programs import of_first
from jaxae.study import State, Study
from jaxae.train.lanes import Lanes


def lanes_for(study: Study, data: Any, how: Lanes) -> Lanes:
    """How lanes are soonest evaluated: a lone one's examples by all devices, where each then has fewer chunks."""
    shared, count = how.evaluating, study.examples(data)
    fewer = count and evaluate.turns_of(count, shared.devices) < evaluate.turns_of(count)
    return shared if fewer else how


def scores_of(study: Study, keys: jax.Array, state: State, data: Any, how: Lanes) -> dict[str, np.ndarray]:
    """The study's scores {name: f32[lanes, n]} of every example of `data`. Raises UsageError where its images are to be
    read from their file, and can't be."""
    placed = lanes.resident(data, how)
    if not how.stream:
        return jax.device_get(_scores(study, keys, state, placed, how))
    streaming.refuse_unreadable(study, keys[0], data)
    return _read(study, keys, data, how, lambda turns: _some_scores(study, keys, state, placed, turns, how))


def losses_of(
    study: Study, keys: jax.Array, state: State, data: Any, hparams: Any, active: Any, how: Lanes
) -> dict[str, Any]:
    """The validation losses {name: f32[lanes]} of every active lane; those of the others are NaN."""
    placed = lanes.resident(data, how)
    if not how.stream:
        return _losses(study, keys, state, placed, hparams, active, how)
    values = _read(
        study, keys, data, how, lambda turns: _some_losses(study, keys, state, placed, hparams, active, turns, how)
    )
    return _means(values)


def _read(
    study: Study, keys: jax.Array, data: Any, how: Lanes, compute: Callable[[Any], dict[str, jax.Array]]
) -> dict[str, np.ndarray]:
    """{name: f32[lanes, n]}, of (numbers of chunks, their images) in turns, f32[lanes, turns, size] each."""
    evaluate.refuse_empty(study, data)
    count = study.examples(data)
    size, devices = evaluate.chunk_size(count), how.devices if how.axis else 1
    each = min(streaming.chunks_at_once(data, len(keys), size), evaluate.turns_of(count, devices)) * devices
    numbers = np.arange(-(-count // (size * each)) * each, dtype=np.int32)
    numbers = np.broadcast_to(numbers, (len(keys), len(numbers)))
    spans = [slice(first, first + each) for first in range(0, numbers.shape[1], each)]
    ahead = streaming.read_ahead(study, keys, data, evaluate.batch_of_chunk, (numbers,), spans, how, along=1)
    found = [jax.device_get(compute((numbers[:, span], images))) for span, images in zip(spans, ahead, strict=True)]
    return {
        name: np.concatenate([values[name].reshape(len(keys), -1) for values in found], axis=1)[:, :count]
        for name in found[0]
    }


@of_first(static_argnames=("how",))
def _scores(study, keys, state, data, how):
    def lane(data, key, state):
        return evaluate.scores(study, key, state, data, how.axis)

    return lanes.apply_shared(lane, how, data, keys, state)


@of_first(static_argnames=("how",))
def _some_scores(study, keys, state, data, turns, how):
    def lane(data, key, state, turns):
        numbers, images = turns
        return evaluate.chunks(study, key, state, data, study.scores, numbers, how.axis, images)

    return lanes.apply_shared(lane, how, data, keys, state, apart=turns, along=1)


@of_first(static_argnames=("how",))
def _losses(study, keys, state, data, hparams, active, how):
    def validate(data, key, state, h):
        return evaluate.losses(study, key, state, data, h, how.axis)

    return lanes.apply_shared(_only_active(validate), how, data, active, keys, state, hparams)


@of_first(static_argnames=("how",))
def _some_losses(study, keys, state, data, hparams, active, turns, how):
    def validate(data, key, state, h, turns):
        def measure(outputs, batch):
            return study.objective(outputs, batch, h)

        numbers, images = turns
        return evaluate.chunks(study, key, state, data, measure, numbers, how.axis, images)

    lane = _only_active(validate)
    return lanes.apply_shared(lane, how, data, active, keys, state, hparams, apart=turns, along=1)


@jax.jit
def _means(values):
    """The means over the examples, lane by lane, as they are computed where all are evaluated in one call."""
    return lax.map(lambda lane: jax.tree.map(jnp.mean, lane), values)


def _only_active(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function(shared, *lane)` as one of (shared, active, *lane), which gives NaN for lanes that aren't active."""
    function = jax.jit(function, inline=True)  # traced once for its shapes and for what is compiled

    def lane(shared, active, *lane):
        nothing = unknown(jax.eval_shape(function, shared, *lane))
        return lax.cond(active, function, lambda *_: nothing, shared, *lane)

    return lane


def unknown(shapes: Any) -> Any:
    """NaN in these shapes."""
    return jax.tree.map(lambda leaf: jnp.full(leaf.shape, jnp.nan, leaf.dtype), shapes)
