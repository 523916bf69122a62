"""What the machine has that trains."""

import os
from dataclasses import dataclass
from pathlib import Path

from sightline.files import readable_size

_CPU_INFO = Path("/proc/cpuinfo")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Machine:
    """A machine, as far as this process may use it."""

    cpus: int
    memory_bytes: int
    """That is free now."""
    gpu: str | None = None
    """The name of the first GPU."""
    gpus: int = 0
    gpu_memory_bytes: int = 0
    """Of the first one."""
    bf16_on_cpu: bool = False
    """Whether the CPU multiplies bf16 in hardware."""

    def __str__(self) -> str:
        cpus = f"{self.cpus} CPU{'' if self.cpus == 1 else 's'}"
        gpus = (
            "no GPU"
            if self.gpu is None
            else f"{self.gpus} x {self.gpu} ({readable_size(self.gpu_memory_bytes)})"
        )
        return f"{cpus}, {readable_size(self.memory_bytes)} of free memory, {gpus}"


def this_machine() -> Machine:
    """The machine that this runs on, as far as its container lets it be used."""
    import torch

    from sightline.data.loading.memory import available_memory

    cpus = len(os.sched_getaffinity(0))
    try:
        quota, period = _QUOTA.read_text().split()
        cpus = cpus if quota == "max" else max(1, min(cpus, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    if not torch.cuda.is_available():
        return Machine(cpus, available_memory(), bf16_on_cpu=_multiplies_bf16())
    first = torch.cuda.get_device_properties(0)
    return Machine(cpus, available_memory(), first.name, torch.cuda.device_count(), first.total_memory)


def _multiplies_bf16() -> bool:
    try:
        return "amx_bf16" in _CPU_INFO.read_text()
    except OSError:
        return False
