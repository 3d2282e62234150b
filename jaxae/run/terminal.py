"""What a run shows while it works: a live bar on a terminal, a line an epoch in a log; and how fast it goes."""

import contextlib
import functools
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from jaxae.programs import COMPILED

TELL = 30.0  # seconds after which a log has another line, though no epoch has ended


class Output:
    """The standard output, for a Console; where it is closed or full, what prints goes on and nothing more is printed.

    `... | head` ends no training, and letters that it hasn't are shown as question marks.
    """

    def write(self, text: str) -> int:
        """As of a file."""
        try:
            return sys.stdout.write(text)
        except UnicodeEncodeError:
            return sys.stdout.write(text.encode("ascii", "replace").decode())
        except (OSError, ValueError, AttributeError):  # AttributeError: there is none
            self._give_up()
            return len(text)

    def flush(self) -> None:
        """As of a file."""
        try:
            sys.stdout.flush()
        except (OSError, ValueError, AttributeError):
            self._give_up()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)

    def _give_up(self) -> None:
        """What is in the buffer must go somewhere, or Python complains of it at its end."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@functools.cache
def compilations() -> list[float]:
    """Seconds of every XLA compilation of this process since this was first called."""
    seconds: list[float] = []

    def note(event: str, duration_secs: float, **_: Any) -> None:
        if event == COMPILED:
            seconds.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(note)
    return seconds


class Clock:
    """Images per second of an arm, all lanes together: the median over its chunks, so that neither the compilation in
    the first one nor validation in some counts."""

    def __init__(self, batch_size: int, done: int):
        self.batch_size, self.done = batch_size, done
        self.rates: list[float] = []
        self.start = self.last = self.saved = time.perf_counter()
        self.compiled = sum(compilations())

    def tick(self, now: Any) -> None:
        """A chunk ended with the Progress `now`."""
        time_now, active = time.perf_counter(), int(np.asarray(now.active).sum())
        images = (int(now.done) - self.done) * self.batch_size * active
        self.rates.append(images / (time_now - self.last))
        self.done, self.last = int(now.done), time_now

    @property
    def rate(self) -> float:
        """The median over the chunks so far."""
        return float(np.median(self.rates))

    def summary(self, before: Mapping[str, float]) -> dict[str, float]:
        """What the manifest says of the arm: wall and compile seconds, on top of those `before`, and the rate."""
        wall, compiled = time.perf_counter() - self.start, sum(compilations()) - self.compiled
        return {
            "wall_seconds": round(before.get("wall_seconds", 0.0) + wall, 1),
            "compile_seconds": round(before.get("compile_seconds", 0.0) + compiled, 1),
            "images_per_second": round(self.rate, 1),
        }


class Working:
    """Says what is done, and that it still is: every 5 seconds, in a log ever more rarely, to 30 seconds apart. Without
    `at_once` that alone, for what is mostly done in a moment."""

    def __init__(
        self, what: str, say: Callable[[str], None], *, first: float = 5.0, log: bool = True, at_once: bool = True
    ):
        self.what, self.say, self.first, self.log, self.at_once = what, say, first, log, at_once
        self.ended = threading.Event()

    def __enter__(self) -> "Working":
        if self.at_once:
            self.say(self.what)
        threading.Thread(target=self._tell, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.ended.set()

    def _tell(self) -> None:
        began, pause = time.perf_counter(), self.first
        while not self.ended.wait(pause):
            self.say(f"{self.what}: {time.perf_counter() - began:.0f} s so far")
            pause = min(2 * pause, TELL) if self.log else self.first


class Bar:
    """Progress of one arm: use it in a `with` statement and `update` it after every chunk.

    `later` is how long the arms after it take, as a multiple of this one.
    """

    def __init__(
        self, arm: str, epochs: int, per_epoch: int, done: int, console: Console, *, quiet: bool, later: float = 0.0
    ):
        self.arm, self.epochs, self.per_epoch, self.console, self.later = arm, epochs, per_epoch, console, later
        self.first = self.done = done
        self.log = not quiet and not console.is_terminal
        self.began = self.said = time.perf_counter()
        self.compiling = Working(f"{arm}: compiling", self._print)
        self.live = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(24),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[about]}", markup=False),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self.task = self.live.add_task(arm, total=epochs * per_epoch, completed=done, about="compiling")

    def __enter__(self) -> "Bar":
        self.live.start()
        if self.log and self.done < self.epochs * self.per_epoch:
            self.compiling.__enter__()
        return self

    def __exit__(self, *_: Any) -> None:
        self.compiling.__exit__()
        self.live.stop()

    def update(self, now: Any, rate: float) -> None:
        """Show the Progress `now`: losses as means over lanes, and images per second over all of them.

        The training loss is that of the last hundred steps, or of the whole epoch where one has ended.
        """
        self.compiling.__exit__()
        done = int(now.done)
        steps = 100 if done % self.per_epoch else self.per_epoch
        about = f"loss {_mean(now.train['loss'][:, max(done - steps, 0) : done]):.5f}"
        if "loss" in now.validation and not np.isnan(now.validation["loss"]).all():
            seen = now.validation["loss"][:, ~np.isnan(now.validation["loss"]).all(0)]
            about += f", validation {_mean(seen[:, -1]):.5f}"
        about += f", {rate:,.0f} img/s"
        whole, each = self.epochs * self.per_epoch, (time.perf_counter() - self.began) / max(done - self.first, 1)
        run = f", {duration((whole - done + self.later * whole) * each)} left of the run" if self.later else ""
        self.live.update(self.task, completed=done, about=about + run)
        ended = done // self.per_epoch > self.done // self.per_epoch
        if self.log and (ended or time.perf_counter() - self.said > TELL):
            epoch = f"epoch {done // self.per_epoch}" if ended else f"in epoch {done // self.per_epoch + 1}"
            left = f"{duration((whole - done) * each)} left{' of this arm' if run else ''}{run}"
            self._print(f"{self.arm}: {epoch}/{self.epochs}, {about}, {left}")
            self.said = time.perf_counter()
        self.done = done

    def _print(self, text: str) -> None:
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)


def duration(seconds: float) -> str:
    """Seconds in words, as roughly as they are known: "40 s", "12 min", "3.4 h", "86 h"."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 36_000 else f"{seconds / 3600:,.0f} h"


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
