"""Numbers that are written later than they are logged: they still lie on a GPU, or many are written at once.

No training waits for its GPU: a copy into pinned memory is queued behind the work that computes the number,
and an event behind the copy. The number is read once the event has passed, usually some steps later.
"""

import math
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet

from sightline.errors import SightlineError
from sightline.runs.metrics_writer import MetricKind

_HOLD_S = 0.05
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


class DeferredScalars:
    """Scalars behind one that is still on its way or held back, in the order logged.

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
        #: Empty when nothing waits, so that asking costs next to nothing. Each is a copy on its way, or None,
        #: and what ``write`` takes.
        self.waiting: deque[tuple[Copy | None, MetricKind, str, Any, int, float]] = deque()
        self._held_since = 0.0
        self._lock = threading.RLock()  # a signal's handler may log too
        _ALL.add(self)

    def add(self, kind: MetricKind, name: str, value: Any, step: int, time: float) -> None:
        """Queue a value, and write all at the head of the queue that have arrived.

        Raises:
            SightlineError: a value on a device that holds more than one number.
        """
        self._queue(kind, name, value, step, time)
        self._write_ready(wait=len(self.waiting) > _MOST)

    def hold(self, kind: MetricKind, name: str, value: Any, step: int, time: float) -> None:
        """The same, but write only if `_HOLD_S` have passed since that was last done here.

        A line that is written amid other work takes about 20 microseconds, as everything that this needs has
        left the processor's caches; one that is written after another takes 3.
        """
        if type(value) is float:
            self.waiting.append((None, kind, name, value, step, time))
        else:
            self._queue(kind, name, value, step, time)
        if abs(time - self._held_since) >= _HOLD_S:  # clocks may be set back
            self._held_since = time
            self._write_ready(wait=len(self.waiting) > _MOST)

    def flush(self) -> None:
        """Write everything, waiting for what is still on its way."""
        while self.waiting:
            self._write_ready(wait=True)

    def _queue(self, kind: MetricKind, name: str, value: Any, step: int, time: float) -> None:
        copy = None
        if on_device(value):
            if math.prod(value.shape) != 1:
                raise SightlineError(
                    f"Metric '{name}': the value has shape {tuple(value.shape)}; log one number."
                )
            copy, value = self._start_copy(value), None
        self.waiting.append((copy, kind, name, value, step, time))

    def _write_ready(self, wait: bool) -> None:
        """``wait`` waits for the oldest only."""
        with self._lock:
            while True:
                try:
                    head = self.waiting.popleft()
                except IndexError:
                    return
                copy, kind, name, value, step, time = head
                if copy is not None:
                    if not wait and not copy.ready():
                        self.waiting.appendleft(head)
                        return
                    value = copy.value()
                wait = False
                self._write(kind, name, value, step, time)

    def forget(self) -> None:
        """In a forked child: what waits is the parent's to write, whose threads may hold the lock."""
        self.waiting.clear()
        self._lock = threading.RLock()


_ALL: "WeakSet[DeferredScalars]" = WeakSet()


def _forget_all() -> None:
    for scalars in _ALL:
        scalars.forget()


os.register_at_fork(after_in_child=_forget_all)
