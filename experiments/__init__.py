"""The studies, one file each: `python -m experiments.NAME`."""

import signal
import sys
from pathlib import Path

# as in jaxae's own, which isn't imported here: PyTorch's side of the benchmark has none
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def result(name: str) -> Path:
    """The committed result of this name."""
    return Path(__file__).parent / "results" / f"{name}.json"
