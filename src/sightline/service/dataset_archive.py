"""Look into an archive that is about to become a dataset variant, without unpacking its images."""

import json
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.archives import DAMAGE, list_zip
from sightline.dataset_folder import INFO_FILE, JSONL_FILE, PARQUET_FILE
from sightline.errors import SightlineError
from sightline.service.domain.refusals import RefusedError

_MAX_INFO_BYTES = 16 << 20
_MAX_ANNOTATION_BYTES = 32 << 30
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Inspected:
    """What the service keeps about an archive's content. ``info`` is its ``dataset_info.json``."""

    item_count: int
    info: dict[str, Any]


def inspect(path: Path) -> Inspected:
    """Check that an archive is a safe zip of a dataset folder, and count its samples.

    Raises:
        RefusedError: it is not; one sentence that begins with "The archive".
    """
    try:
        members = {info.filename: info for info in list_zip(path)}
    except SightlineError as error:
        raise RefusedError(str(error).replace(f"{path}:", "The archive")) from error
    annotations = next((name for name in (PARQUET_FILE, JSONL_FILE) if name in members), None)
    if INFO_FILE not in members or annotations is None:
        what = f"'{INFO_FILE}'" if INFO_FILE not in members else f"'{PARQUET_FILE}' or '{JSONL_FILE}'"
        raise RefusedError(f"The archive has no {what} at its top; pack the content of a dataset folder.")
    with zipfile.ZipFile(path) as archive:
        try:
            return Inspected(_count(archive, members[annotations]), _info(archive, members[INFO_FILE]))
        except (*DAMAGE, OSError) as error:
            raise RefusedError(f"The archive is damaged ({error}); pack it again.") from error


def _info(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> dict[str, Any]:
    with archive.open(member) as stream:
        text = stream.read(_MAX_INFO_BYTES + 1)
    try:
        info = json.loads(text) if len(text) <= _MAX_INFO_BYTES else None
    except ValueError:
        info = None
    if not isinstance(info, dict):
        raise RefusedError(f"The archive's '{INFO_FILE}' is not a JSON object; write the dataset again.")
    return info


def _count(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    if member.filename == JSONL_FILE:
        with archive.open(member) as stream:
            return sum(1 for line in stream if line.strip())
    import polars as pl

    left = _MAX_ANNOTATION_BYTES
    with tempfile.NamedTemporaryFile(suffix=".parquet") as copy:
        with archive.open(member) as stream:
            while chunk := stream.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise RefusedError(f"The archive's '{PARQUET_FILE}' is too large to be annotations.")
                copy.write(chunk)
        copy.flush()
        try:
            return int(pl.scan_parquet(copy.name).select(pl.len()).collect().item())
        except pl.exceptions.PolarsError as error:
            raise RefusedError(
                f"The archive's '{PARQUET_FILE}' cannot be read; write the dataset again."
            ) from error
