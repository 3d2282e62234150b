"""Files written whole or not at all, and JSON that vouches for itself."""

import contextlib
import hashlib
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxae.errors import UsageError

DRAFT = ".partial"  # how the names of drafts end, of which a killed process leaves some
SEAL = "sha256"
ANY = "*"  # in a shape: whatever fields there are


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file in one step, so that an interruption leaves the old one; the path."""
    with draft_of(path) as draft:
        draft.write_bytes(content)
        return draft.replace(path)


@contextlib.contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A name beside `path` for what shall be renamed to it once it is whole; what is left there at the end is removed.

    No two drafts have the same, whoever writes at the same time.
    """
    draft = path.with_name(f".{uuid.uuid4().hex}{DRAFT}")
    try:
        yield draft
    finally:
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> Path:
    """Write a JSON file in one step. Raises ValueError for NaN and infinity, which JSON doesn't have."""
    return write_whole(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def load_json(path: Path, shape: Any, mend: str) -> Any:
    """What a JSON file holds. Raises UsageError, which ends with `mend`, where it can't be read, and names the field
    that doesn't fit the `shape`: see `misfit`."""
    if path.exists() and not (path.is_file() or path.is_dir()):  # to read of a pipe is to wait for who writes
        raise UsageError(f"{path} is no file, but a pipe or a device; {mend}")
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror}); {mend}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON ({error}); {mend}") from None
    refuse_misfit(content, shape, path, mend)
    return content


def refuse_misfit(value: Any, shape: Any, path: Path, mend: str) -> None:
    """Raise UsageError, which ends with `mend`, unless the value read from `path` has the shape."""
    if wrong := misfit(value, shape):
        raise UsageError(f"{path}: {wrong}; {mend}")


def misfit(value: Any, shape: Any, field: str = "it") -> str:
    """The first field of a JSON value that hasn't the shape, in words; empty where it fits.

    A shape is a type, where float takes whole numbers too; None; a tuple of shapes, any of which will do; [shape], a
    list of such; or a dictionary of what an object must have (and it may have more), {ANY: shape} for any fields.

    >>> misfit({"a": [1, "x"]}, {"a": [(int, None)]})
    "a[1] is 'x'"
    >>> misfit({"a": 1}, {ANY: int, "b": str})
    'b is missing'
    """
    if isinstance(shape, tuple):
        return "" if any(not misfit(value, one) for one in shape) else _found(field, value)
    if isinstance(shape, list) and isinstance(value, list):
        return next(filter(None, (misfit(one, shape[0], f"{field}[{i}]") for i, one in enumerate(value))), "")
    if isinstance(shape, dict) and isinstance(value, dict):
        if missing := shape.keys() - {ANY} - value.keys():
            return f"{_within(field, min(missing))} is missing"
        known = [(name, shape.get(name, shape.get(ANY))) for name in value if name in shape or ANY in shape]
        return next(filter(None, (misfit(value[name], one, _within(field, name)) for name, one in known)), "")
    if shape is None or not isinstance(shape, type):
        return "" if shape is None and value is None else _found(field, value)
    fits = isinstance(value, (int, float) if shape is float else shape) and isinstance(value, bool) <= (shape is bool)
    return "" if fits else _found(field, value)


def _within(field: str, name: str) -> str:
    return name if field == "it" else f"{field}.{name}"


def _found(field: str, value: Any) -> str:
    kinds = {dict: "an object", list: "a list"}
    return f"{field} is {kinds.get(type(value)) or repr(value)[:40]}"


def number_in_json(value: float) -> float | str | None:
    """A number as JSON can have it: an infinity by its name, null for NaN.

    >>> [number_in_json(value) for value in (0.5, float("-inf"), float("nan"))]
    [0.5, '-inf', None]
    """
    return float(value) if math.isfinite(value) else None if math.isnan(value) else str(float(value))


def path_of(value: Any) -> Path:
    """A path that was given. Raises UsageError for what is none."""
    if isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str):
        return Path(value)
    raise UsageError(f"{repr(value)[:40]} is no path; give a text, or a pathlib.Path")


def sealed(value: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with the SHA-256 of what it holds, by which `refuse_changed` knows it again."""
    return {**value, SEAL: _digest(value)}


def refuse_changed(value: Mapping[str, Any], path: Path, mend: str) -> None:
    """Raise UsageError, which ends with `mend`, unless the object read from `path` is as it was sealed, if it was."""
    if value.get(SEAL, whole := _digest(value)) != whole:
        raise UsageError(f"{path} is not what was written, by its SHA-256; {mend}")


def _digest(value: Mapping[str, Any]) -> str:
    plain = json.loads(json.dumps({name: part for name, part in value.items() if name != SEAL}))  # as it is read back
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
