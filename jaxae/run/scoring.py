"""The scores of a run's arms on the test images, kept in its folder, and which of their models show one picture."""

import contextlib
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from jaxae.errors import UsageError
from jaxae.findings.claims import named_seeds
from jaxae.findings.storage import load_arrays, save_arrays
from jaxae.run.training import scores_file
from jaxae.study import Arm
from jaxae.train.trained import Trained, told_apart

if TYPE_CHECKING:
    from jaxae.run.run import Run


def scored(run: "Run", arm: Arm, whole: Trained, test: Any) -> Trained:
    """The lanes of an arm with their scores, and with which of them live; those that are slow are said."""
    whole = told_apart(dataclasses.replace(whole, scores=kept_scores(run, whole, test)), test)
    for name, slow in zip(arm.names, whole.slow.reshape(len(arm.names), -1), strict=True):
        if slow.any():
            seeds = named_seeds([*itertools.compress(run.seeds, slow)])
            run.say(f"{name}: one picture for every input so far, of {seeds}; it can be a slow start")
    return whole


def kept_scores(run: "Run", whole: Trained, test: Any) -> dict[str, Any]:
    """The scores of all lanes on the test images, kept for a resumed run; measuring again makes them anew, as does
    damage."""
    path = scores_file(run.folder, whole.study)
    if run.training and path.exists():
        with contextlib.suppress(UsageError):
            return load_arrays(path)[""]
    with run.working(f"{whole.name}: scoring the test images"):
        scored = whole.evaluate(test)
    path.parent.mkdir(exist_ok=True)
    save_arrays(path, {"": scored})
    return scored
