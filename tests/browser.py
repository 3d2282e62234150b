"""A headless Chromium of the system, told what to do by its DevTools protocol over two pipes, without a driver."""

import itertools
import json
import os
import select
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
KEYS = {"ArrowRight": 39, "ArrowLeft": 37, "End": 35, "Home": 36, "Escape": 27}
PATIENCE = 60  # seconds for any answer


def program() -> str | None:
    """Chromium's path, if the system has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


needed = [
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="no Chromium here; install it, for instance the package chromium"),
]


class Browser:
    """One page of one browser, and everything that it has told of since it was opened."""

    def __init__(self, folder: Path):
        (theirs_in, self._out), (self._in, theirs_out) = os.pipe(), os.pipe()
        root = ["--no-sandbox"] * (os.geteuid() == 0)
        flags = [
            "--headless=new",
            "--disable-gpu",
            "--no-first-run",
            "--hide-scrollbars",
            "--disable-background-networking",
            *root,
        ]
        command = [str(program()), *flags, "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank"]
        pipes = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["bash", "-c", pipes, "bash", *command], pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._numbers, self._session, self._rest = itertools.count(1), "", b""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """End the browser."""
        self._session = ""
        self.call("Browser.close")
        self._process.wait(PATIENCE)
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers; what else it tells meanwhile is kept."""
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        os.write(self._out, json.dumps({"id": number, "method": method, "params": params, **session}).encode() + b"\0")
        while (message := self._message()).get("id") != number:
            self.events.append(message)
        assert "error" not in message, (method, message["error"])
        return message["result"]

    def open(self, page: Path) -> None:
        """Show a page, wholly loaded."""
        self.events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        while not self.told("Page.loadEventFired"):
            self.events.append(self._message())

    def told(self, method: str) -> list[dict[str, Any]]:
        """What has been told of by this name."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def look(self, width: int, height: int = 900, **media: str) -> None:
        """The window's size, and `media`: screen or print, and features such as prefers_color_scheme="dark"."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [
            {"name": name.replace("_", "-"), "value": value} for name, value in media.items() if name != "media"
        ]
        self.call("Emulation.setEmulatedMedia", media=media.get("media", ""), features=features)
        self.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def press(self, key: str) -> None:
        """A key, down and up."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=KEYS[key])

    def point(self, x: float, y: float) -> None:
        """Where the mouse is."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], PATIENCE)
            more = os.read(self._in, 1 << 20) if ready else b""
            assert more, "the browser doesn't answer"
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)
