"""What a process of either side does beside measuring: it answers, and says how much memory it held.

It runs in any Python, and needs nothing of jaxae.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def answer(reply: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """The reply to the question on the standard input, a line of JSON on the standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    answers.write(json.dumps(reply(json.loads(sys.stdin.read()))) + "\n")


def process_peak() -> float:
    """The most memory that this process has held so far, in MiB."""
    try:  # not getrusage on Linux: there a process inherits its parent's peak
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
