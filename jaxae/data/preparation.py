"""Preparing MNIST, FashionMNIST, KMNIST and CIFAR-10 without TensorFlow, as the stock TFDS builders would.

A subclass of the stock builder keeps its name, version, features, URLs and checksums. It reads the official files with
gzip, tarfile and NumPy and hands images over as Pillow's, where the stock one would call TensorFlow.
"""

import contextlib
import gzip
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxae import online
from jaxae.data.folders import PREPARABLE, PathLike, describe, location, versions
from jaxae.errors import UsageError

Files = Mapping[str, Path]  # the official files by their names
Examples = Iterator[tuple[int, dict]]  # in TFDS's form: a key, on which the order depends, and the features


def prepare(name: str, *, data_dir: PathLike | None = None, manual_dir: PathLike | None = None) -> Path:
    """The version folder of `name` in `data_dir`, downloaded and written as array_record if it isn't there yet.

    `name` is mnist, fashion_mnist, kmnist or cifar10. Official files found in `manual_dir` are not downloaded. All
    files are checked against TFDS's SHA-256, and the folder appears only once it is whole.

    Raises UsageError for another name, a wrong file, a server that doesn't answer and a folder that can't be written.
    """
    if name not in PREPARABLE:
        raise UsageError(
            f"prepare knows {', '.join(PREPARABLE)}, not {name!r}; prepare other sets with TFDS's own command, "
            f"`tfds build {name}`, then load reads them"
        )
    home = location(data_dir) / name
    if found := versions(home):
        return describe(home / found[-1], name).path
    missing = _missing(name, manual_dir)
    if missing and not online.answers(missing[0]):  # TFDS itself would try for minutes
        lacks = f"{manual_dir} lacks files, and " if manual_dir else ""
        raise UsageError(f"{lacks}no server answers for {name} within {online.PATIENCE} s; {_by_hand(missing)}")
    try:
        return _build(name, home, manual_dir)
    except OSError as error:
        raise UsageError(
            f"{name} can't be written to {home} ({error.strerror or error}); name another folder"
        ) from error


def _missing(name: str, manual_dir: PathLike | None) -> list[str]:
    """The URLs of the official files that are not in `manual_dir`; those that are there must be genuine."""
    folder = Path(os.path.expanduser(manual_dir)) if manual_dir else None
    if folder and not folder.is_dir():
        raise UsageError(f"there is no folder {folder}; give one that holds official files with --manual-dir")
    missing = []
    for url, info in _stock(name).url_infos.items():
        path = folder and folder / info.filename
        if not path or not path.exists():
            missing.append(url)
        elif hashlib.sha256(path.read_bytes()).hexdigest() != info.checksum:
            raise UsageError(f"{path} is not the official file, by its SHA-256; download it anew from {url}")
    return missing


def _by_hand(urls: list[str]) -> str:
    return f"fetch {', '.join(urls)} elsewhere and give the folder with --manual-dir"


def _build(name: str, home: Path, manual_dir: PathLike | None) -> Path:
    """Everything is made in a hidden folder next to `home`, and the finished set is moved out of it at the end."""
    import tensorflow_datasets as tfds

    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{name}-", ignore_cleanup_errors=True) as draft:
        builder = _builder(name)(data_dir=draft)
        manual = Path(os.path.expanduser(manual_dir)) if manual_dir else None
        config = tfds.download.DownloadConfig(manual_dir=manual, try_download_gcs=False)
        with contextlib.redirect_stdout(io.StringIO()):  # where TFDS says that the set lies in the hidden folder
            builder.download_and_prepare(
                download_dir=f"{draft}/downloads", download_config=config, file_format="array_record"
            )
        home.mkdir(exist_ok=True)
        with contextlib.suppress(OSError):
            return Path(builder.data_dir).rename(home / str(builder.version))
        if found := versions(home):  # another process was first
            return describe(home / found[-1], name).path
        return Path(builder.data_dir).rename(home / str(builder.version))  # and say why not


def _stock(name: str) -> Any:
    import tensorflow_datasets as tfds

    return tfds.builder_cls(name)


def _builder(name: str) -> Any:
    """The stock builder's class, reading without TensorFlow; not registered, so that TFDS's own stays what it is."""
    from tensorflow_datasets.core import registered

    stock, examples = _stock(name), cifar_examples if name == "cifar10" else mnist_examples
    with registered.skip_registration():

        class Builder(stock):
            name = stock.name
            __module__ = stock.__module__  # goes into the set's description, and tells where the checksums are

            def _split_generators(self, dl_manager):
                files = _download(self, dl_manager)
                if self.name == "cifar10":
                    self.info.features["label"].names = cifar_classes(files)
                return {split: examples(files, split) for split in ("train", "test")}

    return Builder


def _download(builder: Any, manager: Any) -> Files:
    urls = {info.filename: url for url, info in builder.url_infos.items()}
    try:
        return {name: Path(path) for name, path in manager.download(urls).items()}
    except Exception as error:  # of TFDS, for a wrong checksum, or of requests, which it uses
        reason = type(error).__name__
        raise UsageError(f"downloading {builder.name} failed ({reason}); {_by_hand([*urls.values()])}") from error


def mnist_examples(files: Files, split: str) -> Examples:
    """The examples of one split of MNIST, or of a set in its format, in the order of the official files."""
    prefix = {"train": "train", "test": "t10k"}[split]
    images = read_idx(files[f"{prefix}-images-idx3-ubyte.gz"])
    labels = read_idx(files[f"{prefix}-labels-idx1-ubyte.gz"])
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        yield i, {"image": _picture(image), "label": int(label)}


def read_idx(path: Path) -> np.ndarray:
    """The uint8 array in a gzipped IDX file: two zero bytes, type, rank, the sizes (big-endian int32), the bytes."""
    with gzip.open(path) as file:
        content = file.read()
    shape = np.frombuffer(content, ">i4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def cifar_examples(files: Files, split: str) -> Examples:
    """The examples of one split of CIFAR-10: rows of a label and 32x32 red, then green, then blue bytes."""
    batches = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}[split]
    rows = np.concatenate([np.frombuffer(_cifar_member(files, name), np.uint8).reshape(-1, 3073) for name in batches])
    images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    for i, (image, label) in enumerate(zip(images, rows[:, 0], strict=True)):
        yield i, {"id": f"{split}_{i:05}", "image": _picture(image), "label": int(label)}


def _picture(image: np.ndarray) -> Any:
    """Pillow's, which TFDS writes without TensorFlow."""
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(image))


def cifar_classes(files: Files) -> list[str]:
    """The names of CIFAR-10's ten classes."""
    return _cifar_member(files, "batches.meta.txt").decode().split()


def _cifar_member(files: Files, name: str) -> bytes:
    with tarfile.open(files["cifar-10-binary.tar.gz"]) as archive:
        member = archive.extractfile(f"cifar-10-batches-bin/{name}")
        assert member is not None, "not a regular file"
        return member.read()
