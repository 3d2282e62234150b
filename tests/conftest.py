"""Strictness for every test: no implicit promotion of ranks or dtypes, and (pyproject.toml) warnings are errors."""

import os
import pathlib

import jax
import pytest

from jaxae import program
from jaxae.flags import Flags

program.set_up(Flags(devices=2))  # as experiments have it; two devices, so that lanes over devices are tested
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="session")
def real_data() -> pathlib.Path:
    """The folder with `tfds/` and `downloads/`, named by JAXAE_TEST_DATA; tests that ask for it are marked `real`."""
    folder = os.environ.get("JAXAE_TEST_DATA")
    if not folder:
        pytest.skip("JAXAE_TEST_DATA names no folder of real data")
    return pathlib.Path(folder).resolve()


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory, monkeypatch):
    """Each test session caches in a folder of its own, never in the user's."""
    monkeypatch.setenv("JAXAE_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
