"""The processes that read items: `DataLoader`'s, ending in good order and failing in one sentence."""

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

from torch.utils.data import DataLoader

from sightline.data.loading.reading import Read
from sightline.data.loading.wording import death_of_worker, no_batches
from sightline.errors import SightlineError

_GRACE = 0.5  # seconds that the end of a process takes to be known

Handler = Callable[[int, FrameType | None], Any]


def begin_worker(worker: int) -> None:  # noqa: ARG001 (DataLoader's worker_init_fn)
    """Leave signals to the process that trains, and end with it."""
    # Ctrl-C, and a scheduler's signal, go to a whole group of processes; the one that trains ends its
    # workers itself, by SIGTERM, for which it may have a handler that they are not to inherit.
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """`DataLoader` looks at the parent's id alone, which stays the same where a fork server is between."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def batches_of_workers(loader: DataLoader[Any]) -> Iterator[Read]:
    """The batches of a pass.

    Raises:
        SightlineError: a worker died, which is seen within seconds, or could not be started.
    """
    # What a worker inherits is not its own to clear away: there may be another loader's workers in it, and
    # memory that is left alone stays shared.
    gc.freeze()
    try:
        batches = iter(loader)
    except Exception as error:
        raise no_batches(error) from None
    finally:
        gc.unfreeze()
    _interrupt_nothing()
    while True:
        try:
            read = next(batches).opened()
        except StopIteration:
            return
        except Exception as error:
            raise _death_in(batches, error) or no_batches(error) from None
        yield read


def _death_in(batches: Any, error: Exception) -> SightlineError | None:
    """What to say where the error of a pass is that one of its workers died."""
    # What it was sending breaks off before its end is known.
    patience = _GRACE if isinstance(error, EOFError | OSError) else 0
    for worker in getattr(batches, "_workers", ()):
        worker.join(patience)
        if worker.exitcode:
            return death_of_worker(worker.pid, -worker.exitcode)
    return None


def _interrupt_nothing() -> None:
    """Keep torch from raising an error wherever the main thread is when a worker dies.

    It might be writing a checkpoint. `DataLoader` sees it too when it waits for a batch that does not come.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    handler = signal.getsignal(signal.SIGCHLD)
    if callable(handler) and not isinstance(handler, _Quiet):
        signal.signal(signal.SIGCHLD, _Quiet(handler))


class _Quiet:
    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def __call__(self, number: int, frame: FrameType | None) -> None:
        with suppress(RuntimeError):
            self._handler(number, frame)
