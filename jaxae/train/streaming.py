"""Images read from their file while training goes on, by Grain: for sets larger than a device's memory.

Nothing is shuffled here. Which images a step takes follows from its key and number, as for images on the device, and so
does where a resumed training goes on. Each process reads what its own devices are given of a batch, and no more.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer

import jaxae.train.evaluate as evaluate
import jaxae.train.lanes as lanes
import jaxae.train.loop as loop
from jaxae import commands
from jaxae.data.mapped import refuse_rewritten
from jaxae.errors import UsageError
from jaxae.programs import of_first
from jaxae.study import Batch, Study
from jaxae.train.absent import Rows, stored_images, taken, without_images
from jaxae.train.lanes import Lanes

PIECE = 2**26  # bytes of images, of all lanes, that are read and computed on at a time
AHEAD = 2  # pieces that are read before they are asked for, each by a thread of its own


def refuse_unstreamable(study: Study, key: jax.Array, training: Any, *others: Any, asked: str = "stream=True") -> None:
    """Raise UsageError where this study's batches can't be given images that are read for them: those of the training
    data, and those of the others, which are evaluated. `asked` is what asked for it."""
    if reason := unstreamable(study, key, training, *others):
        raise UsageError(
            f"{study.name!r} can't be trained on images that stay in their file: {reason}; leave out {asked}"
        )


def unstreamable(study: Study, key: jax.Array, training: Any, *others: Any) -> str:
    """Why they can't be given to this study's batches, in words; empty where they can."""
    evaluated = [(study.eval_batch or study.batch, data) for data in others if data is not None]
    reasons = (_unreadable(study, key, data, batch) for batch, data in [(study.batch, training), *evaluated])
    return next(filter(None, reasons), "")


def refuse_unreadable(study: Study, key: jax.Array, data: Any) -> None:
    """Raise UsageError where the stored images of `data` can't be read for this study's evaluation, if it has some."""
    if stored_images(data) and (reason := _unreadable(study, key, data, study.eval_batch or study.batch)):
        raise UsageError(
            f"{study.name!r} can't be evaluated on images that stay in their file: {reason}; leave out --stream, or "
            "stream=True, or give them as arrays of jax.numpy"
        )


def _unreadable(study: Study, key: jax.Array, data: Any, batch: Callable[..., Batch]) -> str:
    data = without_images(data)

    def rows(fill, data, index):
        return taken(lambda data: batch(key, data, index), data, fill)

    try:
        index = loop.any_index(study, data, study.batch_size)
        closed: Any = jax.make_jaxpr(rows)(jnp.uint8(0), data, index)
    except Exception as error:  # whatever comes of images that are no array
        return f"its batches take them otherwise than by `[index]` ({' '.join(str(error).split())[:80]})"
    program = closed.jaxpr
    if any(isinstance(value, Tracer) for value in closed.consts):  # of a row that was found in there
        return "its batches take them in a branch or a loop"
    if not program.outvars:
        return "its batches take no stored images, uint8[n, h, w, c], of numpy's"
    if any(out.aval.shape != index.shape[:1] for out in program.outvars):
        return "its batches take others than one for each example"
    seen = {id(program.invars[0])}
    for equation in program.eqns:
        if any(id(variable) in seen for variable in equation.invars):
            seen |= {id(variable) for variable in equation.outvars}
    return "which images its batches take depends on images" if any(id(out) in seen for out in program.outvars) else ""


def steps_at_once(study: Study, data: Any, count: int, steps: int) -> int:
    """So many steps of `count` lanes, or as many as make a piece; two at least."""
    return min(steps, max(PIECE // (count * study.batch_size * _bytes_of_one(data)), 2))


def chunks_at_once(data: Any, count: int, size: int) -> int:
    """The chunks of an evaluation, of so many examples in `count` lanes, that make a piece; two at least."""
    return max(PIECE // (count * size * _bytes_of_one(data)), 2)


def read_ahead(
    study: Study,
    keys: jax.Array,
    data: Any,
    batch: Callable[..., Batch],
    turns: tuple[Any, ...],
    spans: Sequence[slice],
    how: Lanes,
    along: int | None = None,
) -> Iterator[Rows]:
    """For each span of the turns, the rows of images that `batch(study, key, data, *turn)` takes in them, on the
    devices: uint8[lanes, turns, b, h, w, c], for each of the images and each time that it takes some.

    `turns` are arrays [lanes, turns, ...]. Of devices that share lanes each has its part along the axis `along` (None:
    everything).
    """
    rows = jax.device_get(_rows(study, keys, lanes.resident(data, how), turns, batch, how))
    images, grain = stored_images(data), load_grain()

    def read(span: slice) -> Rows:
        return [[_placed(image, part[:, span], how, along) for part in parts]
                for image, parts in zip(images, rows, strict=True)]  # fmt: skip

    def checked(span: slice) -> Rows:
        """Before, since what was cut can't be read; and after, since it may have been written in between."""
        refuse_rewritten_files(images)
        found = read(span)
        refuse_rewritten_files(images)
        return found

    ahead = grain.ReadOptions(num_threads=AHEAD, prefetch_buffer_size=AHEAD)
    return iter(grain.MapDataset.source(spans).map(checked).to_iter_dataset(ahead))


def of_epoch(
    study: Study, keys: jax.Array, data: Any, order: jax.Array, epoch: int, spans: Sequence[slice], how: Lanes
) -> Iterator[Rows]:
    """The rows of every span of the steps of an epoch, whose order is i32[lanes, steps, b, ...]."""
    steps = np.arange(order.shape[1], dtype=np.int32) + np.int32(epoch * order.shape[1])
    turns = np.broadcast_to(steps, order.shape[:2]), order
    return read_ahead(study, keys, data, loop.batch_of_step, turns, spans, how, along=2)


def of_sample(study: Study, keys: jax.Array, data: Any, index: np.ndarray, how: Lanes) -> Rows:
    """The rows of the examples `index`, i32[b], in every lane. Raises UsageError where they can't be read."""
    refuse_unreadable(study, keys[0], data)
    turns = (np.broadcast_to(index, (len(keys), 1, len(index))),)
    (rows,) = read_ahead(study, keys, data, evaluate.batch_of_sample, turns, [slice(0, 1)], how)
    return jax.tree.map(lambda leaf: leaf[:, 0], rows)


def refuse_rewritten_files(data: Any) -> None:
    """Raise UsageError where a file that stored images are mapped from was written. It costs a look at each."""
    for image in stored_images(data):
        refuse_rewritten(image)


def load_grain() -> Any:
    """The library. Raises UsageError where it isn't installed."""
    try:
        import grain
    except ImportError:
        raise UsageError(
            "images are read from their file by Grain, which isn't there; install it with: "
            f"{commands.installing(['grain'])}"
        ) from None
    return grain


@of_first(static_argnames=("batch", "how"))
def _rows(study, keys, data, turns, batch, how):
    def lane(data, key, turns):
        return lax.map(lambda turn: taken(lambda data: batch(study, key, data, *turn), data), turns)

    return lanes.apply(lane, how, data, keys, turns)


def _placed(image: np.ndarray, rows: np.ndarray, how: Lanes, along: int | None) -> jax.Array:
    def read(index: Any) -> np.ndarray:
        return np.asarray(image[rows[index[: rows.ndim]]])

    return jax.make_array_from_callback((*rows.shape, *image.shape[1:]), lanes.place_of(how, len(rows), along), read)


def _bytes_of_one(data: Any) -> int:
    """Of an example, about: an image of each of the sets."""
    return max(sum(image[0].nbytes for image in stored_images(data)), 1)
