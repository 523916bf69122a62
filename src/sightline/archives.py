"""Zip files that are reproducible when we write them and harmless when we read them.

Both things that travel as archives use this: trainer packages and dataset variants.
"""

import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from sightline.errors import SightlineError
from sightline.files import readable_size, sha256_file, written_whole

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold; real dates would change the hash
_CHUNK = 1 << 20

# What the standard library raises for a zip that is damaged or made to look so.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)

_LONGEST_NAME = 1024  # characters; a path that long cannot be used on most systems
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_END_RECORD = 22  # bytes, without its comment, which has at most 65535
_ZIP64_LOCATOR, _ZIP64_END_RECORD = 20, 56
_DIRECTORY_BYTES_PER_FILE = 1024  # 46 and a name; nobody's names are that long on average


def write_zip(
    path: Path,
    members: Iterable[tuple[str, Path]],
    *,
    compress: bool = True,
    on_member: Callable[[int], None] | None = None,
) -> str:
    """Write ``(name in archive, file)`` pairs to ``path`` and return the archive's SHA-256.

    The same names and bytes give the same archive: members are sorted, dates fixed, and permissions
    reduced to "executable or not". The file appears under its name only when it is complete.
    ``on_member`` is told each member's size in bytes once it is in.
    """
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with written_whole(path) as temporary:
        with zipfile.ZipFile(temporary, "w", method, compresslevel=6 if compress else None) as archive:
            for name, file in sorted(members):
                executable = bool(file.stat().st_mode & stat.S_IXUSR)
                info = zipfile.ZipInfo(name, _EPOCH)
                info.compress_type = method
                info.create_system = 3  # unix, on every system, so that the bytes are the same
                info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
                info.file_size = file.stat().st_size
                with file.open("rb") as source, archive.open(info, "w") as target:
                    while chunk := source.read(_CHUNK):
                        target.write(chunk)
                if on_member:
                    on_member(info.file_size)
        return sha256_file(temporary)


def list_zip(path: Path, *, max_files: int | None = None) -> list[zipfile.ZipInfo]:
    """The file members of a zip, checked: every name is relative, stays inside, and is a plain file.

    With ``max_files``, a directory too long for so many files is refused before it is read into memory.

    Raises:
        SightlineError: not a zip, a path that leaves the archive (``../``, absolute), a link or device,
            an encrypted member, a name that occurs twice or is a folder of another, or too many files.
    """
    try:
        if max_files is not None and _directory_bytes(path) > max_files * _DIRECTORY_BYTES_PER_FILE:
            raise SightlineError(f"{path}: lists more than the {max_files:,} files allowed.")
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
    except (*DAMAGE, OSError) as error:
        raise SightlineError(f"{path}: cannot be read as a zip file ({error}); make it again.") from error
    files: list[zipfile.ZipInfo] = []
    seen: set[str] = set()
    for info in infos:
        _refuse_unsafe(path, info)
        if info.is_dir():
            continue
        if info.filename in seen:
            raise SightlineError(f"{path}: holds '{info.filename}' twice; make the zip again.")
        seen.add(info.filename)
        files.append(info)
    if max_files is not None and len(files) > max_files:
        raise SightlineError(f"{path}: holds {len(files):,} files, more than the {max_files:,} allowed.")
    for name in seen:
        if any(parent.as_posix() in seen for parent in PurePosixPath(name).parents):
            raise SightlineError(f"{path}: '{name}' lies below another file; make the zip again.")
    return files


def extract_zip(path: Path, folder: Path, *, max_bytes: int, max_files: int) -> list[Path]:
    """Unpack a zip into ``folder`` and return the files written, each within ``folder``.

    The limits hold for the bytes that really come out, not for what the zip's directory claims, so a
    zip bomb stops at ``max_bytes``.

    Raises:
        SightlineError: as `list_zip`, and when a limit is passed or a member is damaged.
    """
    infos = list_zip(path, max_files=max_files)
    left = max_bytes
    written: list[Path] = []
    with zipfile.ZipFile(path) as archive:
        for info in infos:
            target = folder / info.filename
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(info) as source, target.open("xb") as sink:
                    while chunk := source.read(min(_CHUNK, left + 1)):
                        left -= len(chunk)
                        if left < 0:
                            raise SightlineError(
                                f"{path}: unpacks to more than the {readable_size(max_bytes)} allowed."
                            )
                        sink.write(chunk)
            except (*DAMAGE, OSError) as error:
                raise SightlineError(f"{path}: '{info.filename}' cannot be unpacked ({error}).") from error
            if (info.external_attr >> 16) & stat.S_IXUSR:
                target.chmod(target.stat().st_mode | stat.S_IXUSR)
            written.append(target)
    return written


def _directory_bytes(path: Path) -> int:
    """The length that a zip claims for its directory; 0 when there is no end record to say so.

    Looked up as the standard library does, which believes this number and reads as many bytes.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        start = max(0, size - _END_RECORD - 0xFFFF)
        stream.seek(start)
        tail = stream.read()
        at = len(tail) - _END_RECORD
        if at < 0 or tail[at : at + 4] != b"PK\5\6" or tail[-2:] != b"\0\0":
            at = tail.rfind(b"PK\5\6")
        if at < 0 or at + _END_RECORD > len(tail):
            return 0
        (claimed,) = struct.unpack_from("<L", tail, at + 12)
        zip64_at = start + at - _ZIP64_LOCATOR - _ZIP64_END_RECORD
        if zip64_at >= 0:
            stream.seek(zip64_at)
            record = stream.read(_ZIP64_END_RECORD + 4)
            if record[:4] == b"PK\6\6" and record[_ZIP64_END_RECORD:] == b"PK\6\7":
                (claimed,) = struct.unpack_from("<Q", record, 40)
    return claimed


def _refuse_unsafe(path: Path, info: zipfile.ZipInfo) -> None:
    name = info.filename
    if not name or len(name) > _LONGEST_NAME or _CONTROL.search(name):
        raise SightlineError(f"{path}: member {name[:60]!r} has a name that no file should have; rename it.")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name or ":" in name.split("/")[0]:
        raise SightlineError(
            f"{path}: member '{name}' points outside the archive; pack relative paths without '..' only."
        )
    if "/".join(parts) != name.removesuffix("/"):
        # "./a" and "a//b" are other spellings of a name that may be there too.
        raise SightlineError(f"{path}: member '{name}' is not a plain relative path; make the zip again.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise SightlineError(f"{path}: member '{name}' is a symbolic link; pack the file it points to.")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise SightlineError(f"{path}: member '{name}' is not a plain file; leave it out.")
    if info.flag_bits & 0x1:
        raise SightlineError(f"{path}: member '{name}' is encrypted; pack it without a password.")
