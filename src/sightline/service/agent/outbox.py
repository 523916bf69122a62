"""Deliver what a job says to the service, in order, at once when the line is free, again until it arrives."""

import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

from sightline.client import ServiceError

T = TypeVar("T")
_BATCH = 1000
_RETRY_S = 0.5


class Outbox(Generic[T]):
    """A queue with a thread that sends it in batches.

    A batch leaves as soon as the one before it was acknowledged, so that a single line travels without
    delay and a flood travels in large parts. A batch that the service did not acknowledge is sent again:
    messages carry sequence numbers, and the service keeps each one once.

    Args:
        send: takes a batch; returns when it is acknowledged; raises `ServiceError` otherwise.
        capacity: messages kept while the service cannot be reached; later ones are dropped and counted
            in ``dropped``, so that a talkative job cannot fill the agent's memory.

    A batch that the service refuses for good (a 4xx answer) ends the delivery; ``refusal`` says why.
    """

    def __init__(self, send: Callable[[list[T]], object], capacity: int = 200_000) -> None:
        self.dropped = 0
        self.refusal: ServiceError | None = None
        self._send = send
        self._capacity = capacity
        self._queue: deque[T] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._abandoned = False
        self._thread = threading.Thread(target=self._work, daemon=True, name="outbox")
        self._thread.start()

    def put(self, message: T) -> None:
        """Queue a message; never blocks."""
        with self._changed:
            if len(self._queue) >= self._capacity:
                self.dropped += 1
                return
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
                batch = list(islice(self._queue, _BATCH))
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
                    self._queue.popleft()
