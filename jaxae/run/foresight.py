"""Before a training begins: what would end it after hours is refused, and what it is of is noted. Shapes, names
and fingerprints suffice, and a batch of white images for the notice of those that nobody scales."""

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxae import train
from jaxae.data import Dataset
from jaxae.errors import UsageError
from jaxae.keys import stream
from jaxae.study import Arm, Study
from jaxae.train import evaluate
from jaxae.train.finite import refuse_non_finite_data
from jaxae.train.lanes import Lanes
from jaxae.train.leaves import digests
from jaxae.train.loop import any_index
from jaxae.train.plan import Plan
from jaxae.train.ranges import note_bytes
from jaxae.train.refusals import refuse_data
from jaxae.train.streaming import load_grain, refuse_unstreamable

if TYPE_CHECKING:
    from jaxae.run.run import Run

LOSSES = 2**30  # that a run keeps of one study: one for every step of every lane


def foresee(
    run: "Run", arm: Arm, roots: jax.Array, sets: Mapping[str, Any], plan: Plan, initial: Any, how: Lanes
) -> None:
    """Raise UsageError for what can't be trained, validated or scored, and where a resumed run had other arrays.

    `sets` are the data of "training", "validation" and "test", None where there are none.
    """
    study, there = arm.study, {role: data for role, data in sets.items() if data is not None}
    refuse_rounded(study.name, arm.settings)
    refuse_data(study, roots[0], there)
    note_bytes(study, roots[0], there["training"], there.get("validation"))
    for role, data in there.items():
        refuse_non_finite_data(data, f"the {role} data of {study.name!r}")
    steps = plan.epochs * study.steps_per_epoch(there["training"])
    if steps * len(roots) > LOSSES:
        raise UsageError(
            f"{study.name} would take {steps:,} steps in {len(roots):,} lanes, and a run keeps at most {LOSSES:,} "
            "losses; train fewer epochs, seeds or settings, or larger batches"
        )
    _trace(study, roots[0], there, next(iter(arm.settings.values())))
    if how.stream:
        load_grain()
        refuse_unstreamable(study, roots[0], *sets.values(), asked="--stream")
    _note_arrays(run, study.name, there if initial is None else {**there, "initial": initial})


def refuse_rounded(name: str, settings: Mapping[str, Any]) -> None:
    """Raise UsageError for a number of a setting that float32, in which it is trained, hasn't, and for settings that
    are different as they are given and the same in float32."""
    seen: dict[bytes, tuple[str, list[Any]]] = {}
    for setting, hparams in settings.items():
        given = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(hparams)]
        with np.errstate(over="ignore", under="ignore"):
            kept = [leaf.astype(np.float32) for leaf in given]
        for exact, value in zip(given, kept, strict=True):
            if not np.isfinite(value).all() or ((exact != 0) & (abs(value) < np.finfo(np.float32).tiny)).any():
                raise UsageError(f"{name} {setting!r} has the number {exact}, which float32 can't hold; give another")
        other, numbers = seen.setdefault(b"".join(value.tobytes() for value in kept), (setting, given))
        if any((one != two).any() for one, two in zip(numbers, given, strict=True)):
            raise UsageError(f"{name} {other!r} and {setting!r} are the same in float32; leave one of them out")


def _trace(study: Study, key: jax.Array, there: Mapping[str, Any], hparams: Any) -> None:
    """Find by shapes alone what the objective, the validation and the scores refuse."""

    def objective(key, state, data):
        batch = study.batch(stream(key, "foresight"), data, any_index(study, data, study.batch_size))
        outputs = evaluate.outputs(study, key, state, batch)
        return study.objective(outputs, batch, study.scheduled(hparams, state.step))

    traced: dict[str, Any] = {
        "training": objective,
        "validation": lambda key, state, data: evaluate.losses(study, key, state, data, hparams),
        "test": lambda key, state, data: evaluate.scores(study, key, state, data),
    }
    state = jax.eval_shape(lambda key, data: train.init(study, key, data, hparams), key, there["training"])
    for role, data in there.items():
        jax.eval_shape(traced[role], key, state, data)


def _note_arrays(run: "Run", name: str, arrays: Mapping[str, Any]) -> None:
    """Note the fingerprints of what trains a study; refuse others where the run is resumed."""
    now = {role: _fingerprint(data) for role, data in arrays.items()}
    before = (run.before or {}).get("arrays", {}).get(name, now)
    other = [role for role in sorted({*now, *before}) if now.get(role) != before.get(role)]
    if other and not run.config.force:
        raise UsageError(
            f"the run in {run.folder} had other {other[0]} arrays for {name!r} (SHA-256 "
            f"{before.get(other[0], 'none')[:12]}, now {now.get(other[0], 'none')[:12]}); resume it with the data and "
            "the code that made it, or --force"
        )
    run.manifest.setdefault("arrays", {})[name] = now
    run.write_manifest((run.before or {}).get("status", "running"))  # to be known whatever ends this run


def _fingerprint(data: Any) -> str:
    if isinstance(data, Dataset):
        return data.fingerprint
    return hashlib.sha256(repr(sorted(digests(data).items())).encode()).hexdigest()
