"""Matplotlib drawn in, whatever backend the environment names: what is written into files needs none.

A notebook passes its own on in MPLBACKEND to every program that it starts, and matplotlib can't be imported where it
doesn't know a backend of that name.
"""

import contextlib
import os
import sys
from types import ModuleType


def drawing() -> ModuleType:
    """The module `jaxae.report.drawing`, and with it matplotlib."""
    with _no_backend():
        from jaxae.report import drawing as found
    return found


@contextlib.contextmanager
def _no_backend():
    """Within it matplotlib is imported without a backend; the user's, where there is one of that name, is set after."""
    given = None if "matplotlib" in sys.modules else os.environ.pop("MPLBACKEND", None)
    try:
        yield
    finally:
        if given is not None:
            os.environ["MPLBACKEND"] = given
    if given:
        import matplotlib

        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = given
