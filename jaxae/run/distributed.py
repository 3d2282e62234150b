"""One run by several processes: they find each other, the first writes the run's folder, and none waits for the dead.

The others work in folders of their own, which end with them. A process that fails ends at once, and with it the others:
on a CPU as soon as they notice, in any case when its heartbeat has been missing for HEARTBEAT seconds.
"""

import dataclasses
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from jaxae.errors import UsageError
from jaxae.files import DRAFT
from jaxae.run.signals import Interrupted
from jaxae.train import hosts

HEARTBEAT = 30  # seconds without a sign of life after which a process is taken for dead
SHUTDOWN = 120  # seconds for which those that are done wait for the others
LOST = re.compile(
    r"gloo|nccl|heartbeat|connection (closed|reset)|socket closed|UNAVAILABLE|coordination", re.IGNORECASE
)


def together(config: Any, action: Callable[[Any], Any]) -> None:
    """`action(config)` in all processes of the run; its folder is that of `config` in the first alone.

    Raises UsageError where the processes don't find each other, and where one is lost on the way.
    """
    _join(config)
    try:
        if config.devices and config.devices % (processes := jax.process_count()):
            raise UsageError(
                f"--devices {config.devices} can't be shared evenly by {processes} processes; give a multiple of "
                f"{processes}, or leave it out"
            )
        if hosts.first():
            _begin(config, action)
        else:
            _quietly(config, action)
    except (RuntimeError, ValueError, OSError) as error:
        if isinstance(error, UsageError) or not LOST.search(str(error)):
            raise
        raise UsageError(
            f"another process of this run has ended ({' '.join(str(error).split())[:120]}); start all of them again "
            "with --resume and the same --out"
        ) from error


def _begin(config: Any, action: Callable[[Any], Any]) -> None:
    """Act, once all processes have what they need of a run that is gone on with."""
    if config.resume and hosts.several():
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("every process has the run's checkpoints")
    action(config)


def _quietly(config: Any, action: Callable[[Any], Any]) -> None:
    """Act in a process that isn't the first: it says nothing but what went wrong, in a folder that ends with it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with tempfile.TemporaryDirectory(prefix="jaxae-") as scratch:
        own = dataclasses.replace(config, out=Path(scratch, "run"), quiet=True, tensorboard=False)
        try:
            if config.resume:
                shutil.copytree(config.out, own.out, ignore=shutil.ignore_patterns(".lock", f"*{DRAFT}"))
            _begin(own, action)
        except Interrupted as stop:
            sys.exit(128 + stop.number)
        except UsageError as error:
            said = str(error).replace(str(own.out), str(config.out))
            raise UsageError(f"process {jax.process_index()}: {said}") from error


def leave(status: Any) -> None:
    """End this process of several at once: the others, which may be waiting for it, are not waited for."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 1)


def _refuse_places(coordinator: str, processes: int, process: int) -> None:
    """Raise UsageError for what no process can be found at: JAX would wait for it."""
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise UsageError(f"--coordinator {coordinator} is no address of a process; give HOST:PORT, such as node0:8476")
    if not 0 <= process < processes:
        raise UsageError(
            f"--process {process}: of --processes {processes} they are 0 to {processes - 1}; give one of those"
        )


def _join(config: Any) -> None:
    """Start JAX's runtime: as the flags say, else as the scheduler's variables do."""
    given = {"coordinator": config.coordinator, "processes": config.processes, "process": config.process}
    absent = [name for name, value in given.items() if value is None]
    if 0 < len(absent) < len(given):
        raise UsageError(f"--{absent[0]} is missing; give --coordinator, --processes and --process, or none of them")
    if not absent:
        _refuse_places(config.coordinator, config.processes, config.process)
    try:
        jax.distributed.initialize(
            config.coordinator, config.processes, config.process, heartbeat_timeout_seconds=HEARTBEAT,
            shutdown_timeout_seconds=SHUTDOWN,
        )  # fmt: skip
    except (ValueError, RuntimeError) as error:
        raise UsageError(
            f"--distributed finds no other processes ({' '.join(str(error).split())[:120]}); start it by a scheduler "
            "that JAX knows (SLURM, Open MPI, Kubernetes, TPU pods), or give --coordinator HOST:PORT --processes N "
            "--process I"
        ) from error
