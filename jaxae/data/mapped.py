"""Arrays that are mapped from their file: whoever writes it changes them, and ends a process that reads what was cut.

Nothing but such an array is exposed to that, so it is asked for again and again, while a training lasts.
"""

import mmap
import os
import weakref
from typing import Any

import numpy as np

from jaxae.errors import UsageError

State = tuple[int, ...]
_FIRST: weakref.WeakKeyDictionary[mmap.mmap, State] = weakref.WeakKeyDictionary()


def refuse_rewritten(array: Any) -> None:
    """Raise UsageError where the file that `array` is mapped from has another size or date than when this was first
    asked. A file that another has taken the place of stays as it was for who has mapped it."""
    while isinstance(array, np.ndarray) and isinstance(array.base, np.ndarray):
        array = array.base
    memory, path = getattr(array, "base", None), getattr(array, "filename", None)
    if not isinstance(memory, mmap.mmap) or path is None or (now := _state(path)) is None:
        return
    first = _FIRST.setdefault(memory, now)
    if now != first and now[:2] == first[:2]:
        raise UsageError(
            f"{path} was written while its images were used, so they are no longer known; nothing may write it "
            "meanwhile: with --resume the run goes on from its checkpoint, and reads, or makes, the file anew"
        )


def _state(path: Any) -> State | None:
    """What tells files, and a file's contents, apart; None where there is no file any more."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns
