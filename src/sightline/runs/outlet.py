"""The thread between a run and its sinks: what is logged waits here, so that logging does not."""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import NamedTuple

from sightline.errors import SightlineError
from sightline.runs.media_files import Draft, MediaFiles
from sightline.runs.record import RunStatus
from sightline.runs.records import Record
from sightline.runs.sinks.sink import RunInfo, Sink

_LOG = logging.getLogger(__name__)

_MOST_RECORDS = 20_000
_MOST_BYTES = 256 << 20  # held by media that are not written yet
_PAUSE_S = 0.1  # between looks at the queue: to be woken for each record would cost the caller more
_FLUSH_S = 1.0  # between flushes of the sinks, while there is something new


class _Call(NamedTuple):
    """Something to do in between, in its turn."""

    do: Callable[[], None]
    done: threading.Event


class Outlet:
    """Writes media into the run directory and feeds the sinks, on one thread, in the order logged.

    When more is waiting than may wait, whoever logs waits too: nothing is lost. The thread begins with the
    first record. In a forked child nothing reaches the sinks, which are its parent's.
    """

    def __init__(self, sinks: Sequence[Sink], files: MediaFiles) -> None:
        self._sinks = list(sinks)
        self._files = files
        self._pid = os.getpid()
        self._queue: deque[Record | Draft | _Call] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._said_full = False
        self._ended = False
        self._unshown: set[str] = set()

    @property
    def has_sinks(self) -> bool:
        """Whether a record would reach anything."""
        return bool(self._sinks)

    def start(self, run: RunInfo) -> None:
        """Start the sinks, on the calling thread."""
        self._each(lambda sink: sink.start(run))

    def put(self, record: Record) -> None:
        """Hand a record to the sinks."""
        if not self._sinks or os.getpid() != self._pid:
            return
        self._queue.append(record)
        if self._thread is None:
            self._begin()
        if len(self._queue) > _MOST_RECORDS:
            self._wait_for_room()

    def put_media(self, draft: Draft) -> None:
        """Have a draft written and handed to the sinks.

        Raises:
            SightlineError: this is a forked child.
        """
        if os.getpid() != self._pid:
            raise SightlineError(
                f"'{draft.name}': a forked process cannot log media; log from the process that began the run."
            )
        with self._lock:
            self._bytes += draft.bytes
        self._queue.append(draft)
        if self._thread is None:
            self._begin()
        if self._bytes > _MOST_BYTES or len(self._queue) > _MOST_RECORDS:
            self._wait_for_room()

    def flush(self) -> None:
        """Return once everything logged before is written and the sinks are flushed."""
        self._in_turn(lambda: self._each(lambda sink: sink.flush()))

    def close(self, status: RunStatus) -> None:
        """Write what is waiting, close the sinks and end the thread."""
        self._in_turn(lambda: self._end(status))
        if self._thread is not None:
            self._thread.join()

    def _in_turn(self, do: Callable[[], None]) -> None:
        if os.getpid() != self._pid:
            return
        if self._thread is None:
            do()
            return
        call = _Call(do, threading.Event())
        self._queue.append(call)
        self._wake.set()
        while not call.done.wait(1.0) and self._thread.is_alive():
            pass

    def _end(self, status: RunStatus) -> None:
        self._each(lambda sink: sink.flush())
        self._each(lambda sink: sink.close(status))
        self._sinks.clear()
        self._files.close()
        self._ended = True

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sightline-sinks", daemon=True)
                self._thread.start()

    def _wait_for_room(self) -> None:
        if not self._said_full:
            self._said_full = True
            names = ", ".join(type(sink).__name__ for sink in self._sinks) or "the disk"
            _LOG.warning(
                "What is logged comes faster than %s can take it; the run now waits for that.", names
            )
        assert self._thread is not None
        while self._thread.is_alive() and (
            len(self._queue) > _MOST_RECORDS // 2 or self._bytes > _MOST_BYTES // 2
        ):
            self._wake.set()
            sleep(0.002)

    def _run(self) -> None:
        flushed, new = monotonic(), False
        while True:
            self._wake.wait(_PAUSE_S)
            self._wake.clear()
            while self._queue:
                item = self._queue.popleft()
                new = True
                if isinstance(item, _Call):
                    item.do()
                    item.done.set()
                    if self._ended:
                        return
                elif isinstance(item, Draft):
                    self._save(item)
                else:
                    self._each(lambda sink, record=item: sink.write(record))
                if monotonic() - flushed >= _FLUSH_S:
                    break
            if new and monotonic() - flushed >= _FLUSH_S:
                self._each(lambda sink: sink.flush())
                flushed, new = monotonic(), False
                if self._queue:
                    self._wake.set()

    def _save(self, draft: Draft) -> None:
        try:
            record = self._files.save(draft)
        except Exception as error:
            # Once for each name: the next image of it will most likely have the same fault.
            if draft.name not in self._unshown:
                self._unshown.add(draft.name)
                _LOG.warning("'%s' at step %d was not written: %s", draft.name, draft.step, _reason(error))
        else:
            self._each(lambda sink: sink.write(record))
        finally:
            with self._lock:
                self._bytes -= draft.bytes

    def _each(self, call: Callable[[Sink], None]) -> None:
        for sink in tuple(self._sinks):
            try:
                call(sink)
            # Some libraries leave by sys.exit, which must not end the thread.
            except (Exception, SystemExit) as error:
                self._sinks.remove(sink)
                _LOG.warning(
                    "The sink %s failed and gets nothing more of this run, which goes on; metrics.jsonl and "
                    "media.jsonl have everything. Mend this or leave the sink out: %s",
                    type(sink).__name__,
                    _reason(error),
                )


def _reason(error: BaseException) -> str:
    if isinstance(error, SightlineError):
        return str(error)
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
