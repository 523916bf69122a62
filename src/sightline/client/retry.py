"""When to try again: for as long as something moves, and for a bounded time when nothing does."""

import time

import httpx

from sightline.client.errors import ServiceUnreachableError

#: What may well succeed a moment later. Any other error is raised at once.
TRANSIENT = (httpx.TransportError, ServiceUnreachableError)

_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0


class Patience:
    """Allows retries, with growing pauses, for as long as the service may be away for a moment.

    Before anything has moved that is ``before_s`` seconds: whoever mistyped an address does not want to
    wait. Afterwards it is ``after_s`` seconds since something last moved, so that a long transfer which
    breaks off again and again but gets further each time is never given up.

        patience = Patience(2, 60)
        while True:
            try:
                return attempt(on_chunk=patience.moved)
            except TRANSIENT as error:
                patience.pause_or_raise(error)
    """

    def __init__(self, before_s: float, after_s: float | None = None) -> None:
        self._allowed_s = before_s
        self._after_s = before_s if after_s is None else after_s
        self._last_move = time.monotonic()
        self._failures = 0

    def moved(self) -> None:
        """Progress was made: count afresh."""
        self._allowed_s = self._after_s
        self._last_move = time.monotonic()
        self._failures = 0

    def pause_or_raise(self, error: Exception) -> None:
        """Sleep before the next attempt, or raise ``error`` where the patience would end before it."""
        pause = min(_FIRST_PAUSE_S * 2**self._failures, _LONGEST_PAUSE_S)
        self._failures += 1
        if time.monotonic() + pause > self._last_move + self._allowed_s:
            raise error
        time.sleep(pause)
