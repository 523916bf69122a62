"""The supervisor's end of the talk with the first process of a sandbox (``inside.main``)."""

import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

_CREDENTIALS = struct.Struct("=iII")  # struct ucred: process, user, group


@dataclass
class Control:
    """``process`` is the number of the first process as this host counts, known once it has spoken.

    The kernel supplies that number with each message, translated between the namespaces.
    """

    ours: socket.socket
    theirs: socket.socket
    process: int | None = None
    closed: bool = False
    _received: bytes = field(default=b"", repr=False)

    @classmethod
    def create(cls) -> "Control":
        """Both ends of a new connection; ``theirs`` is to be inherited by the sandbox."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        return cls(ours, theirs)

    def say(self, message: dict[str, Any], give_up: Callable[[], bool] = lambda: False) -> None:
        """Send one message; the other side may be gone, which is noticed when we listen."""
        data = json.dumps(message).encode() + b"\n"
        self.ours.settimeout(0.1)
        while data:
            try:
                data = data[self.ours.send(data) :]
            except TimeoutError:
                if give_up():
                    return
            except OSError:
                return

    def hear(self, timeout_s: float) -> list[dict[str, Any]]:
        """The messages that arrive within ``timeout_s``: at least one, unless time is up or it ``closed``."""
        until = time.monotonic() + timeout_s
        while True:
            *lines, self._received = self._received.split(b"\n")
            if lines or self.closed:
                return [json.loads(line) for line in lines]
            self.ours.settimeout(max(until - time.monotonic(), 0.001))
            try:
                data, extra, _, _ = self.ours.recvmsg(1 << 16, socket.CMSG_SPACE(_CREDENTIALS.size))
            except TimeoutError:
                return []
            except OSError:
                data, extra = b"", []
            self.closed = not data
            self._received += data
            for level, kind, value in extra:
                if data and (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                    self.process = _CREDENTIALS.unpack(value[: _CREDENTIALS.size])[0]

    def hang_up(self) -> None:
        """The other side hears that we are gone; we can still listen."""
        with contextlib.suppress(OSError):
            self.ours.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close both ends; what still lives on the other side ends itself."""
        self.ours.close()
        self.theirs.close()


def process_handle(process: int) -> int | None:
    """A descriptor that becomes readable when ``process`` has ended; None when it already has."""
    try:
        return os.pidfd_open(process)
    except ProcessLookupError:
        return None
