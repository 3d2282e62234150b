"""What training carries from chunk to chunk: the plan, the progress."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxae.errors import UsageError
from jaxae.study import State

Losses = dict[str, Any]


class Progress(NamedTuple):
    """Everything that training carries, lanes leading; enough to go on from, bitwise."""

    state: State
    """the latest State of each lane"""
    best: State | None
    """the model of the lowest validation loss, a State without opt_state; None where there is no validation"""
    best_loss: Any
    """that loss, f32[lanes]"""
    stale: Any
    """validations since then, i32[lanes]"""
    active: Any
    """whether the lane still trains, bool[lanes]; early stopping clears it"""
    done: Any
    """steps done by the active lanes"""
    train: Losses
    """{name: f32[lanes, steps]}: every step's losses (NaN where not yet, or no longer, trained)"""
    validation: Losses
    """{name: f32[lanes, points]}: each validation's losses"""


def steps_taken(train: Mapping[str, np.ndarray]) -> np.ndarray:
    """i64[lanes]: the steps that the history {name: f32[lanes, steps]} has losses of; an early stop leaves the rest."""
    return np.isfinite(train["loss"]).sum(axis=1)


CARRIED = ("state", "best", "best_loss", "stale", "active")  # from one compiled program to the next
VALIDATING = ("validate_every", "patience", "stop_dead")  # what of a Plan takes validation data


@dataclass(frozen=True)
class Plan:
    """How long and how often: the arguments of `progress` that are plain numbers.

    - `epochs`: of training
    - `validate_every`: steps between validations, counted within the epoch; None: once, at its end
    - `patience`: validations without improvement after which a lane stops; None: never
    - `chunk`: steps in one compiled call; None: about a tenth of an epoch, on accelerators a whole one. No result
      depends on it
    - `stop_dead`: whether a lane stops at the end of an epoch after which its model is dead (see `dying.living`)

    Raises UsageError for a count that isn't a whole number from 1 up, and a `stop_dead` that isn't a bool.
    """

    epochs: int
    validate_every: int | None = None
    patience: int | None = None
    chunk: int | None = None
    stop_dead: bool = False

    def __post_init__(self):
        for name in ("epochs", "validate_every", "patience", "chunk"):
            value = getattr(self, name)
            if value is None and name != "epochs":
                continue
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise UsageError(f"{name} is {value!r}; give a whole number, at least 1")
        if not isinstance(self.stop_dead, bool):
            raise UsageError(f"stop_dead is {self.stop_dead!r}; give True or False")

    def stops(self, per_epoch: int) -> tuple[int, ...]:
        """The steps of an epoch after which validation happens. Raises UsageError where there would be none."""
        if self.validate_every is None:
            return (per_epoch,)
        if self.validate_every > per_epoch:
            raise UsageError(f"validate_every is {self.validate_every} and an epoch has {per_epoch} steps; choose less")
        return tuple(range(self.validate_every, per_epoch + 1, self.validate_every))

    def points(self, per_epoch: int) -> list[float]:
        """The validations of the whole training, in epochs from the start."""
        stops = [stop / per_epoch for stop in self.stops(per_epoch)]
        return [epoch + stop for epoch in range(self.epochs) for stop in stops]
