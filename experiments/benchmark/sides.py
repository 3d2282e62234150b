"""The two sides of `experiments.benchmark`, jaxae and PyTorch: a process of its own for every question to one."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]  # where `python -m` finds both sides
PATIENCE = 1_800  # seconds for an answer


class WorkerError(Exception):
    """A side could not answer; its last words."""


@dataclass(frozen=True, kw_only=True)
class Sides:
    """How both work, the Python that has torch, and a folder for compiled programs and arrays."""

    torch_python: str
    folder: Path
    device: str
    threads: int
    seconds: float
    precision: str
    source: str
    data_dir: Path | None

    def jaxae(self, ask: str, arm: str = "fc", batch: int = 128, **more: Any) -> Any:
        """The answer of jaxae's side; `cache`, as for `torch`, names where compiled programs are kept."""
        data_dir = str(self.data_dir.resolve()) if self.data_dir else None
        command = [sys.executable, "-m", "experiments.benchmark.jax_side"]
        return self._ask(command, ask, arm, batch, {"source": self.source, "data_dir": data_dir, **more})

    def torch(self, ask: str, arm: str = "fc", batch: int = 128, variant: str = "eager", **more: Any) -> Any:
        """The answer of PyTorch's side, written as `variant` says."""
        command = [self.torch_python, "-m", "experiments.benchmark.torch_side"]
        return self._ask(command, ask, arm, batch, {"variant": variant, "images": None, **more})

    def command(self, module: str, run: str, cache: str) -> float:
        """Seconds from the start of `python -m MODULE` to its first steps; it writes into a folder `run`."""
        words = ["--source", self.source, "--precision", self.precision]
        words += ["--devices", str(self.threads)] if self.device == "cpu" else []
        words += ["--data-dir", str(self.data_dir.resolve())] if self.data_dir else []
        command = [sys.executable, "-m", "experiments.benchmark.command_side"]
        asked = {"module": module, "words": [*words, "--out", str(self.folder / run)], "cache": cache}
        return self._ask(command, "command", "fc", 10, asked)["seconds"]

    def arrays(self, arm: str, batch: int) -> Path:
        """Where jaxae's side puts the data, parameters and batches for PyTorch's."""
        folder = self.folder / f"{arm}-{batch}"
        folder.mkdir(exist_ok=True)
        return folder

    def _ask(self, command, ask, arm, batch, more):
        cache = str(self.folder / more.pop("cache", "compiled"))
        question = {
            "ask": ask, "arm": arm, "batch": batch, "device": self.device, "threads": self.threads,
            "seconds": self.seconds, "precision": self.precision, "folder": str(self.arrays(arm, batch)), **more,
            "began": time.time(),
        }  # fmt: skip
        threads = str(self.threads)
        environment = {
            "JAX_PLATFORMS": {"cpu": "cpu", "gpu": "cuda"}[self.device], "NPROC": threads, "OMP_NUM_THREADS": threads,
            "JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
            "TORCHINDUCTOR_CACHE_DIR": f"{cache}-torch",
        }  # fmt: skip
        options: Any = {"capture_output": True, "text": True, "cwd": ROOT, "env": os.environ | environment}
        try:
            done = subprocess.run(command, input=json.dumps(question), timeout=PATIENCE, check=False, **options)
        except subprocess.TimeoutExpired:
            raise WorkerError(f"no answer to {ask} in {PATIENCE} s") from None
        if done.returncode:
            # JAX ends a traceback with words on itself
            lines = [
                line for line in done.stderr.splitlines() if line.strip("-") and "JAX_TRACEBACK_FILTERING" not in line
            ]
            last = [f"exit status {done.returncode}", *lines][-1]
            raise WorkerError(last.removeprefix("jaxae.errors.UsageError: "))
        try:
            return json.loads(done.stdout)
        except ValueError:  # a program that is no Python ends well too
            raise WorkerError(f"{command[0]} gave no answer to {ask}; it must be a Python") from None


def load() -> float | None:
    """How many programs ran or waited for a core in the last minute, on average; None where that isn't told, as on
    Windows."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def busy(found: float | None, threads: int, of: int) -> bool:
    """Whether by this load, of so many cores, what is measured with so many threads is worth little."""
    return found is not None and found > of - threads / 2
