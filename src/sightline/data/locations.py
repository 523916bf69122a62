"""Where datasets are read from and written to: folders of this machine, or object stores."""

from pathlib import Path

import polars as pl

from sightline.data.info import DatasetInfo
from sightline.data.remote.urls import remote_url
from sightline.data.storage import Storing, read_dataset_folder, write_dataset_folder
from sightline.errors import SightlineError


def read_dataset(path: str | Path, *, check_images: bool) -> tuple[DatasetInfo, pl.DataFrame]:
    """See `Dataset.from_path`."""
    if url := remote_url(path):
        from sightline.data.remote.transfer import read_remote_dataset

        return read_remote_dataset(url)
    return read_dataset_folder(Path(path), check_images=check_images)


def write_dataset(
    info: DatasetInfo,
    frame: pl.DataFrame,
    path: str | Path,
    *,
    how: Storing,
    overwrite: bool,
    progress: bool,
) -> pl.DataFrame:
    """See `Dataset.write`."""
    if url := remote_url(path):
        from sightline.data.remote.transfer import write_remote_dataset

        if how != "copy":
            raise SightlineError(f"{url}: an object store holds no links; write with how='copy'.")
        return write_remote_dataset(info, frame, url, overwrite=overwrite, progress=progress)
    return write_dataset_folder(info, frame, Path(path), how=how, overwrite=overwrite, progress=progress)


def download_dataset(
    info: DatasetInfo, frame: pl.DataFrame, folder: Path, *, overwrite: bool, progress: bool
) -> pl.DataFrame:
    """See `Dataset.download`."""
    from sightline.data.remote.transfer import download_dataset

    return download_dataset(info, frame, folder, overwrite=overwrite, progress=progress)
