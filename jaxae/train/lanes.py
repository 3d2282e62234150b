"""Lanes: the same computation for several seeds or settings, in one compiled program.

`map` runs the lanes of a device one after another, each bitwise equal to its solo run. `vmap` runs them side by side:
far faster on an accelerator, equal to about 1e-7 a step. Both spread over several devices, where there are any.
`split` is data parallel: lanes one after another, every device on its part of each step's batch, so that a single seed
has all devices; equal to about 1e-7 a step in float32.
"""

import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxae.errors import UsageError

AXIS = "device"  # of the mesh, along which lanes lie, or a batch
Mode = Literal["map", "vmap", "split"]


@dataclass(frozen=True)
class Lanes:
    """How lanes run: `mode` on each device, and over how many `devices`.

    With `split` the devices share the batches of training; all else spreads by lanes, as with `map`.

    Several devices of a CPU wait for each other at the end of a chunk of steps (with `split`, in every step), and XLA
    ends the process where one waits for 40 seconds. Experiments lift that; elsewhere, give the variable XLA_FLAGS what
    `jaxae.run.command_line` gives it first.

    Raises UsageError for a mode that isn't map, vmap or split, or more devices than there are.
    """

    mode: Mode = "map"
    devices: int = 1

    def __post_init__(self):
        if self.mode not in get_args(Mode):
            raise UsageError(f"lanes run by map, vmap or split, not {self.mode!r}; choose one of the three")
        # one is always there, and counting starts the backend: importing jaxae must not, or its devices are settled
        if self.devices != 1 and not 1 <= self.devices <= jax.device_count():
            raise UsageError(f"{self.devices} devices were asked for and {jax.device_count()} found; ask for fewer")

    @property
    def mesh(self) -> Mesh:
        """The devices in a row, along AXIS."""
        return jax.make_mesh(
            (self.devices,), (AXIS,), axis_types=(AxisType.Auto,), devices=jax.devices()[: self.devices]
        )

    @property
    def axis(self) -> str | None:
        """The axis along which a step's batch is divided, if it is."""
        return AXIS if self.mode == "split" and self.devices > 1 else None


SOLO = Lanes()


def there() -> int:
    """The devices that are worth using: all accelerators; of a CPU's, which are its cores by other names, no more than
    it has cores."""
    return min(jax.device_count(), os.cpu_count() or 1) if jax.default_backend() == "cpu" else jax.device_count()

_COPIES: dict[tuple[int, NamedSharding], jax.Array] = {}


def apply(function: Callable[..., Any], how: Lanes, shared: Any, *arguments: Any) -> Any:
    """`function(shared, *lane)` for every lane of `arguments` (leading axes); `shared` is the same for all.

    Where the lanes don't divide among the devices, the last device idles; nothing is computed twice.
    """
    count = jax.tree.leaves(arguments)[0].shape[0]
    if how.devices == 1:
        return _run(function, how.mode, shared, arguments)
    each = -(-count // how.devices)
    slot = jnp.arange(each * how.devices)
    padded = jax.tree.map(lambda leaf: leaf[jnp.minimum(slot, count - 1)], arguments)
    guarded = function if each * how.devices == count else _unless_padding(function)

    def here(shared, slot, arguments):
        lane = (slot < count, *arguments) if guarded is not function else arguments
        return _run(guarded, how.mode, shared, lane)

    spec = P(AXIS)
    mapped = jax.shard_map(here, mesh=how.mesh, in_specs=(P(), spec, spec), out_specs=spec, check_vma=False)
    cut = jax.tree.map(lambda leaf: leaf[:count], mapped(shared, slot, padded))
    return lax.with_sharding_constraint(cut, _place(how, count))


def apply_divided(function: Callable[..., Any], how: Lanes, shared: Any, *arguments: Any) -> Any:
    """As `apply`, for a function that divides batches along `how.axis` where there is one: then all devices work on a
    lane at once, one lane after another, and the function gives each of them the same results."""
    if how.axis is None:
        return apply(function, how, shared, *arguments)

    def here(shared, arguments):
        return _run(function, "map", shared, arguments)

    mapped = jax.shard_map(here, mesh=how.mesh, in_specs=(P(), P()), out_specs=P(), check_vma=False)
    return mapped(shared, arguments)


def share(tree: Any, axis: str) -> Any:
    """This device's part of arrays with the examples leading, within a computation divided along `axis`.

    The examples must divide among the devices.
    """

    def cut(leaf):
        size = leaf.shape[0] // lax.axis_size(axis)
        return lax.dynamic_slice_in_dim(leaf, lax.axis_index(axis) * size, size)

    return jax.tree.map(cut, tree)


def dividing(batch_size: int, devices: int) -> int:
    """The most devices, of so many, among which a batch divides."""
    return max(count for count in range(1, devices + 1) if batch_size % count == 0)


def resident(tree: Any, how: Lanes) -> Any:
    """The arrays of `tree` on every device of `how`.

    An array of numpy's that can't be written, as those of a Dataset, is moved once and stays there while it lives: who
    has such a view of an array doesn't write that one either.
    """
    place = NamedSharding(how.mesh, P())
    return jax.tree.map(lambda leaf: _kept(leaf, place) if _is_fixed(leaf) else jax.device_put(leaf, place), tree)


def _is_fixed(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and not leaf.flags.writeable


def _kept(array: np.ndarray, place: NamedSharding) -> jax.Array:
    """The one copy of an array that can't be written; forgotten with the array."""
    name = id(array), place
    if name not in _COPIES:
        _COPIES[name] = jax.device_put(array.copy(), place)  # on CPU, what is put may be kept as it is, and so alive
        weakref.finalize(array, _COPIES.pop, name, None)
    return _COPIES[name]


def on_one(tree: Any) -> Any:
    """The arrays of `tree` on the first device alone: what is made of them there, or cut out, is made once, and doesn't
    set all devices going."""
    first = jax.devices()[0]

    def one(leaf):
        if not isinstance(leaf, jax.Array) or len(leaf.devices()) == 1:
            return leaf
        return leaf.addressable_data(0) if leaf.is_fully_replicated else jax.device_put(leaf, first)

    return jax.tree.map(one, tree)


def spread(tree: Any, how: Lanes) -> Any:
    """Arrays with the lanes leading, placed as `apply` leaves them: a program that takes its own results is compiled
    once, not again for arrays that lie elsewhere."""
    return jax.device_put(tree, _place(how, jax.tree.leaves(tree)[0].shape[0]))


def stack(trees: list[Any]) -> Any:
    """A list of equal pytrees of numbers as one pytree with the lanes leading, float32."""
    return jax.tree.map(lambda *leaves: np.asarray(leaves, np.float32), *trees)


def _place(how, count):
    """Each lane on its device; all of them on every device where they don't divide, or where their batches do."""
    apart = how.devices > 1 and how.axis is None and count % how.devices == 0
    return NamedSharding(how.mesh, P(AXIS) if apart else P())


def _run(function, mode, shared, arguments):
    if mode == "vmap":
        return jax.vmap(lambda lane: function(shared, *lane))(arguments)
    return lax.map(lambda lane: function(shared, *lane), arguments)


def _unless_padding(function):
    def guarded(shared, real, *lane):
        shapes = jax.eval_shape(function, shared, *lane)
        empty = lambda *_: jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)  # noqa: E731
        return lax.cond(real, function, empty, shared, *lane)

    return guarded
