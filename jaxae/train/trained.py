"""A trained arm, a lane for every seed, and what its models make of data."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

import jaxae.train.dying as dying
import jaxae.train.evaluate as evaluate
import jaxae.train.evaluation as evaluation
import jaxae.train.lanes as lanes
import jaxae.train.streaming as streaming
from jaxae.errors import UsageError
from jaxae.programs import of_first
from jaxae.study import Batch, State, Study
from jaxae.train.curves import as_json, epoch_means, parameters
from jaxae.train.early_stopping import model_of
from jaxae.train.plan import Plan, Progress, steps_taken


@dataclasses.dataclass(frozen=True, repr=False)
class Trained:
    """An arm after training, lanes leading in every array.

    - `state`: the models: the last ones, or those of the lowest validation loss where a run asked for the best; all on
      the first device, whatever the lanes were spread over
    - `best`: the models of the lowest validation loss, without optimizer state; None where there was no validation
    - `train`: {name: f32[lanes, steps]}, every step's losses, NaN after an early stop
    - `epochs`: {name: f64[lanes, epochs]}, the means over each epoch's steps
    - `validation`: {name: f32[lanes, points]}, at `validation_epochs` f64[points], counted from the start
    - `scores`: {name: f32[lanes, images]} of the test images, where a run scored them
    - `alive`: bool[lanes]: whether the model shows different pictures for different inputs, as far as is known
    - `slow`: bool[lanes]: whether it shows one picture, after a training too short to call it dead
    - `how`: the lanes, as they were trained
    """

    name: str
    study: Study
    keys: jax.Array
    state: State
    best: State | None
    train: Mapping[str, np.ndarray]
    epochs: Mapping[str, np.ndarray]
    validation: Mapping[str, np.ndarray]
    validation_epochs: np.ndarray
    scores: Mapping[str, np.ndarray]
    alive: np.ndarray
    slow: np.ndarray
    how: lanes.Lanes

    def __repr__(self) -> str:
        count, epochs = len(self.keys), self.epochs["loss"].shape[1]
        trained = f"{count} lane{'s' * (count != 1)}, {epochs} epoch{'s' * (epochs != 1)}"
        model = f"{type(self.study.model).__name__}, {parameters(self.state):,} parameters"
        return f"Trained({self.name!r}: {model}, {trained})"

    @property
    def living(self) -> np.ndarray:
        """The lanes for means and curves, bool[lanes]: those whose models live; all where none does."""
        return self.alive if self.alive.any() else ~self.alive

    @property
    def shown(self) -> int:
        """The lane for pictures: the first whose model lives and isn't slow; else the first that lives, or of all."""
        quick = self.alive & ~self.slow
        return int(np.argmax(quick if quick.any() else self.alive))

    def sample(self, data: Any, index: Any, *, lane: int = 0, study: Study | None = None) -> tuple[Any, Batch]:
        """Outputs and batch for the examples `index` of `data`, by the model of one lane, in this study or another.

        Raises UsageError for a lane or an example that there isn't, and, as `evaluate` does, where stored images are
        read from their file and can't be for this study.
        """
        study, index = study or self.study, np.asarray(index, np.int32)
        _refuse_beyond("lane", lane, len(self.keys))
        _refuse_beyond("example", index, study.examples(data))
        keys = self.keys[lane : lane + 1]
        state, images = jax.tree.map(lambda leaf: leaf[lane], self.state), None
        if self.how.stream:
            images = jax.tree.map(lambda leaf: leaf[0], streaming.of_sample(study, keys, data, index, lanes.STREAMED))
        data = lanes.on_one(lanes.resident(data, self.how))
        return _sample(study, keys[0], state, data, index, images)

    def evaluate(self, data: Any, study: Study | None = None) -> dict[str, np.ndarray]:
        """Scores {name: f32[lanes, n]} of every example of `data`, in this study or one of other inputs or scores."""
        study = study or self.study
        how = evaluation.lanes_for(study, data, self.how)
        return evaluation.scores_of(study, self.keys, lanes.placed(model_of(self.state), how), data, how)

    def variables(self, lane: int = 0) -> dict[str, Any]:
        """The variables of one lane's model, as `study.model.apply` takes them. Raises UsageError for no such lane."""
        _refuse_beyond("lane", lane, len(self.keys))
        params, batch_stats = jax.tree.map(lambda leaf: leaf[lane], (self.state.params, self.state.batch_stats))
        return {"params": params, "batch_stats": batch_stats}

    def cut(self, name: str, part: slice) -> "Trained":
        """The arm of some lanes, under a name of its own."""
        cut = functools.partial(jax.tree.map, lambda leaf: leaf[part])
        return dataclasses.replace(
            self, name=name, keys=self.keys[part], state=cut(self.state), best=cut(self.best), train=cut(self.train),
            epochs=cut(self.epochs), validation=cut(self.validation), scores=cut(self.scores), alive=self.alive[part],
            slow=self.slow[part],
        )  # fmt: skip


def _refuse_beyond(what: str, index: Any, count: int) -> None:
    """Raise UsageError for an index beyond so many, which JAX would take for the last."""
    if (wrong := np.extract((np.asarray(index) < 0) | (np.asarray(index) >= count), index)).size:
        raise UsageError(f"there is no {what} {wrong[0]} among {count}; choose from 0 to {count - 1}")


def of_progress(
    name: str, study: Study, keys: jax.Array, now: Progress, how: lanes.Lanes, plan: Plan, per_epoch: int
) -> Trained:
    """The trained arm that a finished training is, fresh or from its checkpoint."""
    points = plan.points(per_epoch) if now.validation else []
    return Trained(
        name, study, keys, lanes.on_one(now.state), lanes.on_one(now.best), now.train,
        {name: epoch_means(losses, per_epoch) for name, losses in now.train.items()},
        now.validation, np.asarray(points), {}, np.ones(len(keys), bool), np.zeros(len(keys), bool), how,
    )  # fmt: skip


def told_apart(arm: Trained, test: Any, dead: Callable[[Any, Batch], Any] = dying.seen_one_picture) -> Trained:
    """The arm, with which of its models live and which are slow, as `dead` says of examples of `test`."""
    still = dying.constant(arm.study, arm.keys, arm.state, test, arm.how, dead)
    short = steps_taken(arm.train) < dying.SLOW_START
    return dataclasses.replace(arm, alive=~still | short, slow=still & short)


def history(arm: Trained) -> dict[str, Any]:
    """The arm's entry in history.json: losses by epoch, and where validation happened."""
    return {
        "train": as_json(arm.epochs),
        "validation": as_json(arm.validation),
        "validation_epochs": arm.validation_epochs.tolist(),
    }


@of_first()
def _sample(study, key, state, data, index, images):
    return evaluate.sample(study, key, state, data, index, images)
