# ruff: noqa: PTH123, PTH208
"""Who descends from a process, and how to end all of them."""

import os
import signal
import time
from collections.abc import Iterator


def _parents() -> Iterator[tuple[int, int]]:
    """(process, its parent) of every process that is not a zombie."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stream:
                state, parent = stream.read().rpartition(b")")[2].split()[:2]
        except OSError:
            continue
        if state not in (b"Z", b"X"):
            yield int(name), int(parent)


def descendants(ancestor: int) -> list[int]:
    """Every living process below ``ancestor``, parents before children; not ``ancestor`` itself."""
    children: dict[int, list[int]] = {}
    for process, parent in _parents():
        children.setdefault(parent, []).append(process)
    found: list[int] = []
    waiting = [ancestor]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def send(process: int, number: int) -> None:
    """Signal a process that may already be gone, or that belongs to somebody else."""
    try:
        os.kill(process, number)
    except (ProcessLookupError, PermissionError):
        return


def end_descendants(ancestor: int, patience_s: float = 5.0) -> bool:
    """Kill all that descends from ``ancestor``; True when nothing is left within ``patience_s``.

    Stopped first and killed then, so that a process cannot fork faster than it is found.
    """
    until = time.monotonic() + patience_s
    while found := descendants(ancestor):
        for process in found:
            send(process, signal.SIGSTOP)
        for process in descendants(ancestor):
            send(process, signal.SIGKILL)
        if ancestor == os.getpid():
            _bury()
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def _bury() -> None:
    while True:
        try:
            process, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if process == 0:
            return
