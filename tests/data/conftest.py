"""The sets that the tests of this folder share: prepared once, copied for those that spoil them."""

import shutil

import pytest
from prepared import official_files, served_from

from jaxae import data


@pytest.fixture(scope="session")
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
