"""Bytes out (ranged) and bytes in (streamed to disk)."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, MalformedRangeHeader, RangeNotSatisfiable
from starlette.types import Receive, Scope, Send

from sightline.client.wire import HASH_HEADER
from sightline.files import readable_size
from sightline.service.api.errors import DRAINED, problem
from sightline.service.domain.refusals import RefusedError, TooLargeError
from sightline.service.store.objects import LocalObjects

_BLOCK = 1 << 20


class ObjectResponse(FileResponse):
    """An object, its hash as ``ETag``, so that ``Range`` with ``If-Range`` goes on with a download."""

    chunk_size = 1 << 18

    def __init__(self, objects: LocalObjects, sha256: str, filename: str) -> None:
        path = objects.path(sha256)
        headers = {"ETag": f'"{sha256}"', HASH_HEADER: sha256, "Cache-Control": "private, no-transform"}
        super().__init__(
            path,
            headers=headers,
            filename=filename,
            stat_result=path.stat(),
            media_type="application/octet-stream",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a range that cannot be given with a sentence; else as `FileResponse`."""
        wanted = dict(scope["headers"]).get(b"range", b"").decode("latin-1")
        size = int(self.headers["content-length"])
        try:
            if wanted:
                self._parse_range_header(wanted, size)
        except MalformedRangeHeader:
            answer = problem(400, f"Header 'Range': '{wanted}' should be like 'bytes=0-1023'.")
        except RangeNotSatisfiable:
            detail = f"Header 'Range': '{wanted}' is not within the file, which has {size} bytes."
            answer = problem(416, detail, {"Content-Range": f"bytes */{size}"})
        else:
            await super().__call__(scope, receive, send)
            return
        await answer(scope, receive, send)


async def receive_upload(
    request: Request, objects: LocalObjects, upload_id: str, offset: int, limit: int, what: str
) -> int:
    """Append a call's body to an upload, in blocks; returns how many bytes the upload then has.

    ``limit`` is how large the upload may become. A connection that breaks leaves what has arrived.

    Raises:
        ConflictError: the upload is not at ``offset``, or another call is writing to it.
        TooLargeError: the body goes beyond ``limit``; the upload is then as it was before.
        RefusedError: the connection broke.
    """
    sentence = f"{what} is larger than the {readable_size(limit)} it may have."
    try:
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and offset + int(announced) > limit:
            raise TooLargeError(sentence)
        with objects.appending(upload_id, offset) as file:
            size = offset
            async for block in _blocks(request):
                size += len(block)
                if size > limit:
                    await run_in_threadpool(file.truncate, offset)
                    raise TooLargeError(sentence)
                await run_in_threadpool(_write, file, block)
    except ClientDisconnect:
        raise RefusedError("The connection broke before the whole body had arrived.") from None
    except RefusedError:
        await _drop(request)
        raise
    return size


async def _drop(request: Request) -> None:
    """Read what is still on its way, so that the client gets to read our answer; see `refuse`."""
    left = DRAINED
    with suppress(ClientDisconnect, RuntimeError):  # gone, or read to its end already
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                return


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """The body in pieces of about a megabyte: a thread is not worth a network packet."""
    buffer = bytearray()
    try:
        async for chunk in request.stream():
            buffer += chunk
            if len(buffer) >= _BLOCK:
                yield bytes(buffer)
                buffer.clear()
    except ClientDisconnect:
        if buffer:
            yield bytes(buffer)
        raise
    if buffer:
        yield bytes(buffer)


def _write(file: BinaryIO, block: bytes) -> None:
    file.write(block)
    file.flush()
