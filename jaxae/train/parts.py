"""Batches in parts: a batch's gradient has the same bits on one device and on several.

Data parallel usually changes roundings, for a sum over a batch is cut where the devices are. Here a batch is cut into
`Study.parts` equal parts (microbatches), a number that belongs to the study. Every part's gradient comes from the same
compiled loop, and the gradients are added up in pairs, as in a knockout tournament, neighbours first: devices that hold
neighbouring parts play the first rounds by themselves and the last ones together. So it doesn't matter how many there
are.

On a CPU parts pay on one device too, since a small part of a batch stays in the cache. On one accelerator they would
cost launches and gain nothing: there a batch is computed whole, and in parts, with other last digits, where devices
share it. That is decided where a program is traced, since its loops are, and not where it is lowered, as the forms of
operations are.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxae.devices import platform
from jaxae.settled import turns

MOST = 8  # so many devices can share a batch
SMALLEST = 32  # images: what smaller parts gain on many devices they lose on few
GAIN = 0.8  # of each device that shares batches; of all arms 0.75 (conv, batch 10) to 0.99, measured on two AMD cores


def parts_of(batch_size: int, *, smallest: int = SMALLEST) -> int:
    """In how many parts to compute batches of this size, where parts pay: 1, 2, 4 or 8, of `smallest` images or more.

    >>> parts_of(256), parts_of(128), parts_of(100), parts_of(10)
    (8, 4, 2, 1)
    """
    counts = [1 << power for power in range(MOST.bit_length())]
    return max(count for count in counts if batch_size % count == 0 and (count == 1 or batch_size >= smallest * count))


def sharing(parts: int, devices: int) -> int:
    """How many of so many devices can share a batch of so many parts equally.

    >>> sharing(8, 2), sharing(8, 3), sharing(2, 16), sharing(1, 2)
    (2, 2, 2, 1)
    """
    return max(count for count in range(1, devices + 1) if parts % count == 0)


def pays(parts: int, devices: int, lanes: int) -> bool:
    """Whether so many lanes are sooner done if all devices share the batches of one after another than if each device
    has lanes of its own: in rounds of one lane on one device.

    >>> pays(8, 2, lanes=1), pays(8, 2, lanes=2), pays(8, 2, lanes=3), pays(8, 2, lanes=10)
    (True, False, True, False)
    """
    shared = sharing(parts, devices)
    return shared > 1 and lanes / (GAIN * shared) < -(-lanes // devices)


def traced(model: nn.Module, variables: Any, inputs: Any, **options: Any) -> tuple[bool, Any]:
    """Whether `model.apply` draws, for all examples of a batch at once, where it is given keys to draw from; and the
    shapes of what it returns."""

    def apply(variables, inputs, rngs):
        return model.apply(variables, inputs, rngs=rngs, **options)

    rngs = {name: jax.random.key(0) for name in ("sample", "dropout")}
    closed, shapes = jax.make_jaxpr(apply, return_shape=True)(variables, inputs, rngs)
    given = closed.jaxpr.invars[-len(rngs) :]
    return any(variable is key for equation in closed.eqns for variable in equation.invars for key in given), shapes


def mean(function: Callable[[Any], Any], batch: Any, count: int, axis: str | None = None) -> Any:
    """The mean of `function(part)`, a pytree of floating arrays, over the `count` equal parts of a batch.

    `count` is a power of two that divides the examples, which lead in every array of `batch`. Within shard_map, each
    device along `axis` computes its neighbouring parts, and all get the mean, with the same bits however many they are.
    """
    function = jax.jit(function, inline=True)  # traced once for its shapes and for the loop
    here = count if axis is None else count // lax.axis_size(axis)
    first = 0 if axis is None else lax.axis_index(axis) * here
    cut = jax.tree.map(lambda leaf: leaf.reshape(count, -1, *leaf.shape[1:]), batch)

    def part(number):
        return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, first + number, keepdims=False), cut)

    def compute(number, found):
        return jax.tree.map(
            lambda whole, value: lax.dynamic_update_index_in_dim(whole, value, number, 0), found, function(part(number))
        )

    shapes = jax.eval_shape(lambda: function(part(0)))
    empty = jax.tree.map(lambda leaf: jnp.zeros((here, *leaf.shape), leaf.dtype), shapes)
    winner = jax.tree.map(_knockout, lax.fori_loop(0, _turns(here), compute, empty))
    if axis is not None:
        winner = jax.tree.map(lambda leaf: _knockout(lax.all_gather(leaf, axis)), winner)
    return _divided(winner, count)


def _knockout(values):
    """The sum over the leading axis, neighbours first."""
    while len(values) > 1:
        values = lax.optimization_barrier(values[0::2] + values[1::2])
    return values[0]


def _divided(tree, count):
    """`tree / count`, computed once: on a CPU in a loop as that of `settled`, which would first fill in zeros."""

    def divide(tree):
        return jax.tree.map(lambda leaf: leaf / count, tree)

    if platform() != "cpu":
        return lax.optimization_barrier(divide(tree))
    return lax.fori_loop(0, turns(1), lambda _, tree: divide(tree), tree)


def _turns(count: int) -> Any:
    """Of a length unknown on a CPU alone: accelerators would have to ask the host for it, and launch what is in a loop
    as it is."""
    return turns(count) if platform() == "cpu" else count
