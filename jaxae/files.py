"""Files written whole or not at all, and names that become files' names."""

import json
from pathlib import Path
from typing import Any

from jaxae.errors import UsageError


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
