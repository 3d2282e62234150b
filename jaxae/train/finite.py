"""The check for losses and parameters that are not finite: NaN or infinity stops a training where it begins."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxae.train.leaves as leaves
from jaxae.errors import UsageError
from jaxae.programs import quickly
from jaxae.study import Study
from jaxae.train.plan import Losses, Progress

SMALL = 2**16  # numbers of a lane


class NonFiniteLossError(FloatingPointError):
    """A lane's loss became NaN or infinite at `step` (counted from 1) of `epoch` (counted from 1).

    `what` says it in words. Parameters that are not finite after a chunk of steps count as well: their next loss will
    not be either.
    """

    def __init__(self, study: str, lane: int, epoch: int, step: int, what: str):
        self.study, self.lane, self.epoch, self.step, self.what = study, lane, epoch, step, what
        mend = "try a smaller learning rate, or look at the range of the inputs"
        super().__init__(f"{study}, lane {lane}: {what} step {step} of epoch {epoch}; {mend}")


def refuse_non_finite(study: Study, now: Progress, losses: Losses, count: int, per_epoch: int) -> None:
    """Raise NonFiniteLossError at the first loss of the last `count` steps, f32[lanes, count], that is not finite, and
    for parameters that aren't after them."""
    first = int(now.done) - count
    bad = ~np.isfinite(np.asarray(losses["loss"])) & np.asarray(now.active)[:, None]
    if bad.any():
        at = int(bad.any(axis=0).argmax())
        lane = int(bad[:, at].argmax())
        epoch, within = divmod(first + at, per_epoch)
        raise NonFiniteLossError(study.name, lane, epoch + 1, within + 1, f"the loss is {losses['loss'][lane, at]} at")
    finite = np.asarray(_compiled()(now.state.params))
    if not finite.all():
        epoch, within = divmod(int(now.done) - 1, per_epoch)
        what = "the parameters are not finite after"
        raise NonFiniteLossError(study.name, int(finite.argmin()), epoch + 1, within + 1, what)


def refuse_non_finite_validation(study: Study, now: Progress, losses: Losses, per_epoch: int) -> None:
    """Raise NonFiniteLossError for an active lane whose validation loss, f32[lanes], is not finite."""
    bad = ~np.isfinite(np.asarray(losses["loss"])) & np.asarray(now.active)
    if bad.any():
        lane, (epoch, within) = int(bad.argmax()), divmod(int(now.done) - 1, per_epoch)
        what = f"the validation loss is {losses['loss'][lane]} after"
        raise NonFiniteLossError(study.name, lane, epoch + 1, within + 1, what)


def refuse_non_finite_data(data: Any, what: str) -> None:
    """Raise UsageError for NaN and infinity in the arrays of `data`, which `what` says in words."""
    for path, leaf in leaves.by_path(data).items():
        if not jnp.issubdtype(getattr(leaf, "dtype", np.asarray(leaf).dtype), jnp.floating):
            continue
        bad = np.argwhere(~np.isfinite(np.asarray(leaf)))
        if len(bad):
            where = f" ({path})" if path else ""
            first = f", first in example {bad[0][0]}" if bad.size else ""
            raise UsageError(f"{what}{where} hold NaN or infinity{first}; leave such examples out")


@functools.cache
def _compiled():
    return jax.jit(_finite, **quickly())


def _finite(params):
    """bool[lanes]: whether every parameter of the lane is a number: times 0 it is 0, and otherwise NaN. The fewer
    arrays are summed, the sooner this is compiled: small ones are joined."""
    rows = [leaf.reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(params)]
    small = [row for row in rows if row.shape[1] <= SMALL]
    joined = [jnp.concatenate(small, 1)] if small else []
    sums = [(row * 0).sum(1) for row in [*joined, *(row for row in rows if row.shape[1] > SMALL)]]
    return jnp.isfinite(jnp.stack(sums)).all(0)
