"""Small things every room needs from the file system: hashes, whole-or-nothing writes, readable sizes."""

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_UNITS = ("B", "KB", "MB", "GB", "TB")


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def written_whole(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` when the block ends without an error.

    Readers see the old file or the new one, never half of one, also when the writer is killed.
    ``mode`` is the file's permission from its first byte on.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.fchmod(handle, mode)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def temporary_folder(
    prefix: str = "sightline-", parent: Path | None = None, suffix: str = ""
) -> Iterator[Path]:
    """Yield a new folder, this user's alone, and remove it in the end.

    It lies in ``parent``, by default where temporary files go. Unlike with `tempfile.TemporaryDirectory`, a
    signal that raises leaves no folder behind, whenever it comes.
    """
    folder = Path(parent or tempfile.gettempdir()) / f"{prefix}{secrets.token_hex(8)}{suffix}"
    try:
        folder.mkdir(mode=0o700)  # inside, as a signal may arrive as soon as it is there
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def readable_size(size_bytes: float) -> str:
    """``1536`` as ``"1.5 KB"``; powers of 1024."""
    size = float(size_bytes)
    for unit in _UNITS[:-1]:
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {_UNITS[-1]}"
