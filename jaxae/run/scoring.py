"""The trained arms of a run: scored on the test images, the models that show one picture named, written down."""

import contextlib
import dataclasses
import itertools
from typing import TYPE_CHECKING, Any

from jaxae.errors import UsageError
from jaxae.files import sealed, write_json
from jaxae.findings.claims import named_seeds
from jaxae.findings.storage import load_arrays, save_arrays
from jaxae.models.cards import described
from jaxae.run.training import scores_file
from jaxae.study import Arm
from jaxae.train.curves import parameters
from jaxae.train.trained import Trained, history, told_apart

if TYPE_CHECKING:
    from jaxae.run.run import Run


def written_arms(run: "Run", arm: Arm, whole: Trained, test: Any, best: bool) -> dict[str, Trained]:
    """The arms that were trained together, each with its lanes, scored, noted, written down."""
    if test is not None:
        whole = scored(run, arm, whole, test)
    found = {}
    for place, name in enumerate(arm.names):
        part = slice(place * len(run.seeds), (place + 1) * len(run.seeds))
        found[name] = done = whole.cut(name, part)
        run.history[name] = sealed({"seeds": run.seeds, **history(done)})
        run.note_arm(
            name, parameters=parameters(done.state), trained_as=arm.study.name, lanes=[part.start, part.stop],
            scored="best" if best else "state",
            model=described(arm.study.model), scale=arm.study.scale,
        )  # fmt: skip
    if run.training:
        write_json(run.folder / "history.json", run.history)
    run.write_manifest("running")
    return found


def scored(run: "Run", arm: Arm, whole: Trained, test: Any) -> Trained:
    """The lanes of an arm with their scores, and with which of them live; those that are slow are said."""
    whole = dataclasses.replace(whole, scores=kept_scores(run, whole, test))
    with run.working(f"{whole.name}: looking for dead models", at_once=False):
        whole = told_apart(whole, test)
    for name, slow in zip(arm.names, whole.slow.reshape(len(arm.names), -1), strict=True):
        if slow.any():
            seeds = named_seeds([*itertools.compress(run.seeds, slow)])
            run.say(f"{name}: one picture for every input so far, of {seeds}; it can be a slow start")
    return whole


def kept_scores(run: "Run", whole: Trained, test: Any) -> dict[str, Any]:
    """The scores of all lanes on the test images, kept for a resumed run; measuring again makes them anew where other
    code may have made them, as does damage."""
    path = scores_file(run.folder, whole.study)
    if run.scored and path.exists():
        with contextlib.suppress(UsageError):
            return load_arrays(path)[""]
    with run.working(f"{whole.name}: scoring the test images"):
        scored = whole.evaluate(test)
    path.parent.mkdir(exist_ok=True)
    save_arrays(path, {"": scored})
    return scored
