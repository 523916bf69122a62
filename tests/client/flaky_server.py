"""A real HTTP server that misbehaves on command: it breaks connections, forgets ranges, changes files."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Exchange:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FlakyServer:
    """``routes`` maps a path to what answers it; ``seen`` holds what was asked."""

    routes: dict[str, Callable[["Handler"], None]] = field(default_factory=dict)
    seen: list[Exchange] = field(default_factory=list)
    url: str = ""

    def asked(self, method: str, path: str) -> list[Exchange]:
        return [e for e in self.seen if e.method == method and e.path.split("?")[0] == f"/api/v1{path}"]


class Handler(BaseHTTPRequestHandler):
    """``server.flaky`` is the `FlakyServer` it works for."""

    protocol_version = "HTTP/1.1"
    server: Any
    exchange: Exchange

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.exchange = Exchange(self.command, self.path, dict(self.headers.items()), body)
        flaky: FlakyServer = self.server.flaky
        flaky.seen.append(self.exchange)
        answer = flaky.routes.get(self.path.split("?")[0].removeprefix("/api/v1"))
        if answer is None:
            self.answer_json(404, {"detail": "Not Found"})
        else:
            answer(self)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815

    def answer_json(self, status: int, value: object) -> None:
        self.answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def break_off(self) -> None:
        """Close the connection as a crash would."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Download:
    """Serves ``content`` with ranges; the next ``breaks`` answers stop after ``break_after`` bytes."""

    def __init__(self, content: bytes, *, breaks: int = 0, break_after: int = 0) -> None:
        self.content = content
        self.breaks = breaks
        self.break_after = break_after
        self.lie_about_hash = False
        self.served = 0

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.content).hexdigest()}"'

    def __call__(self, handler: Handler) -> None:
        asked = handler.exchange.headers
        start, status = 0, 200
        if "Range" in asked and asked.get("If-Range") == self.tag:
            start, status = int(asked["Range"].removeprefix("bytes=").split("-")[0]), 206
        body = self.content[start:]
        digest = "0" * 64 if self.lie_about_hash else hashlib.sha256(self.content).hexdigest()
        handler.send_response(status)
        handler.send_header("ETag", self.tag)
        handler.send_header("Content-SHA256", digest)
        handler.send_header("Content-Length", str(len(body)))
        if status == 206:
            size = len(self.content)
            handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        handler.end_headers()
        if self.breaks > 0:
            self.breaks -= 1
            handler.wfile.write(body[: self.break_after])
            self.served += min(self.break_after, len(body))
            handler.break_off()
        else:
            self.served += len(body)
            handler.wfile.write(body)


@contextmanager
def running(flaky: FlakyServer, port: int = 0) -> Iterator[FlakyServer]:
    """Serve in a thread, on any free port by default."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.flaky = flaky  # type: ignore[attr-defined]
    flaky.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield flaky
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
