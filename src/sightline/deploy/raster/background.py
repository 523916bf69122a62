"""Reading ahead and writing behind, each in a thread of its own, so that they overlap with the model in time.

NumPy, GDAL and ONNX Runtime release Python's lock while they compute.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Full, Queue
from typing import Generic, TypeVar

T = TypeVar("T")

_WAIT = 0.1  # seconds after which a waiting thread looks whether the other side has given up


class _End:
    """The last thing in a queue, with the error that ended it."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def read_ahead(items: Iterator[T], ahead: int) -> Iterator[Iterator[T]]:
    """``items``, made by a thread up to ``ahead`` of their use; an error in it is raised where they are used.

    When the block ends, however it does, so does the thread.
    """
    queue: Queue[T | _End] = Queue(ahead)
    given_up = threading.Event()

    def make() -> None:
        end = _End()
        try:
            for item in items:
                if not _put(queue, item, given_up):
                    return
        except BaseException as error:
            end = _End(error)
        finally:
            items.close() if hasattr(items, "close") else None  # type: ignore[attr-defined]
        _put(queue, end, given_up)

    def use() -> Iterator[T]:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error

    thread = threading.Thread(target=make, name="sightline-read", daemon=True)
    thread.start()
    try:
        yield use()
    finally:
        given_up.set()
        thread.join()


class WriteBehind(Generic[T]):
    """Hands items to ``write``, which runs in a thread, at most ``behind`` of them waiting.

    As a context: at its end all is written, or, if the block failed, given up. An error of ``write`` is
    raised by the next `put`, or at the end.
    """

    def __init__(self, write: Callable[[T], None], behind: int) -> None:
        self._write = write
        self._queue: Queue[T | _End] = Queue(behind)
        self._failed = threading.Event()
        self._given_up = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sightline-write", daemon=True)

    def put(self, item: T) -> None:
        """Have ``item`` written."""
        if not _put(self._queue, item, self._failed):
            assert self._error is not None
            raise self._error

    def __enter__(self) -> "WriteBehind[T]":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._given_up.set()
        _put(self._queue, _End(), self._failed)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not isinstance(item := self._queue.get(), _End):
                if not self._given_up.is_set():
                    self._write(item)
        except BaseException as error:
            self._error = error
            self._failed.set()


def _put(queue: "Queue[T]", item: T, given_up: threading.Event) -> bool:
    """Whether there was room for it before the other side gave up."""
    while not given_up.is_set():
        try:
            queue.put(item, timeout=_WAIT)
        except Full:
            continue
        return True
    return False
