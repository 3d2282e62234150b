"""What training carries from chunk to chunk and writes down: the plan, the progress, the losses."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxae.errors import UsageError
from jaxae.study import State, Study

Losses = dict[str, Any]


class Progress(NamedTuple):
    """Everything that training carries, lanes leading; enough to go on from, bitwise.

    state       the latest State of each lane
    best        the State of the lowest validation loss (the latest where there is no validation)
    best_loss   that loss, f32[lanes]
    stale       validations since then, i32[lanes]
    active      whether the lane still trains, bool[lanes]; early stopping clears it
    done        steps done by the active lanes
    train       {name: f32[lanes, steps]}: every step's losses (NaN where not yet, or no longer, trained)
    validation  {name: f32[lanes, points]}: each validation's losses
    """

    state: State
    best: State
    best_loss: Any
    stale: Any
    active: Any
    done: Any
    train: Losses
    validation: Losses


CARRIED = ("state", "best", "best_loss", "stale", "active")  # from one compiled program to the next


@dataclass(frozen=True)
class Plan:
    """How long, how often and on what: the arguments of `progress` that are plain numbers.

    epochs           of training
    validate_every   steps between validations, counted within the epoch; None: once, at its end
    patience         validations without improvement after which a lane stops; None: never
    chunk            steps in one compiled call; None: about a tenth of an epoch. No result depends on it
    """

    epochs: int
    validate_every: int | None = None
    patience: int | None = None
    chunk: int | None = None

    def __post_init__(self):
        for name in ("epochs", "validate_every", "patience", "chunk"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}; it must be at least 1")

    @classmethod
    def split(cls, epochs: int, options: Mapping[str, Any]) -> tuple["Plan", dict[str, Any]]:
        """The Plan that `options` hold the fields of, and the other options."""
        fields = {name: options[name] for name in ("validate_every", "patience", "chunk") if name in options}
        return cls(epochs, **fields), {name: value for name, value in options.items() if name not in fields}

    def stops(self, per_epoch: int) -> tuple[int, ...]:
        """The steps of an epoch after which validation happens. Raises UsageError where there would be none."""
        if self.validate_every is None:
            return (per_epoch,)
        if self.validate_every > per_epoch:
            raise UsageError(f"validate_every is {self.validate_every} and an epoch has {per_epoch} steps; choose less")
        return tuple(range(self.validate_every, per_epoch + 1, self.validate_every))


class NonFiniteLossError(FloatingPointError):
    """A lane's loss became NaN or infinite at `step` (counted from 1) of `epoch` (counted from 1).

    `what` says it in words. Parameters that are not finite after a chunk of steps count as well: their next loss will
    not be either.
    """

    def __init__(self, study: str, lane: int, epoch: int, step: int, what: str):
        self.study, self.lane, self.epoch, self.step, self.what = study, lane, epoch, step, what
        super().__init__(f"{study}, lane {lane}: {what} step {step} of epoch {epoch}")


def record(study: Study, now: Progress, losses: Losses, count: int, per_epoch: int) -> None:
    """Write a chunk's losses into the history. Raises NonFiniteLossError at the first that is not finite."""
    first = int(now.done) - count
    for name, values in losses.items():
        now.train[name][:, first : first + count] = np.asarray(values)
    bad = ~np.isfinite(np.asarray(losses["loss"])) & np.asarray(now.active)[:, None]
    if bad.any():
        at = int(bad.any(axis=0).argmax())
        lane = int(bad[:, at].argmax())
        epoch, within = divmod(first + at, per_epoch)
        raise NonFiniteLossError(study.name, lane, epoch + 1, within + 1, f"the loss is {losses['loss'][lane, at]} at")
    finite = np.asarray(_finite(now.state.params))
    if not finite.all():
        epoch, within = divmod(int(now.done) - 1, per_epoch)
        what = "the parameters are not finite after"
        raise NonFiniteLossError(study.name, int(finite.argmin()), epoch + 1, within + 1, what)


@functools.partial(jax.jit, static_argnames=("patience",), donate_argnames=("best",))
def keep_best(state, best, best_loss, stale, active, loss, patience):
    """The better state of each active lane, and whether it goes on."""
    better = active & (loss < best_loss)

    def choose(new, old):
        return jnp.where(better.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    stale = jnp.where(better, 0, stale + active.astype(jnp.int32))
    going = active if patience is None else active & (stale < patience)
    return jax.tree.map(choose, state, best), jnp.where(better, loss, best_loss), stale, going


@jax.jit
def _finite(params):
    """bool[lanes]: whether every parameter of the lane is a number."""
    leaves = [jnp.isfinite(leaf).reshape(leaf.shape[0], -1).all(1) for leaf in jax.tree.leaves(params)]
    return jnp.stack(leaves).all(0)
