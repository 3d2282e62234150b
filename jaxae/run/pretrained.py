"""Models that runs use and don't study, such as a judge of digits: trained once, kept in the cache for later runs.

In the folder `<cache>/models/<name>/<12 hex digits>/`:

- `recipe.json`: what the digits stand for: recipe, data, jax, device
- `checkpoints/<name>/`: as in a run's folder, so `checkpoint.variables(folder, name)` reads it
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxae import keys
from jaxae.data import Dataset, cache
from jaxae.errors import UsageError
from jaxae.files import draft_of
from jaxae.run import manifest
from jaxae.run.settings import unusual_settings
from jaxae.run.training import train_or_restore
from jaxae.study import Study
from jaxae.train import checkpoint, hosts, lanes
from jaxae.train.plan import Plan
from jaxae.train.stored import DamagedError

if TYPE_CHECKING:
    from jaxae.run.run import Run


def kept_folder(study: Study, data: Dataset, recipe: Mapping[str, Any]) -> Path:
    """Where the model of `study`, trained on `data` by `recipe` (JSON values), is kept, whether it is there or not.

    Another data set, recipe, model, version of jax or jaxae, setting of JAX that bears on numbers, or device is another
    folder. What a study's functions do can't be seen from here: where they change, so should the recipe.
    """
    text = json.dumps(_facts(study, data, recipe), sort_keys=True)
    return cache.root() / "models" / checkpoint.file_name(study.name) / hashlib.sha256(text.encode()).hexdigest()[:12]


def provided(run: "Run", study: Study, data: Dataset, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The variables of the model of `study`: from the cache, else trained in the run's folder and kept.

    Raises UsageError where several processes would train it, each for itself, and where what is kept is damaged.
    """
    kept = kept_folder(study, data, recipe)
    if not kept.is_dir():
        _refuse_several(study)
        run.say(f"{study.name}: trained once, for this run and later ones")
        train_or_restore(run, study, keys.root(recipe["seed"])[None], data, Plan(study.epochs), lanes.SOLO)
        keep(run.folder, study, data, recipe)
    if not kept.is_dir():  # the cache can't be written
        return checkpoint.variables(run.folder, study.name)
    try:
        return checkpoint.variables(kept, study.name)
    except DamagedError as error:
        raise UsageError(f"{error.what}; move {kept} away, and it is trained again") from error


def keep(run: Path, study: Study, data: Dataset, recipe: Mapping[str, Any]) -> None:
    """Copy the checkpoint of a study's arm of a run into its folder, whole or not at all.

    A cache that can't be written, and one that has it already, are no errors.
    """
    place = kept_folder(study, data, recipe)
    inside = Path("checkpoints", checkpoint.file_name(study.name))
    with contextlib.suppress(OSError), draft_of(place) as draft:
        shutil.copytree(run / inside, draft / inside)
        (draft / "recipe.json").write_text(json.dumps(_facts(study, data, recipe), indent=1) + "\n")
        draft.rename(place)  # fails where another process was first


def _refuse_several(study: Study) -> None:
    if hosts.several():
        raise UsageError(
            f"the {study.name!r} that this run uses isn't in the cache, and one process must train it; do a run first, "
            "without --distributed, with --epochs 1 and else the same flags (--limit cuts its data too): it is kept "
            "for all"
        )


def _facts(study: Study, data: Dataset, recipe: Mapping[str, Any]) -> dict[str, Any]:
    described = manifest.describe_data("train", data)
    device = {name: value for name, value in manifest.device().items() if name in ("platform", "kind")}
    versions = {name: metadata.version(name) for name in ("jax", "jaxae")}
    facts = {"recipe": dict(recipe), "model": repr(study.model), "data": described, "device": device, **versions}
    unusual: dict[str, Any] = {"jax_settings": unusual_settings()}
    if study.name != checkpoint.alike(study.name).replace("_", " "):
        unusual["name"] = study.name  # which others' folders would be taken for
    return facts | {name: value for name, value in unusual.items() if value}
