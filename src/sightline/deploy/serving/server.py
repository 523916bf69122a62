"""Serving a model until somebody says stop."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from sightline.deploy.predictor import Predictor
from sightline.deploy.serving.app import create_app
from sightline.deploy.serving.upload import MOST_BYTES
from sightline.errors import SightlineError

_STOP_S = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(
    predictor: Predictor,
    host: str,
    port: int,
    ready: Callable[[str], None],
    *,
    most_bytes: int = MOST_BYTES,
    stop: threading.Event | None = None,
) -> None:
    """Serve a model at ``host:port`` until SIGINT or SIGTERM; port 0 takes a free one.

    ``ready`` is called with the URL once it answers. In a thread other than the main one, which gets no
    signals, ``stop`` ends it.

    Raises:
        SightlineError: the address cannot be listened at.
    """
    with _listening(host, port) as listener:
        shown = f"[{host}]" if ":" in host else host
        url = f"http://{shown}:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            create_app(predictor, most_bytes),
            log_level="warning",
            timeout_graceful_shutdown=_STOP_S,
            server_header=False,
        )
        _Server(config, lambda: ready(url), stop or threading.Event()).run(sockets=[listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], stop: threading.Event) -> None:
        super().__init__(config)
        self._ready, self._stop = ready, stop

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, without raising the signal once more at the end: stopping is no failure."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        return self._stop.is_set() or await super().on_tick(counter)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number).lower() if number else str(error)
        raise SightlineError(f"cannot listen at {host}:{port} ({reason}); choose another port.") from error
    try:
        yield listener
    finally:
        listener.close()
