"""Dead models: they show one picture whatever the input, and no gradient brings them back."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxae.train.evaluate as evaluate
import jaxae.train.evaluation as evaluation
import jaxae.train.lanes as lanes
from jaxae import metrics
from jaxae.programs import of_first
from jaxae.study import Batch, Study
from jaxae.train.early_stopping import model_of
from jaxae.train.streaming import of_sample

SLOW_START = 1000  # steps, in which nobody is called dead: one picture can be a slow start
EXAMPLES = 200


def one_picture(outputs: Any, batch: Batch) -> jax.Array:
    """Whether a model shows the same picture for every input of the batch, bool[].

    A classifier's outputs are its logits; they are constant as a picture is.
    """
    return metrics.is_constant(getattr(outputs, "image", outputs), batch.target)


def seen_one_picture(outputs: Any, batch: Batch) -> jax.Array:
    """As `one_picture`, and False where outputs and targets aren't alike, so that nobody can tell."""
    both = getattr(outputs, "image", outputs), batch.target
    told = all(isinstance(each, jax.Array) and jnp.issubdtype(each.dtype, jnp.floating) for each in both)
    if not told or both[0].shape != both[1].shape:
        return jnp.zeros((), bool)
    return one_picture(outputs, batch)


def living(
    study: Study,
    keys: jax.Array,
    state: Any,
    data: Any,
    steps: np.ndarray | int,
    how: lanes.Lanes = lanes.SOLO,
    dead: Callable[[Any, Batch], Any] = seen_one_picture,
) -> np.ndarray:
    """bool[lanes]: which models live after so many steps, i64[lanes] or the same number; they don't where `dead` says
    so of up to 200 examples.

    All do in the first thousand steps, and where there aren't two examples, which can't tell.
    """
    short = np.broadcast_to(np.asarray(steps) < SLOW_START, len(keys))
    return short.copy() if short.all() else short | ~constant(study, keys, state, data, how, dead)


def constant(
    study: Study,
    keys: jax.Array,
    state: Any,
    data: Any,
    how: lanes.Lanes = lanes.SOLO,
    dead: Callable[[Any, Batch], Any] = seen_one_picture,
) -> np.ndarray:
    """bool[lanes]: which models show one picture: `dead` says so of up to 200 examples; none where there aren't two."""
    if study.examples(data) < 2:
        return np.zeros(len(keys), bool)
    how = evaluation.lanes_for(study, data, how)  # on the devices where the data lie for its losses and scores
    index = np.arange(min(EXAMPLES, study.examples(data)), dtype=np.int32)
    images = of_sample(study, keys, data, index, how) if how.stream else None
    placed = lanes.resident(data, how)
    return np.asarray(_dead(study, keys, lanes.placed(model_of(state), how), placed, index, images, how, dead))


@of_first(quick=True, static_argnames=("how", "dead"))
def _dead(study, keys, state, data, index, images, how, dead):
    def lane(shared, key, state, images):
        data, index = shared
        return jnp.asarray(dead(*evaluate.sample(study, key, state, data, index, images)))

    return lanes.apply_shared(lane, how, (data, index), keys, state, images)
