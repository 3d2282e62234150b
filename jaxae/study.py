"""The records of a study: what is trained, as plain functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxae import metrics
from jaxae.errors import UsageError
from jaxae.study_refusals import not_of_each, refuse_function, refuse_model, refuse_optimizer, told
from jaxae.transforms import Scale


class Batch(NamedTuple):
    """What a step sees: pytrees of arrays."""

    inputs: Any
    """what goes into the model"""
    target: Any
    """for the loss and the scores, such as the images to be drawn"""
    label: Any = None
    """for the loss and the scores too, such as classes"""


class State(NamedTuple):
    """What training changes. It holds no key: the randomness of a step follows from the root key and `step`."""

    step: jax.Array
    """how many were taken, i32[]"""
    params: Any
    """the model's parameters"""
    batch_stats: Any
    """its running statistics; {} where it has none"""
    opt_state: Any
    """the optimizer's state"""


CALLED = {  # with what the functions of a study are called
    "batch": ("key", "data", "index"), "loss": ("outputs", "batch", "hparams"), "scores": ("outputs", "batch"),
    "examples": ("data",), "eval_batch": ("key", "data", "index"), "index": ("key", "data"),
    "schedule": ("hparams", "step"),
}  # fmt: skip


def examples(data: Any) -> int:
    """The number of examples in `data`: the leading axis that all its arrays share.

    Raises UsageError for what has no axis, and where they differ; such a study says how many it has in
    `Study.examples`.

    >>> examples({"image": np.zeros((5, 28, 28, 1), np.uint8), "label": np.zeros(5, np.int32)})
    5
    """
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(data, is_leaf=lambda leaf: hasattr(leaf, "shape"))]
    if () in shapes:
        raise UsageError("the data hold a single value, not examples; give arrays that the examples lead")
    if not shapes:
        raise UsageError(f"the data, {told(data)}, hold no array; give arrays that the examples lead")
    sizes = {shape[0] for shape in shapes}
    if len(sizes) != 1:
        raise UsageError(f"the data's arrays have leading axes of sizes {sorted(sizes)}; give Study(examples=...)")
    return sizes.pop()


@dataclass(frozen=True)
class Study:
    """One arm of an experiment: a model, how its batches are made, what it minimises and how.

    - `name`: what it is called; studies that differ in nothing else compile once
    - `model`: a Flax module, called with a batch's inputs and `train`. It may draw, by `self.make_rng("sample")` or
      dropout, and keep running statistics in the collection "batch_stats", as batch norms do: any of its own, too
    - `batch`: (key, data, index i32[b]) -> Batch; `data` is any pytree of resident arrays
    - `index`: (key, data) -> i32[n, ...]: what a pass over the data consists of, one entry per example, for data whose
      examples are drawn anew each epoch, such as pairs of two sets; batches of it are the `index` that `batch` gets,
      which otherwise is the examples' numbers
    - `loss`: (outputs, batch, hparams) -> (f32[b], {name: f32[b]}): the objective, and parts of it to log
    - `scores`: (outputs, batch) -> {name: f32[b]}: one value per image, computed in evaluation mode
    - `eval_batch`: as `batch`, for evaluation, where it differs: without the training's augmentation, say
    - `optimizer`: an optax transformation, or a function of hparams that returns one (so that rates can differ by
      lane); its update receives `value`, the step's loss, for schedules such as reduce_on_plateau
    - `batch_size`: the examples of a step; what is left over at the end of an epoch differs from epoch to epoch
    - `epochs`: passes over the data, unless `fit` or a run is asked for others
    - `examples`: data -> how many examples a pass has; by default the leading axis that all arrays share
    - `schedule`: (hparams, step i32[]) -> hparams: those that the training loss is given at a step, counted from 0, for
      a weight that warms up, say. Validation, and the optimizer, which has optax's schedules, get them as they are
    - `unroll`: steps written out in one turn of the compiled loop: above 1 pays for small dense models on CPU
    - `parts`: in how many equal parts a batch is computed, 1, 2, 4 ..., so that devices can share it and get the same
      bits as one: see `jaxae.train.parts`. Only where no example of a batch bears on another's loss, the model draws
      nothing in training and the examples lead in all arrays of the batch
    - `scale`: what the images of `batch` are, for those who use the model afterwards (`ae.load`); training, which has
      `batch`, doesn't look at it. None: not said

    Raises UsageError for a field that isn't of its kind.
    """

    name: str = field(compare=False)
    model: nn.Module
    batch: Callable[[jax.Array, Any, jax.Array], Batch]
    loss: Callable[[Any, Batch, Any], tuple[jax.Array, dict[str, jax.Array]]]
    optimizer: optax.GradientTransformation | Callable[[Any], optax.GradientTransformation]
    batch_size: int
    epochs: int
    scores: Callable[[Any, Batch], dict[str, jax.Array]] = metrics.reconstruction
    eval_batch: Callable[[jax.Array, Any, jax.Array], Batch] | None = None
    examples: Callable[[Any], int] = examples
    index: Callable[[jax.Array, Any], jax.Array] | None = None
    schedule: Callable[[Any, jax.Array], Any] | None = None
    unroll: int = 1
    parts: int = 1
    scale: Scale | None = field(default=None, compare=False)

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name:
            raise UsageError(f"name is {told(self.name)}; give a text, by which results call the study")
        refuse_model(self.model)
        refuse_optimizer(self.optimizer)
        for name, given in CALLED.items():
            refuse_function(name, getattr(self, name), given)
        for name in ("batch_size", "epochs", "unroll", "parts"):
            whole = isinstance(value := getattr(self, name), int | np.integer) and not isinstance(value, bool)
            if not whole or value < (name in ("batch_size", "unroll")):  # other zeros are refused where they are used
                raise UsageError(f"{name} is {told(value)}; give a whole number from {int(name != 'epochs')} up")
        if self.scale is not None and not isinstance(self.scale, Scale):
            raise UsageError(f"scale is {told(self.scale)}; give ae.transforms.UNIT, SIGNED, MNIST, or a Scale")

    def steps_per_epoch(self, data: Any) -> int:
        """Complete batches in an epoch; the images left over differ from epoch to epoch.

        Raises UsageError when there are fewer examples than a batch holds.
        """
        count = self.examples(data)
        if not 1 <= self.batch_size <= count:
            smaller = f"choose a batch size from 1 to {count}, or " if count else ""
            raise UsageError(
                f"a batch of {self.batch_size} can't be drawn from {count} examples; {smaller}give more examples"
            )
        return count // self.batch_size

    def objective(self, outputs: Any, batch: Batch, hparams: Any) -> dict[str, jax.Array]:
        """The loss of every example, under the name "loss", and its parts: {name: f32[b]}.

        Raises UsageError, while tracing, for what isn't a loss with its parts, for a part of that name, which would
        take the loss's place, and for what isn't one value per example.
        """
        found = self.loss(outputs, batch, hparams)
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[1], Mapping)):
            raise UsageError(
                f"what the loss of {self.name!r} gives is {told(found)}; give the values and a dictionary of parts to "
                "log, as in `return values, {}`"
            )
        values, parts = found
        if "loss" in parts:
            raise UsageError(f"the loss of {self.name!r} has a part called 'loss', as the whole is; rename that part")
        losses = {"loss": values, **parts}
        for name, each in losses.items():
            if np.ndim(each) != 1:
                raise UsageError(not_of_each(f"the loss of {self.name!r}", name, each, "b"))
        return losses

    def one_pass(self, key: jax.Array, data: Any) -> jax.Array:
        """The index of every example of one pass over the data, i32[n, ...].

        Raises UsageError where the study's own `index` has another number of them than its `examples`.
        """
        count = self.examples(data)
        if self.index is None:
            return jnp.arange(count, dtype=jnp.int32)
        found = self.index(key, data)
        if np.shape(found)[:1] != (count,):
            raise UsageError(
                f"the index of {self.name!r} has shape {np.shape(found)} and the data have {count} examples; give "
                "Study(examples=...) the function that counts the index's, such as len for ae.data.pairs"
            )
        return found

    def transformation(self, hparams: Any) -> optax.GradientTransformationExtraArgs:
        """The optimizer for these hparams. Raises UsageError where a function of them gives none, or needs others."""
        made = self.optimizer
        if not isinstance(made, optax.GradientTransformation):
            made = self._of_hparams("optimizer", made, hparams)
        if not isinstance(made, optax.GradientTransformation):
            raise UsageError(f"the optimizer of {self.name!r} is {told(made)}, made of hparams; return optax's")
        return optax.with_extra_args_support(made)

    def scheduled(self, hparams: Any, step: jax.Array) -> Any:
        """The hparams of the training loss at a step, i32[].

        Raises UsageError where the schedule gives another pytree than it gets, or needs hparams that aren't given.
        """
        if self.schedule is None:
            return hparams
        found = self._of_hparams("schedule", self.schedule, hparams, step)
        gets, gives = map(jax.tree.structure, (hparams, found))
        if gives != gets:
            raise UsageError(f"the schedule of {self.name!r} gets {gets} and gives {gives}; let it give the same names")
        return found

    def _of_hparams(self, what: str, function: Any, hparams: Any, *more: Any) -> Any:
        """What a function of hparams gives for them. What it stumbles over is told only where there are none: else it
        is its own."""
        try:
            return function(hparams, *more)
        except (TypeError, AttributeError) as error:
            if hparams is not None:
                raise
            raise UsageError(
                f"the {what} of {self.name!r} is a function of hparams, and none are given ({str(error)[:80]}); "
                "give fit(..., hparams=...), with a row for each lane"
            ) from error


@dataclass(frozen=True)
class Arm:
    """A study and the settings that it is trained with, all in one program: {name: hparams, a pytree of numbers}.

    Each setting is an arm of the results, called "study setting". An epoch has `examples` times as many examples as
    there are images, as far as can be said without data: estimates of what a run takes go by it.

    Raises UsageError for no setting, and for settings that aren't of the same numbers.
    """

    study: Study
    settings: Mapping[str, Any] = field(default_factory=lambda: {"": None})
    examples: float = 1.0

    def __post_init__(self):
        if not isinstance(self.study, Study):
            raise UsageError(f"an arm's study is {told(self.study)}; give an ae.Study")
        kinds = {setting: jax.tree.structure(hparams) for setting, hparams in self.settings.items()}
        if len({*kinds.values()}) != 1:
            held = ", ".join(f"{setting!r}: {kind}" for setting, kind in kinds.items()) or "none"
            raise UsageError(f"settings of {self.study.name!r} are {held}; give one or more, of the same numbers each")

    @property
    def names(self) -> list[str]:
        """What the settings are called in results."""
        return [f"{self.study.name} {setting}".strip() for setting in self.settings]
