"""The scores of a run's arms on the test images, kept in its folder."""

import contextlib
from typing import TYPE_CHECKING, Any

from jaxae.errors import UsageError
from jaxae.findings.storage import load_arrays, save_arrays
from jaxae.run.training import scores_file
from jaxae.train.trained import Trained

if TYPE_CHECKING:
    from jaxae.run.run import Run


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
