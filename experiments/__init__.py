"""The studies, one file each: `python -m experiments.NAME`."""

import importlib
import os
import signal
import sys
from pathlib import Path

if sys.argv[:1] == ["-m"]:
    # as in jaxae's own, which isn't imported here: PyTorch's side of the benchmark has none
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    if "JAX_NUM_CPU_DEVICES" in os.environ:
        importlib.import_module("jaxae")  # which looks at it before JAX does


def result(name: str) -> Path:
    """The committed result of this name."""
    return Path(__file__).parent / "results" / f"{name}.json"
