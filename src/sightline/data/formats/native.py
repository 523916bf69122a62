"""Sightline's own dataset folders, as a format like the others."""

from pathlib import Path
from typing import TYPE_CHECKING

from sightline.data.storage import Storing
from sightline.dataset_folder import INFO_FILE

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


def read_sightline(cls: "type[Dataset]", path: str | Path, *, check_images: bool = True) -> "Dataset":
    """See `Dataset.from_path`."""
    return cls.from_path(path, check_images=check_images)


def write_sightline(
    dataset: "Dataset",
    path: str | Path,
    *,
    how: Storing = "copy",
    overwrite: bool = False,
    progress: bool = True,
) -> None:
    """See `Dataset.write`."""
    dataset.write(path, how=how, overwrite=overwrite, progress=progress)


def is_sightline(path: Path) -> bool:
    """Whether ``path`` is a folder with a `INFO_FILE`, which is not that of Hugging Face ``datasets``."""
    return (path / INFO_FILE).is_file() and not (path / "state.json").exists()
