"""One block of memory for a process and the workers that it starts."""

import mmap
import os
from multiprocessing import reduction
from multiprocessing.context import get_spawning_popen
from pathlib import Path
from typing import Any

import numpy as np
import psutil

_CGROUPS = Path("/sys/fs/cgroup")


class SharedMemory:
    """``size`` bytes, zeroed, as the uint8 array ``array``, which workers share instead of having a copy.

    Workers are processes that this one forks or spawns; pickled for anybody else, it is a copy. The
    memory has no name: nothing is left behind however a process ends, and the size of ``/dev/shm`` (64 MB
    in many containers) does not matter.
    """

    def __init__(self, size: int) -> None:
        handle = os.memfd_create("sightline")
        os.ftruncate(handle, max(1, size))  # nothing cannot be mapped
        self._map(handle, size)

    def _map(self, handle: int, size: int) -> None:
        self._handle = handle
        self.array = np.frombuffer(mmap.mmap(handle, max(1, size)), dtype=np.uint8)[:size]

    def __getstate__(self) -> dict[str, Any]:
        if get_spawning_popen() is None:
            return {"content": self.array.copy()}
        return {"handle": reduction.DupFd(self._handle), "size": len(self.array)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "content" in state:
            self.__init__(len(state["content"]))
            self.array[:] = state["content"]
        else:
            self._map(state["handle"].detach(), state["size"])

    def __del__(self) -> None:
        os.close(self._handle)


class MappedFile:
    """A file as the read-only uint8 array ``array``; processes that map the same file share its pages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        size = path.stat().st_size
        self.array = np.memmap(path, dtype=np.uint8, mode="r") if size else np.zeros(0, dtype=np.uint8)

    def __reduce__(self) -> tuple[type, tuple[Path]]:
        return type(self), (self.path,)


def available_memory() -> int:
    """Bytes that can still be used before the machine or the container runs out."""
    available = psutil.virtual_memory().available
    for folder in _control_groups():
        try:
            limit = (folder / "memory.max").read_text().strip()
            if limit == "max":
                continue
            used = int((folder / "memory.current").read_text())
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        except (OSError, ValueError):
            continue
        available = min(available, int(limit) - used + int(stat.get("inactive_file", 0)))
    return max(0, available)


def _control_groups() -> list[Path]:
    """The process's control group (version 2) and those above it; each may set a limit."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    own = [line.removeprefix("0::/") for line in lines if line.startswith("0::/")]
    return [_CGROUPS / folder for name in own for folder in (Path(name), *Path(name).parents)]
