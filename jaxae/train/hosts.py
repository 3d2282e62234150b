"""Several processes in one training, on one host or many, by JAX's own multi-process runtime.

Every process runs the same program on the same arrays, and all are in every compiled call over devices of all. What
such a call gives is on every device, so each process can read it; what a process computes on one device is its own.
"""

import functools
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import jaxae.devices as devices
from jaxae.errors import UsageError


def several() -> bool:
    """Whether there are other processes."""
    return jax.process_count() > 1


def first() -> bool:
    """Whether this is the process that writes."""
    return jax.process_index() == 0


def chosen(count: int) -> list[Any]:
    """So many devices, as many of each process; one alone is this process's own, and each has such a one.

    Raises UsageError where processes would have different numbers of them.
    """
    if count == 1:
        return devices.own()[:1]
    if count % jax.process_count():
        raise UsageError(
            f"{count} devices can't be shared evenly by {jax.process_count()} processes; ask for a multiple of "
            f"{jax.process_count()}"
        )
    each, taken = count // jax.process_count(), dict.fromkeys(range(jax.process_count()), 0)
    found = []
    for device in devices.found():
        if taken[device.process_index] < each:
            taken[device.process_index] += 1
            found.append(device)
    if len(found) < count:
        raise UsageError(f"{count} devices are {each} of each process, and one has fewer; ask for fewer")
    return found


def least(number: int) -> int:
    """The least of the numbers that the processes give, each its own; all have to ask."""
    if not several():
        return number
    from jax.experimental import multihost_utils

    return int(np.min(multihost_utils.process_allgather(np.int32(number))))


def everywhere(tree: Any, place: NamedSharding) -> Any:
    """Arrays that all processes have alike, placed on devices of all of them."""
    if place.is_fully_addressable:
        return jax.device_put(tree, place)
    return jax.tree.map(lambda leaf: _everywhere(leaf, place), tree)


def most(number: int, place: NamedSharding) -> int:
    """The largest of the numbers that the processes give, each its own: all get the same."""
    shape = (place.mesh.size,)
    spread = NamedSharding(place.mesh, P(place.mesh.axis_names))
    given = jax.make_array_from_callback(shape, spread, lambda _: np.full(1, number, np.int32))
    return int(_largest(given, place))


@functools.partial(jax.jit, static_argnames="place")
def _largest(numbers, place):
    return lax.with_sharding_constraint(numbers.max(), place)


def _everywhere(leaf: Any, place: NamedSharding) -> jax.Array:
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        return jax.device_put(leaf, place)
    array = np.asarray(leaf)
    return jax.make_array_from_callback(array.shape, place, lambda index: array[index])
