"""How an epoch's steps are cut into compiled calls. No result depends on it."""

from collections.abc import Sequence

from jaxae.devices import platform

MOST = 5_000  # steps of a call on an accelerator: a run that is stopped saves after the one it is in


def chunk_length(per_epoch: int) -> int:
    """About a tenth of an epoch, and a divisor of it where one is near: another length is another compilation.

    On accelerators, whose steps are so short that what Python does between two calls would show, a whole epoch, or as
    much of it as MOST allows.
    """
    accelerated = platform() != "cpu"
    if per_epoch <= (MOST if accelerated else 50):
        return per_epoch
    target = MOST if accelerated else max(per_epoch // 10, 20)
    near = [length for length in range(target, target // 2, -1) if per_epoch % length == 0]
    return near[0] if near else target


def spans(at: int, per_epoch: int, stops: Sequence[int], chunk: int, unroll: int) -> list[slice]:
    """The steps from `at` to the end of the epoch, cut at `stops` and, between them, after `chunk` steps or so.

    >>> spans = ae.train.chunks.spans
    >>> [(span.start, span.stop) for span in spans(1, 8, (4,), 2, 1)]
    [(1, 3), (3, 4), (4, 6), (6, 8)]
    """
    chunk, found = -(-chunk // unroll) * unroll, []  # XLA fuses unrolled steps: each must keep its place among them
    while at < per_epoch:
        until = min([stop for stop in stops if stop > at] or [per_epoch])
        count = _whole_rounds(min(chunk, until - at), unroll)
        found.append(slice(at, at + count))
        at += count
    return found


def _whole_rounds(count: int, unroll: int) -> int:
    """`count` without what is left over after whole rounds of unrolled steps, which is a chunk of its own."""
    return count - count % unroll if count > unroll else count
