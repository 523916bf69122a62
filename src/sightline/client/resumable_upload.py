"""Uploads in chunks that go on where they broke off, also in another process."""

from http import HTTPStatus
from pathlib import Path

from sightline.client.errors import ServiceError
from sightline.client.resumable_download import PATIENCE_S, Progress
from sightline.client.retry import TRANSIENT, Patience
from sightline.client.transport import Transport
from sightline.client.wire import OFFSET_HEADER, Upload, UploadCreate

CHUNK_BYTES = 8 << 20


def send_archive(
    transport: Transport,
    path: str,
    archive: Path,
    announcement: UploadCreate,
    *,
    on_progress: Progress | None = None,
    patience_s: float = PATIENCE_S,
) -> Upload:
    """Announce ``archive`` at ``path`` (a collection of uploads) and send the bytes that are missing there.

    The service knows how far an upload got, so the same archive announced again is gone on with. The
    caller completes the upload.

    Raises:
        ServiceError: as the service says, or nothing was accepted for ``patience_s`` seconds.
    """
    upload = transport.send("POST", path, Upload, retry=True, json=announcement.model_dump(mode="json"))
    patience = Patience(transport.patience_s, patience_s)
    patience.moved()  # the service is up: it answered
    with archive.open("rb") as source:
        while upload.offset < upload.size_bytes:
            if on_progress:
                on_progress(upload.offset, upload.size_bytes)
            source.seek(upload.offset)
            chunk = source.read(CHUNK_BYTES)
            if not chunk:
                raise ServiceError(f"{archive}: became shorter while it was sent; start again.")
            before = upload.offset
            try:
                upload = _send_chunk(transport, f"{path}/{upload.id}", chunk, before)
            except TRANSIENT as error:
                patience.pause_or_raise(error)
                upload = transport.get(f"{path}/{upload.id}", Upload)
            except ServiceError as error:
                if error.status != HTTPStatus.CONFLICT:
                    raise
                # The offset is not the service's: an answer was lost, or another process sends the same.
                patience.pause_or_raise(error)
                upload = transport.get(f"{path}/{upload.id}", Upload)
            if upload.offset > before:
                patience.moved()
    if on_progress:
        on_progress(upload.offset, upload.size_bytes)
    return upload


def _send_chunk(transport: Transport, path: str, chunk: bytes, offset: int) -> Upload:
    return transport.send(
        "PATCH",
        path,
        Upload,
        retry=False,
        body=chunk,
        headers={OFFSET_HEADER: str(offset), "Content-Type": "application/octet-stream"},
    )
