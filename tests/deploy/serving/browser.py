"""A real browser without a window, spoken to over a pipe (the Chrome DevTools protocol)."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.needs import needs

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 60.0


class Page:
    """One page; ``do`` runs JavaScript in it."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._rest = b""
        self._number = 0
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        attached = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = attached["sessionId"]

    def open(self, url: str) -> None:
        """Go there, and wait until it has loaded."""
        self._call("Page.navigate", {"url": url}, of_page=True)
        self.wait_for("document.readyState === 'complete'")

    def do(self, script: str) -> Any:
        """What an expression gives; promises are waited for."""
        parameters = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self._call("Runtime.evaluate", parameters, of_page=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + _PATIENCE
        while not self.do(condition):
            assert time.monotonic() < deadline, condition
            time.sleep(0.05)

    def _call(self, method: str, parameters: dict[str, Any], *, of_page: bool = False) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if of_page:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            content = os.read(self._reading, 1 << 20)
            assert content, "the browser is gone"
            self._rest += content
        text, _, self._rest = self._rest.partition(b"\0")
        return json.loads(text)


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A page of a browser whose profile lies in ``folder``; skips where there is no browser."""
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    needs("chromium", program is not None)
    assert program is not None
    to_browser, from_browser = os.pipe(), os.pipe()
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    command = [program, *flags, f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank"]
    # It reads at 3 and writes at 4.
    script = f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}'
    process = subprocess.Popen(
        ["bash", "-c", script, "bash", *command],
        pass_fds=(to_browser[0], from_browser[1]),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        yield Page(from_browser[0], to_browser[1])
    finally:
        os.close(to_browser[1])  # at which it ends
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(from_browser[0])
