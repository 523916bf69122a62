"""Numbers that still lie on a GPU: fetched without making the training wait for the GPU.

A copy into pinned memory is queued behind the work that computes the number, and an event behind the copy.
The number is read once the event has passed, which is usually some steps later.
"""

import math
import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from sightline.errors import SightlineError
from sightline.runs.metrics_writer import MetricKind

_MOST = 1024  # numbers on their way; beyond this the oldest is waited for


class Copy(Protocol):
    """One number on its way from a device."""

    def ready(self) -> bool:
        """Whether `value` gives the number without waiting."""
        ...

    def value(self) -> Any:
        """The number, waited for if need be."""
        ...


def on_device(value: Any) -> bool:
    """Whether reading ``value`` would wait for a GPU."""
    return getattr(getattr(value, "device", None), "type", "cpu") in ("cuda", "xpu")


class PinnedCopy:
    """A torch tensor of one element on its way to the CPU."""

    def __init__(self, tensor: Any) -> None:
        torch: Any = sys.modules["torch"]  # whoever made the tensor has imported it
        source = tensor.detach()
        self._host = torch.empty(source.shape, dtype=source.dtype, pin_memory=True)
        self._host.copy_(source, non_blocking=True)
        self._event = torch.Event(source.device)
        self._event.record(torch.accelerator.current_stream(source.device))

    def ready(self) -> bool:
        """Whether the copy is done."""
        return self._event.query()

    def value(self) -> Any:
        """The number as a CPU tensor."""
        self._event.synchronize()
        return self._host


class _Waiting(NamedTuple):
    kind: MetricKind
    name: str
    copy: Copy | None
    value: Any
    step: int
    time: float


class DeferredScalars:
    """Scalars behind one that is still on its way, in the order logged.

    Args:
        write: takes kind, name, value, step and time once a number is there.
        start_copy: begins to fetch a value from its device.
    """

    def __init__(
        self,
        write: Callable[[MetricKind, str, Any, int, float], None],
        start_copy: Callable[[Any], Copy] = PinnedCopy,
    ) -> None:
        self._write = write
        self._start_copy = start_copy
        #: Empty when nothing is on its way, so that asking costs next to nothing.
        self.waiting: deque[_Waiting] = deque()
        self._pid = os.getpid()

    def __bool__(self) -> bool:
        if self.waiting and os.getpid() != self._pid:
            self.waiting.clear()  # a forked child's copy: the parent writes them
        return bool(self.waiting)

    def add(self, kind: MetricKind, name: str, value: Any, step: int, time: float) -> None:
        """Queue a value, and write all at the head of the queue that have arrived.

        Raises:
            SightlineError: a value on a device that holds more than one number.
        """
        copy = None
        if on_device(value):
            if math.prod(value.shape) != 1:
                raise SightlineError(
                    f"Metric '{name}': the value has shape {tuple(value.shape)}; log one number."
                )
            copy = self._start_copy(value)
        self.waiting.append(_Waiting(kind, name, copy, value if copy is None else None, step, time))
        self._write_ready(wait=len(self.waiting) > _MOST)

    def flush(self) -> None:
        """Write everything, waiting for what is still on its way."""
        while self:
            self._write_ready(wait=True)

    def _write_ready(self, wait: bool) -> None:
        """``wait`` waits for the oldest only."""
        while self.waiting:
            head = self.waiting[0]
            if head.copy is not None and not wait and not head.copy.ready():
                return
            wait = False
            value = head.value if head.copy is None else head.copy.value()
            self.waiting.popleft()
            self._write(head.kind, head.name, value, head.step, head.time)
