"""The most memory that was in use since some moment."""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path

_FORGET, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_PEAK_ONLY = "5"  # of what there is to forget; see man 5 proc_pid_clear_refs


@dataclass(frozen=True)
class PeakMemory:
    """So many bytes, ``of`` the GPU or the process."""

    size_bytes: int
    of: str


def forget_peak_memory() -> None:
    """Let `peak_memory` count from now on (where Linux does not permit that, from the process's start)."""
    if _uses_gpu():
        sys.modules["torch"].cuda.reset_peak_memory_stats()
    try:
        _FORGET.write_text(_PEAK_ONLY)
    except OSError:
        return


def peak_memory() -> PeakMemory:
    """The most that torch has had of the GPU, or without that the process of the machine's memory."""
    if _uses_gpu():
        return PeakMemory(sys.modules["torch"].cuda.max_memory_allocated(), "GPU")
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return PeakMemory(int(line.split()[1]) * 1024, "process")
    except (OSError, StopIteration):
        return PeakMemory(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "process")


def _uses_gpu() -> bool:
    """Whether torch was imported by somebody, and has something on a GPU."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_available() and torch.cuda.memory_allocated() > 0
