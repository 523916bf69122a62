"""Where the dataset of a given name is: a job's own, one that is here already, or a fresh download."""

import tempfile
from pathlib import Path

from sightline.data.archive import unpack_dataset
from sightline.data.info import INFO_FILE, DatasetInfo, check_dataset_name, check_version
from sightline.errors import SightlineError
from sightline.job_contract import FOLDERS, in_job, job_folder

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
    if version is not None:
        check_version(version)
    folder = LOCAL_DATASETS / name
    if not force and (folder / INFO_FILE).exists() and version in (None, _version_of(folder)):
        return folder
    _download(name, version, folder)
    found = _version_of(folder)
    if version not in (None, found):
        raise SightlineError(f"dataset '{name}': version {version} was asked for, the service sent {found}.")
    return folder


def _dataset_of_job() -> Path:
    folder = job_folder("dataset")
    if folder is None:
        names = ", ".join(FOLDERS["dataset"])
        raise SightlineError(f"this is a job, but none of {names} is set; set one of them.")
    return folder


def _version_of(folder: Path) -> str:
    return DatasetInfo.read(folder / INFO_FILE).version


def _download(name: str, version: str | None, folder: Path) -> None:
    from sightline.client.download import fetch_sample_archive

    LOCAL_DATASETS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=LOCAL_DATASETS) as temporary:
        archive = Path(temporary) / "sample.zip"
        fetch_sample_archive(name, version, archive)
        unpack_dataset(archive, folder, overwrite=True)
