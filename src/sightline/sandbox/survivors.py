# ruff: noqa: PTH123, PTH208
"""Find what is left of a job without namespaces whose first process was killed under it."""

import os
import signal
import time

from sightline.sandbox.inside.processes import send

MARK = "SIGHTLINE_SANDBOX_MARK"
"""Variable in the environment of every process of such a job, with a value of its own for each run."""


def find_survivors(mark: str) -> list[int]:
    """Every process whose environment carries ``mark``, as far as we may look."""
    wanted = f"{MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/environ", "rb") as stream:
                    if wanted in stream.read().split(b"\0"):
                        found.append(int(name))
            except OSError:
                continue
    return found


def end_survivors(mark: str, patience_s: float = 5.0) -> None:
    """Kill them until none is found."""
    until = time.monotonic() + patience_s
    while (found := find_survivors(mark)) and time.monotonic() < until:
        for process in found:
            send(process, signal.SIGSTOP)
        for process in found:
            send(process, signal.SIGKILL)
        time.sleep(0.005)
