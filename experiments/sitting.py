"""A sitting at an accelerator: what is worth most first, each piece kept as soon as it is complete.

    python -m experiments.sitting --minutes 25 --out sitting

Every piece is a command of its own, into a folder or file of its own under --out. When the time is over, the piece that
is running is stopped as by Ctrl-C and saves; the same command goes on from there, in this sitting or in the next. The
benchmark's pieces have some minutes of a sitting each, and keep every row that is complete. --toy rehearses all of it
on synthetic images, with --device cpu on a CPU, into the folder toy/ under --out: no rehearsal is taken for a result.

The machine needs Python with what pyproject.toml names, and the decoded arrays of MNIST and CIFAR-10, which are in the
cache folder (`~/.cache/jaxae`, or $JAXAE_CACHE) once a study has read them, and need no TFDS from then on. To a machine
without a network go a folder of wheels and one file of arrays, 27 MB with a tenth of CIFAR-10:

    python -m pip download --dest wheels --only-binary :all: PACKAGE ...      # what it lacks
    mkdir sets && cp -r ~/.cache/jaxae/arrays/*/{mnist,cifar10} sets && tar czf sets.tar.gz sets

There, unpacked, it is the folder that --data-dir names.
"""

import argparse
import contextlib
import itertools
import math
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jaxae.errors import UsageError
from jaxae.run.command_line import with_errors
from jaxae.run.manifest import load_manifest

STUDIES = ("fc_vs_conv", "bottleneck", "denoise", "digit_codes", "digit_addition", "unmix")
TOY = {
    "study": ("--source", "synthetic", "--limit", "256", "--epochs", "1", "--seeds", "1", "--batch-size", "32"),
    "benchmark": ("--source", "synthetic", "--repeats", "1", "--seconds", "0.1"),
}
PATIENCE = 120.0  # seconds in which a piece that is stopped must have saved


class Piece(NamedTuple):
    """A command: the module after `python -m`, its flags, whether it is a study or the benchmark, and the most minutes
    that it may take of one sitting."""

    name: str
    module: str
    flags: tuple[str, ...]
    kind: str = "study"
    minutes: float = math.inf

    def complete(self, out: Path) -> bool:
        """Whether there is nothing left to do."""
        if self.kind == "benchmark":
            return (out / f"{self.name}.done").exists()
        with contextlib.suppress(UsageError):  # there is no run, or a damaged one, which the piece itself will say
            return load_manifest(out / self.name)["status"] == "complete"
        return False

    def command(
        self, out: Path, *, device: str, toy: bool, data_dir: Path | None, torch_python: Path | None
    ) -> list[str]:
        """The command that begins it, or goes on with it."""
        data = () if toy or data_dir is None else ("--data-dir", str(data_dir))
        words = [sys.executable, "-m", self.module, *self.flags, *(TOY[self.kind] if toy else ()), *data]
        if self.kind == "benchmark":  # goes on with its file, and draws into a folder of each try
            tries = next(count for count in itertools.count(1) if not (out / f"{self.name}-{count}").exists())
            drawn = str(out / f"{self.name}-{tries}")
            torch = () if torch_python is None else ("--torch-python", str(torch_python))
            return [*words, *torch, "--device", device, "--out", drawn, "--save", str(out / "benchmark.json")]
        folder = out / self.name  # one that a run was killed before it had a manifest is begun anew
        return [*words, "--out", str(folder), *(("--resume",) if (folder / "manifest.json").exists() else ())]


def pieces() -> Iterator[Piece]:
    """In the order of what they are worth."""
    few = ("--limit", "2048", "--epochs", "1", "--seeds", "1")
    yield from (Piece(f"smoke-{name}", f"experiments.{name}", few) for name in STUDIES)
    benchmark = "experiments.benchmark"
    lanes = ("--lanes", "1", "4", "16", "64", "--modes", "vmap")
    alike = ("--repeats", "2", "--seconds", "1", *lanes)  # what goes into one file must be
    for part, minutes in (("steps", 8.0), ("lanes", 4.0)):  # some 200 processes
        yield Piece(f"benchmark-{part}", benchmark, ("--parts", part, *alike), "benchmark", minutes)
    for size in (2, 7):
        arms = [f"{decoder}-{size}-{loss}" for decoder in ("transposed", "upsampling") for loss in ("mse", "bce")]
        codes = ("--epochs", "100", "--seeds", "5", "--arms", *arms)
        yield Piece(f"digit_codes_{size}", "experiments.digit_codes", codes)
    yield Piece("digit_addition", "experiments.digit_addition", ("--seeds", "5"))
    yield Piece("digit_addition_table", "experiments.digit_addition", ("--table", "--seeds", "5"))
    nines = "--arms", "generative", "generative-course", "--table", "--kl", "sum", "--batch-size", "64", "--seeds", "5"
    yield Piece("digit_addition_sum_course", "experiments.digit_addition", nines)
    yield Piece("unmix", "experiments.unmix", ("--seeds", "5"))
    for name in ("fc_vs_conv", "denoise", "bottleneck"):
        yield Piece(name, f"experiments.{name}", ("--seeds", "10"))


def perform(piece: Piece, out: Path, until: float, **where: Any) -> str:
    """Run a piece until it ends, or the time does: "complete", "stopped" or "failed (N)". What it says is in its log.

    After Ctrl-C, which the piece may have got too, it waits until that has saved.
    """
    with (out / f"{piece.name}.log").open("a") as log:
        process = subprocess.Popen(piece.command(out, **where), stdout=log, stderr=log)
        try:
            status = process.wait(max(until - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            status = ended(process)
        except KeyboardInterrupt:
            ended(process)
            raise
    if status == 0 and piece.kind == "benchmark":
        (out / f"{piece.name}.done").touch()
    stopped = status in (128 + signal.SIGTERM, 128 + signal.SIGINT, -signal.SIGTERM)
    return "complete" if status == 0 else "stopped" if stopped else f"failed ({status})"


def ended(process: subprocess.Popen) -> int:
    """Its exit status, once it was asked to stop and has saved; it is killed where that takes too long."""
    process.terminate()
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def refuse(minutes: float, data_dir: Path | None, torch_python: Path | None) -> None:
    """Raise UsageError for minutes that no sitting has, and for what isn't there: each piece would fail by it."""
    if not (0 <= minutes < math.inf):
        raise UsageError(f"--minutes is {minutes:g}; give the length of the sitting, 0 or more")
    if data_dir is not None and not data_dir.is_dir():
        raise UsageError(f"--data-dir {data_dir} is no folder; name that of the prepared sets, or of their arrays")
    if torch_python is not None and shutil.which(torch_python) is None:
        raise UsageError(f"--torch-python {torch_python} is no program; name the Python that has torch")


def sit(out: Path, minutes: float, **where: Any) -> bool:
    """Perform the pieces that aren't complete, one after another, and say how each ended; whether none failed.

    Raises UsageError, before anything is written, as `refuse` does.
    """
    refuse(minutes, where["data_dir"], where["torch_python"])
    sound = True
    out = out / "toy" if where["toy"] else out
    out.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + 60 * minutes
    for piece in pieces():
        if piece.complete(out):
            print(f"{piece.name}: complete already")
            continue
        if time.monotonic() >= until:
            print(f"{piece.name}: not begun, the time is over")
            continue
        began = time.monotonic()
        try:
            how = perform(piece, out, min(until, began + 60 * piece.minutes), **where)
        except KeyboardInterrupt:
            print(f"{piece.name}: stopped after {time.monotonic() - began:.0f} s; the same command goes on", flush=True)
            raise
        failed = how.startswith("failed")
        why = f"; {out / piece.name}.log: {last_line(out / f'{piece.name}.log')}" if failed else ""
        print(f"{piece.name}: {how} after {time.monotonic() - began:.0f} s{why}", flush=True)
        sound = sound and not failed
    return sound


def last_line(log: Path) -> str:
    """What a piece said last."""
    return next((line for line in reversed(log.read_text(errors="replace").splitlines()) if line.strip()), "nothing")


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m experiments.sitting", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("runs/sitting"), help="default: runs/sitting")
    parser.add_argument("--minutes", type=float, default=25.0, help="default: 25")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="of the benchmark; default: gpu")
    parser.add_argument("--data-dir", type=Path, help="prepared sets, or the decoded arrays of them")
    parser.add_argument("--torch-python", type=Path, help="the Python that has torch; default: this one")
    parser.add_argument("--toy", action="store_true", help="rehearse: synthetic images, an epoch of few of them")
    flags = parser.parse_args()
    where = {name: getattr(flags, name) for name in ("device", "toy", "data_dir", "torch_python")}
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: no piece goes on alone
    with_errors(lambda: sit(flags.out, flags.minutes, **where) or sys.exit(1))
