"""Trained models on disk, each in a folder of its own:

- `card.json`: what it is: the model by name and fields, its scale, where it comes from, SHA-256 of card and files
- `model.safetensors`: its variables, float32, under names such as params/encoder/Dense_0/kernel
- `*.stablehlo`: its functions as programs, where it was exported: see `export`

A file chooses no code: a card's model is looked up among jaxae's own, others are given by whoever loads.
"""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import flax.linen as nn
import jax
import numpy as np
from flax import traverse_util

from jaxae import commands
from jaxae.errors import UsageError
from jaxae.files import ANY, digest_of, draft_of, load_json, path_of, refuse_changed, refuse_misfit, sealed, write_json
from jaxae.fitted import Fitted
from jaxae.models import cards
from jaxae.models.weights.files import load_tensors, save_safetensors
from jaxae.run.manifest import load_manifest
from jaxae.train import checkpoint
from jaxae.train.trained import Trained
from jaxae.transforms import Scale

FORMAT = 1
CARD, TENSORS = "card.json", "model.safetensors"
CARD_SHAPE = {"name": str, "files": {ANY: str}, "sha256": str}
OWN = ("format", "jaxae", "name", "model", "scale", "files", "sha256")  # what a card has of itself
MEND = "copy the folder again"
SCALES = "ae.transforms.UNIT, SIGNED, MNIST, or a Scale of a mean and a deviation above 0"
Which = Literal["state", "best"]


def save(
    trained: Trained | Fitted,
    path: Path | str,
    *,
    lane: int = 0,
    which: Which = "state",
    scale: Scale | None = None,
) -> Path:
    """Write one trained model into the new folder `path`, for `load`; the path.

    `lane` is the seed's place in `trained`, what `fit` or a run gives; `which` its last "state", or the "best" by
    validation. `scale` is what its images are, where the study doesn't say: `ae.transforms.UNIT`, SIGNED, or another.
    A model that `load` gave has none of the three. Raises UsageError for a lane or state that isn't there, without a
    scale or with what is none, and where `path` exists.
    """
    if not isinstance(trained, Trained | Fitted):
        raise UsageError(f"{type(trained).__name__} is no trained model; give what ae.train.fit or ae.load gives")
    if isinstance(trained, Fitted) and (lane, which, scale) != (0, "state", None):
        raise UsageError(f"{trained.name!r} is one model with its own scale; leave out lane, which and scale")
    fitted = trained if isinstance(trained, Fitted) else fitted_of(trained, lane=lane, which=which, scale=scale)
    return write_model(path_of(path), fitted)


def fitted_of(trained: Trained, *, lane: int = 0, which: Which = "state", scale: Scale | None = None) -> Fitted:
    """The model of one lane, ready to use; arguments and errors as for `save`."""
    state, scale = {"state": trained.state, "best": trained.best}.get(which), scale or trained.study.scale
    if state is None:
        raise UsageError(f"{trained.name!r} has no {which!r} state; take 'state', or train with validation= for 'best'")
    if not 0 <= lane < len(trained.keys):
        raise UsageError(f"{trained.name!r} has {len(trained.keys)} lanes, so no lane {lane}; count from 0")
    variables = jax.tree.map(np.asarray, dataclasses.replace(trained, state=state).variables(lane))
    return Fitted(trained.name, trained.study.model, variables, _known_scale(scale, trained.name))


def load(
    path: Path | str,
    arm: str = "",
    *,
    lane: int = 0,
    which: Which | None = None,
    step: int | None = None,
    model: nn.Module | None = None,
    scale: Scale | None = None,
) -> Fitted:
    """A trained model, ready to encode, decode, reconstruct, interpolate and, where it is variational, sample.

    `path` is a folder that `save` or `export` wrote, or a run's; then `arm` is a name in its results, `lane` the place
    of the seed, and `which` the last "state" or the "best" one, by default the one that was scored; `step` names a
    saved step in place of the last one. `model` is needed for one that isn't jaxae's own, `scale` where its study
    didn't say what its images are.
    Raises UsageError for what isn't there, is damaged, or was written of another model.
    """
    path = path_of(path)
    if model is not None and not isinstance(model, nn.Module):
        raise UsageError(f"model is of type {type(model).__name__}; give a Flax module, as it was trained")
    if (path / CARD).exists():
        if arm or which or lane or step is not None:
            raise UsageError(f"{path} holds one model alone; leave out arm, lane, which and step")
        card = load_card(path)
        variables = _nested(load_tensors(checked_file(path, card, TENSORS)), path / TENSORS)
        return _fitted(str(path), card["name"], card, variables, model, scale)
    made = load_manifest(path, "name the folder of a run, or one that ae.save wrote")
    name, entry = arm_of(made, path, arm)
    variables = checkpoint.variables(path, name, lane=lane, which=which, step=step)
    return _fitted(f"{name!r} in {path}", name, entry, variables, model, scale)


def write_model(folder: Path, fitted: Fitted, files: Mapping[str, bytes] | None = None, **facts: Any) -> Path:
    """Write a model's folder whole or not at all, with these files beside it, and facts for its card."""
    if folder.exists():
        raise UsageError(f"{folder} exists and is not overwritten; choose another folder")
    tensors, scale = _flat(fitted.variables), _known_scale(fitted.scale, repr(fitted.name))
    try:
        with draft_of(folder) as draft:
            draft.mkdir(parents=True)
            save_safetensors(draft / TENSORS, tensors)
            for name, content in (files or {}).items():
                (draft / name).write_bytes(content)
            digests = {path.name: digest_of(path) for path in sorted(draft.iterdir())}
            about = {"format": FORMAT, "jaxae": metadata.version("jaxae"), "name": fitted.name}
            model = {"model": cards.described(fitted.model), "scale": list(scale)}
            write_json(draft / CARD, sealed({**about, **model, "files": digests, **facts}))
            draft.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder} can't be written ({error.strerror}); choose another folder") from None
    return folder


def load_card(folder: Path) -> dict[str, Any]:
    """The card of a model's folder. Raises UsageError for one that isn't as it was written, or of another format."""
    card = load_json(folder / CARD, dict, MEND)
    if card.get("format") != FORMAT:
        raise UsageError(f"{folder / CARD} is no card of format {FORMAT}; use the jaxae that wrote it")
    refuse_misfit(card, CARD_SHAPE, folder / CARD, MEND)
    refuse_changed(card, folder / CARD, MEND)
    return card


def checked_file(folder: Path, card: Mapping[str, Any], name: str) -> Path:
    """A file of a model's folder. Raises UsageError unless it is, by its SHA-256, the one that was written with it."""
    path = folder / name
    try:
        found = digest_of(path)
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror}); {MEND}") from None
    if found != card["files"].get(name):
        raise UsageError(f"{path} is damaged, or not the file that was written with its card, by its SHA-256; {MEND}")
    return path


def trained_arms(made: Mapping[str, Any]) -> list[str]:
    """The trained arms of a run with this manifest."""
    return [name for name, entry in made["arms"].items() if "trained_as" in entry]


def arm_of(made: Mapping[str, Any], path: Path, arm: str) -> tuple[str, Mapping[str, Any]]:
    """The name and the entry of a run's arm, "" for the only one. Raises UsageError where that is none, or several."""
    names = trained_arms(made)
    if arm not in names and (arm or len(names) != 1):
        wanted = f"no trained arm {arm!r}" if arm else "several arms" if names else "no trained arm yet"
        choice = f"choose from {', '.join(map(repr, names))}" if names else "choose another run"
        onward = "" if made["status"] == "complete" else f", or {commands.onward(made['command'], path)}"
        raise UsageError(f"{path} holds {wanted}; {choice}{onward}")
    name = arm or names[0]
    return name, made["arms"][name]


def _fitted(where: str, name: Any, card: Mapping[str, Any], variables: Any, model: Any, scale: Any) -> Fitted:
    """Raises UsageError unless model and variables belong together and the scale is known."""
    if model is None and card.get("model") is None:
        raise UsageError(f"{where} is of a model that isn't jaxae's own, or of an older jaxae; give model= as it was")
    mend = MEND if model is None else "give the model that was trained"
    model = cards.rebuilt(card["model"]) if model is None else model
    _refuse_misfit(where, model, variables, mend)
    return Fitted(str(name), model, variables, _known_scale(scale or _scale(card.get("scale"), where), where))


def _refuse_misfit(where: str, model: nn.Module, variables: Any, mend: str) -> None:
    """Raise UsageError where the model has other variables.

    Of one that isn't jaxae's the names alone are compared, since what its `image_shape` means is its own affair; one
    that has none, or takes more than images, is looked at when it is used.
    """
    try:
        wanted = {name: leaf.shape for name, leaf in named(cards.shapes_of(model)).items()}
    except Exception as error:  # of a module, whatever it stumbles over
        if cards.described(model) is None:
            return
        raise UsageError(f"{where} has fields that make no model ({str(error)[:120]}); {mend}") from None
    found = {name: np.shape(leaf) for name, leaf in named(variables).items()}
    for name in sorted(wanted.keys() | found.keys()):
        known = cards.described(model) is not None or name not in wanted or name not in found
        if known and wanted.get(name) != found.get(name):
            raise UsageError(
                f"{where} has {found.get(name, 'nothing')} at {name} and {type(model).__name__} needs "
                f"{wanted.get(name, 'nothing')}; give the model that was trained"
            )


def _scale(value: Any, where: str) -> Scale | None:
    """The scale of a card."""
    if value is None:
        return None
    if (scale := _as_scale(value)) is None:
        raise UsageError(f"{where} has the scale {str(value)[:40]}, which is none; {MEND}")
    return scale


def _known_scale(scale: Any, where: str) -> Scale:
    """The scale that someone gave, or a study. Raises UsageError without one, and for what is none."""
    if scale is None:
        raise UsageError(
            f"{where} doesn't say what its model's images are; give scale=, such as ae.transforms.UNIT for [0, 1]"
        )
    if (known := _as_scale(scale)) is None:
        told = " ".join(repr(scale).split())[:40]
        raise UsageError(f"the scale of {where} is {told}, which is none; give {SCALES}")
    return known


def _as_scale(value: Any) -> Scale | None:
    """A mean and a deviation above 0, both finite, as a Scale; None for anything else."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    if any(isinstance(part, bool) or not isinstance(part, numbers.Real) for part in value):
        return None
    return Scale(*map(float, value)) if all(map(math.isfinite, value)) and value[1] > 0 else None


def named(variables: Any) -> dict[str, Any]:
    """A model's variables as a file names them, {"params/encoder/Dense_0/kernel": leaf}."""
    flat: dict[str, Any] = dict(traverse_util.flatten_dict(dict(variables), sep="/"))
    return flat


def _flat(variables: Any) -> dict[str, np.ndarray]:
    """Named tensors. Raises UsageError for others than float32, which alone are written."""
    tensors = {name: np.asarray(leaf) for name, leaf in named(variables).items()}
    for name, tensor in tensors.items():
        if tensor.dtype != np.float32:
            raise UsageError(
                f"{name} is {tensor.dtype}; only float32 variables are saved: keep them so, as jaxae's are"
            )
    return tensors


def _nested(tensors: Mapping[str, np.ndarray], path: Path) -> dict[str, Any]:
    """Raises UsageError where a tensor's name is also what others lie in."""
    for name in tensors:
        if above := [str(part) for part in PurePosixPath(name).parents if str(part) in tensors]:
            raise UsageError(f"{path} has tensors {above[0]} and {name}, of which one would lie in the other; {MEND}")
    return {"params": {}, "batch_stats": {}, **traverse_util.unflatten_dict(dict(tensors), sep="/")}
