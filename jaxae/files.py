"""Files written whole or not at all, and JSON that vouches for itself."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxae.errors import UsageError

SEAL = "sha256"


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file in one step, so that an interruption leaves the old one; the path."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(content)
    return partial.replace(path)


def write_json(path: Path, value: Any) -> Path:
    """Write a JSON file in one step. Raises ValueError for NaN and infinity, which JSON doesn't have."""
    return write_whole(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def load_json(path: Path, kind: type, mend: str) -> Any:
    """What a JSON file holds. Raises UsageError, which ends with `mend`, where it can't be read or is no `kind`."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror}); {mend}") from None
    except ValueError as error:
        raise UsageError(f"{path} is not JSON ({error}); {mend}") from None
    if not isinstance(content, kind):
        raise UsageError(f"{path} holds a {type(content).__name__}, not a {kind.__name__}; {mend}")
    return content


def number_in_json(value: float) -> float | str | None:
    """A number as JSON can have it: an infinity by its name, null for NaN.

    >>> [number_in_json(value) for value in (0.5, float("-inf"), float("nan"))]
    [0.5, '-inf', None]
    """
    return float(value) if math.isfinite(value) else None if math.isnan(value) else str(float(value))


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
