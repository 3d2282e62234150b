"""Named randomness: every draw has its own key, found from the root by name and step, whatever else is drawn.

A chain of `jax.random.split` makes each draw depend on how many came before it. Here nothing does: adding a
consumer, cutting a run into other chunks or resuming it changes no other draw.
"""

import hashlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.errors import UsageError

IMPLEMENTATION = "threefry2x32"  # the same values on CPU, GPU and TPU and under vmap; recorded in every manifest


def root(seed: int | np.integer) -> jax.Array:
    """The key from which everything random in a run of this seed is drawn.

    Raises UsageError unless `seed` is an integer in [0, 2**32).

    >>> jax.random.key_data(ae.keys.root(7)).tolist()
    [0, 7]
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise UsageError(f"the seed {seed!r} is not an integer from 0 to 2**32 - 1; choose one, for instance 0")
    return jax.random.key(int(seed), impl=IMPLEMENTATION)


def _is_step(step: jax.Array | int) -> bool:
    if isinstance(step, int | np.integer):
        return not isinstance(step, bool) and 0 <= step < 2**32
    return hasattr(step, "dtype") and jnp.issubdtype(step.dtype, jnp.integer)


def check_key(key: Any) -> None:
    """Refuse what is no single key, such as a seed, with a UsageError; JAX's old ones, uint32[2], are keys, too."""
    kind, shape = getattr(key, "dtype", None), getattr(key, "shape", None)
    if kind is not None and (jnp.issubdtype(kind, jax.dtypes.prng_key) or (kind == jnp.uint32 and shape)):
        single = (2,) if kind == jnp.uint32 else ()
        if shape != single:
            raise UsageError(
                f"an array of keys, {kind}{[*(shape or ())]}, is no single key; give one of them, or jax.vmap"
            )
        return
    told = f"an array of {kind}" if kind is not None else repr(key)[:40]
    raise UsageError(f"{told} is no key; give one, such as ae.keys.root(0)")


def stream(key: jax.Array, name: str, *steps: jax.Array | int) -> jax.Array:
    """The key of the stream `name` at `steps` (any number of integers, traced or not).

    A stream without steps and one with steps never share a key, so `stream(key, "noise")` may be drawn from
    although `stream(key, "noise", 3)` exists. Raises UsageError for what is no key, a name that is no text, and
    steps that are no integers.

    >>> noise = [ae.keys.stream(ae.keys.root(0), "noise", step) for step in range(3)]
    >>> [round(float(jax.random.uniform(key)), 3) for key in noise]
    [0.238, 0.583, 0.074]
    """
    check_key(key)
    if not isinstance(name, str):
        raise UsageError(f"the stream {name!r} has no name; give it a text, such as 'noise'")
    if wrong := [step for step in steps if not _is_step(step)]:
        raise UsageError(f"the step {wrong[0]!r} of the stream {name!r} is none; give integers from 0 to 2**32 - 1")
    digest = hashlib.sha256(f"{name}/{len(steps)}".encode()).digest()
    key = jax.random.fold_in(key, int.from_bytes(digest[:4], "big"))
    for step in steps:
        key = jax.random.fold_in(key, step)
    return key
