"""Commands in sentences, as they can be pasted into the shell of whoever reads them."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path


def interpreter() -> str:
    """The word that starts this Python: `python` where that is it, else its path, from here where it lies below."""
    found = shutil.which("python")
    if not sys.executable or (found and os.path.abspath(found) == sys.executable):
        return "python"
    path, here = Path(sys.executable), Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def here(command: str) -> str:
    """A command that begins with `python`, as those of manifests do, on this machine."""
    return f"{interpreter()} {command.removeprefix('python ')}"


def onward(command: str, folder: object) -> str:
    """What goes on with the run of a manifest's command in a folder; where the data were the manifest doesn't hold."""
    again = f"{here(command)} --out {shlex.quote(str(folder))} --resume"
    return f"add its --data-dir, if it had one, and go on with: {again}"


def tool(*words: object) -> str:
    """A command of `python -m jaxae`, of these words."""
    return here(f"python -m jaxae {shlex.join(map(str, words))}")


def installing(packages: Iterable[str]) -> str:
    """What installs packages beside this Python, whose environment may be without pip."""
    return f"python3 -m pip --python {interpreter()} install {shlex.join(packages)}"
