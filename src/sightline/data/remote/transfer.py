"""Datasets to and from object stores.

A dataset in a store has the layout of a dataset folder. Both ways, images go under a name that says what
they hold, those that are there already are skipped, and ``dataset_info.json`` goes last. So what was
broken off goes on where it was when it is started again, and is no dataset until it is whole.
"""

import hashlib
from pathlib import Path, PurePosixPath
from tempfile import SpooledTemporaryFile

import polars as pl

from sightline.data.annotation_files import write_annotations
from sightline.data.content_names import digest_in, image_name
from sightline.data.info import DatasetInfo
from sightline.data.progress import in_parallel
from sightline.data.remote.store import CHUNK, Place, names_replaced, verified_chunks
from sightline.data.remote.urls import remote_url
from sightline.data.storage import check_sources, files_of_folder, with_root, with_stored
from sightline.dataset_folder import IMAGE_FOLDER, INFO_FILE, JSONL_FILE, PARQUET_FILE
from sightline.errors import SightlineError
from sightline.files import temporary_folder

_THREADS = 32  # nearly all of the time an object is waited for
_BEFORE_INFO = {IMAGE_FOLDER, PARQUET_FILE, JSONL_FILE}


def read_remote_dataset(url: str) -> tuple[DatasetInfo, pl.DataFrame]:
    """Info and samples of the dataset at ``url``; ``file_path`` becomes a URL. No image is touched.

    Raises:
        SightlineError: no dataset is there, it is damaged, or the store cannot be reached.
    """
    place = Place.at(url)
    present = place.entries()
    if INFO_FILE not in present:
        raise SightlineError(f"{url}: not a dataset, or one whose writing was broken off: no {INFO_FILE}.")
    with temporary_folder() as folder, names_replaced(folder.as_posix(), url):
        annotations = PARQUET_FILE if PARQUET_FILE in present else JSONL_FILE
        for name in {INFO_FILE, annotations} & present:
            with (folder / name).open("wb") as stream:
                stream.writelines(place.chunks(name))
        info, frame = files_of_folder(folder)
    return info, with_root(frame, url)


def write_remote_dataset(
    info: DatasetInfo, frame: pl.DataFrame, url: str, *, overwrite: bool, progress: bool
) -> pl.DataFrame:
    """Write a dataset to ``url`` and return the frame with ``file_path`` pointing there.

    Raises:
        SightlineError: an image is missing, a dataset or something else is there, or the store cannot
            be reached.
    """
    place = Place.at(url)
    present = place.entries()
    if INFO_FILE in present and not overwrite:
        raise SightlineError(f"{url}: exists already; choose another prefix or overwrite it.")
    _refuse_strange(url, present)
    written, unneeded = _write(info, frame, place, "Uploading images", progress)
    place.delete(unneeded)
    return written


def download_dataset(
    info: DatasetInfo, frame: pl.DataFrame, folder: Path, *, overwrite: bool, progress: bool
) -> pl.DataFrame:
    """Make ``folder`` a dataset folder of these samples; return the frame with ``file_path`` pointing there.

    Images that the folder holds beyond that stay: another selection of the dataset may need them again.

    Raises:
        SightlineError: another dataset or something else is there, an image is missing or damaged, or
            the store cannot be reached.
    """
    folder = folder.absolute()
    if folder.exists() and not folder.is_dir():
        raise SightlineError(f"{folder}: is not a folder; choose another path.")
    present = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if INFO_FILE in present and not overwrite and not _holds(folder, info, frame):
        raise SightlineError(
            f"{folder}: holds other samples or annotations; choose another folder, or overwrite it (its "
            "images are kept)."
        )
    _refuse_strange(folder.as_posix(), present)
    written, _ = _write(info, frame, Place.of_folder(folder), "Downloading images", progress)
    return written


def _refuse_strange(where: str, present: set[str]) -> None:
    strange = set() if INFO_FILE in present else present - _BEFORE_INFO
    if strange:
        raise SightlineError(
            f"{where}: is not a dataset, it holds '{min(strange)}'; give the dataset a place of its own."
        )


def _holds(folder: Path, info: DatasetInfo, frame: pl.DataFrame) -> bool:
    found, samples = files_of_folder(folder)
    return found == info and samples.drop("file_path").equals(frame.drop("file_path"))


def _write(
    info: DatasetInfo, frame: pl.DataFrame, place: Place, label: str, progress: bool
) -> tuple[pl.DataFrame, list[str]]:
    """The frame with ``file_path`` below ``place``, and the names of images there that it does not need.

    Only of images that a dataset's writer named: other files in a folder of that name are somebody's.
    """
    sources = check_sources(frame)
    there = place.sizes(IMAGE_FOLDER)

    def store(source: str) -> str:
        url = remote_url(source)
        return _store_file(Path(source), place, there) if url is None else _store_object(url, place, there)

    stored = list(in_parallel(store, sources, label, progress=progress, threads=_THREADS))
    relative = with_stored(frame, sources, stored)
    with temporary_folder() as folder:
        write_annotations(relative, folder)
        info.write(folder / INFO_FILE)
        # Without its info, an older dataset is none; with it, it would now be half the old, half the new.
        place.delete({INFO_FILE} & place.entries())
        for name in (PARQUET_FILE, JSONL_FILE, INFO_FILE):
            place.write(name, folder / name)
    return with_root(relative, place.url), sorted(filter(digest_in, there.keys() - set(stored)))


def _store_file(source: Path, place: Place, there: dict[str, int]) -> str:
    try:
        size = source.stat().st_size
        content = source.read_bytes() if size <= CHUNK else source
        if isinstance(content, bytes):
            digest = hashlib.sha256(content).hexdigest()
        else:
            with source.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise SightlineError(f"{source}: cannot be read ({error.strerror}).") from error
    name = image_name(digest, source.suffix)
    if there.get(name) != size:
        place.write(name, content)
    return name


def _store_object(url: str, place: Place, there: dict[str, int]) -> str:
    digest, suffix = digest_in(url), PurePosixPath(url).suffix
    # Under another writer's name nothing is known of the content, so the name here says where it is from.
    other_name = f"{IMAGE_FOLDER}/{hashlib.sha256(url.encode()).hexdigest()}{suffix}"
    name = image_name(digest, suffix) if digest else other_name
    if there.get(name) and (digest or there[name] == _size(url)):
        return name
    with SpooledTemporaryFile(CHUNK) as content:
        content.writelines(verified_chunks(url))
        content.seek(0)
        place.write(name, content)
    return name


def _size(url: str) -> int:
    folder, _, name = url.rpartition("/")
    return Place.at(folder).size(name)
