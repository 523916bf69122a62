"""Dataset folders: read one, and write one whole."""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

import polars as pl

from sightline.data.annotation_files import read_annotations, write_annotations
from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.checks import plausible
from sightline.data.content_names import digest_in, image_name
from sightline.data.folder_listing import find_links
from sightline.data.info import DatasetInfo
from sightline.data.progress import THREADS, in_parallel
from sightline.data.remote.urls import are_remote, remote_url
from sightline.data.staging import check_target, folder_written_whole
from sightline.dataset_folder import INFO_FILE
from sightline.errors import SightlineError

Storing = Literal["copy", "symlink", "hardlink"]

_SMALL = 32 << 20  # files up to this size are read once, for the hash and the copy together
_WORTH_A_THREAD = 64 << 10  # bytes; for smaller files, passing on Python's lock takes longer than the file
_REMOTE_THREADS = 32  # nearly all of the time an object is waited for
_BATCH = 16


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
    info, frame = files_of_folder(folder)
    frame = with_root(frame, folder.as_posix())
    if check_images:
        check_images_exist(frame)
    return info, frame


def files_of_folder(folder: Path) -> tuple[DatasetInfo, pl.DataFrame]:
    """Info and samples that a dataset folder's files hold, ``file_path`` relative to it.

    Raises:
        SightlineError: a file is missing or damaged, or a path leads out of the folder.
    """
    info = DatasetInfo.read(folder / INFO_FILE)
    frame = read_annotations(folder, info.dataset_name)
    outside = frame["file_path"].filter(frame["file_path"].str.contains(r"^/|^[A-Za-z]:|\\|(^|/)\.\.(/|$)"))
    if len(outside):
        raise SightlineError(
            f"{folder}: file_path '{outside[0]}' leads out of the dataset folder; use paths relative to it."
        )
    _refuse_impossible_boxes(folder, frame)
    return info, frame


def _refuse_impossible_boxes(folder: Path, frame: pl.DataFrame) -> None:
    """Refuse boxes in pixels or of numbers that are none: whatever is done with them goes wrong."""
    box = ("top_left_x", "top_left_y", "width", "height")
    good = pl.all_horizontal(plausible(pl.element().struct.field(name)) for name in box)
    if frame.select(pl.col("bboxes").list.eval(good.fill_null(value=False)).explode().all()).item():
        return
    table = annotation_table(frame, "bboxes")
    for name in box:
        wrong = ~plausible(table[name].to_numpy())
        if wrong.any():
            row = int(table[POSITION].to_numpy()[wrong][0])
            raise SightlineError(
                f"{folder}: sample {frame['sample_index'][row]} ({frame['file_path'][row]}) has a box with "
                f"{name} {table[name].to_numpy()[wrong][0]}; boxes are fractions of the image's size."
            )


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
    sources = check_sources(frame)
    inside = f"{target.as_posix()}/"
    if how == "symlink" and any(source.startswith(inside) for source in sources):
        raise SightlineError(f"{target}: holds the images to be linked to; copy or hardlink them instead.")
    if how != "copy" and (url := next(filter(remote_url, sources), None)):
        raise SightlineError(f"{url}: is in an object store and cannot be linked to; copy it (how='copy').")
    with folder_written_whole(target, overwrite=overwrite) as staging:
        store = _storing(staging, how, inside)
        threads = threads_for(sources)
        stored = list(
            in_parallel(store, sources, "Writing images", progress=progress, threads=threads, batch=_BATCH)
        )
        relative = with_stored(frame, sources, stored)
        write_annotations(relative, staging)
        info.write(staging / INFO_FILE)
    return with_root(relative, target.as_posix())


def check_sources(frame: pl.DataFrame) -> list[str]:
    """The images of a dataset that is to be written, each once: paths that exist, made absolute, and URLs.

    Raises:
        SightlineError: a sample has no image, or its file is missing.
    """
    paths = frame["file_path"]
    if paths.null_count():
        index = frame["sample_index"].filter(paths.is_null())[0]
        raise SightlineError(f"sample {index} has no file_path; a dataset is written with its images.")
    check_images_exist(frame.filter(~are_remote(paths)))
    return paths.unique(maintain_order=True).to_list()


def check_images_exist(frame: pl.DataFrame) -> None:
    """Raise a `SightlineError` that counts the images that are not on this machine and names the first."""
    paths = frame["file_path"].drop_nulls().unique(maintain_order=True)
    remote = paths.filter(are_remote(paths))
    if len(remote):
        raise SightlineError(
            f"{len(remote)} of {len(paths)} images are in an object store, the first is {remote[0]}; "
            "download the dataset first (Dataset.download)."
        )
    missing, _ = find_links(paths.to_list())
    if missing:
        first = next(path for path in paths if path in missing)
        raise SightlineError(
            f"{len(missing)} of {len(paths)} images are missing, the first is {first}; restore them."
        )


def with_stored(frame: pl.DataFrame, sources: list[str], stored: list[str]) -> pl.DataFrame:
    """The frame with each of ``sources`` in ``file_path`` replaced by the name under which it is stored."""
    if not sources:
        return frame
    return frame.with_columns(pl.col("file_path").replace_strict(sources, stored, return_dtype=pl.String))


def with_root(frame: pl.DataFrame, root: str) -> pl.DataFrame:
    """The frame with ``root/`` in front of each ``file_path``."""
    return frame.with_columns((pl.lit(f"{root}/") + pl.col("file_path")).alias("file_path"))


def threads_for(sources: Sequence[str]) -> int:
    """How many threads are the fastest to store images, going by the first of them."""
    first = sources[:100]
    if any(map(remote_url, first)):
        return _REMOTE_THREADS
    sizes = [os.path.getsize(source) for source in first if os.path.exists(source)]  # noqa: PTH110, PTH202
    return THREADS if sum(sizes) > _WORTH_A_THREAD * len(sizes) else 1


def _storing(root: Path, how: Storing, replaced: str) -> Callable[[str], str]:
    """A function that stores one image below ``root`` and gives its path relative to that.

    ``replaced`` is the start of all paths in the folder that ``root`` takes the place of.
    """
    made: set[str] = set()

    def target_of(name: str) -> str:
        target = f"{root}/{name}"
        folder = target.rpartition("/")[0]
        if folder not in made:
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 (this and the like below: half the time is Path's)
            made.add(folder)
        return target

    def store(source: str) -> str:
        if url := remote_url(source):
            from sightline.data.remote.store import on_disk

            with on_disk(url) as path:
                return store(path.as_posix())
        try:
            digest = digest_in(source) if source.startswith(replaced) and _is_sole(source) else None
            if digest:  # the file goes when its folder is replaced, so another name for it is all it needs
                name = image_name(digest, os.path.splitext(source)[1])  # noqa: PTH122
                with suppress(OSError):  # not every file system has links
                    os.link(source, target_of(name))
                    return name
            if how == "symlink" and (digest := digest_in(source)):  # of another dataset, and linked unread
                name = image_name(digest, os.path.splitext(source)[1])  # noqa: PTH122
                with suppress(FileExistsError):
                    os.symlink(os.path.realpath(source), target_of(name))  # noqa: PTH211
                return name
            with open(source, "rb", buffering=0) as stream:  # noqa: PTH123
                content = stream.read() if os.fstat(stream.fileno()).st_size <= _SMALL else None
                hashed = hashlib.file_digest(stream, "sha256") if content is None else hashlib.sha256(content)
            if content == b"":
                raise SightlineError(f"{source}: is empty; restore it, or leave its sample out.")
            name = image_name(hashed.hexdigest(), os.path.splitext(source)[1])  # noqa: PTH122
            target = target_of(name)
            with suppress(FileExistsError):  # the same content is there under another name
                if how != "copy":
                    (os.symlink if how == "symlink" else os.link)(os.path.realpath(source), target)
                elif content is not None:
                    with open(target, "xb") as stream:  # noqa: PTH123
                        stream.write(content)
                else:
                    shutil.copyfile(source, target)
        except OSError as error:
            raise SightlineError(f"{source}: cannot be stored as a {how} ({error.strerror}).") from error
        return name

    return store


def _is_sole(path: str) -> bool:
    """Whether a file has only this one name and is no link, so that nobody else's file is meant."""
    state = os.lstat(path)
    return state.st_nlink == 1 and not os.path.islink(path)  # noqa: PTH114
