"""Strictness for every test: no implicit promotion of ranks or dtypes, and (pyproject.toml) warnings are errors."""

import atexit
import os
import pathlib
import shutil
import tempfile

import jax
import pytest

from jaxae import program
from jaxae.flags import Flags

# a cache of the session's own, never the user's, that the programs started by tests share
os.environ["JAXAE_CACHE"] = tempfile.mkdtemp(prefix="jaxae-tests-")
atexit.register(shutil.rmtree, os.environ["JAXAE_CACHE"], ignore_errors=True)

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
