"""A trained arm, a lane for every seed, and the numbers that its training gives."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxae import evaluate, lanes, metrics, train
from jaxae.study import Batch, State, Study

SLOW_START = 1000  # steps


@dataclasses.dataclass(frozen=True)
class Trained:
    """An arm after training: a lane for every seed.

    state    the states that were scored (the last, or the best by validation), lanes leading
    train    {name: f32[seeds, steps]}; `epochs` {name: f64[seeds, epochs]}, the means over each epoch's steps
    validation {name: f32[seeds, points]}; `scores` {name: f32[seeds, images]}
    alive    bool[seeds]: whether the model shows different pictures for different inputs (true where there is no test)
    how      the lanes, as they were trained
    """

    name: str
    study: Study
    keys: jax.Array
    state: State
    train: Mapping[str, np.ndarray]
    epochs: Mapping[str, np.ndarray]
    validation: Mapping[str, np.ndarray]
    scores: Mapping[str, np.ndarray]
    alive: np.ndarray
    how: lanes.Lanes

    @property
    def living(self) -> np.ndarray:
        """The lanes for means and curves, bool[seeds]: those whose models live; all where none does."""
        return self.alive if self.alive.any() else ~self.alive

    @property
    def shown(self) -> int:
        """The lane for pictures: the first whose model lives; the first of all where none does."""
        return int(np.argmax(self.alive))

    def sample(self, data: Any, index: Any, *, lane: int = 0) -> tuple[Any, Batch]:
        """Outputs and batch for the examples `index` of `data`, by the model of one seed."""
        state = jax.tree.map(lambda leaf: leaf[lane], self.state)
        return _sample(self.study, self.keys[lane], state, data, np.asarray(index, np.int32))

    def evaluate(self, data: Any, study: Study | None = None) -> dict[str, np.ndarray]:
        """Scores {name: f32[seeds, n]} of every example of `data`, in this study or one of other inputs or scores."""
        return jax.device_get(
            scores(study or self.study, self.keys, self.state, lanes.resident(data, self.how), self.how)
        )

    def variables(self, lane: int = 0) -> dict[str, Any]:
        """The variables of one seed's model, as `study.model.apply` takes them."""
        params, batch_stats = jax.tree.map(lambda leaf: leaf[lane], (self.state.params, self.state.batch_stats))
        return {"params": params, "batch_stats": batch_stats}


@functools.partial(jax.jit, static_argnames=("study", "how"))
def scores(study: Study, keys: jax.Array, state: State, data: Any, how: lanes.Lanes) -> dict[str, jax.Array]:
    """The study's scores {name: f32[lanes, n]} of every example of `data`, resident on the devices of `how`."""
    return lanes.apply(lambda data, key, state: evaluate.scores(study, key, state, data), how, data, keys, state)


@functools.partial(jax.jit, static_argnames=("study",))
def _sample(study, key, state, data, index):
    return evaluate.sample(study, key, state, data, index)


def alive(arm: Trained, test) -> np.ndarray:
    """bool[seeds]: false where the model shows the same picture whatever it is given.

    In the first thousand steps that can be a slow start, and nobody is called dead.
    """
    if arm.train["loss"].shape[1] < SLOW_START:
        return np.ones(len(arm.keys), bool)
    index = np.arange(min(200, arm.study.examples(test)))
    samples = [arm.sample(test, index, lane=lane) for lane in range(len(arm.keys))]
    # a classifier's outputs are its logits; they are constant as a picture is
    shown = [(getattr(outputs, "image", outputs), batch.target) for outputs, batch in samples]
    return np.array([not metrics.is_constant(image, target) for image, target in shown])


def parameters(state: State) -> int:
    """Parameters of one lane."""
    return sum(leaf[0].size for leaf in jax.tree.leaves(state.params))


def epoch_means(losses: np.ndarray, per_epoch: int) -> np.ndarray:
    """f32[seeds, steps] -> f64[seeds, epochs]: the mean over each epoch's steps, as they were trained."""
    return np.asarray(losses, np.float64).reshape(len(losses), -1, per_epoch).mean(2)


def summaries(values: np.ndarray) -> dict[str, np.ndarray]:
    """One number per seed from f[seeds, points]; points after an early stop are NaN and left out."""
    values = np.asarray(values, np.float64)
    last = np.maximum((~np.isnan(values)).sum(1) - 1, 0)
    return {
        "first": values[:, 0],
        "last": np.take_along_axis(values, last[:, None], 1)[:, 0],
        "best": np.nanmin(values, 1),
        "mean over epochs": np.nanmean(values, 1),
        "sum over epochs": np.nansum(values, 1),
    }


def rise(losses: np.ndarray) -> float:
    """By how many percent the mean over a curve's last tenth lies above that over its lowest tenth, float[epochs]."""
    width = max(1, len(losses) // 10)
    means = np.convolve(losses, np.ones(width) / width, "valid")
    return float(100 * (means[-1] / means.min() - 1))


def _stopped(arm: Trained, seeds: Sequence[int], per_epoch: int) -> dict[str, float]:
    """The epoch at which early stopping ended a seed's training, {seed: epoch}."""
    steps = (~np.isnan(arm.train["loss"])).sum(1)
    whole = arm.train["loss"].shape[1]
    return {str(seed): count / per_epoch for seed, count in zip(seeds, steps, strict=True) if count < whole}


def _json_arrays(tree: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """{name: [[number or null]]}: JSON has no NaN."""
    return {
        name: [[float(value) if np.isfinite(value) else None for value in row] for row in values]
        for name, values in tree.items()
    }


def history(arm: Trained, seeds: Sequence[int], data: Any, validate_every: int | None) -> Any:
    """The arm's entry in history.json: losses by epoch, where validation happened, and which seeds stopped early."""
    per_epoch = arm.study.steps_per_epoch(data)
    stops = [stop / per_epoch for stop in train.Plan(1, validate_every).stops(per_epoch)]
    points = next(iter(arm.validation.values())).shape[1] if arm.validation else 0
    return {
        "seeds": seeds,
        "train": _json_arrays(arm.epochs),
        "validation": _json_arrays(arm.validation),
        "validation_epochs": [epoch + stop for epoch in range(points // len(stops)) for stop in stops],
        "stopped": _stopped(arm, seeds, per_epoch),
    }
