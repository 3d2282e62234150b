"""A soak: training, stopping, resuming, measuring again and merging, over and over in one process.

    python -m experiments.soak --minutes 20

Every round must give the bits of the first. Printed are memory, open files and threads: what a process keeps of a round
shows as a rise. Memory is what the system has given, and what of it is in use: an allocator keeps what is free in
pieces, more of it with every round, and that is no leak. Linux tells them; the digits are the embedded ones.
"""

import argparse
import contextlib
import ctypes
import gc
import io
import os
import shutil
import signal
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import optax

import jaxae as ae
from experiments.fc_vs_conv import EXPERIMENT
from experiments.fc_vs_conv.method import Config
from jaxae.run.merging import merge_runs
from jaxae.run.signals import Interrupted
from jaxae.run.steps import perform, report_again

RUN = Config(arms=("fc",), targets=("standardised",), source="synthetic", limit=200, epochs=2, seeds=1, quiet=True)


class Books(ctypes.Structure):
    """What `mallinfo2` of GNU's C library returns, bytes and counts."""

    _fields_ = [("numbers", ctypes.c_size_t * 10)]


class Kept(NamedTuple):
    """What the process holds; `used` by the books of the C library, NaN where that isn't GNU's."""

    megabytes: float
    used: float
    files: int
    threads: int

    def __str__(self) -> str:
        return f"{self.megabytes:.0f} MB ({self.used:.0f} in use), {self.files} open files, {self.threads} threads"


def kept() -> Kept:
    """What it holds now, without garbage."""
    gc.collect()
    own = Path("/proc/self")
    pages = int((own / "statm").read_text().split()[1])
    files, threads = (len(os.listdir(own / name)) for name in ("fd", "task"))
    return Kept(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, used(), files, threads)


def used() -> float:
    """Megabytes that were asked for and not given back, as `mallinfo2` tells."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return float("nan")
    library.mallinfo2.restype = Books
    numbers = library.mallinfo2().numbers
    return (numbers[4] + numbers[7]) / 1e6  # hblkhd, in mappings of their own, and uordblks


def round_of(folder: Path) -> bytes:
    """One run that is stopped and resumed, one that isn't, both measured again and merged; their findings.

    And a study that no other equals is trained, as in a notebook.
    """
    parts = [folder / "stopped", folder / "whole"]
    try:
        perform(replace(EXPERIMENT, train=_stopped), replace(RUN, out=parts[0]))
        raise RuntimeError("the signal stopped nothing")
    except Interrupted:
        pass
    perform(EXPERIMENT, replace(RUN, out=parts[0], resume=True))
    perform(EXPERIMENT, replace(RUN, out=parts[1], seed=1))
    for part in parts:
        report_again(part)
    merge_runs(parts, folder / "merged")
    _train_a_fresh_one()
    return (folder / "merged" / "findings.json").read_bytes()


def _stopped(run: Any) -> Any:
    """Training that a signal reaches before its first chunk."""
    os.kill(os.getpid(), signal.SIGTERM)
    return EXPERIMENT.train(run)


def _train_a_fresh_one() -> None:
    def batch(key, data, index):
        image = ae.transforms.to_unit(data.image[index])
        return ae.Batch(image, image)

    def loss(outputs, batch, hparams):
        return ae.losses.mse(outputs.image, batch.target), {}

    study = ae.Study("fresh", ae.models.ConvAutoencoder(), batch, loss, optax.adam(1e-3), batch_size=50, epochs=1)
    digits = ae.data.load("mnist", "train[:200]", source="synthetic")
    ae.train.fit(study, jnp.stack([ae.keys.root(0)]), digits).evaluate(digits)


def soak(minutes: float) -> None:
    """Rounds for so many minutes, two at least. Raises RuntimeError where one gives other bits than the first."""
    until, begun, number = time.monotonic() + 60 * minutes, None, 0
    first = b""
    while number < 2 or time.monotonic() < until:
        number += 1
        folder = Path(tempfile.mkdtemp(prefix="jaxae-soak-"))
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # where each run says what it does
                found = round_of(folder)
        finally:
            shutil.rmtree(folder)
        if found != (first := first or found):
            raise RuntimeError(f"round {number} gave other findings than the first")
        now = kept()
        begun = begun or now  # after the first, in which all is compiled and imported
        print(f"round {number}: {now}", flush=True)
    print(f"{number} rounds, each with the bits of the first: from {begun} after the first to {kept()} at the end")


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m experiments.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="default: 20")
    minutes = parser.parse_args().minutes
    if not Path("/proc/self/statm").exists():
        parser.error("this system doesn't tell what a process holds in /proc; run it on Linux")
    ae.set_up()
    soak(minutes)
