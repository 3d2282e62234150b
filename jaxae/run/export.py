"""Trained models as programs for other software: StableHLO for CPU, CUDA and TPU at once, batches of any size.

A program takes the variables, {name: array} as they lie in model.safetensors, and uint8[b, h, w, c] images, or codes.
Whoever has jax alone runs it as `jax.export.deserialize(bytearray(content)).call(tensors, images)`.
"""

import functools
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from jaxae import commands
from jaxae.errors import Notice, UsageError
from jaxae.files import load_json, path_of
from jaxae.findings import Origin
from jaxae.findings.storage import from_json
from jaxae.fitted import Fitted, refuse_unlike, told_shapes
from jaxae.models.weights.files import load_tensors
from jaxae.run.experiment import find_experiment
from jaxae.run.flags import restored
from jaxae.run.manifest import load_manifest
from jaxae.run.model_files import CARD, MEND, OWN, TENSORS, arm_of, checked_file, load, load_card, named, write_model
from jaxae.study import Study

PLATFORMS = ("cpu", "cuda", "tpu")
ENDING = ".stablehlo"
NEEDS = "flatbuffers"
CALLS = {"shape_assertion"}  # what of a program's calls isn't StableHLO's own: checks of a free batch size


def export(fitted: Fitted, folder: Path | str, **facts: Any) -> Path:
    """Write a model into a new folder as `ae.save` does, and beside it a program for each thing it can do; the folder.

    They are encode, decode and reconstruct, or outputs for a model without a code. `facts` join the card.
    Raises UsageError where the folder exists, for facts that the card has of itself, and where the package flatbuffers
    isn't installed.
    """
    if own := [name for name in (*OWN, "platforms") if name in facts]:
        raise UsageError(f"the card says {own[0]!r} of itself; give that fact another name")
    if not isinstance(fitted, Fitted):
        raise UsageError(
            f"{type(fitted).__name__} is no model to export; give what ae.load gives, of a run or of ae.save"
        )
    folder = path_of(folder)
    if folder.exists():
        raise UsageError(f"{folder} exists and is not overwritten; choose another folder")
    programs = {f"{name}{ENDING}": content for name, content in _programs(fitted).items()}
    return write_model(folder, fitted, programs, platforms=PLATFORMS, **facts)


def export_run(run: Path, arm: str, out: Path, *, seed: int | None, which: Any = None, given: str = "") -> Path:
    """Export an arm of a run, or the model that `ae.save` wrote into `run`; the new folder.
    A Notice, a warning, says of a seed that it shows one picture.

    `seed` is one of the run's, None the first; `which` as for `ae.load`. `given` names the experiment whose models
    aren't jaxae's own. Raises UsageError as `ae.load` and `export` do, and for another seed.
    """
    if (run / CARD).exists():
        if arm or given or (seed, which) != (None, None):
            raise UsageError(f"{run} holds one model alone; leave out the arm, --seed, --which and --experiment")
        return export(load(run), out)
    made = load_manifest(run)
    arm, _ = arm_of(made, run, arm)
    if seed is not None and seed not in made["seeds"]:
        raise UsageError(f"{run} has no seed {seed}; choose from {', '.join(map(str, made['seeds']))}")
    lane = 0 if seed is None else made["seeds"].index(seed)
    _notice_one_picture(run, made, arm, made["seeds"][lane])
    own = _own_study(made, arm, given) if given else None
    model, scale = (None, None) if own is None else (own.model, own.scale)
    fitted = load(run, arm, lane=lane, which=which, model=model, scale=scale)
    origin = {name: made[name] for name in ("module", "command", "git_commit")} | {"seed": made["seeds"][lane]}
    return export(fitted, out, run=origin)


def _notice_one_picture(run: Path, made: Mapping[str, Any], arm: str, seed: int) -> None:
    """Warn where this seed was found to show one picture; whatever else was, or wasn't, measured is no matter here."""
    path = run / "findings.json"
    try:
        found = from_json(load_json(path, {}, MEND), Origin(None, tuple(made["seeds"]), ()), path)
    except UsageError:
        return
    if seed in (*found.dead.get(arm, ()), *found.slow.get(arm, ())):
        said = f"seed {seed} of {arm!r} shows one picture, whatever the image; export another --seed, or train it anew"
        warnings.warn(said, Notice, stacklevel=3)


def _own_study(made: Mapping[str, Any], arm: str, given: str) -> Study | None:
    """The study of an arm of an experiment that the command line names."""
    experiment = find_experiment(made["module"], given)
    arms = experiment.arms(restored(experiment.config, made["config"]))
    return next((found.study for found in arms if arm in found.names), None)


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """An exported function with its model's variables. It takes `wanted`, images or codes, as shapes."""

    name: str
    model: str
    wanted: Any
    run: Callable[[Any], Any]

    def __repr__(self) -> str:
        return f"Program({self.name!r} of {self.model!r}: takes {told_shapes(self.wanted)})"

    def __call__(self, given: Any) -> Any:
        """What the function gives, compiled once for each shape. Raises UsageError for other shapes and types."""
        arrays = jax.tree.map(jnp.asarray, given)
        refuse_unlike(arrays, self.wanted, f"{self.name!r} of {self.model!r} takes")
        return self.run(arrays)


def load_program(folder: Path | str, name: str = "reconstruct") -> Program:
    """An exported function of images (or codes, for "decode"), with its model's variables, compiled where it is called.

    Raises UsageError for a folder or a name without one, for what isn't as it was written, and for programs that call
    anything but StableHLO; and, where it is called, for other shapes and types than it is for. Programs are of whoever
    wrote them: a SHA-256 tells damage, not intent.
    """
    folder = path_of(folder)
    if not (folder / CARD).is_file():
        raise UsageError(f"{folder} holds no exported model; name the folder that export wrote")
    card = load_card(folder)
    there = [file.removesuffix(ENDING) for file in card["files"] if file.endswith(ENDING)]
    if name not in there:
        raise UsageError(f"{folder} has no program {name!r}; it has {', '.join(there) or 'none: export the model'}")
    content = checked_file(folder, card, f"{name}{ENDING}").read_bytes()
    exported = _deserialized(content, folder / f"{name}{ENDING}")
    tensors = load_tensors(checked_file(folder, card, TENSORS))
    wanted = _inputs_of(exported, folder / f"{name}{ENDING}")
    return Program(name, str(card["name"]), wanted, functools.partial(jax.jit(exported.call), tensors))


def _inputs_of(exported: Any, path: Path) -> Any:
    """What a program takes besides the variables, as shapes."""
    arguments, _ = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    if len(arguments) != 2:
        raise UsageError(f"{path} takes {len(arguments)} arguments, not variables and images; {MEND}, or export again")
    return arguments[1]


def _programs(fitted: Fitted) -> dict[str, bytes]:
    """{name: serialised}, for every platform, in full float32."""
    from jax import export as jax_export

    tensors = named(fitted.variables)
    given = {name: jax.ShapeDtypeStruct(np.shape(leaf), np.float32) for name, leaf in tensors.items()}
    images = fitted.any_images(*jax_export.symbolic_shape("b"))
    found = {}
    with jax.default_matmul_precision("float32"):
        for name, function in fitted.programs.items():
            inputs = _shape_of_code(fitted, given, images) if name == "decode" else images
            exported = jax_export.export(jax.jit(_of_tensors(function)), platforms=PLATFORMS)(given, inputs)
            found[name] = _serialised(exported)
    return found


def _of_tensors(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same as a function of named tensors, as a file holds them."""

    def run(tensors: Mapping[str, Any], inputs: Any) -> Any:
        return function({"batch_stats": {}, **traverse_util.unflatten_dict(tensors, sep="/")}, inputs)

    return run


def _shape_of_code(fitted: Fitted, given: Any, images: Any) -> Any:
    return jax.eval_shape(_of_tensors(fitted.programs["encode"]), given, images)


def _serialised(exported: Any) -> bytes:
    try:
        return bytes(exported.serialize())
    except ImportError:
        raise UsageError(f"exporting needs {NEEDS}; install it with: {commands.installing([NEEDS])}") from None


def _deserialized(content: bytes, path: Path) -> Any:
    from jax import export as jax_export

    try:
        exported = jax_export.deserialize(bytearray(content))
        text = exported.mlir_module()
    except ImportError:
        raise UsageError(f"exported programs need {NEEDS}; install it: {commands.installing([NEEDS])}") from None
    except Exception as error:  # of flatbuffers and of MLIR, whatever they stumble over
        raise UsageError(
            f"{path} is no program of this jax ({type(error).__name__}); {MEND}, or export again"
        ) from None
    if foreign := {*re.findall(r'custom_call\s*@"?([\w.$-]+)', text)} - CALLS:
        raise UsageError(f"{path} calls {min(foreign)[:60]}, which no model of jaxae does, so it isn't run")
    return exported
