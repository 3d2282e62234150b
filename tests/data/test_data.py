import contextlib
import gzip
import http.server
import io
import itertools
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tarfile
import threading

import jax
import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorboardX.record_writer import RecordWriter
from tensorflow_datasets.proto import tf_example_pb2

from jaxae import data, online
from jaxae.data import cache, folders, preparation, splits, tfrecord
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


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data folder with tiny MNIST and CIFAR-10, and what was put in."""
    official = tmp_path_factory.mktemp("official")
    made = official_files(official)
    root = tmp_path_factory.mktemp("tfds")
    with served_from(official):
        for name in ("mnist", "cifar10"):
            data.prepare(name, data_dir=root)
    return root, made


@pytest.fixture
def root(prepared, tmp_path):
    """A copy of the data folder, to be damaged."""
    return shutil.copytree(prepared[0], tmp_path / "tfds")


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


def test_split_syntax_is_that_of_tfds():
    sizes = {"train": 45, "test": 7, "validation": 1000}
    infos = {
        name: tfds.core.SplitInfo(name=name, shard_lengths=[n], num_bytes=0, filename_template=None)
        for name, n in sizes.items()
    }
    bounds = ["", "0", "3", "-3", "7", "-7", "1_0", "50%", "-20%", "0.5%", "33.3%", "100%", "101%", "1.5", "2000"]
    slices = [f"{split}[{start}:{stop}]" for split in sizes for start, stop in itertools.product(bounds, bounds)]
    accepted = 0
    for spec in [*slices, "all", "train+test", "test[:3] + train[-5:]", "trai", "train[3]", "train[::]", "", "train+"]:
        try:
            absolute = tfds.core.ReadInstruction.from_spec(spec).to_absolute(infos)
            expected = [(part.splitname, part.from_ or 0, part.to or sizes[part.splitname]) for part in absolute]
            # TFDS writes both "to the end" and an end of 0 as something false: an end of 0 is empty, and so refused
            empty = any(
                part.to == 0 or start >= stop for part, (_, start, stop) in zip(absolute, expected, strict=True)
            )
        except (ValueError, AssertionError):
            empty = True
        if empty:
            refused("split", splits.parse, spec, sizes)
        else:
            accepted += 1
            assert list(splits.parse(spec, sizes)) == expected, spec
    assert accepted > 100


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_prepared_and_loaded_as_tfds_would(prepared, name):
    root, made = prepared
    for split in SIZES:
        loaded = data.load(name, split, data_dir=root)
        reference = list(tfds.data_source(name, split=split, data_dir=root))
        np.testing.assert_array_equal(loaded.image, [example["image"] for example in reference])
        np.testing.assert_array_equal(loaded.label, [example["label"] for example in reference])
        assert (loaded.image.dtype, loaded.label.dtype) == (np.uint8, np.int32)
        image, label = made[name, split]
        assert {(x.tobytes(), int(y)) for x, y in zip(loaded.image, loaded.label, strict=True)} == {
            (x.tobytes(), int(y)) for x, y in zip(image, label, strict=True)
        }
    assert loaded.classes == tuple(CLASSES if name == "cifar10" else "0123456789")
    assert (loaded.name, loaded.source) == (name, "tfds")
    if name == "cifar10":
        assert {example["id"] for example in reference} == {b"test_%05d" % i for i in range(SIZES["test"])}


def test_slices_are_cut_from_the_whole(prepared):
    whole = data.load("mnist", "train", data_dir=prepared[0])
    part = data.load("mnist", "train[-5:]+test[:2]", data_dir=prepared[0])
    np.testing.assert_array_equal(part.image[:5], whole.image[-5:])
    assert (len(part), part.split) == (7, "train[-5:]+test[:2]")
    first = data.load("mnist", "train[:9]", data_dir=prepared[0])
    assert first.fingerprint == whole.head(9).fingerprint != whole.fingerprint
    assert whole.head(9).split == "train[:9]"
    assert part.head(1).split == "(train[-5:]+test[:2])[:1]"
    for n in (0, 24):
        refused(f"first {n} ", whole.head, n)


def test_fingerprint_tells_shape_and_type():
    image, label = np.zeros((2, 4, 4, 1), np.uint8), np.zeros(2, np.int32)
    variants = [
        (image, label),
        (image.reshape(2, 8, 2, 1), label),
        (image.view(np.int8), label),
        (image, label + 1),
        (image + 1, label),
    ]
    assert len({data.fingerprint(*variant) for variant in variants}) == len(variants)


def test_dataset_is_a_pytree(prepared):
    dataset = data.load("mnist", "test", data_dir=prepared[0])
    moved = jax.jit(lambda d: jax.tree.map(lambda x: x + x.dtype.type(1), d))(jax.device_put(dataset))
    assert isinstance(moved, data.Dataset)
    np.testing.assert_array_equal(moved.image, dataset.image + np.uint8(1))
    assert moved.classes == dataset.classes
    assert moved.fingerprint == data.fingerprint(moved.image, moved.label) != dataset.fingerprint
    shapes = jax.eval_shape(lambda d: d, dataset)
    assert shapes.image.shape == dataset.image.shape and len(shapes) == 7


def test_warm_load_and_portable_arrays_need_no_tfds(prepared, tmp_path):
    cold = data.load("cifar10", "test", data_dir=prepared[0])
    kept = cache.home(folders.find("cifar10", prepared[0])).parents[1]
    moved = shutil.copytree(kept, tmp_path / "moved")
    code = """
import sys
sys.modules["tensorflow_datasets"] = sys.modules["array_record"] = None  # importing them fails
from jaxae import data
for folder in sys.argv[1:]:
    dataset = data.load("cifar10", "test", data_dir=folder)
    print(dataset.fingerprint, dataset.source, dataset.name, dataset.version, *dataset.classes)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", code, str(prepared[0]), str(moved)]
    lines = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines == [" ".join([cold.fingerprint, "tfds", "cifar10", cold.version, *cold.classes])] * 2


def test_damaged_cache_is_decoded_again(root):
    cold = data.load("mnist", "train", data_dir=root)
    home = cache.home(folders.find("mnist", root))
    for damage in (lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]), lambda raw: raw[:-1], lambda raw: b""):
        for name in ("train.image.npy", "train.label.npy", "arrays.json"):
            whole = (home / name).read_bytes()
            (home / name).write_bytes(damage(whole))
            assert data.load("mnist", "train", data_dir=root).fingerprint == cold.fingerprint
            assert (home / name).read_bytes() == whole
    (home / "train.image.npy").write_bytes(b"")
    refused("arrays of train .* damaged", data.load, "mnist", "train", data_dir=home.parents[1])


def test_cache_follows_its_source(root, tmp_path):
    before = data.load("mnist", "test", data_dir=root)
    official_files(tmp_path, seed=1)
    shutil.rmtree(root / "mnist")
    with served_from(tmp_path):
        data.prepare("mnist", data_dir=root)
    assert data.load("mnist", "test", data_dir=root).fingerprint != before.fingerprint


def test_cache_that_cannot_be_written(prepared, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path / "file" / "cache"))
    assert len(data.load("mnist", "test", data_dir=prepared[0])) == 7


def test_tfrecord(root):
    expected = data.load("mnist", "test", data_dir=root)
    path = write_tfrecord(root / "mnist/3.0.1", expected.image, expected.label)
    assert data.load("mnist", "test", data_dir=root).fingerprint == expected.fingerprint
    os.truncate(path, path.stat().st_size - 1)
    refused("damaged or cut short.*data prepare mnist", data.load, "mnist", "test", data_dir=root)


def test_no_changed_bit_of_a_tfrecord_goes_unseen(tmp_path):
    records = [b"", b"a", bytes(range(50))]
    writer = RecordWriter(str(tmp_path / "file"))
    for record in records:
        writer.write(record)
    writer.close()
    raw = (tmp_path / "file").read_bytes()
    seen = 0
    for i, bit in itertools.product(range(len(raw)), (1, 128)):
        (tmp_path / "file").write_bytes(raw[:i] + bytes([raw[i] ^ bit]) + raw[i + 1 :])
        try:
            assert tfrecord.records(tmp_path / "file") == records
        except ValueError:
            seen += 1
    assert seen == 2 * (len(raw) - 3 * 4)  # all but the checksums of the three lengths, which say nothing new


def test_images_of_several_sizes(root):
    images = [np.zeros((28, 28), np.uint8)] * 3 + [np.zeros((20, 30), np.uint8)] * 4
    write_tfrecord(root / "mnist/3.0.1", images, range(7))
    refused("28x28x1 and 20x30x1", data.load, "mnist", "test", data_dir=root)
    write_tfrecord(root / "mnist/3.0.1", images[3:4] * 23, range(23), split="train")
    write_tfrecord(root / "mnist/3.0.1", images[:1] * 7, range(7))
    refused("differ in their image sizes", data.load, "mnist", "train+test", data_dir=root)


@pytest.mark.parametrize(
    ("name", "split", "match"),
    [
        ("mnist", "validation", "no split 'validation'; choose from train, test"),
        ("minst", "train", "no 'minst' in .*; did you mean mnist"),
        ("kmnist", "train", "kmnist is not prepared in .*`python -m jaxae data prepare kmnist --data-dir "),
        ("svhn_cropped", "train", "svhn_cropped is not prepared .*`tfds build svhn_cropped`"),
        ("mnist:1.0.0", "train", "no version 1.0.0; choose from 3.0.1"),
        ("mnist/large", "train", "mnist has no configurations"),
        ("../mnist", "train", "'../mnist' is not written like"),
    ],
)
def test_wrong_requests(prepared, name, split, match):
    refused(match, data.load, name, split, data_dir=prepared[0])


def test_wrong_folders(prepared, tmp_path, monkeypatch):
    root = prepared[0]
    for inside in (root / "mnist", root / "mnist/3.0.1"):
        refused(f"single set; give {root} instead", data.load, "mnist", "train", data_dir=inside)
    refused("no data folder .*nowhere", data.load, "mnist", "train", data_dir=tmp_path / "nowhere")
    refused("no data folder .*nowhere", data.listing, tmp_path / "nowhere")
    refused("no source 'tdfs'", data.load, "mnist", "train", source="tdfs")
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    assert len(data.load("mnist", "test")) == 7


SHARD = "mnist-test.array_record-00000-of-00001"


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda home: os.truncate(home / SHARD, (home / SHARD).stat().st_size // 2), "damaged or cut short"),
        (lambda home: (home / SHARD).unlink(), "is missing"),
        (lambda home: shutil.copy(home / SHARD.replace("test", "train"), home / SHARD), "damaged or cut short"),
        (lambda home: (home / "dataset_info.json").write_text("{"), "describes no readable data set"),
        (lambda home: (home / "dataset_info.json").unlink(), "describes no readable data set"),
        (lambda home: (home / "features.json").write_text("{"), "description .* is damaged"),
        (lambda home: set_format(home, "parquet"), "format parquet, not array_record or tfrecord"),
        (lambda home: without(home, "image"), "no feature image"),
        (lambda home: without(home, "label"), "no feature label"),
    ],
)
def test_damaged_sets(root, damage, match):
    damage(root / "mnist/3.0.1")
    refused(match, data.load, "mnist", "test", data_dir=root)


def test_versions_and_configurations(root):
    for version in ("3.0.9", "3.0.10"):
        shutil.copytree(root / "mnist/3.0.1", root / "mnist" / version)
    (root / "mnist/3.0.11.incomplete").mkdir()
    assert data.load("mnist", "test", data_dir=root).version == "3.0.10"
    assert data.load("mnist:3.0.9", "test", data_dir=root).version == "3.0.9"
    shutil.move(root / "cifar10/3.0.2", root / "cifar10/plain/3.0.2")
    assert data.load("cifar10/plain", "test", data_dir=root).name == "cifar10/plain"
    refused("choose from cifar10/plain", data.load, "cifar10", "test", data_dir=root)
    (root / "mnist/3.0.9/dataset_info.json").write_text("")
    listed = [(found.name, found.version, found.splits, found.format) for found in data.listing(root)]
    assert listed == [
        ("cifar10/plain", "3.0.2", SIZES, "array_record"),
        ("mnist", "3.0.1", SIZES, "array_record"),
        ("mnist", "3.0.9", {}, "damaged"),
        ("mnist", "3.0.10", SIZES, "array_record"),
    ]


def test_prepare_refuses(prepared, tmp_path):
    root = tmp_path / "tfds"
    refused("knows mnist, .*, not 'svhn_cropped'.*`tfds build svhn_cropped`", data.prepare, "svhn_cropped")
    official_files(tmp_path)
    for name in folders.PREPARABLE:
        refused("not the official file, by its SHA-256", data.prepare, name, data_dir=root, manual_dir=tmp_path)
    refused("no folder .*none", data.prepare, "mnist", data_dir=root, manual_dir=tmp_path / "none")
    (tmp_path / "file").touch()
    with served_from(tmp_path):
        refused("can't be written", data.prepare, "mnist", data_dir=tmp_path / "file" / "tfds")
    assert not root.exists()


def test_prepare_leaves_nothing_half_made(tmp_path):
    official_files(tmp_path)
    root = tmp_path / "tfds"

    def interrupted(files, split):
        yield from itertools.islice(read(files, split), 5)
        raise KeyboardInterrupt

    read = preparation.mnist_examples
    with served_from(tmp_path) as patch:
        patch.setattr(preparation, "mnist_examples", interrupted)
        with pytest.raises(KeyboardInterrupt):
            data.prepare("mnist", data_dir=root)
        assert not list(root.iterdir())
        patch.setattr(tfds.download.DownloadManager, "download", lambda self, urls: 1 / 0)
        refused("downloading mnist failed .*train-images-idx3-ubyte.gz", data.prepare, "mnist", data_dir=root)
        assert not list(root.iterdir())


def test_prepared_set_is_kept(prepared):
    assert data.prepare("mnist", data_dir=prepared[0]) == prepared[0] / "mnist/3.0.1"


class Proxy(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200 if "kmnist" in self.path else 502)
        self.end_headers()

    def log_message(self, *args):
        pass


def test_offline_is_told_at_once(tmp_path, monkeypatch):
    def through(port):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")

    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setattr(online, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        through(silent.getsockname()[1])
        refused("no server answers for kmnist .*http://codh.*--manual-dir", data.prepare, "kmnist", data_dir=tmp_path)
    refused("no server answers", data.prepare, "kmnist", data_dir=tmp_path)  # the port is closed now
    monkeypatch.setattr(online, "PATIENCE", 10)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        through(server.server_port)
        assert online.answers("http://example.org/kmnist")
        assert not online.answers("http://example.org/other")
        server.shutdown()


@pytest.mark.real
def test_prepare_gives_the_real_mnist(real_data, tmp_path):
    path = data.prepare("mnist", data_dir=tmp_path, manual_dir=real_data / "downloads")
    assert path == tmp_path / "mnist/3.0.1"
    for split, n in (("train", 60_000), ("test", 10_000)):
        ours, theirs = (data.load("mnist", split, data_dir=folder) for folder in (tmp_path, real_data / "tfds"))
        assert len(ours) == n
        assert ours.fingerprint == theirs.fingerprint


@pytest.mark.parametrize(
    ("name", "split", "n", "source", "words"),
    [
        ("cifar10", "train", 5_438, "tfds", "5,438 of 50,000"), ("cifar10", "train", 50_000, "tfds", "50,000"),
        ("cifar10", "train[:100]", 100, "tfds", "100"), ("mine", "train", 7, "tfds", "7"),
        ("mnist", "test", 2_000, "synthetic", "2,000"),
    ],
)  # fmt: skip
def test_sets_of_which_images_are_missing_are_called_so(name, split, n, source, words):
    assert data.count(name, split, n, source) == words
