"""Wake the calls that wait, at once when what they wait for is written in this process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

JOBS = "jobs"


def experiment_topic(experiment_id: str) -> str:
    """What readers of one experiment wait for."""
    return f"experiment:{experiment_id}"


class Subscription:
    """One waiting call. The order is: `clear`, look, `wait`; what is written after the look wakes it."""

    def __init__(self, event: asyncio.Event, wakeups: "Wakeups") -> None:
        self._event = event
        self._wakeups = wakeups

    @property
    def closing(self) -> bool:
        """Whether the service stops and the call has to end."""
        return self._wakeups.closing

    def clear(self) -> None:
        """Forget earlier wake-ups."""
        self._event.clear()

    async def wait(self, timeout_s: float) -> None:
        """Return when woken, when the time is over, or when the service stops."""
        if self.closing or timeout_s <= 0:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            pass


class Wakeups:
    """Topics and who waits for them. `notify` may be called from any thread, after the commit."""

    def __init__(self) -> None:
        self.closing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def bind(self) -> None:
        """Belong to the running event loop."""
        self._loop = asyncio.get_running_loop()

    @contextmanager
    def subscribe(self, topic: str) -> Iterator[Subscription]:
        """Wait for a topic for as long as the block lasts."""
        event = asyncio.Event()
        self._waiting.setdefault(topic, set()).add(event)
        try:
            yield Subscription(event, self)
        finally:
            self._waiting[topic].discard(event)
            if not self._waiting[topic]:
                del self._waiting[topic]

    def notify(self, topic: str) -> None:
        """Wake all that wait for a topic."""
        self._call(lambda: self._wake(topic))

    def close(self) -> None:
        """End all waiting, now and later."""
        self.closing = True
        self._call(lambda: [self._wake(topic) for topic in list(self._waiting)])

    def _call(self, function: object) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function)  # type: ignore[arg-type]

    def _wake(self, topic: str) -> None:
        for event in self._waiting.get(topic, ()):
            event.set()
