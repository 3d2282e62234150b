"""The best state by validation, and early stopping."""

import functools

import jax
import jax.numpy as jnp

from jaxae.programs import quickly
from jaxae.study import State


def model_of(state: State) -> State:
    """What it takes to use the model: the state without its optimizer's."""
    return state._replace(opt_state=())


def keep_best(state, best, best_loss, stale, active, loss, patience):
    """The better model of each active lane by its validation `loss`, that loss, and whether the lane goes on.

    A lane stops after `patience` validations without a lower loss; None: never.
    """
    return _compiled()(state, best, best_loss, stale, active, loss, patience)


def copied(state: State) -> State:
    """A copy of the model, for `keep_best` to consume: in one program, where each array's own would take a megabyte."""
    return _copying()(model_of(state))


@functools.cache
def _compiled():
    return jax.jit(_keep_best, static_argnames=("patience",), donate_argnames=("best",), **quickly())


@functools.cache
def _copying():
    return jax.jit(lambda tree: jax.tree.map(jnp.copy, tree), **quickly())


def _keep_best(state, best, best_loss, stale, active, loss, patience):
    better = active & (loss < best_loss)

    def choose(new, old):
        return jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    stale = jnp.where(better, 0, stale + active.astype(jnp.int32))
    going = active if patience is None else active & (stale < patience)
    best = jax.tree.map(choose, model_of(state), best)
    return best, jnp.where(better, loss, best_loss), stale, going
