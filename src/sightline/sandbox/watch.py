"""Look at what a running job uses, as often as is cheap, and say when it is too much."""

import time

from sightline.files import readable_size
from sightline.sandbox.cgroups import ControlGroup
from sightline.sandbox.inside.processes import descendants
from sightline.sandbox.job import Ending, Limits
from sightline.sandbox.plan import Plan
from sightline.sandbox.reasons import Stop
from sightline.sandbox.usage import (
    UnmeasurableError,
    deleted_bytes,
    folder_bytes,
    memory_bytes,
    temporary_bytes,
)

_EVERY_S = 0.1
_OUTPUTS_EVERY_S = 0.25
_SHARE_OF_TIME = 0.05  # counting a large folder shall not take more of a processor than this


class Watch:
    """Memory and processes are counted here only where no control group does it."""

    def __init__(self, limits: Limits, plan: Plan, group: ControlGroup, first_process: int) -> None:
        self.due_at = 0.0
        self._limits, self._plan, self._group, self._first = limits, plan, group, first_process
        self._outputs_due_at = 0.0
        self._peak = 0
        self._at_start = _counted_at_start(plan)

    def look(self) -> Stop | None:
        """The limit that is exceeded, if any; does nothing until ``due_at``."""
        now = time.monotonic()
        if now < self.due_at:
            return None
        found = self._look_at_processes()
        if found is None and now >= self._outputs_due_at:
            found = self._look_at_outputs()
            self._outputs_due_at = now + max(_OUTPUTS_EVERY_S, (time.monotonic() - now) / _SHARE_OF_TIME)
        self.due_at = now + max(_EVERY_S, (time.monotonic() - now) / _SHARE_OF_TIME)
        return found

    def last_look(self) -> Stop | None:
        """After the end: what the kernel reported, or what was written in the last moment."""
        return self._out_of_memory() or self._look_at_outputs()

    def peak_memory_bytes(self) -> int | None:
        """The most memory that was in use; without a control group, the most that we saw."""
        return self._group.peak_memory_bytes() or self._peak or None

    def _look_at_processes(self) -> Stop | None:
        if self._group.has("memory") and self._group.has("pids"):
            return self._out_of_memory()
        processes = descendants(self._first)
        if len(processes) > self._limits.max_processes and not self._group.has("pids"):
            allowed = self._limits.max_processes
            return Stop(Ending.FAILED, f"killed: it started more than its {allowed} processes")
        if self._group.has("memory"):
            return self._out_of_memory()
        used = memory_bytes(processes, self._limits.memory_bytes)
        if processes and self._plan.mounts:
            used += temporary_bytes(processes[0])
        self._peak = max(self._peak, used)
        return self._too_much_memory() if used > self._limits.memory_bytes else None

    def _out_of_memory(self) -> Stop | None:
        return self._too_much_memory() if self._group.ran_out_of_memory() else None

    def _too_much_memory(self) -> Stop:
        size = readable_size(self._limits.memory_bytes)
        return Stop(Ending.MEMORY_LIMIT, f"killed: it used more than its {size} of memory")

    def _look_at_outputs(self) -> Stop | None:
        if not self._plan.counted:
            return None
        processes = self._group.processes() or set(descendants(self._first))
        try:
            used = folder_bytes(self._plan.counted) + deleted_bytes(sorted(processes), self._plan.counted)
        except UnmeasurableError:
            return Stop(Ending.OUTPUT_QUOTA, "killed: it made folders whose content cannot be counted")
        if used - self._at_start <= self._limits.output_bytes:
            return None
        size = readable_size(self._limits.output_bytes)
        return Stop(Ending.OUTPUT_QUOTA, f"killed: it wrote more than its {size} of output")


def _counted_at_start(plan: Plan) -> int:
    try:
        return folder_bytes(plan.counted)
    except UnmeasurableError:
        return 0
