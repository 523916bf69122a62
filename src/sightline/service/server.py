"""Serve the app until somebody says stop."""

import asyncio
import fcntl
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from sightline.errors import SightlineError
from sightline.service.app import create_app
from sightline.service.settings import Settings

_STOP_S = 2
_KEEP_ALIVE_S = 65  # longer than clients keep idle connections, so that we never cut one in use
_BACKLOG = 2048

_log = logging.getLogger(__name__)


def serve(
    settings: Settings,
    host: str,
    port: int,
    ready: Callable[[str], None],
    stop: threading.Event | None = None,
    stopping: Callable[[], None] = lambda: None,
) -> None:
    """Serve a prepared folder at ``host:port`` until SIGINT or SIGTERM; port 0 takes a free one.

    In a thread other than the main one, which gets no signals, ``stop`` ends it.
    ``ready`` is called with the service's URL once it answers, ``stopping`` in a thread of its own while it
    still does. Stopping then takes about two seconds at most: streams and waiting calls are ended at once,
    other calls may finish in that time.

    Raises:
        SightlineError: the address cannot be listened at, or another service has the folder.
    """
    with _listening(host, port) as listener, _owning(settings):
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(settings),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_STOP_S,
            timeout_keep_alive=_KEEP_ALIVE_S,
            lifespan="on",
            server_header=False,
        )
        _Server(config, lambda: ready(url), stop or threading.Event(), stopping).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        ready: Callable[[], None],
        stop: threading.Event,
        stopping: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._stop = stop
        self._stopping = stopping

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, without raising the signal once more at the end: whoever called us goes on."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def on_tick(self, counter: int) -> bool:
        return self._stop.is_set() or await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app = self.config.app
        assert isinstance(app, FastAPI)
        await asyncio.to_thread(self._stopping)
        app.state.core.wakeups.close()  # else open streams would hold the shutdown up
        await super().shutdown(sockets)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Naming the protocol lets asyncio see that it is TCP and switch Nagle off: 40 ms for every answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = (
            os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else str(error)
        )
        raise SightlineError(
            f"Cannot listen at {host}:{port} ({reason}); stop what uses it, or choose another port or host."
        ) from error
    try:
        yield listener
    finally:
        listener.close()


@contextmanager
def _owning(settings: Settings) -> Iterator[None]:
    """Hold the folder: two services on one SQLite folder would sweep each other's leases and uploads."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    with (settings.folder / "service.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SightlineError(
                f"{settings.folder}: another service is running on this folder; stop it, or "
                "choose another folder."
            ) from None
        yield
