"""Evaluation: one score per image, in chunks that fit the cache, the remainder kept."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxae.devices import platform
from jaxae.errors import UsageError
from jaxae.keys import stream
from jaxae.study import Batch, State, Study
from jaxae.study_refusals import refuse_other_values, streams_known
from jaxae.train.absent import Rows, filled
from jaxae.train.parts import traced

CHUNK = 250  # examples at once. Each chunk draws from a key of its own, so another length draws other noise and pairs
LEAST = 4  # of them: with fewer, XLA computes a lane among others with other roundings than by itself
PIECE = 50  # of them that a convolutional model is given at once on a CPU: what it computes stays in the cache


def outputs(study: Study, key: jax.Array, state: State, batch: Batch) -> Any:
    """The model's outputs in evaluation mode (running statistics, no dropout)."""
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    with streams_known(study.model):
        return study.model.apply(variables, batch.inputs, rngs={"sample": stream(key, "evaluate/sample")})


def batch_of_sample(study: Study, key: jax.Array, data: Any, index: Any) -> Batch:
    """The batch of the examples `index` (i32[b], as `over` counts them)."""
    index = study.one_pass(stream(key, "evaluate/index"), data)[index]
    return (study.eval_batch or study.batch)(stream(key, "evaluate/sample/batch"), data, index)


def sample(study: Study, key: jax.Array, state: State, data: Any, index: Any, images: Rows = None) -> tuple[Any, Batch]:
    """The outputs for the examples `index` (i32[b], as `over` counts them), and the batch they were given.

    `images` are those that it takes of absent ones.
    """
    data, index = jax.tree.map(jnp.asarray, data), jnp.asarray(index, jnp.int32)
    batch = batch_of_sample(study, key, filled(data, images), index)
    return outputs(study, key, state, batch), batch


def batch_of_chunk(study: Study, key: jax.Array, data: Any, number: jax.Array, everything: Any = None) -> Batch:
    """The batch of a chunk of the examples, `everything` (by default one pass over the data); beyond the last example
    it stands still."""
    count = study.examples(data)
    size = chunk_size(count)
    everything = study.one_pass(stream(key, "evaluate/index"), data) if everything is None else everything
    index = everything[jnp.minimum(number * size + jnp.arange(size, dtype=jnp.int32), count - 1)]
    here = stream(key, "evaluate", number)
    return (study.eval_batch or study.batch)(stream(here, "batch"), data, index)


def chunks(
    study: Study,
    key: jax.Array,
    state: State,
    data: Any,
    measure: Callable[[Any, Batch], dict[str, jax.Array]],
    numbers: jax.Array,
    axis: str | None = None,
    images: Rows = None,
) -> dict[str, jax.Array]:
    """`measure` of the chunks of these numbers, i32[turns]: {name: f32[turns, size]}. `images` are those that they take
    of absent ones, uint8[turns, size, h, w, c]. Devices along `axis` have numbers of their own, and get all values.

    Raises UsageError, while tracing, where `measure` gives anything but one value for each example."""
    everything = study.one_pass(stream(key, "evaluate/index"), data)

    def chunk(turn):
        number, taken = turn
        batch = batch_of_chunk(study, key, filled(data, taken), number, everything)
        found = measure(_in_pieces(study, stream(key, "evaluate", number), state, batch), batch)
        refuse_other_values(f"the evaluation of {study.name!r}", found, chunk_size(study.examples(data)))
        return found

    values = lax.map(chunk, (numbers, images))
    return values if axis is None else lax.all_gather(values, axis, tiled=True)


def over(
    study: Study,
    key: jax.Array,
    state: State,
    data: Any,
    measure: Callable[[Any, Batch], dict[str, jax.Array]],
    axis: str | None = None,
) -> dict[str, jax.Array]:
    """`measure(outputs, batch)` of every example, {name: f32[n]}, in the order of `data`.

    Random inputs (noise, pairs) are drawn from the stream "evaluate" folded with the number of the chunk of CHUNK
    examples, the same at every call: two states of one seed, or two arms, are compared on the same inputs. Another
    CHUNK would draw others.

    No example may bear on another's outputs. Within shard_map, the devices along `axis` share the chunks, and all get
    the values of all. Raises UsageError where there is nothing to evaluate, and where `measure` gives anything but one
    value for each example.
    """
    refuse_empty(study, data)
    data, count = jax.tree.map(jnp.asarray, data), study.examples(data)
    devices = 1 if axis is None else lax.axis_size(axis)
    turns = turns_of(count, devices)
    first = 0 if axis is None else lax.axis_index(axis) * turns
    values = chunks(study, key, state, data, measure, first + jnp.arange(turns, dtype=jnp.int32), axis)
    return {name: lax.optimization_barrier(value.reshape(-1)[:count]) for name, value in values.items()}


def chunk_size(count: int) -> int:
    """The examples of a chunk, where there are so many in all; beyond the last one it is filled up with that."""
    return max(min(CHUNK, count), LEAST)


def turns_of(count: int, devices: int = 1) -> int:
    """The chunks of so many examples that each of the devices computes, one after another: two at least, since XLA
    dissolves a loop of one, and then computes with other roundings."""
    return max(-(-count // (chunk_size(count) * devices)), 2)


def _in_pieces(study: Study, key: jax.Array, state: State, batch: Batch) -> Any:
    """`outputs`, up to twice as fast by convolutions on a CPU. Whole where what goes in or comes out isn't by example,
    and where the model draws for all examples at once."""

    def piece(inputs):
        return outputs(study, key, state, batch._replace(inputs=inputs))

    count = max([len(leaf) for leaf in jax.tree.leaves(batch.inputs) if np.ndim(leaf)], default=0)
    convolves = any(leaf.ndim == 4 for leaf in jax.tree.leaves(state.params))
    if not convolves or platform() != "cpu" or count <= PIECE or count % PIECE:
        return piece(batch.inputs)
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    drawn, shapes = traced(study.model, variables, batch.inputs)
    if drawn or not _leads((batch.inputs, shapes), count):
        return piece(batch.inputs)
    cut = jax.tree.map(lambda leaf: leaf.reshape(-1, PIECE, *leaf.shape[1:]), batch.inputs)
    return jax.tree.map(lambda leaf: leaf.reshape(count, *leaf.shape[2:]), lax.map(piece, cut))


def _leads(tree: Any, count: int) -> bool:
    """Whether so many examples lead in all arrays of it."""
    return all(np.shape(leaf)[:1] == (count,) for leaf in jax.tree.leaves(tree))


def scores(study: Study, key: jax.Array, state: State, data: Any, axis: str | None = None) -> dict[str, jax.Array]:
    """The study's scores of every example, {name: f32[n]}. Pure and jittable; `data` holds arrays. `axis` as `over`."""
    return over(study, key, state, data, study.scores, axis)


def refuse_empty(study: Study, data: Any) -> None:
    """Raise UsageError where there is nothing to evaluate."""
    if study.examples(data) < 1:
        raise UsageError("there are no examples to evaluate; choose a split that has some")


def losses(
    study: Study, key: jax.Array, state: State, data: Any, hparams: Any = None, axis: str | None = None
) -> dict[str, jax.Array]:
    """The means over `data` of the study's loss and its parts, in evaluation mode. `axis` as in `over`."""

    def measure(outputs, batch):
        return study.objective(outputs, batch, hparams)

    return {name: value.mean() for name, value in over(study, key, state, data, measure, axis).items()}
