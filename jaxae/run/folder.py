"""A run's folder: begun by one run alone, worked in by one process at a time."""

import contextlib
import itertools
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from jaxae.errors import UsageError
from jaxae.files import DRAFT
from jaxae.train import checkpoint

MOMENT = 0.1  # seconds, more than `in_use` has the lock
LOCK = ".lock"  # the file that is locked: the lock ends with the process, however that ends; the file stays


def new_folder(experiment: str) -> Path:
    """A new folder under runs/, of this second; with a number where others began in it too."""
    stem = f"{experiment}-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in itertools.count(1):
        path = Path("runs", stem if number == 1 else f"{stem}-{number}")
        with contextlib.suppress(FileExistsError):
            _make(path, exist_ok=False)
            return path
    raise AssertionError  # count has no end


def claim(folder: Path, *, fresh: bool) -> BinaryIO:
    """The lock of a folder, which is made if need be; closing it lets go.

    Raises UsageError where another process works in it, and where a `fresh` run would find something in it. What a
    process killed before its first manifest has left is nothing.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise UsageError(f"{str(folder)!r} isn't UTF-8, as checkpoints need it; choose another --out") from None
    if fresh:
        refuse_used(folder)
        _make(folder, exist_ok=True)
    lock = _locked(folder)
    try:
        if fresh:
            refuse_used(folder)  # by one that began in between
    except UsageError:
        lock.close()
        raise
    return lock


def refuse_used(folder: Path, *, resumes: bool = True) -> None:
    """Raise UsageError where a run that begins in `folder` would find something there; `resumes`: whether --resume is
    a flag of the command."""
    try:
        there = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return
    except OSError as error:  # a file, a closed folder, a name that is too long
        raise UsageError(f"{folder} is no folder that can be used ({error.strerror}); choose another --out") from None
    if any(name != LOCK and not name.endswith(DRAFT) for name in there):
        mend = ", or add --resume" if resumes and "manifest.json" in there else ""
        raise UsageError(f"{folder} exists and is not overwritten; choose another --out{mend}")


def clear(folder: Path, *, keep: bool) -> None:
    """Delete what a run that trained nothing has left, and the folder, unless it was there before."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if not keep:
        folder.rmdir()


def refuse_alike(names: Iterable[str]) -> None:
    """Raise UsageError where two studies, of these names, would have one folder for their checkpoints."""
    owners: dict[str, str] = {}
    for name in names:
        other = owners.setdefault(checkpoint.alike(name), name)
        if other != name:
            raise UsageError(
                f"{other!r} and {name!r} would keep their checkpoints in one folder, {checkpoint.file_name(name)!r}; "
                "give them names that differ in letters or digits"
            )


def take(taken: dict[str, bool], name: str, *, arm: bool) -> None:
    """Note that a run's study of this name has a folder for its checkpoints: an arm, once, or a model that it uses.

    Raises UsageError where another has that folder.
    """
    refuse_alike([*taken, name])
    if name in taken and (arm or taken[name]):
        raise UsageError(f"this run has checkpoints called {name!r} already; give every study a name of its own")
    taken[name] = arm


def _make(folder: Path, *, exist_ok: bool) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        raise UsageError(f"{folder} can't be made ({error.strerror}); choose another --out") from None


def _locked(folder: Path) -> BinaryIO:
    try:
        lock = (folder / LOCK).open("ab")
    except OSError as error:
        raise UsageError(f"{folder} can't be written ({error.strerror}); choose another folder") from None
    try:
        import fcntl

        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # it may be one that looked whether somebody works here
            time.sleep(MOMENT)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise UsageError(f"another process works in {folder}; wait until it has ended, or choose another") from None
    except (ImportError, OSError):  # systems, and file systems, without such locks
        pass
    return lock


def in_use(folder: Path) -> bool:
    """Whether a process works in a run's folder; False where the system doesn't tell."""
    try:
        import fcntl

        with (folder / LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (ImportError, OSError):
        pass
    return False
