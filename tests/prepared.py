"""Sets prepared from made-up official files, for tests of reading and of preparing."""

import contextlib
import gzip
import io
import json
import pathlib
import tarfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorboardX.record_writer import RecordWriter
from tensorflow_datasets.proto import tf_example_pb2

from jaxae import online
from jaxae.errors import UsageError

SIZES = {"train": 23, "test": 7}
CLASSES = [f"class{i}" for i in range(10)]


def official_files(folder, seed=0):
    """A few random images in the official formats of MNIST and CIFAR-10; gives what they hold."""
    rng, made = np.random.default_rng(seed), {}
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for split, prefix in (("train", "train"), ("test", "t10k")):
            label = rng.integers(10, size=SIZES[split], dtype=np.uint8)
            image = rng.integers(256, size=(len(label), 28, 28), dtype=np.uint8)
            made["mnist", split] = image[..., None], label
            for kind, array in (("images-idx3", image), ("labels-idx1", label)):
                header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
                (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
            colour = rng.integers(256, size=(len(label), 3, 32, 32), dtype=np.uint8)
            made["cifar10", split] = colour.transpose(0, 2, 3, 1), label
            rows = np.concatenate([label[:, None], colour.reshape(len(label), -1)], axis=1)
            names = ["test_batch"] if split == "test" else [f"data_batch_{i}" for i in range(1, 6)]
            for name, part in zip(names, np.array_split(rows, len(names)), strict=True):
                add(archive, f"{name}.bin", part.tobytes())
        add(archive, "batches.meta.txt", "\n".join([*CLASSES, ""]).encode())
    return made


def add(archive, name, content):
    member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


@contextlib.contextmanager
def served_from(folder):
    """Downloads find their files in `folder`, past the checksums, which these files can't have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(online, "answers", lambda url: True)
        patch.setattr(
            tfds.download.DownloadManager, "download", lambda self, urls: {name: folder / name for name in urls}
        )
        yield patch


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def without(folder, feature):
    edit(folder / "features.json", lambda description: description["featuresDict"]["features"].pop(feature))


def set_format(folder, name):
    edit(folder / "dataset_info.json", lambda info: info.update(fileFormat=name))


def png(image):
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, "png")
    return buffer.getvalue()


def write_tfrecord(folder, images, labels, split="test"):
    """Turn a prepared set into TFRecord, by the writer of another library."""
    set_format(folder, "tfrecord")
    writer = RecordWriter(str(folder / f"{folder.parent.name}-{split}.tfrecord-00000-of-00001"))
    for image, label in zip(images, labels, strict=True):
        example = tf_example_pb2.Example()  # pyright: ignore[reportAttributeAccessIssue] (made at run time)
        example.features.feature["image"].bytes_list.value.append(png(image))
        example.features.feature["label"].int64_list.value.append(int(label))
        writer.write(example.SerializeToString())
    writer.close()
    return pathlib.Path(writer.path)


def refused(match, call, *args, **kwargs):
    """The call is refused in one line that matches."""
    with pytest.raises(UsageError, match=match) as raised:
        call(*args, **kwargs)
    assert "\n" not in str(raised.value)
