"""What `fit` refuses before anything is compiled: by types and shapes alone."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxae.train.evaluate as evaluate
import jaxae.train.loop as loop
from jaxae.errors import UsageError
from jaxae.study import Batch, State, Study
from jaxae.train.leaves import described
from jaxae.train.plan import VALIDATING, Plan, Progress


def refuse_lanes(keys: jax.Array, hparams: Any) -> None:
    """Raise UsageError unless there is a key, and a row of every hparam, for each lane."""
    typed = isinstance(keys, jax.Array) and jnp.issubdtype(keys.dtype, jax.dtypes.prng_key)
    if not typed or keys.ndim != 1 or not keys.size:
        kind = getattr(keys, "dtype", type(keys).__name__)
        raise UsageError(
            f"keys of type {kind} and shape {getattr(keys, 'shape', 'none')} aren't one typed key for each lane; stack "
            "those of jaxae.keys.root, as in jnp.stack([ae.keys.root(0)])"
        )
    for path, leaf in jax.tree_util.tree_leaves_with_path(hparams):
        if np.shape(leaf)[:1] != keys.shape:
            raise UsageError(
                f"hparams{jax.tree_util.keystr(path)} has shape {np.shape(leaf)} and there are {len(keys)} lanes; lead "
                "with the lanes, as jaxae.lanes.stack does"
            )


def refuse_data(study: Study, key: jax.Array, sets: Mapping[str, Any]) -> None:
    """Raise UsageError, by shapes alone, where no batch can be made of the data, such as images in place of a set, and
    where those for evaluation hold no example. `sets` are those of "training", "validation", "test"; None: there are
    none."""
    for role, data in sets.items():
        if role == "training":
            _refuse_others(data, role)
            _refuse_batch(study, key, role, data, study.batch)
        elif data is not None:
            _refuse_others(data, role)
            evaluate.refuse_empty(study, data)
            _refuse_batch(study, key, role, data, study.eval_batch or study.batch)


def _refuse_batch(study: Study, key: jax.Array, role: str, data: Any, batch: Callable[..., Any]) -> None:
    index = loop.any_index(study, data, study.batch_size)
    try:
        made = jax.eval_shape(batch, key, data, index)
    except UsageError:
        raise
    except Exception as error:  # of the study's own function, whatever it stumbles over
        said = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        raise UsageError(
            f"the batch of {study.name!r} can't be made of the {role} data, {type(data).__name__} ({said}); give the "
            "data that it takes, or mend it"
        ) from error
    if not isinstance(made, Batch):
        raise UsageError(
            f"the batch of {study.name!r} is of type {type(made).__name__}; return an ae.Batch, such as "
            "ae.Batch(inputs=image, target=image)"
        )


def _refuse_others(data: Any, role: str) -> None:
    """Raise UsageError for what JAX takes for no array, such as the name of a set."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(data):
        try:
            jax.eval_shape(lambda leaf: (), leaf)
        except TypeError:
            told = repr(leaf)[:40] if isinstance(leaf, str) else f"of type {type(leaf).__name__}"
            raise UsageError(
                f"the {role} data{jax.tree_util.keystr(path)} are {told}; give arrays, such as those that ae.data.load "
                "gives"
            ) from None


def refuse_plan(plan: Plan, validation: Any, start: Progress | None, count: int, per_epoch: int) -> None:
    """Raise UsageError unless there is validation data where the plan needs it, and `start` began with this plan."""
    asked = [f"{name}={value}" for name in VALIDATING if (value := getattr(plan, name))]
    if validation is None and asked:
        raise UsageError(f"{' and '.join(asked)} without validation data; give validation=, or leave that out")
    if start is None:
        return
    points = len(plan.points(per_epoch)) if validation is not None else 0
    have = [{np.shape(losses) for losses in split.values()} for split in (start.train, start.validation)]
    need = [{(count, plan.epochs * per_epoch)}, {(count, points)} if points else set()]
    for name, old, new in zip(("training", "validation"), have, need, strict=True):
        if old != new:
            raise UsageError(
                f"start has {name} losses of shapes {sorted(old)} and this training has {sorted(new)} (lanes, steps); "
                "go on with the keys, epochs and validations that it began with"
            )


def refuse_other_state(state: State, lane: State, count: int) -> None:
    """Raise UsageError unless a `state` to go on from is `count` of these, the shapes of one lane's."""
    found = described(state)
    wanted = {path: ((count, *shape), kind) for path, (shape, kind) in described(lane).items()}
    if wrong := sorted({path for path, _ in found.items() ^ wanted.items()}):
        have, need = (of.get(wrong[0], "nothing") for of in (found, wanted))
        raise UsageError(
            f"start has {have} as {wrong[0]} and this study has {need}; go on with the model, optimizer and keys that "
            "it began with"
        )
