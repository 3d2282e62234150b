"""How many lanes have room side by side on an accelerator: by shapes alone, without compiling anything to find out.

A lane counts with MARGIN times the results of every operation in HELD of a step, or of a chunk of an evaluation, as if
all were kept to its end; of what is computed element by element most is fused into these. Of the studies' steps that is
1.1 to 4.8 times what XLA says that they take on a CPU, and more for small dense models. On no accelerator was it
measured.
"""

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr

import jaxae.devices as devices
import jaxae.train.evaluate as evaluate
import jaxae.train.hosts as hosts
import jaxae.train.loop as loop
from jaxae.study import Study
from jaxae.train.absent import blank, stored_images, without_images
from jaxae.train.lanes import Lanes

ROOM = 0.8  # of a device's memory, for images and lanes; the rest is the compiler's, and lost between blocks
HELD = ("conv_general_dilated", "dot_general", "select_and_scatter_add", "reduce_window_max", "gather", "sort")
MARGIN = 2  # for what isn't fused
STATES = 3  # of every lane at once: before a chunk, after it, and the best


def capacity() -> int | None:
    """The bytes that a device of this process may use; None where it doesn't tell, as a CPU."""
    return (devices.own()[0].memory_stats() or {}).get("bytes_limit")


def images_of(*sets: Any) -> int:
    """The bytes of the stored images of all these data; those of one array count once."""
    return sum({id(image): image.nbytes for image in stored_images(sets)}.values())


def limited(how: Lanes, study: Study, key: jax.Array, count: int, sets: Mapping[str, Any], hparams: Any) -> Lanes:
    """`how`, for so many lanes, in turns of as many as each device has room for, where it tells its memory.

    Arguments as in `beside`; all processes have to ask.
    """
    there, each = capacity(), -(-count // how.devices)
    if how.mode == "map" or there is None:
        return how
    images = 0 if how.stream else images_of(*sets.values())
    fitting = hosts.least(beside(study, key, each, sets, hparams, memory=there, images=images))
    return replace(how, beside=fitting if fitting < each else 0)


def beside(
    study: Study, key: jax.Array, count: int, sets: Mapping[str, Any], hparams: Any, *, memory: int, images: int
) -> int:
    """How many of so many lanes fit side by side into `memory` bytes, one at least; they come in turns of like length.

    `sets` are the data of "training", "validation" and "test", None where there are none; `images` the bytes that lie
    on the device of them; `hparams` those of any lane. Nothing depends on what else the device holds, so that a resumed
    run divides its lanes as the first did.
    """
    state, working = _needs(study, key, sets, hparams)
    room = ROOM * memory - images - STATES * state * count
    fitting = max(1, min(count, int(room // max(working, 1))))
    return -(-count // -(-count // fitting))


def _needs(study: Study, key: jax.Array, sets: Mapping[str, Any], hparams: Any) -> tuple[int, int]:
    """The bytes of a lane's state, and of what it works with."""
    there = {role: without_images(data) for role, data in sets.items() if data is not None}
    training = there.pop("training")
    state = jax.eval_shape(functools.partial(loop.init, study), key, blank(training), hparams)
    index = loop.any_index(study, training, study.batch_size)

    def step(key, state, data, index):
        return loop.step(study, key, state, blank(data), index, hparams)

    def chunk(key, state, data):
        batch = evaluate.batch_of_chunk(study, key, blank(data), jnp.int32(0))
        outputs = evaluate.outputs(study, key, state, batch)
        return study.objective(outputs, batch, hparams), study.scores(outputs, batch)

    programs = [jax.make_jaxpr(step)(key, state, training, index)]
    programs += [jax.make_jaxpr(chunk)(key, state, data) for data in there.values()]
    return _bytes(jax.tree.leaves(state)), MARGIN * max(_computed(program.jaxpr) for program in programs)


def _computed(program: Jaxpr) -> int:
    """The bytes of what its operations in HELD give, in its loops too, of a turn, and in the largest of its branches,
    which are often an operation's forms for several platforms."""
    found = 0
    for operation in program.eqns:
        inner = [_computed(part) for value in operation.params.values() for part in _programs(value)]
        found += max(inner, default=0) if operation.primitive.name == "cond" else sum(inner)
        if operation.primitive.name in HELD:
            found += _bytes(variable.aval for variable in operation.outvars)
    return found


def _programs(value: Any) -> list[Jaxpr]:
    """The programs that a parameter of an operation holds: one, several, or none."""
    found = value if isinstance(value, tuple | list) else (value,)
    closed = [part.jaxpr if isinstance(part, ClosedJaxpr) else part for part in found]
    return [part for part in closed if isinstance(part, Jaxpr)]


def _bytes(shapes: Iterable[Any]) -> int:
    return sum(math.prod(shape.shape) * getattr(shape.dtype, "itemsize", 8) for shape in shapes)
