"""The same bits whatever the number of XLA's threads: one for each core or declared device, whichever are more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxae.devices import cores

ROOT = Path(__file__).parents[2]
SAME = ("history.json", "by_seed.npz", "scores.npz")


def trained(folder: Path, devices: int, *words: str) -> dict[str, bytes]:
    """What a run with so many devices has found. It compiles by itself: a program from the cache could be another's."""
    own = {"JAX_NUM_CPU_DEVICES": str(devices), "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    environment = {**os.environ, **own, "JAX_DISABLE_MOST_OPTIMIZATIONS": "0"}
    sizes = ("--source", "synthetic", "--limit", "700", "--epochs", "1", "--seeds", "1", "--out", str(folder / "run"))
    command = [sys.executable, "-m", *words, *sizes]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {name: (folder / "run" / name).read_bytes() for name in SAME}


@pytest.mark.slow
@pytest.mark.skipif(cores() < 2, reason="a single thread has other last digits than several")
@pytest.mark.parametrize(
    "words",
    [
        ("experiments.fc_vs_conv",),
        ("experiments.digit_codes", "--arms", "transposed-2-mse", "upsampling-2-bce"),
        ("experiments.digit_addition", "--arms", "adder", "generative"),
    ],
    ids=lambda words: words[0],
)
def test_threads_for_each_core_and_more_give_the_same_bits(tmp_path, words):
    few, many = (trained(tmp_path / str(devices), devices, *words) for devices in (1, 2 * cores()))
    for name in SAME:
        assert few[name] == many[name], name
