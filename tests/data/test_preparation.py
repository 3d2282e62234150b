"""Preparing sets without TensorFlow: what TFDS would, or a sentence; nothing half made."""

import http.server
import itertools
import socket
import threading

import numpy as np
import pytest
import tensorflow_datasets as tfds
from prepared import official_files, refused, served_from

from jaxae import data, online
from jaxae.data import folders, preparation


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


def test_of_two_preparations_at_once_the_second_finds_the_set_of_the_first(tmp_path):
    made = official_files(tmp_path)
    root, read = tmp_path / "tfds", preparation.mnist_examples
    with served_from(tmp_path) as patch:

        def overtaken(files, split):
            """Before the last example is read, another process prepares the set."""
            yield from read(files, split)
            if split == "test":
                patch.setattr(preparation, "mnist_examples", read)
                data.prepare("mnist", data_dir=root)

        patch.setattr(preparation, "mnist_examples", overtaken)
        assert data.prepare("mnist", data_dir=root) == root / "mnist/3.0.1"
        assert preparation.mnist_examples is read
    assert [path.name for path in root.iterdir()] == ["mnist"]
    found, expected = data.load("mnist", "test", data_dir=root).image, made["mnist", "test"][0]
    np.testing.assert_array_equal(np.sort(found.sum((1, 2, 3))), np.sort(expected.sum((1, 2, 3))))  # TFDS shuffles


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
