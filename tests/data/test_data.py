"""Sets read as TFDS would, cached, cut and fingerprinted; damage and absence in one sentence."""

import dataclasses
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import tensorflow_datasets as tfds
from prepared import CLASSES, SIZES, official_files, refused, served_from, set_format, without, write_tfrecord
from tensorboardX.record_writer import RecordWriter

from jaxae import data
from jaxae.data import cache, folders, splits, tfrecord
from jaxae.errors import UsageError


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
    replaced = dataclasses.replace(dataset, image=moved.image, label=moved.label)
    assert replaced.fingerprint == moved.fingerprint
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
    write_tfrecord(root / "mnist/3.0.1", images[3:4] * 23, [0] * 23, split="train")
    write_tfrecord(root / "mnist/3.0.1", images[:1] * 7, range(7))
    refused("differ in their image sizes", data.load, "mnist", "train+test", data_dir=root)


@pytest.mark.parametrize(
    ("name", "split", "match"),
    [
        ("mnist", "validation", "no split 'validation'; choose from train, test"),
        ("minst", "train", "no 'minst' in .*; did you mean mnist"),
        ("kmnist", "train", "kmnist is not prepared in .*`.*python.* -m jaxae data prepare kmnist --data-dir "),
        ("svhn_cropped", "train", "svhn_cropped is not prepared .*`tfds build svhn_cropped`"),
        ("mnist:1.0.0", "train", "no version 1.0.0; choose from 3.0.1"),
        ("mnist/large", "train", "mnist has no configurations"),
        ("m/../nist", "train", "'m/../nist' is not written like"),
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
    refused("the set None has no name; give a text, such as 'mnist'", data.load, None, "train")
    refused("the split None is no text; give one, such as 'train'", data.load, "mnist", None)
    refused("no source 'tdfs'", data.load, "mnist", "train", source="tdfs")
    monkeypatch.setenv("TFDS_DATA_DIR", str(root))
    assert len(data.load("mnist", "test")) == 7


SHARD = "mnist-test.array_record-00000-of-00001"


def in_place(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize("closed", [SHARD, "dataset_info.json"])
def test_what_may_not_be_read_is_not_called_damaged(root, closed, monkeypatch):
    def opened(path, *arguments, _open=Path.open, **options):
        if path.name == closed:
            raise PermissionError(13, "Permission denied")
        return _open(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", opened)
    refused(rf"{closed}|3\.0\.1 can't be read \(Permission denied\); ask", data.load, "mnist", "test", data_dir=root)
    with pytest.raises(UsageError, match="there is no home for ~nobody-here"):
        folders.location("~nobody-here/data")


def test_a_folder_that_may_not_be_listed_is_not_called_damaged(root, monkeypatch):
    def closed(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    refused(r"3\.0\.1 can't be read \(Permission denied\); ask", data.load, "mnist", "test", data_dir=root)


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda home: os.truncate(home / SHARD, (home / SHARD).stat().st_size // 2), "damaged or cut short"),
        (lambda home: (home / SHARD).unlink(), "is missing"),
        (lambda home: shutil.copy(home / SHARD.replace("test", "train"), home / SHARD), "damaged or cut short"),
        (lambda home: (home / "dataset_info.json").write_text("{"), "describes no readable data set"),
        (lambda home: (home / "dataset_info.json").unlink(), "describes no readable data set"),
        (lambda home: (home / "features.json").write_text("{"), "description .* is damaged"),
        (
            lambda home: in_place(home / "features.json", "core.features.image_feature.Image", "evil.Image"),
            "is code and",
        ),
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
