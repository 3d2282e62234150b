"""Learning rates that follow the loss, inside the compiled step: the state is a few numbers, one set per lane."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxae.errors import UsageError


class Plateau(NamedTuple):
    """Where ReduceLROnPlateau stands: f32[] and i32[]."""

    rate: jax.Array
    """the learning rate of the next step"""
    best: jax.Array
    """the lowest epoch loss that counted as an improvement"""
    bad: jax.Array
    """epochs since then"""
    cooldown: jax.Array
    """epochs still to wait before bad ones count again"""
    total: jax.Array
    """sum of the losses of this epoch's steps so far"""
    count: jax.Array
    """how many they are"""


def reduce_on_plateau(
    learning_rate: float | jax.Array,
    *,
    every: int | jax.Array,
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    cooldown: int = 0,
    min_rate: float = 0.0,
    eps: float = 1e-8,
) -> optax.GradientTransformationExtraArgs:
    """Scales updates by minus a rate that falls when the loss stops falling: torch's ReduceLROnPlateau, mode "min".

    The last link of a chain, in place of `optax.scale_by_learning_rate`: `optax.chain(optax.scale_by_adam(),
    reduce_on_plateau(1e-3, every=steps))`. It reads the `value` of each update, the step's loss, and acts on the
    mean of `every` of them, an epoch's: after more than `patience` epochs, none of them below (1 - threshold) of the
    best, the rate is multiplied by `factor`, though not below `min_rate` and only if it falls by more than `eps`.
    The following `cooldown` epochs don't count as bad. Defaults are torch's.

    optax.contrib.reduce_on_plateau counts patience from one more, lacks `eps`, and slows the last step of the epoch
    whose loss it judges; torch's scheduler acts between epochs.
    `every` may be a traced number, such as a lane's hparam. Raises UsageError for `every` or `patience` that can't be,
    a factor not below 1, and an update without the loss.

    >>> link = ae.schedules.reduce_on_plateau(0.1, every=1, patience=0)
    >>> state = link.init(None)
    >>> for loss in (1.0, 0.5, 0.5):
    ...     updates, state = link.update(jnp.ones(1), state, value=loss)
    >>> round(float(state.rate), 3)
    0.01
    """
    if (isinstance(every, int | np.integer) and every < 1) or patience < 0 or cooldown < 0:
        raise UsageError(f"every={every}, patience={patience}, cooldown={cooldown}; give at least 1, 0 and 0")
    if not 0 <= factor < 1:
        raise UsageError(f"a factor of {factor} doesn't reduce the learning rate; give one from 0 to under 1")

    def init(params: Any) -> Plateau:
        del params
        zero, none = jnp.zeros((), jnp.float32), jnp.zeros((), jnp.int32)
        return Plateau(jnp.asarray(learning_rate, jnp.float32), jnp.full_like(zero, jnp.inf), none, none, zero, none)

    def update(updates: Any, state: Any, params: Any = None, *, value: Any = None, **extra: Any) -> tuple[Any, Plateau]:
        del params, extra
        if value is None:
            raise UsageError("reduce_on_plateau has no value of the loss; give it to update, as in value=loss")
        updates = jax.tree.map(lambda leaf: (-state.rate).astype(leaf.dtype) * leaf, updates)
        state = state._replace(total=state.total + value, count=state.count + 1)
        ended = state.count == jnp.asarray(every).astype(jnp.int32)
        judged = _judged(state, state.total / every, factor, patience, threshold, cooldown, min_rate, eps)
        return updates, jax.tree.map(lambda new, old: jnp.where(ended, new, old), judged, state)

    return optax.GradientTransformationExtraArgs(init, update)


def _judged(
    state: Plateau,
    loss: jax.Array,
    factor: float,
    patience: int,
    threshold: float,
    cooldown: int,
    min_rate: float,
    eps: float,
) -> Plateau:
    """The state after an epoch of this loss."""
    better = loss < state.best * (1 - threshold)
    bad = jnp.where(better | (state.cooldown > 0), 0, state.bad + 1)
    lower = jnp.maximum(state.rate * factor, min_rate)
    tired = bad > patience
    return Plateau(
        rate=jnp.where(tired & (state.rate - lower > eps), lower, state.rate),
        best=jnp.where(better, loss, state.best),
        bad=jnp.where(tired, 0, bad),
        cooldown=jnp.where(tired, cooldown, jnp.maximum(state.cooldown - 1, 0)),
        total=jnp.zeros_like(state.total),
        count=jnp.zeros_like(state.count),
    )


def cosine(rate: float, steps: int | jax.Array) -> optax.Schedule:
    """A rate that falls to 0 along half a cosine in `steps` steps; constant where they are 0, so that lanes can differ.

    What optax.cosine_decay_schedule gives, for `steps` that may be traced, such as a lane's hparam: i32[] -> f32[].

    >>> rate = ae.schedules.cosine(0.1, steps=100)
    >>> [round(float(rate(step)), 3) for step in (0, 50, 100, 200)]
    [0.1, 0.05, 0.0, 0.0]
    """
    length = jnp.asarray(steps, jnp.float32)

    def at(count: Any) -> jax.Array:
        done = jnp.minimum(jnp.asarray(count, jnp.float32), length) / jnp.maximum(length, 1)
        return jnp.where(length > 0, rate * 0.5 * (1 + jnp.cos(jnp.pi * done)), rate)

    return at
