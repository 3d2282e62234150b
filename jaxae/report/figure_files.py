"""Figures on disk: NAME.npz, from which one is drawn again the same, and NAME.png."""

import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from jaxae.errors import UsageError
from jaxae.files import write_whole
from jaxae.report import headless
from jaxae.report.figures import KINDS, Line, check

FORMAT = 1
RECORDS = KINDS | {"Line": Line}


def save(figure: Any, folder: str | os.PathLike[str], name: str) -> Path:
    """Write NAME.npz (the data, without pickles) and NAME.png, without its title, into `folder`; the latter's path.

    Raises UsageError for what isn't a figure or doesn't fit together, and a name that is no file's.
    """
    return write_files(files_of(figure, name), folder)[-1]


def files_of(figure: Any, name: str) -> dict[str, bytes]:
    """The files that `save` writes, by their names; with its errors."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"figure name {name!r} is no file name; use letters, digits, '.', '_' and '-'")
    check(figure)
    arrays: list[np.ndarray] = []
    header = json.dumps({"format": FORMAT, "figure": _pack(figure, arrays)})
    out = BytesIO()
    named: dict[str, Any] = {f"array_{i}": array for i, array in enumerate(arrays)}
    np.savez_compressed(out, header=np.asarray(header), **named)
    return {f"{name}.npz": out.getvalue(), f"{name}.png": headless.drawing().png(figure, titled=False)}


def write_files(files: Mapping[str, bytes], folder: str | os.PathLike[str]) -> list[Path]:
    """Write files into a folder, which is made if need be; their paths."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    return [write_whole(Path(folder, name), content) for name, content in files.items()]


def load(path: str | os.PathLike[str]) -> Any:
    """The figure that `save` wrote into this .npz."""
    try:
        with np.load(BytesIO(Path(path).read_bytes()), allow_pickle=False) as stored:
            header = json.loads(str(stored["header"]))
            if header["format"] != FORMAT:
                raise UsageError(
                    f"{path}: figure format {header['format']} is unknown here (this jaxae reads {FORMAT})"
                )
            figure = _unpack(header["figure"], stored)
    except UsageError:
        raise
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist; save the figure again") from None
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path} holds no figure ({error}); delete it and save the figure again") from error
    check(figure)
    return figure


def _pack(value: Any, arrays: list[np.ndarray]) -> Any:
    """The value as JSON, its arrays moved to `arrays`."""
    if type(value) in RECORDS.values():
        parts = {field.name: _pack(getattr(value, field.name), arrays) for field in fields(value)}
        return {"kind": type(value).__name__, **parts}
    if isinstance(value, tuple | list):
        return [_pack(part, arrays) for part in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    arrays.append(np.asarray(value))
    return {"array": len(arrays) - 1}


def _unpack(value: Any, arrays: Any) -> Any:
    if isinstance(value, list):
        return tuple(_unpack(part, arrays) for part in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[f"array_{value['array']}"]
    return RECORDS[value["kind"]](**{name: _unpack(part, arrays) for name, part in value.items() if name != "kind"})
