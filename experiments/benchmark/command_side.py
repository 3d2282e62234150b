"""The start of a study's own command for `experiments.benchmark`: what a user waits for before training goes.

    python -m experiments.benchmark.command_side     # on its input {"module", "words", "began"}

It runs `python -m MODULE WORDS` and ends it after the fewest steps that are compiled as a run
has them: two, or a round of unrolled ones.
"""

import dataclasses
import runpy
import sys
import time
from typing import Any

from experiments.benchmark.worker import answer


class Started(BaseException):
    """The first steps are done; no handler of errors stops it."""


def reply(asked: dict[str, Any]) -> dict[str, Any]:
    """Seconds from `began` to the end of the first steps."""
    from jaxae import train  # which the command would import as well

    progress = train.progress

    def first(study: Any, keys: Any, data: Any, plan: Any, **options: Any) -> Any:
        next(progress(study, keys, data, dataclasses.replace(plan, chunk=2), **options))
        raise Started

    setattr(train, "progress", first)  # noqa: B010
    sys.argv = [asked["module"], *asked["words"]]
    try:
        runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
    except Started:
        return {"seconds": time.time() - asked["began"]}
    raise RuntimeError(f"{asked['module']} trained nothing")


if __name__ == "__main__":
    answer(reply)
