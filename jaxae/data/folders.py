"""Where prepared sets lie, and what their own descriptions say: `<data_dir>/<name>[/<config>]/<version>/`.

Only the standard library reads here, so that finding a set, listing a folder and a wrong name take no time.
"""

import difflib
import errno
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from jaxae import commands
from jaxae.errors import UsageError

FULL = {  # images that the sets have where nothing is left out
    **{name: {"train": 60_000, "test": 10_000} for name in ("mnist", "fashion_mnist", "kmnist")},
    "cifar10": {"train": 50_000, "test": 10_000},
}
PREPARABLE = tuple(FULL)
INFO = "dataset_info.json"  # written by TFDS
ARRAYS = "arrays.json"  # written by our cache of decoded arrays, whose folders are laid out in the same way

_NAME = re.compile(r"(?P<base>\w[\w-]*)(/(?P<config>\w[\w.-]*))?(:(?P<version>\d+\.\d+\.\d+[\w.+]*))?")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(\+[\w.]+)?")

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Prepared:
    """A set that can be loaded: the version folder `path` of `name` ("mnist", or "name/config")."""

    name: str
    version: str
    splits: dict[str, int]  # number of examples
    format: str  # "array_record", "tfrecord", ... as TFDS calls it; "arrays": decoded by us; "damaged"
    path: Path

    @property
    def data_dir(self) -> Path | None:
        """The data folder that it lies in; None for the one that is looked in where none is named."""
        root = self.path.parents[1 + self.name.count("/")]
        return None if root == location() else root


def count(name: str, split: str, n: int, source: str = "tfds") -> str:
    """Images in words: "1,280", or "5,438 of 50,000" for a whole split of a known set of which some are missing."""
    full = official_count(name, split, source) or n
    return f"{n:,} of {full:,}" if n < full else f"{n:,}"


def official_count(name: str, split: str, source: str = "tfds") -> int | None:
    """Images of a whole split of a known set; None for other splits, sets and sources."""
    return FULL.get(name, {}).get(split) if source.startswith("tfds") else None


def location(data_dir: PathLike | None = None) -> Path:
    """The data folder, which may not exist: `data_dir`, else TFDS_DATA_DIR, else ~/tensorflow_datasets."""
    named = Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")
    try:
        return named.expanduser()
    except RuntimeError:
        raise UsageError(f"there is no home for {named}; name the data folder in full with --data-dir") from None


def is_prepared(name: str, data_dir: PathLike | None = None) -> bool:
    """Whether some version of a set without configurations, such as "mnist", lies in the data folder."""
    try:
        return bool(versions(location(data_dir) / name))
    except OSError:  # a folder that can't be read is said by `find`
        return True


def find(name: str, data_dir: PathLike | None = None) -> Prepared:
    """The newest version of `name` ("mnist", "name/config"), or the one asked for ("mnist:3.0.1").

    Raises UsageError if it is not there, or not readable; the sentence says what lies there instead.
    """
    match = _NAME.fullmatch(name)
    if not match:
        _refuse_folder(name)
        raise UsageError(f"the name {name!r} is not written like mnist, mnist:3.0.1 or name/config")
    base, config, version = match["base"], match["config"], match["version"]
    home = location(data_dir) / base / (config or "")
    found = versions(home)
    if not found:
        _refuse_folder(name)
        raise _absent(base, config, data_dir)
    if version and version not in found:
        raise UsageError(f"{home} holds no version {version}; choose from {', '.join(found)}")
    return describe(home / (version or found[-1]), f"{base}/{config}" if config else base)


def _refuse_folder(name: str) -> None:
    """Raise UsageError where the name of no set is that of a folder here, which is meant then."""
    if os.path.isdir(name) and name not in PREPARABLE:
        raise UsageError(f"{name} is the name of no prepared set; for the folder of images write ./{name}")


def listing(data_dir: PathLike | None = None) -> list[Prepared]:
    """Every set prepared in the data folder, by name and version; one that can't be read has the format "damaged".

    Raises UsageError if there is no such folder.
    """
    root = _existing(data_dir, name="mnist")
    homes = {path.parent for depth in ("*", "*/*") for path in root.glob(f"[!.]{depth}/*.*.*/")}
    return [_listed(home / version, root) for home in sorted(homes) for version in versions(home)]


def versions(home: Path) -> list[str]:
    """The names of the version folders in `home`, oldest first; none if there is no such folder."""
    names = [path.name for path in home.glob("*.*.*") if path.is_dir()]
    matches = filter(None, map(_VERSION.fullmatch, names))
    return [match[0] for match in sorted(matches, key=lambda match: (*map(int, match.groups()[:3]), match[0]))]


def describe(path: Path, name: str) -> Prepared:
    """What the set in the version folder `path` says of itself. Raises UsageError if it says nothing sensible."""
    try:
        if (path / ARRAYS).exists():
            splits = json.loads((path / ARRAYS).read_text())["splits"]
            return Prepared(name, path.name, {key: split["n"] for key, split in splits.items()}, "arrays", path)
        info = json.loads((path / INFO).read_text())
        splits = {split["name"]: sum(map(int, split.get("shardLengths", ()))) for split in info["splits"]}
        return Prepared(name, path.name, splits, info.get("fileFormat", "tfrecord"), path)
    except PermissionError as error:
        raise UsageError(unreadable(path, error)) from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        root = path.parents[1 + name.count("/")]
        again = remedy(name, None if root == location() else root)
        raise UsageError(f"{path} describes no readable data set; remove that folder and {again}") from error


def unreadable(path: Path, error: OSError) -> str:
    """The sentence for what the system doesn't let be read, which may be whole."""
    return f"{path} can't be read ({error.strerror or error}); ask for it to be opened, or name another --data-dir"


def remedy(name: str, data_dir: PathLike | None = None) -> str:
    """How to come by the set, as the end of a sentence."""
    if name not in PREPARABLE:
        return f"prepare it with TFDS's own command, `tfds build {name}`"
    where = ["--data-dir", data_dir] if data_dir else []
    return f"prepare it with `{commands.tool('data', 'prepare', name, *where)}`"


def _existing(data_dir: PathLike | None, name: str) -> Path:
    root = location(data_dir)
    try:
        there = root.is_dir()
        if there and not os.access(root, os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UsageError(unreadable(root, error)) from None
    if not there:
        raise UsageError(
            f"there is no data folder {root}; name the one that holds {name} by --data-dir or "
            f"$TFDS_DATA_DIR, or {remedy(name, data_dir)}"
        )
    return root


def _absent(base: str, config: str | None, data_dir: PathLike | None) -> UsageError:
    root = _existing(data_dir, base)
    for folder in (root, root.parent):
        if versions(folder):
            return UsageError(f"the data folder {root} lies inside a single set; give {folder.parent} instead")
    wanted = f"{base}/{config}" if config else base
    if config and versions(root / base):
        return UsageError(f"{wanted} is not in {root}, where {base} has no configurations; ask for {base}")
    configs = [f"{base}/{path.name}" for path in sorted((root / base).glob("[!.]*")) if versions(path)]
    if configs:
        return UsageError(f"{wanted} is not a configuration that lies in {root}; choose from {', '.join(configs)}")
    present = {path.name for path in root.glob("[!.]*") if path.is_dir() and path.name != base}
    near = difflib.get_close_matches(base.lower(), present) or difflib.get_close_matches(base.lower(), PREPARABLE)
    if near and base not in PREPARABLE:
        return UsageError(f"there is no {base!r} in {root}; did you mean {' or '.join(near)}?")
    return UsageError(f"{wanted} is not prepared in {root}; {remedy(wanted, data_dir)}")


def _listed(path: Path, root: Path) -> Prepared:
    name = path.parent.relative_to(root).as_posix()
    try:
        return describe(path, name)
    except UsageError:
        return Prepared(name, path.name, {}, "damaged", path)
