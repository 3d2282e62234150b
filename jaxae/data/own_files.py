"""Which files of a folder are its images: those of each split, each once, and what is left out."""

import itertools
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxae.errors import Notice, UsageError

ENDINGS = (".png", ".jpg", ".jpeg")
OTHERS = (
    ".avif",
    ".bmp",
    ".gif",
    ".heic",
    ".heif",
    ".jfif",
    ".jp2",
    ".jpe",
    ".tif",
    ".tiff",
    ".webp",
)  # said, not read
TESTED = 10  # of a folder without train/ and test/, one image in so many is for testing
SPLITS = ("train", "test")
KINDS = (*SPLITS, "val", "valid", "validation")  # folders that are no classes where others of these are
MOST = 10_000  # folders in which pictures that are left out are looked for


def split_files(root: Path) -> dict[str, list[Path]]:
    """The image files of each split; a Notice counts the pictures below `root` that are in none.

    Raises UsageError for what can't be listed, for a split without images, for `train` without `test`, and for a file
    that is there twice, by a link: it might be trained on and tested by.
    """
    try:
        found = _found(root)
        _refuse_twice([path for paths in found.values() for path in paths])
        left = _left_out(root, found)
    except OSError as error:
        raise UsageError(f"{error.filename} can't be read ({error.strerror}); let it be read") from None
    if empty := [split for split, paths in found.items() if not paths]:
        raise UsageError(_lack(root, empty[0], len(found["train"]), left))
    if left:
        where = "train and test" if _has_splits(root) else "it"
        said = f"{root}: pictures are left out ({left}); PNG and JPEG files in {where}, or directly below, are read"
        warnings.warn(said, Notice, stacklevel=3)
    return found


def _lack(root: Path, split: str, count: int, left: str) -> str:
    """What is said of a split without images, where those for training are so many."""
    beside = f" (left out: {left})" if left else ""
    if _has_splits(root):
        return (
            f"{root / split} holds no PNG or JPEG files{beside}; put images there, or name a folder without train and "
            f"test, of which every {TESTED}th image then tests"
        )
    if count:
        return (
            f"{root} holds {count} PNG or JPEG file{'s' * (count != 1)}{beside}, and every {TESTED}th tests, so that "
            f"there is none to test with; give {TESTED} or more, or put them into folders train and test"
        )
    return (
        f"{root} holds no PNG or JPEG files{beside}; it takes {TESTED} or more, in it, in a folder for each class, or "
        "in folders train and test"
    )


def class_of(path: Path, root: Path, split: str) -> str:
    """The name of the folder that an image is in, or "images" where it is in none of a class's."""
    home = path.parent
    return "images" if home in (root, root / split) else home.name


def _has_splits(root: Path) -> bool:
    return all((root / split).is_dir() for split in SPLITS)


def _found(root: Path) -> dict[str, list[Path]]:
    if not root.is_dir():
        raise UsageError(f"there is no folder {root}; name one that holds PNG or JPEG files")
    if _has_splits(root):
        return {split: _images(root / split) for split in SPLITS}
    paths = _images(root)
    _refuse_lone(root, paths)
    return {
        "train": [path for place, path in enumerate(paths) if (place + 1) % TESTED],
        "test": paths[TESTED - 1 :: TESTED],
    }


def _images(folder: Path) -> list[Path]:
    """The image files of a folder and of those directly below it. Raises UsageError for a link that leads back."""
    inside = _listed(folder)
    below = [path for sub in inside if sub.is_dir() for path in _listed(_onward(sub, folder))]
    return [path for path in [*inside, *below] if path.suffix.lower() in ENDINGS and path.is_file()]


def _listed(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _onward(sub: Path, folder: Path) -> Path:
    home, real = (Path(os.path.realpath(path)) for path in (folder, sub))
    if real in (home, *home.parents):
        raise UsageError(f"{sub} leads back to {real}; take that link away")
    return sub


def _refuse_lone(root: Path, paths: Sequence[Path]) -> None:
    """Raise UsageError where `train` or `test` is there without the other, and no folder is a class's."""
    there = [split for split in SPLITS if (root / split).is_dir()]
    if there and all(path.relative_to(root).parts[0] in KINDS for path in paths):
        (lacking,) = {*SPLITS} - {*there}
        raise UsageError(
            f"{root} has a folder {there[0]} and no {lacking}; add that one, or name {root / there[0]}, of which every "
            f"{TESTED}th image then tests"
        )


def _refuse_twice(paths: Sequence[Path]) -> None:
    seen: dict[Any, Path] = {}
    for path in paths:
        if (other := seen.setdefault(_identity(path), path)) != path:
            raise UsageError(
                f"{other} and {path} are one file, which might be trained on and tested by; take one of them away"
            )


def _identity(path: Path) -> Any:
    """What two names of one file share; of a link to nowhere its name."""
    try:
        about = path.stat()
    except OSError:
        return path
    return about.st_dev, about.st_ino


def _left_out(root: Path, found: Mapping[str, Sequence[Path]]) -> str:
    """How many pictures below a folder are in no split, by their endings; "" for none."""
    read = {_identity(path) for paths in found.values() for path in paths}
    endings = {_identity(path): path.suffix.lower() for path in _pictures(root)}
    counts = Counter(ending for identity, ending in endings.items() if identity not in read)
    return ", ".join(f"{count:,} {ending}" for ending, count in sorted(counts.items()))


def _pictures(root: Path) -> Iterator[Path]:
    """Files with a picture's ending in a folder and below it, each folder once, however links lead to it."""
    seen = set()
    for folder, below, names in itertools.islice(os.walk(root, followlinks=True), MOST):
        again = (real := os.path.realpath(folder)) in seen
        seen.add(real)
        below[:] = [] if again else [name for name in below if not name.startswith(".")]
        for name in () if again else names:
            if not name.startswith(".") and Path(name).suffix.lower() in (*ENDINGS, *OTHERS):
                yield Path(folder, name)
