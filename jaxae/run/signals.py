"""Ctrl-C, SIGTERM and SIGHUP (a terminal that is closed): noted, so that a run stops where everything can be saved."""

import signal
import threading
from collections.abc import Callable
from typing import Any

NOTED = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupted(Exception):  # noqa: N818  not an error
    """A signal came; everything is saved, and `command` goes on."""

    def __init__(self, number: int, command: str):
        self.number, self.command = number, command
        super().__init__(f"interrupted and saved; go on with: {command}")


class Stop:
    """Within it the first signal is noted in `number`; a second Ctrl-C stops at once. Only in the main thread."""

    def __init__(self, say: Callable[[str], None]):
        self.number, self.say = 0, say
        self.before: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        if threading.current_thread() is threading.main_thread():
            noted = [number for number in NOTED if signal.getsignal(number) is not signal.SIG_IGN]  # as nohup has it
            self.before = {number: signal.signal(number, self._note) for number in noted}
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def hand_on(self) -> None:
        """Give a signal that came too late to stop this run to the run that it is a part of."""
        handler = self.before.get(self.number)
        if callable(handler) and handler is not signal.default_int_handler:
            handler(self.number, None)

    def _note(self, number: int, _frame: Any) -> None:
        if self.number and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = number
        again = "Ctrl-C again: at once, back to the last checkpoint"
        self.say(f"stopping after this chunk, once compiled, or once all is measured ... ({again})")
