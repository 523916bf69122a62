"""A service with a local agent, started as `sightline up` in a process of its own."""

import json
import subprocess
import sys
import time
from pathlib import Path

from sightline.errors import SightlineError

_START_S = 30.0


class ServiceProcess:
    """`sightline up` on 127.0.0.1, on a free port unless told otherwise, with its files in ``folder``.

    Args:
        folder: made when missing; ``service.log`` in it holds what the service prints.
        options: further options of `sightline up`.

    Raises:
        SightlineError: the service did not start; the sentence ends with what it said last.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "service.log"
        command = [sys.executable, "-m", "sightline.cli.main", "up", "--folder", str(folder)]
        if "--port" not in options:
            command += ["--port", "0"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches the caller alone, which stops the service in order
            )
        self.pid = self._process.pid
        self.url = self._wait_for_address(folder / "service.json")
        self.admin_key = (folder / "admin.key").read_text().strip()

    def stop(self) -> None:
        """End the service and its agents; returns when they are gone."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """``kill -9``, as a crash would."""
        self._process.kill()
        self._process.wait()

    def _wait_for_address(self, path: Path) -> str:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if path.exists():
                address = json.loads(path.read_text())
                if address["pid"] == self.pid:
                    return address["url"]
            time.sleep(0.02)
        self.stop()
        said = self.log.read_text().strip().splitlines() or ["nothing"]
        raise SightlineError(f"the service did not start; it said: {said[-1]}")
