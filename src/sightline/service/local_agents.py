"""Agents that `sightline up` runs beside the service, each a process of its own."""

import subprocess
import sys
import threading
from pathlib import Path

_RESTART_S = 1.0
_STOP_S = 15.0


class LocalAgents:
    """Starts ``count`` agents and starts one again when it dies.

    Each agent holds the reading end of a pipe whose writing end lives in this process, so that agents end
    with the service however it ends, also by ``kill -9``.
    """

    def __init__(self, count: int, folder: Path, key_file: Path, sandboxes: list[str]) -> None:
        self.started = False
        self._count = count
        self._folder = folder
        self._key_file = key_file
        self._sandboxes = sandboxes
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, url: str) -> None:
        """Start the agents of the service at ``url``."""
        self.started = True
        for number in range(1, self._count + 1):
            thread = threading.Thread(target=self._keep_running, args=(url, number), name=f"agent-{number}")
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End all agents; each gives its job back to the queue."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _keep_running(self, url: str, number: int) -> None:
        name = f"local-{number}"
        command = [sys.executable, "-m", "sightline.cli.main", "agent", "--until-stdin-closes"]
        command += ["--url", url, "--key-file", str(self._key_file), "--name", name]
        command += ["--folder", str(self._folder / "agents" / name)]
        for sandbox in self._sandboxes:
            command += ["--sandbox", sandbox]
        while not self._stopping.is_set():
            with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
                while process.poll() is None and not self._stopping.wait(0.2):
                    pass
                if self._stopping.is_set():
                    process.terminate()
                    try:
                        process.wait(_STOP_S)
                    except subprocess.TimeoutExpired:
                        process.kill()
                    return
            ended = f"agent {name} ended with code {process.returncode}"
            print(f"{ended}; starting it again", file=sys.stderr, flush=True)
            self._stopping.wait(_RESTART_S)
