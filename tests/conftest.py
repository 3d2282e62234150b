"""Strictness for every test: no implicit promotion of ranks or dtypes, and (pyproject.toml) warnings are errors."""

import atexit
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable

import jax
import pytest

from jaxae.run.command_line import set_up

# a cache of the session's own, never the user's, that the programs started by tests share
os.environ["JAXAE_CACHE"] = tempfile.mkdtemp(prefix="jaxae-tests-")
atexit.register(shutil.rmtree, os.environ["JAXAE_CACHE"], ignore_errors=True)

# most of the tests' time would be LLVM's, over programs that run once
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # of the programs started by tests
jax.config.update("jax_disable_most_optimizations", True)

# as experiments have it, but with eight devices, so that work over devices is tested
set_up()
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")


@pytest.fixture(scope="module")
def optimised():
    """Programs compiled as users have them, for the tests of a module that are about their bits."""
    jax.clear_caches()  # equal studies of other modules compiled without
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)
    jax.clear_caches()


@pytest.fixture(scope="session")
def real_data() -> pathlib.Path:
    """The folder with `tfds/` and `downloads/`, named by JAXAE_TEST_DATA; tests that ask for it are marked `real`."""
    folder = os.environ.get("JAXAE_TEST_DATA")
    if not folder:
        pytest.skip("JAXAE_TEST_DATA names no folder of real data")
    return pathlib.Path(folder).resolve()


@pytest.fixture
def published(real_data: pathlib.Path) -> Callable[[str], str]:
    """The folder of what a report's author published, by the folder's name; skips the test where it isn't at hand."""

    def folder(name: str) -> str:
        if not (path := real_data / name).is_dir():
            pytest.skip(f"the author's files are not in {path}")
        return str(path)

    return folder
