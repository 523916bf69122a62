"""Signals that ask a training to stop are remembered, and obeyed between two updates."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sightline.errors import SightlineError

#: Asked to make room: what Slurm, Kubernetes and spot machines send before they take the machine away.
PREEMPTING = (signal.SIGTERM, signal.SIGUSR1)
EXIT_PREEMPTED = 75
EXIT_INTERRUPTED = 130


class StoppedError(SightlineError):
    """The training was asked to stop, has saved its state, and can be resumed.

    ``exit_code`` is 75 after SIGTERM or SIGUSR1 ("try again", EX_TEMPFAIL of sysexits.h) and 130 after
    Ctrl-C.
    """

    def __init__(self, signal_number: int, where: str) -> None:
        self.signal = signal.Signals(signal_number)
        self.exit_code = EXIT_INTERRUPTED if self.signal is signal.SIGINT else EXIT_PREEMPTED
        super().__init__(f"stopped by {self.signal.name}; its state is saved in {where}, resume from there.")


class StopRequest:
    """The signal that came, or 0. A second Ctrl-C stops at once, without saving."""

    def __init__(self) -> None:
        self.signal = 0

    def __bool__(self) -> bool:
        return self.signal != 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take note of signals; outside of the main thread, where Python allows no handlers, none come."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (*PREEMPTING, signal.SIGINT)}
        # What was ignored on purpose, as by nohup, stays ignored.
        taken = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
        for number in taken:
            signal.signal(number, self._noted)
        try:
            yield
        finally:
            for number in taken:
                signal.signal(number, before[number])

    def _noted(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
