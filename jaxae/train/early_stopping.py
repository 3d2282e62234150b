"""The best state by validation, and early stopping."""

import functools

import jax
import jax.numpy as jnp

from jaxae.study import State


def model_of(state: State) -> State:
    """What it takes to use the model: the state without its optimizer's."""
    return state._replace(opt_state=())


@functools.partial(jax.jit, static_argnames=("patience",), donate_argnames=("best",))
def keep_best(state, best, best_loss, stale, active, loss, patience):
    """The better model of each active lane by its validation `loss`, that loss, and whether the lane goes on.

    A lane stops after `patience` validations without a lower loss; None: never.
    """
    better = active & (loss < best_loss)

    def choose(new, old):
        return jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    stale = jnp.where(better, 0, stale + active.astype(jnp.int32))
    going = active if patience is None else active & (stale < patience)
    best = jax.tree.map(choose, model_of(state), best)
    return best, jnp.where(better, loss, best_loss), stale, going
