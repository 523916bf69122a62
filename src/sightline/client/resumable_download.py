"""Downloads that go on where they broke off, also in another process, and that are checked at the end."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import httpx

from sightline.client.errors import ServiceError, ServiceUnreachableError
from sightline.client.retry import TRANSIENT, Patience
from sightline.client.transport import Transport
from sightline.client.wire import HASH_HEADER
from sightline.errors import SightlineError
from sightline.files import sha256_file, written_whole

#: Told the bytes that are there and the bytes there will be.
Progress = Callable[[int, int], None]

PATIENCE_S = 60.0


def download(
    transport: Transport,
    path: str,
    target: Path,
    *,
    params: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    on_progress: Progress | None = None,
    patience_s: float = PATIENCE_S,
) -> str:
    """GET ``path`` into the file ``target`` and return the SHA-256 of its bytes.

    Bytes arrive in ``<target>.part``, which survives a broken connection and a killed process: the next
    call asks for the rest of it only, provided that the service still has the same bytes (``If-Range``).
    ``target`` appears, replacing an older file, once the bytes have the announced hash.

    Raises:
        ServiceError: as the service says, or nothing more arrived for ``patience_s`` seconds.
        SightlineError: another process is downloading to the same file, or the bytes are damaged twice.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")

    def ask(range_headers: dict[str, str]) -> AbstractContextManager[httpx.Response]:
        return transport.http.stream("GET", path, params=params, headers={**(headers or {}), **range_headers})

    for _ in range(2):
        with _locked(part) as sink:
            announced = _fetch(transport, ask, part, sink, on_progress, patience_s)
            found = sha256_file(part)
            if announced in (found, ""):
                part.replace(target)
                _note(part).unlink(missing_ok=True)
                return found
            sink.truncate(0)
    raise ServiceError(f"{target}: the bytes from {transport.url} arrived damaged twice; try again later.")


def _fetch(
    transport: Transport,
    ask: Callable[[dict[str, str]], AbstractContextManager[httpx.Response]],
    part: Path,
    sink: BinaryIO,
    on_progress: Progress | None,
    patience_s: float,
) -> str:
    """Append to ``sink`` until it is complete; returns the hash that the service announced, or ""."""
    patience = Patience(transport.patience_s, patience_s)
    while True:
        try:
            with transport.exchange(), ask(_resume_headers(part, sink)) as response:
                if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                    sink.truncate(0)
                    raise ServiceUnreachableError(f"{transport.url} does not have the range asked for.")
                transport.raise_for_status(response)
                total = _begin(response, part, sink)
                for chunk in response.iter_raw():
                    sink.write(chunk)
                    patience.moved()
                    if on_progress:
                        on_progress(sink.tell(), total)
                if 0 <= sink.tell() < total:
                    raise ServiceUnreachableError(f"{transport.url} broke off the download.")
                return response.headers.get(HASH_HEADER, "")
        except TRANSIENT as error:
            patience.pause_or_raise(error)
        finally:
            sink.flush()


def _begin(response: httpx.Response, part: Path, sink: BinaryIO) -> int:
    """Place ``sink`` where the answer's bytes belong; returns the whole file's size, -1 if unknown."""
    length = int(response.headers.get("Content-Length", -1))
    start = 0
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        start = int(response.headers["Content-Range"].split()[1].split("-")[0])
    sink.seek(start)
    sink.truncate()
    total = start + length if length >= 0 else -1
    tag = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        with written_whole(_note(part)) as temporary:
            temporary.write_text(json.dumps({"etag": tag, "size": total}), encoding="utf-8")
    else:
        _note(part).unlink(missing_ok=True)
    return total


def _resume_headers(part: Path, sink: BinaryIO) -> dict[str, str]:
    """Ask for what is missing, if the bytes that are there are known to belong to a certain version."""
    whole = {"Accept-Encoding": "identity"}  # offsets count the file's own bytes
    sink.seek(0, 2)
    there = sink.tell()
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        tag, size = str(note["etag"]), int(note["size"])
    except (OSError, ValueError, KeyError, TypeError):
        return whole
    # A complete part asks for its last byte again: an empty range would be an error, and this way the
    # service still says whether the version is the current one.
    start = min(there, size - 1) if size > 0 else there
    if start <= 0:
        return whole
    return whole | {"Range": f"bytes={start}-", "If-Range": tag}


def _note(part: Path) -> Path:
    """Where the version (ETag) and size of a part are kept while it is incomplete."""
    return part.with_name(part.name + ".json")


@contextmanager
def _locked(part: Path) -> Iterator[BinaryIO]:
    """``part`` open for writing, alone: two processes never write into the same part. A part into which
    nothing came is removed."""
    with part.open("r+b" if part.exists() else "w+b") as sink:
        try:
            fcntl.flock(sink, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not part.exists() or not os.path.samestat(part.stat(), os.fstat(sink.fileno())):
                raise BlockingIOError  # the other process finished between our opening and our locking
        except BlockingIOError:
            raise SightlineError(
                f"{part}: another process is downloading this file; wait for it, or choose another target."
            ) from None
        try:
            yield sink
        finally:
            if part.exists() and part.stat().st_size == 0:
                part.unlink()
                _note(part).unlink(missing_ok=True)
