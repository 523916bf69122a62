"""Where bytes lie: dataset archives, trainer packages and artifacts, each under the SHA-256 of its content.

Bytes arrive in an upload, which can be appended to in several calls, and become an object only when
their hash is the announced one. An object is never changed.
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sightline.files import readable_size, sha256_file
from sightline.service.domain.refusals import ConflictError, RefusedError, TooLargeError

_HASH = re.compile(r"[0-9a-f]{64}")
_SPARE = 64 << 20  # left free for the database when an upload would fill the disk


@dataclass(frozen=True)
class Arrived:
    """An upload whose hash was checked."""

    path: Path
    sha256: str
    size_bytes: int


class LocalObjects:
    """Objects in a local folder: ``objects/<ab>/<sha256>`` and ``uploads/<id>``."""

    def __init__(self, folder: Path) -> None:
        self._objects = folder / "objects"
        self._uploads = folder / "uploads"
        self._objects.mkdir(parents=True, exist_ok=True)
        self._uploads.mkdir(parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """The file that holds an object, to be read only."""
        assert _HASH.fullmatch(sha256), "not a hash"
        return self._objects / sha256[:2] / sha256

    def uploaded(self, upload_id: str) -> int:
        """How many bytes of an upload have arrived."""
        try:
            return self._upload(upload_id).stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def appending(self, upload_id: str, offset: int) -> Iterator[BinaryIO]:
        """The upload's file, positioned at its end, for one writer at a time.

        What was written stays also when the block raises: a broken connection is resumed from there.

        Raises:
            ConflictError: the upload is not at ``offset``, or another call is writing to it now.
        """
        descriptor = os.open(self._upload(upload_id), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictError("Another call is sending this upload; wait until it has ended.") from None
            size = file.seek(0, os.SEEK_END)
            if size != offset:
                raise ConflictError(f"The upload is at offset {size}, not {offset}; go on from {size}.")
            yield file

    def check_room(self, size_bytes: int) -> None:
        """Raise `TooLargeError` where the disk has no room for so many bytes."""
        free = shutil.disk_usage(self._uploads).free - _SPARE
        if size_bytes > free:
            raise TooLargeError(
                f"The service has {readable_size(max(free, 0))} of disk left and cannot take "
                f"{readable_size(size_bytes)}; ask whoever runs it to make room."
            )

    def hashed(self, upload_id: str) -> Arrived:
        """An upload with its hash, written to the disk for good.

        Raises:
            ConflictError: its bytes are not there (any more).
        """
        path = self._upload(upload_id)
        try:
            with path.open("rb") as file:
                os.fsync(file.fileno())
            return Arrived(path, sha256_file(path), path.stat().st_size)
        except FileNotFoundError:
            raise ConflictError("The upload is being completed by another call; ask for its state.") from None

    def verify(self, upload_id: str, sha256: str) -> Arrived:
        """As `hashed`, compared with the announced hash; wrong bytes are discarded.

        Raises:
            RefusedError: the bytes are other ones.
        """
        arrived = self.hashed(upload_id)
        if arrived.sha256 != sha256:
            self.discard(upload_id)
            raise RefusedError(
                f"The bytes that arrived have SHA-256 {arrived.sha256[:12]}..., not the announced "
                f"{sha256[:12]}...; they were discarded: send the file again."
            )
        return arrived

    def keep(self, arrived: Arrived) -> None:
        """Make a verified upload an object. Keeping the same content twice is harmless."""
        target = self.path(arrived.sha256)
        target.parent.mkdir(exist_ok=True)
        arrived.path.chmod(0o400)
        arrived.path.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def discard(self, upload_id: str) -> None:
        """Forget an upload and its bytes."""
        self._upload(upload_id).unlink(missing_ok=True)

    def delete(self, sha256: str) -> None:
        """Remove an object that nothing refers to any more."""
        self.path(sha256).unlink(missing_ok=True)

    def delete_orphans(self, objects: Collection[str], uploads: Collection[str], min_age_s: float) -> int:
        """Remove what a crash left: files outside the given sets that were last written long enough ago.

        Returns how many were removed. The age spares what another process is storing right now.
        """
        newest = time.time() - min_age_s
        files = [file for file in self._objects.glob("*/*") if file.name not in objects]
        files += [file for file in self._uploads.iterdir() if file.name not in uploads]
        orphans = [file for file in files if file.stat().st_mtime < newest]
        for file in orphans:
            file.unlink(missing_ok=True)
        return len(orphans)

    def _upload(self, upload_id: str) -> Path:
        assert upload_id.isalnum(), "not an upload's id"
        return self._uploads / upload_id
