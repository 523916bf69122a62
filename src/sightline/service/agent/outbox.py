"""Deliver what a job says to the service, in order, at once when the line is free, again until it arrives."""

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import accumulate, islice, takewhile
from typing import Generic, TypeVar

from sightline.client import ServiceError

T = TypeVar("T")
_BATCH = 1000  # messages
_BATCH_SIZE = 1 << 20  # characters; escaped in JSON each may take six bytes
_OVERHEAD = 200  # characters that a message takes beside what varies
_RETRY_S = 0.5


class Outbox(Generic[T]):
    """A queue with a thread that sends it in batches.

    A batch leaves as soon as the one before it was acknowledged, so that a single line travels without
    delay and a flood travels in large parts. A batch that the service did not acknowledge is sent again:
    messages carry sequence numbers, and the service keeps each one once.

    Args:
        send: takes a batch; returns when it is acknowledged; raises `ServiceError` otherwise.
        size: characters of a message.
        capacity: characters kept while the service cannot be reached; later messages are dropped and
            counted in ``dropped``, so that a talkative job cannot fill the agent's memory.

    A batch that the service refuses for good (a 4xx answer) ends the delivery; ``refusal`` says why.
    """

    def __init__(
        self, send: Callable[[list[T]], object], size: Callable[[T], int], capacity: int = 64 << 20
    ) -> None:
        self.dropped = 0
        self.refusal: ServiceError | None = None
        self._send = send
        self._size = size
        self._left = capacity
        self._queue: deque[T] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._abandoned = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="outbox")
        self._thread.start()

    def put(self, message: T) -> None:
        """Queue a message; never blocks."""
        with self._changed:
            size = self._size(message) + _OVERHEAD
            if size > self._left:
                self.dropped += 1
                return
            self._left -= size
            self._queue.append(message)
            self._changed.notify()

    def close(self, timeout_s: float) -> bool:
        """Wait until all is delivered, at most ``timeout_s``; returns whether it was."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout_s)
        return not self._queue

    def abandon(self) -> None:
        """Stop without delivering the rest: the lease is lost and nobody would take it."""
        with self._changed:
            self._abandoned = True
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing and not self._abandoned:
                    self._changed.wait()
                if self._abandoned or not self._queue:
                    return
                batch = self._next_batch()
            try:
                self._send(batch)
            except ServiceError as error:
                if error.status is not None and error.status < 500:
                    self.refusal = error
                    return
                time.sleep(_RETRY_S)
                continue
            with self._changed:
                for _ in batch:
                    self._left += self._size(self._queue.popleft()) + _OVERHEAD

    def _next_batch(self) -> list[T]:
        sizes = accumulate(self._size(message) for message in islice(self._queue, _BATCH))
        fitting = sum(1 for _ in takewhile(lambda total: total <= _BATCH_SIZE, sizes))
        return list(islice(self._queue, max(1, fitting)))
