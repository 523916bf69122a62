"""Where the dataset of a given name is: a job's own, one that is here already, or a fresh download."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.data.archive import unpack_dataset
from sightline.data.info import DatasetInfo, check_dataset_name, check_version
from sightline.data.staging import check_target
from sightline.dataset_folder import INFO_FILE
from sightline.errors import SightlineError
from sightline.job_contract import FOLDERS, in_job, job_folder
from sightline.progress_bar import progress_bar

LOCAL_DATASETS = Path(".data/datasets")
"""Where downloaded datasets lie, below the working directory."""


def folder_of_dataset(name: str, version: str | None, *, force: bool) -> Path:
    """The folder of the dataset, downloaded if need be; see `Dataset.from_name`.

    Raises:
        SightlineError: no such dataset or version, or the service cannot be reached.
    """
    if in_job():
        return _dataset_of_job()
    check_dataset_name(name)
    folder = LOCAL_DATASETS / name
    fetch_sample(name, version, folder, force=force)
    return folder


def fetch_sample(name: str, version: str | None, folder: Path, *, force: bool = False) -> bool:
    """Put the sample of a dataset into ``folder``; False where it is there already.

    The folder appears, or is replaced, whole or not at all. An interrupted download is gone on with.
    Of several processes that want the same (the ranks of a training) one downloads and the others wait.
    A bar shows how far it is.

    Args:
        name: of a dataset of the service.
        version: as ``1.0.0``; None for the one that is there, or else the latest.
        folder: what is there already has to be a dataset, or empty.
        force: download again what is there.

    Raises:
        SightlineError: ``folder`` holds something else, or as the service says.
    """
    from sightline.client.download import fetch_sample_archive

    if version is not None:
        check_version(version)
    if not force and _is_there(folder, version):
        return False
    folder = folder.resolve()
    check_target(folder, overwrite=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    archive = folder.parent / f".{folder.name}.{version or 'latest'}.zip"
    with _alone(archive.with_suffix(".lock")):
        if not force and _is_there(folder, version):
            return False  # it came while we waited
        try:
            with progress_bar(f"downloading {name}") as on_bytes:
                fetch_sample_archive(name, version, archive, on_bytes)
            unpack_dataset(archive, folder, overwrite=True)
        finally:
            archive.unlink(missing_ok=True)
    found = _version_of(folder)
    if version not in (None, found):
        raise SightlineError(f"dataset '{name}': version {version} was asked for, the service sent {found}.")
    return True


def _dataset_of_job() -> Path:
    folder = job_folder("dataset")
    if folder is None:
        names = ", ".join(FOLDERS["dataset"])
        raise SightlineError(f"this is a job, but none of {names} is set; set one of them.")
    return folder


def _is_there(folder: Path, version: str | None) -> bool:
    return (folder / INFO_FILE).exists() and version in (None, _version_of(folder))


def _version_of(folder: Path) -> str:
    return DatasetInfo.read(folder / INFO_FILE).version


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep others out of blocks with the same ``path``; the file is there only for that long."""
    while True:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                if not os.path.samestat(path.stat(), os.fstat(lock.fileno())):
                    continue
            except FileNotFoundError:
                continue  # whoever had the lock has removed its file
            try:
                yield
            finally:
                path.unlink()
            return
