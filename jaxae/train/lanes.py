"""Lanes: the same computation for several seeds or settings, in one compiled program.

`map` runs the lanes of a device one after another, each bitwise equal to its solo run. `vmap` runs them side by side:
far faster on an accelerator, equal to about 1e-7 a step. Both spread over several devices, where there are any; or, by
`map`, all devices share one lane after another, each computing its parts of every batch (`jaxae.train.parts`).
"""

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

import jaxae.devices as places
import jaxae.train.hosts as hosts
import jaxae.train.parts as parts
from jaxae.errors import UsageError
from jaxae.study import Study
from jaxae.train.absent import without_images

AXIS = "device"  # of the mesh, along which lanes lie, or a batch
Mode = Literal["map", "vmap"]
_ALIGNMENT = 64  # bytes: devices of a CPU take such arrays as they are
_COPIES: dict[tuple[int, NamedSharding], jax.Array] = {}  # of arrays that can't be written, by their id


@dataclass(frozen=True)
class Lanes:
    """How lanes run.

    - `mode`: on each device, one after another (map) or side by side (vmap)
    - `devices`: over how many they are spread
    - `shared`: whether all of these are on one lane at a time, each with its parts of a batch or of an evaluation
    - `stream`: whether stored images stay in their file, and are read when a batch takes them
    - `beside`: how many a device runs side by side by vmap, one such group after another, where memory has room for
      no more; 0: all
    - `spare`: how many further devices there are, which a training of so few lanes can't use, and evaluation can

    Several devices of a CPU wait for each other at the end of a chunk of steps (in every step, where they share), and
    XLA ends the process where one waits for 40 seconds. Experiments lift that; elsewhere, give the variable XLA_FLAGS
    what `jaxae.run.command_line` gives it first.

    Raises UsageError for a mode that isn't map or vmap, for devices that aren't there, and for vmap where they share.
    """

    mode: Mode = "map"
    devices: int = 1
    shared: bool = False
    stream: bool = False
    beside: int = 0
    spare: int = 0

    def __post_init__(self):
        if self.mode not in get_args(Mode):
            raise UsageError(f"lanes run by map or vmap, not {self.mode!r}; choose one of the two")
        if self.shared and self.mode != "map":
            raise UsageError(f"devices share lanes one after another, by map, not {self.mode}; choose map")
        # one is always there, and counting starts the backend: importing jaxae must not, or its devices are settled
        if self.devices != 1:
            _refuse_devices(self.devices)

    @property
    def mesh(self) -> Mesh:
        """The devices in a row, along AXIS."""
        return jax.make_mesh((self.devices,), (AXIS,), axis_types=(AxisType.Auto,), devices=hosts.chosen(self.devices))

    @property
    def across(self) -> bool:
        """Whether the devices are those of several processes."""
        return self.devices > 1 and hosts.several()

    @property
    def axis(self) -> str | None:
        """The axis of the devices that share a lane, if they do."""
        return AXIS if self.shared and self.devices > 1 else None

    @property
    def once(self) -> "Lanes":
        """For what is computed once before training: by one device, where all would compute the same."""
        return SOLO if self.axis else self

    @property
    def evaluating(self) -> "Lanes":
        """For evaluation: examples don't bear on each other, so that all devices share those of a lone lane."""
        if self.devices == 1 and self.spare and self.mode == "map":
            return Lanes(devices=1 + self.spare, shared=True, stream=self.stream)
        return self


SOLO = Lanes()
STREAMED = Lanes(stream=True)  # one lane, whose images are read


def arranged(study: Study, count: int, mode: Mode | None = None, devices: int | None = None) -> Lanes:
    """How so many lanes of a study's training are sooner done on so many devices: each on its own, or shared.

    Without a `mode`, side by side on accelerators and by `map` on a CPU; without `devices`, on all that are worth
    using. By `map`, on CPUs no bit depends on how many. Raises UsageError for devices that aren't there.
    """
    accelerated = places.platform() != "cpu"
    if mode is None:
        mode = "vmap" if accelerated else "map"
    if devices is None:
        devices = min(count, there()) if accelerated else there()
    _refuse_devices(devices)
    processes = jax.process_count()
    if mode == "map" and parts.pays(study.parts, devices, count):
        shared = parts.sharing(study.parts, devices)
        if shared % processes == 0:
            return Lanes(mode, shared, shared=True)
    if processes == 1:
        return Lanes(mode, min(devices, count), spare=max(devices - count, 0))
    used = min(devices, -(-count // processes) * processes)  # as many of each, or one that each has for itself
    return Lanes(mode, max(used - used % processes, 1))


def _refuse_devices(count):
    found = len(places.found())
    if not isinstance(count, int | np.integer) or not 1 <= count <= found:
        few = places.platform() == "cpu" and found < places.cores()
        more = "; ae.set_up() before the first array gives a CPU as many as it has cores" if few else ""
        raise UsageError(f"devices is {count!r} and {found} are there; give a whole number from 1 to {found}{more}")


def there() -> int:
    """The devices that are worth using: all accelerators; of a CPU's, which are its cores by other names, no more than
    it has cores; of several processes as many of each."""
    own = len(places.own())
    if places.platform() == "cpu":
        own = min(own, places.cores())
    return hosts.least(own) * jax.process_count()


def apply(function: Callable[..., Any], how: Lanes, shared: Any, *arguments: Any) -> Any:
    """`function(shared, *lane)` for every lane of `arguments` (leading axes); `shared` is the same for all.

    Where the lanes don't divide among the devices, the last ones have fewer, and wait; nothing is computed twice.
    """
    count = jax.tree.leaves(arguments)[0].shape[0]
    if how.devices == 1:
        return _run(function, how, shared, arguments)
    each = -(-count // how.devices)
    slot = jnp.arange(each * how.devices)
    guarded, padded = function, arguments
    if each * how.devices != count:
        guarded = _unless_padding(function)
        padded = jax.tree.map(lambda leaf: leaf[jnp.minimum(slot, count - 1)], arguments)

    def here(shared, slot, arguments):
        lane = (slot < count, *arguments) if guarded is not function else arguments
        return _run(guarded, how, shared, lane)

    spec = P(AXIS)
    mapped = jax.shard_map(here, mesh=how.mesh, in_specs=(P(), spec, spec), out_specs=spec, check_vma=False)
    cut = jax.tree.map(lambda leaf: leaf[:count], mapped(shared, slot, padded))
    return lax.with_sharding_constraint(cut, _place(how, count))


def apply_shared(
    function: Callable[..., Any], how: Lanes, shared: Any, *arguments: Any, apart: Any = None, along: int | None = None
) -> Any:
    """As `apply`, for a function that shares its work along `how.axis` where there is one: then all devices are on a
    lane at once, one lane after another, and the function gives each of them the same results.

    `apart` is a last argument of the function, if it isn't None: arrays with the lanes leading, of which each of these
    devices has its part along the axis `along`, as `place_of` has them.
    """
    last = () if apart is None else (apart,)
    if how.axis is None:
        return apply(function, how, shared, *arguments, *last)

    def here(shared, arguments, last):
        return _run(function, how, shared, (*arguments, *last))

    specs = P(), P(), place_of(how, 0, along).spec
    mapped = jax.shard_map(here, mesh=how.mesh, in_specs=specs, out_specs=P(), check_vma=False)
    return mapped(shared, arguments, last)


def place_of(how: Lanes, count: int, along: int | None = None) -> NamedSharding:
    """Where arrays for so many lanes, which lead, are put that each device needs a part of: that of its lanes, or, of
    devices that share lanes, along the axis `along`. Everything is everywhere where neither divides."""
    if how.axis is not None:
        return NamedSharding(how.mesh, P() if along is None else P(*[None] * along, AXIS))
    return NamedSharding(how.mesh, P(AXIS) if how.devices > 1 and count % how.devices == 0 else P())


def resident(tree: Any, how: Lanes) -> Any:
    """The arrays of `tree` on every device of `how`, but for the stored images that it streams, which are Absent.

    An array of numpy's that can't be written, as those of a Dataset, is moved once and stays there while it lives: who
    has such a view of an array doesn't write that one either.
    """
    place, tree = NamedSharding(how.mesh, P()), without_images(tree) if how.stream else tree
    return jax.tree.map(lambda leaf: _kept(leaf, place) if _is_fixed(leaf) else hosts.everywhere(leaf, place), tree)


def _is_fixed(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray) and not leaf.flags.writeable


def _kept(array: np.ndarray, place: NamedSharding) -> jax.Array:
    """The one copy of an array that can't be written; forgotten with the array."""
    name = id(array), place
    if name not in _COPIES:
        # devices of a CPU keep what is put as it is, and so alive: its memory by another name, or a copy
        placed = np.asarray(_Memory(array)).view(array.dtype) if _can_be_kept(array) else aligned(array)
        _COPIES[name] = hosts.everywhere(placed, place)
        weakref.finalize(array, _COPIES.pop, name, None)
    return _COPIES[name]


class _Memory:
    """The memory of an array that isn't its own, as numpy reads it: keeps its owner alive, and not the array, as a view
    would of what is no numpy array's, such as a file's."""

    def __init__(self, array: np.ndarray):
        self.owner, self.__array_interface__ = array.base, array.__array_interface__


def _can_be_kept(array):
    """Whether devices of a CPU can all have it where it is, as what is mapped from a file; that isn't numpy's own."""
    return array.base is not None and array.ctypes.data % _ALIGNMENT == 0 and array.flags.c_contiguous


def aligned(array: np.ndarray) -> np.ndarray:
    """A copy that can't be written, and that devices of a CPU can all have where it is: kept in place of the array, it
    spares the copy that `resident` would keep beside it."""
    room = np.empty(array.nbytes + _ALIGNMENT, np.uint8)
    start = -room.ctypes.data % _ALIGNMENT
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    copy.setflags(write=False)
    return copy


def on_one(tree: Any) -> Any:
    """The arrays of `tree` on the first device alone: what is made of them there, or cut out, is made once, and doesn't
    set all devices going."""
    first = places.own()[0]

    def one(leaf):
        if not isinstance(leaf, jax.Array) or len(leaf.devices()) == 1:
            return leaf
        return leaf.addressable_data(0) if leaf.is_fully_replicated else jax.device_put(leaf, first)

    return jax.tree.map(one, tree)


def placed(tree: Any, how: Lanes) -> Any:
    """Arrays with the lanes leading, placed as `apply` leaves them: a program that takes its own results is compiled
    once, not again for arrays that lie elsewhere."""
    return hosts.everywhere(tree, _place(how, jax.tree.leaves(tree)[0].shape[0]))


def stack(trees: list[Any]) -> Any:
    """A list of equal pytrees of numbers as one pytree with the lanes leading, float32. Raises UsageError for unequal
    ones, and for none."""
    if len(kinds := {jax.tree.structure(tree) for tree in trees}) != 1:
        told = ", ".join(map(str, kinds)) or "none"
        raise UsageError(f"settings to stack are {told}; give one or more, of the same numbers each")
    return jax.tree.map(lambda *leaves: np.asarray(leaves, np.float32), *trees)


def _place(how, count):
    """Each lane on its device; all of them on every device where they don't divide among them, are shared, or are read
    by several processes."""
    apart = how.devices > 1 and how.axis is None and count % how.devices == 0 and not hosts.several()
    return NamedSharding(how.mesh, P(AXIS) if apart else P())


def _run(function, how, shared, arguments):
    def one(lane):
        return function(shared, *lane)

    if how.mode == "map":
        return lax.map(one, arguments)
    count = jax.tree.leaves(arguments)[0].shape[0]
    return jax.vmap(one)(arguments) if how.beside in (0, count) else lax.map(one, arguments, batch_size=how.beside)


def _unless_padding(function):
    function = jax.jit(function, inline=True)  # traced once for its shapes and for what is compiled

    def guarded(shared, real, *lane):
        shapes = jax.eval_shape(function, shared, *lane)
        empty = lambda *_: jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)  # noqa: E731
        return lax.cond(real, function, empty, shared, *lane)

    return guarded
