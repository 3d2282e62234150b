"""Images of one's own: arrays, or a folder of PNG and JPEG files."""

import dataclasses
import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import jaxae.data.cache as cache
from jaxae.data.dataset import Dataset, assemble, create
from jaxae.data.folders import PathLike
from jaxae.data.own_files import class_of, split_files
from jaxae.errors import Notice, UsageError
from jaxae.files import path_of

GREY = ("1", "L", "LA")  # Pillow's modes with one channel of 8 bits or fewer
COLOUR = ("RGB", "RGBA", "P", "CMYK", "YCbCr")
PNG, DEPTH = b"\x89PNG\r\n\x1a\n", 24  # how such files begin, and where they have the bits of a channel
ORIENTATION = 0x0112  # the tag of EXIF


def from_arrays(
    image: Any, label: Any = None, *, name: str = "arrays", split: str = "all", classes: Sequence[str] = ()
) -> Dataset:
    """A Dataset of images uint8[n, h, w, c], or uint8[n, h, w] for one channel and w above 4, and labels int[n] from 0.

    Without labels all images are of one class. `classes` are the labels' names, by default their numbers.
    Raises UsageError for other types, shapes and labels, for channels that come first, and where there are no images.

    >>> ae.data.from_arrays(np.zeros((5, 8, 9), np.uint8)).image.shape
    (5, 8, 9, 1)
    """
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[2] in (3, 4) and image.shape[1] > 4:
        raise UsageError(
            f"images of shape {image.shape} are one picture in colours, or many grey ones; give image[None] of one, "
            "image[..., None] of many"
        )
    image = image[..., None] if image.ndim == 3 else image
    if image.dtype != np.uint8 or image.ndim != 4 or not image.size:
        raise UsageError(
            f"{image.dtype}{list(image.shape)} is no stack of stored images; give uint8[n, h, w, c], from 0 to 255"
        )
    if image.shape[1] in (1, 3) and min(image.shape[2:]) > 4:
        raise UsageError(
            f"images of shape {image.shape} have their channels first; move them last, as in np.moveaxis(images, 1, -1)"
        )
    label = np.zeros(len(image), np.int32) if label is None else np.asarray(label)
    if label.shape != (len(image),) or label.dtype.kind not in "iu":
        raise UsageError(f"labels {label.dtype}{list(label.shape)} aren't one whole number for each of {len(image)}")
    classes = tuple(classes) or tuple(map(str, range(int(label.max()) + 1)))
    if label.min() < 0 or label.max() >= len(classes):
        raise UsageError(f"labels from {label.min()} to {label.max()} don't number {len(classes)} classes from 0")
    return create(image, label.astype(np.int32), name=name, split=split, source="own", classes=classes, version="own")


def from_folder(folder: PathLike, split: str = "all", *, size: int | tuple[int, int] | None = None) -> Dataset:
    """The PNG and JPEG files of a folder, in the order of their names; those in folders below are of a class each.

    Where there are folders `train` and `test`, these are the splits; else every tenth image is for "test", and the
    others for "train". `split` is in TFDS's syntax: "all", "train[:90%]". Images are grey, uint8[n, h, w, 1], where all
    are; else RGB, without transparency. With `size`, one number or (h, w), they are scaled to cover it and cut at the
    centre; without, they must be of one size.

    Notices, which are warnings, count pictures that are left out, of other formats or in other folders, grey ones that
    are read as RGB, and those whose alpha channel is left out.
    Raises UsageError for a folder without images, for several sizes, and, naming it, for a file that can't be read, is
    there twice by a link, or has more than 8 bits a channel.
    """
    root = Path(os.path.expanduser(path_of(folder)))  # Path's own raises for a user that there isn't
    files = split_files(root)
    classes = sorted({class_of(path, root, split) for split, paths in files.items() for path in paths})
    grey, shape = _common(root, [path for paths in files.values() for path in paths], _pair(size))

    def whole(split: str) -> Dataset:
        image = cache.room((len(files[split]), *shape, 1 if grey else 3))
        for place, path in enumerate(files[split]):
            image[place] = _pixels(path, grey, shape)
        label = np.array([classes.index(class_of(path, root, split)) for path in files[split]], np.int32)
        made = from_arrays(
            image, label, name=Path(os.path.realpath(root)).name or "images", split=split, classes=classes
        )
        return dataclasses.replace(made, source="folder")

    return assemble(split, {split: len(paths) for split, paths in files.items()}, whole)


def is_folder(name: str) -> bool:
    """Whether a set's name is the path of a folder: it starts with ./, ../, / or ~."""
    return name.startswith(("./", "../", "/", "~")) or name in (".", "..")


def _pair(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(sides) != 2 or not all(isinstance(side, int | np.integer) and 1 <= side <= 4096 for side in sides):
        raise UsageError(
            f"images can't be resized to {size!r}; give a whole number from 1 to 4096, or two, (height, width)"
        )
    return sides


def _common(root: Path, paths: Sequence[Path], size: tuple[int, int] | None) -> tuple[bool, tuple[int, int]]:
    """Whether all images are grey, and their size. Only the files' heads are read."""
    modes, clear, sizes = Counter[str](), 0, {}
    for path in paths:
        with _opened(path) as image:
            _refuse_deep(path, image.mode)
            modes[image.mode] += 1
            clear += _is_clear(image)
            sizes.setdefault(_upright(image), path)
    if size is None and len(sizes) > 1:
        (one, path), (other, another) = list(sizes.items())[:2]
        raise UsageError(
            f"{path} is {one[0]}x{one[1]} and {another} is {other[0]}x{other[1]}; give one size, size=32 or on "
            "the command line --image-size 32, and all are scaled and cut to it"
        )
    grey = modes.keys() <= {*GREY}
    _say_converted(root, 0 if grey else sum(modes[mode] for mode in GREY), clear)
    return grey, size or next(iter(sizes))


def _say_converted(root: Path, mixed: int, clear: int) -> None:
    """Say in a Notice how many grey pictures become RGB, and how many lose their alpha channel."""
    told = [f"grey pictures that are read as RGB, as others are: {mixed:,}"] if mixed else []
    told += [f"pictures whose alpha channel is left out: {clear:,}"] if clear else []
    if told:
        warnings.warn(f"{root}: {'; '.join(told)}", Notice, stacklevel=4)


def _is_clear(image: Any) -> bool:
    """Whether it has an alpha channel, or a colour that is transparent."""
    return image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info


def _upright(image: Any) -> tuple[int, int]:
    """Height and width, as the camera was held."""
    try:
        turned = image.getexif().get(ORIENTATION, 1) >= 5
    except Exception as error:  # Pillow raises whatever it stumbles over
        raise _refusal(Path(image.filename), error) from error
    return (image.width, image.height) if turned else (image.height, image.width)


def _pixels(path: Path, grey: bool, shape: tuple[int, int]) -> np.ndarray:
    """uint8[h, w, c]."""
    from PIL import ImageOps

    with _opened(path) as image:
        try:
            upright = ImageOps.exif_transpose(image)
            if upright.mode == "P":  # whose transparency Pillow warns of otherwise
                upright = upright.convert("RGBA")
            upright = upright.convert("L" if grey else "RGB")
        except Exception as error:  # Pillow raises whatever it stumbles over
            raise _refusal(path, error) from error
    if (upright.height, upright.width) != shape:
        upright = ImageOps.fit(upright, (shape[1], shape[0]))
    return np.asarray(upright).reshape(*shape, -1)


def _opened(path: Path) -> Any:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # twice as many pixels are an error
            return Image.open(path, formats=("PNG", "JPEG"))
    except Exception as error:
        raise _refusal(path, error) from error


def _refuse_deep(path: Path, mode: str) -> None:
    """Raise UsageError for more than 8 bits a channel: of colours Pillow drops those beyond in silence."""
    with path.open("rb") as file:
        head = file.read(DEPTH + 1)
    deep = head.startswith(PNG) and head[DEPTH] > 8
    if deep or mode not in (*GREY, *COLOUR):
        found = f"{head[DEPTH]} bits a channel" if deep else f"pixels of the kind {mode}"
        raise UsageError(f"{path} has {found}; convert it to 8 bits a channel, grey or RGB")


def _refusal(path: Path, error: Exception) -> Exception:
    """What is said of an image that Pillow doesn't read. Only what the file itself is to blame for is damage."""
    from PIL import Image

    if isinstance(error, MemoryError):
        return error
    if isinstance(error, Image.DecompressionBombError):
        return UsageError(f"{path} is too large ({str(error).partition(',')[0]}); scale it down")
    if isinstance(error, OSError) and error.errno:
        return UsageError(f"{path} can't be read ({error.strerror}); let it be read, or take it out of the folder")
    return UsageError(f"{path} is no PNG or JPEG that can be read; copy it again, or take it out of the folder")
