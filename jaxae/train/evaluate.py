"""Evaluation: one score per image, in chunks that fit the cache, the remainder kept."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxae.errors import UsageError
from jaxae.keys import stream
from jaxae.study import Batch, State, Study

CHUNK = 250  # examples at once. Each chunk draws from a key of its own, so another length draws other noise and pairs


def outputs(study: Study, key: jax.Array, state: State, batch: Batch) -> Any:
    """The model's outputs in evaluation mode (running statistics, no dropout)."""
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    return study.model.apply(variables, batch.inputs, rngs={"sample": stream(key, "evaluate/sample")})


def sample(study: Study, key: jax.Array, state: State, data: Any, index: Any) -> tuple[Any, Batch]:
    """The outputs for the examples `index` (i32[b], as `over` counts them), and the batch they were given."""
    data, index = jax.tree.map(jnp.asarray, data), jnp.asarray(index, jnp.int32)
    index = study.one_pass(stream(key, "evaluate/index"), data)[index]
    batch = (study.eval_batch or study.batch)(stream(key, "evaluate/sample/batch"), data, index)
    return outputs(study, key, state, batch), batch


def over(
    study: Study,
    key: jax.Array,
    state: State,
    data: Any,
    measure: Callable[[Any, Batch], dict[str, jax.Array]],
) -> dict[str, jax.Array]:
    """`measure(outputs, batch)` of every example, {name: f32[n]}, in the order of `data`.

    Random inputs (noise, pairs) are drawn from the stream "evaluate" folded with the number of the chunk of CHUNK
    examples, the same at every call: two states of one seed, or two arms, are compared on the same inputs. Another
    CHUNK would draw others.
    """
    data, count = jax.tree.map(jnp.asarray, data), study.examples(data)
    everything = study.one_pass(stream(key, "evaluate/index"), data)
    size = min(CHUNK, count)
    chunks = max(-(-count // size), 2)  # XLA dissolves a loop of one turn, and then computes with other roundings

    def chunk(number):
        index = everything[jnp.minimum(number * size + jnp.arange(size, dtype=jnp.int32), count - 1)]
        here = stream(key, "evaluate", number)
        batch = (study.eval_batch or study.batch)(stream(here, "batch"), data, index)
        return measure(outputs(study, here, state, batch), batch)

    values = lax.map(chunk, jnp.arange(chunks, dtype=jnp.int32))
    return {name: value.reshape(-1)[:count] for name, value in values.items()}


def scores(study: Study, key: jax.Array, state: State, data: Any) -> dict[str, jax.Array]:
    """The study's scores of every example, {name: f32[n]}. Pure and jittable; `data` holds arrays."""
    if study.examples(data) < 1:
        raise UsageError("there are no examples to evaluate; choose a split that has some")
    return over(study, key, state, data, study.scores)


def losses(study: Study, key: jax.Array, state: State, data: Any, hparams: Any = None) -> dict[str, jax.Array]:
    """The means over `data` of the study's loss and its parts, in evaluation mode."""

    def measure(outputs, batch):
        loss, parts = study.loss(outputs, batch, hparams)
        return {"loss": loss, **parts}

    return {name: value.mean() for name, value in over(study, key, state, data, measure).items()}
