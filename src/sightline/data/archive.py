"""A dataset folder as one file, to be sent somewhere, and back."""

from collections.abc import Callable
from pathlib import Path

from sightline.archives import extract_zip, write_zip
from sightline.data.staging import folder_written_whole
from sightline.data.storage import read_dataset_folder
from sightline.dataset_folder import INFO_FILE, JSONL_FILE, PARQUET_FILE
from sightline.errors import SightlineError

MAX_FILES = 20_000_000
"""The most files that an archive may hold."""

_MAX_GROWTH = 10  # annotations may have been compressed by others; images hardly ever can be
_MIN_LIMIT_BYTES = 1 << 30


def pack_dataset(folder: Path, archive: Path, on_progress: Callable[[int], None] | None = None) -> str:
    """Pack a dataset folder into a zip (stored, not compressed) and return the zip's SHA-256.

    It holds the info, the annotations and the images that these name, nothing else that may lie in
    the folder; links are packed as the files they point to. The same dataset gives the same bytes.
    ``on_progress`` is told the size in bytes of each file once it is in.

    Raises:
        SightlineError: not a dataset folder, or images are missing.
    """
    folder = folder.absolute()
    _, frame = read_dataset_folder(folder, check_images=True)
    prefix = f"{folder.as_posix()}/"
    relative = frame["file_path"].drop_nulls().unique(maintain_order=True).str.strip_prefix(prefix)
    names = [INFO_FILE, *(name for name in (PARQUET_FILE, JSONL_FILE) if (folder / name).exists())]
    members = [(name, folder / name) for name in (*names, *relative)]
    return write_zip(archive, members, compress=False, on_member=on_progress)


def unpack_dataset(archive: Path, folder: Path, *, overwrite: bool = False) -> None:
    """Unpack an archive into ``folder``, which appears only when all of it is there and is a dataset.

    Raises:
        SightlineError: a damaged or unsafe archive, one that is not a dataset, or ``folder`` exists
            (with ``overwrite``: exists and is not a dataset folder).
    """
    try:
        size = archive.stat().st_size
    except FileNotFoundError:
        raise SightlineError(f"{archive}: no such file; give a dataset archive.") from None
    limit = max(size * _MAX_GROWTH, _MIN_LIMIT_BYTES)
    with folder_written_whole(folder, overwrite=overwrite) as staging:
        extract_zip(archive, staging, max_bytes=limit, max_files=MAX_FILES)
        try:
            read_dataset_folder(staging, check_images=True)
        except SightlineError as error:
            sentence = str(error).replace(f"{staging}: ", "").replace(f"{staging}/", "")
            raise SightlineError(f"{archive}: {sentence}") from None
