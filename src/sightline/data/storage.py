"""Dataset folders: read one, and write one whole."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import polars as pl

from sightline.data.annotation_files import read_annotations, write_annotations
from sightline.data.info import INFO_FILE, DatasetInfo
from sightline.data.staging import check_target, folder_written_whole
from sightline.errors import SightlineError

Storing = Literal["copy", "symlink", "hardlink"]

IMAGE_FOLDER = "data"

_THREADS = 8  # storing an image is mostly waiting for the disk
_WORTH_A_BAR = 500  # fewer images than this are stored before a bar could be read
_SMALL = 32 << 20  # files up to this size are read once, for the hash and the copy together


def read_dataset_folder(folder: Path, *, check_images: bool) -> tuple[DatasetInfo, pl.DataFrame]:
    """Info and samples of a dataset folder; ``file_path`` becomes absolute.

    Raises:
        SightlineError: not a dataset folder, a damaged file, a path that leaves the folder, or (with
            ``check_images``) images that are not there.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise SightlineError(f"{folder}: no such folder; give the path of a dataset folder.")
    if not (folder / INFO_FILE).exists():
        raise SightlineError(f"{folder}: not a dataset folder, it has no {INFO_FILE}.")
    info = DatasetInfo.read(folder / INFO_FILE)
    frame = read_annotations(folder, info.dataset_name)
    _refuse_outside(folder, frame["file_path"])
    frame = frame.with_columns((pl.lit(f"{folder.as_posix()}/") + pl.col("file_path")).alias("file_path"))
    if check_images:
        check_images_exist(frame)
    return info, frame


def write_dataset_folder(
    info: DatasetInfo, frame: pl.DataFrame, target: Path, *, how: Storing, overwrite: bool, progress: bool
) -> pl.DataFrame:
    """Write a dataset to ``target`` and return the frame with ``file_path`` pointing there.

    Images are stored once per content as ``data/<ab>/<hash>.<ext>``, copied or linked.

    Raises:
        SightlineError: an image is missing, ``target`` must not be written over, or links cannot be
            made there.
    """
    if how not in ("copy", "symlink", "hardlink"):
        raise SightlineError(f"how='{how}' is not one of copy, symlink, hardlink.")
    target = target.absolute()
    check_target(target, overwrite=overwrite)
    if frame["file_path"].null_count():
        index = frame["sample_index"].filter(frame["file_path"].is_null())[0]
        raise SightlineError(f"sample {index} has no file_path; a dataset is written with its images.")
    check_images_exist(frame)
    sources = frame["file_path"].unique(maintain_order=True).to_list()
    if how == "symlink" and any(Path(source).absolute().is_relative_to(target) for source in sources):
        raise SightlineError(f"{target}: holds the images to be linked to; copy or hardlink them instead.")
    with folder_written_whole(target, overwrite=overwrite) as staging:
        (staging / IMAGE_FOLDER).mkdir()
        stored = _store_images(sources, staging, how, progress)
        paths = pl.col("file_path").replace_strict(sources, stored, return_dtype=pl.String)
        relative = frame.with_columns(paths) if sources else frame
        write_annotations(relative, staging)
        info.write(staging / INFO_FILE)
    return relative.with_columns((pl.lit(f"{target.as_posix()}/") + pl.col("file_path")).alias("file_path"))


def check_images_exist(frame: pl.DataFrame) -> None:
    """Raise a `SightlineError` that counts the images that are not there and names the first."""
    paths = frame["file_path"].drop_nulls().unique(maintain_order=True)
    missing = [path for path in paths if not os.path.exists(path)]  # noqa: PTH110 (twice as fast as Path)
    if missing:
        raise SightlineError(
            f"{len(missing)} of {len(paths)} images are missing, the first is {missing[0]}; restore them."
        )


def _refuse_outside(folder: Path, paths: pl.Series) -> None:
    outside = paths.filter(paths.str.contains(r"^/|^[A-Za-z]:|\\|(^|/)\.\.(/|$)"))
    if len(outside):
        raise SightlineError(
            f"{folder}: file_path '{outside[0]}' leads out of the dataset folder; use paths relative to it."
        )


def _store_images(sources: list[str], root: Path, how: Storing, progress: bool) -> list[str]:
    with ThreadPoolExecutor(_THREADS) as pool:
        stored = pool.map(lambda source: _store_image(Path(source), root, how), sources)
        return list(_with_bar(stored, len(sources)) if progress else stored)


def _with_bar(stored: Iterator[str], count: int) -> Iterable[str]:
    """Show a bar while images are stored, where there is a terminal and enough to wait for."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if count < _WORTH_A_BAR or not console.is_terminal:
        return stored
    return track(stored, "Writing images", count, console=console, transient=True)


def _store_image(source: Path, root: Path, how: Storing) -> str:
    """Store one image; the path relative to ``root`` under which it now is."""
    try:
        content = source.read_bytes() if source.stat().st_size <= _SMALL else None
        if content is not None:
            digest = hashlib.sha256(content).hexdigest()
        else:
            with source.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        relative = f"{IMAGE_FOLDER}/{digest[:2]}/{digest[:32]}{source.suffix.lower()}"
        target = root / relative
        target.parent.mkdir(exist_ok=True)
        try:
            if how == "symlink":
                target.symlink_to(source.resolve())
            elif how == "hardlink":
                target.hardlink_to(source.resolve())
            elif content is not None:
                with target.open("xb") as stream:
                    stream.write(content)
            else:
                shutil.copyfile(source, target)
        except FileExistsError:
            pass  # the same content is there under another name
    except OSError as error:
        raise SightlineError(f"{source}: cannot be stored as a {how} ({error.strerror}).") from error
    return relative
