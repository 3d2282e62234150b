"""Decoding a set that TFDS has prepared, without TensorFlow: array_record and TFRecord folders.

TFDS itself says which files and features there are. Images are always decoded by Pillow, so that the pixels don't
depend on whether OpenCV happens to be installed.
"""

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import jaxae.data.cache as cache
import jaxae.data.tfrecord as tfrecord
from jaxae.data.dataset import AS_JPEG, Dataset, create
from jaxae.data.folders import Prepared, remedy, unreadable
from jaxae.errors import UsageError

_CLASS = re.compile(r"tensorflow_datasets\.core\.features\.[a-z_0-9]+\.\w+")  # whose modules TFDS may import
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's, by the number of channels


def decode(found: Prepared, split: str) -> Dataset:
    """All images and labels of one whole split of `found`, in TFDS's order.

    Raises UsageError if the set has no `image` (8 bits) or no `label` (a class), if its images differ in size, if its
    format is neither array_record nor TFRecord, or if a file is missing or damaged.
    """
    read = _reader(found)
    info = _info(found)
    examples = _examples(found, info.splits[split], read, _mode(found, info.features))
    image, label = _stack(examples, found.splits[split], found.name)
    classes = info.features["label"].names
    if label.min(initial=0) < 0 or label.max(initial=0) >= len(classes):
        raise UsageError(f"{found.path} has labels outside of its {len(classes)} classes; {_again(found)}")
    source = AS_JPEG if info.features["image"].encoding_format == "jpeg" else "tfds"
    return create(image, label, name=found.name, split=split, source=source, classes=classes, version=found.version)


def _reader(found: Prepared) -> Callable[[Path], list[bytes]]:
    readers = {"array_record": _read_array_record, "tfrecord": tfrecord.records}
    if found.format not in readers:  # Parquet: TFDS 4.9 loses examples when it writes them
        raise UsageError(f"{found.path} is in the format {found.format}, not array_record or tfrecord; {_again(found)}")
    return readers[found.format]


def _info(found: Prepared) -> Any:
    """TFDS's DatasetInfo. Imported here: TFDS takes a second or more, and a warm load never comes this way."""
    _refuse_code(found)
    import tensorflow_datasets as tfds

    try:
        return tfds.builder_from_directory(found.path).info
    except Exception as error:  # TFDS raises whatever it stumbles over
        raise UsageError(f"the description of the set in {found.path} is damaged; {_again(found)}") from error


def _refuse_code(found: Prepared) -> None:
    """Raise UsageError where the set's description names classes that aren't TFDS's: it would import their modules."""
    try:
        described = json.loads((found.path / "features.json").read_text("utf-8"))
    except (OSError, ValueError):
        return  # TFDS says what it makes of that
    waiting = [described]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            names = [part[key] for key in ("pythonClassName", "type") if isinstance(part.get(key), str)]
            if other := [name for name in names if "." in name and not _CLASS.fullmatch(name)]:
                raise UsageError(
                    f"the description of the set in {found.path} asks for {other[0][:80]}, which is code and none of "
                    "TFDS's features, so it isn't opened; prepare the set with TFDS's own features"
                )
        waiting += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()


def _mode(found: Prepared, features: Any) -> str:
    """Pillow's mode for the images, once it is sure that the features are what we can read."""
    import tensorflow_datasets as tfds

    kinds = {name: type(feature) for name, feature in features.items()}
    image = kinds.get("image") == tfds.features.Image and features.np_dtype["image"] == np.uint8
    channels = features.shape["image"][-1] if image else None
    if channels not in _MODES:
        raise UsageError(f"{found.name} has no feature image of 8-bit images, only {', '.join(kinds)}; choose another")
    if kinds.get("label") != tfds.features.ClassLabel:
        raise UsageError(f"{found.name} has no feature label of classes, only {', '.join(kinds)}; choose another set")
    return _MODES[channels]


def _examples(found: Prepared, split: Any, read: Callable[[Path], list[bytes]], mode: str) -> Iterator[tuple]:
    for path, length in zip(map(Path, split.filepaths), split.shard_lengths, strict=True):
        _refuse_unreadable(path, found)
        try:
            yield from _parsed(read(path), length, mode)
        except Exception as error:  # array_record, protobuf, zlib and Pillow: each has errors of its own
            raise UsageError(f"the file {path} is damaged or cut short; {_again(found)}") from error


def _refuse_unreadable(path: Path, found: Prepared) -> None:
    try:
        path.open("rb").close()
    except FileNotFoundError:
        raise UsageError(f"the file {path} is missing; {_again(found)}") from None
    except OSError as error:
        raise UsageError(unreadable(path, error)) from None


def _parsed(records: list[bytes], length: int, mode: str) -> Iterator[tuple[np.ndarray, int]]:
    """The image, uint8[h, w, c], and the label of each record."""
    from PIL import Image
    from tensorflow_datasets.proto import tf_example_pb2

    parse = tf_example_pb2.Example.FromString  # pyright: ignore[reportAttributeAccessIssue] (made at run time)
    if len(records) != length:
        raise EOFError(f"{len(records)} records, not {length}")
    for record in records:
        feature = parse(record).features.feature
        with Image.open(io.BytesIO(feature["image"].bytes_list.value[0])) as image:
            yield np.atleast_3d(np.asarray(image.convert(mode))), feature["label"].int64_list.value[0]


def _stack(examples: Iterator[tuple[np.ndarray, int]], n: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """One array of the `n` images and one of their labels, filled as they come: no second copy in memory."""
    image, label = np.empty(0, np.uint8), np.empty(n, np.int32)
    for i, (pixels, number) in enumerate(examples):
        if i == 0:
            image = cache.room((n, *pixels.shape))
        if pixels.shape != image.shape[1:]:
            sizes = " and ".join("x".join(map(str, shape)) for shape in (image.shape[1:], pixels.shape))
            raise UsageError(f"{name} has images of several sizes, such as {sizes}; prepare it with images of one size")
        image[i], label[i] = pixels, number
    return image, label


def _read_array_record(path: Path) -> list[bytes]:
    from array_record.python.array_record_module import ArrayRecordReader

    reader = ArrayRecordReader(str(path))
    try:
        return reader.read_all()
    finally:
        reader.close()


def _again(found: Prepared) -> str:
    return f"remove the folder {found.path} and {remedy(found.name, found.data_dir)}"
