"""The dataset of a task, as its settings name it."""

from pathlib import Path
from typing import Any

from sightline.config import Config
from sightline.data.dataset import Dataset
from sightline.dataset_folder import INFO_FILE
from sightline.errors import SightlineError
from sightline.job_contract import in_job


class DatasetConfig(Config):
    """A dataset, and how its images are held."""

    dataset: str
    """A dataset's folder, the file of a recipe (``.json``), or a name as `Dataset.from_name` takes it: here
    the sample, in a job the hidden data."""
    task: str | None = None
    """Which of its tasks is learned; by default the only one that can be."""
    splits: Path | dict[str, Any] | None = None
    """A split manifest that says which sample is in which split; by default what the dataset says."""
    storage: str = "files"
    """Where pixels come from: ``files``, ``ram``, or the folder of a pack (`Dataset.pack`)."""


def open_dataset(config: DatasetConfig) -> Dataset:
    """The dataset that ``config`` names, split as it says.

    Raises:
        SightlineError: there is no such dataset.
    """
    path = Path(config.dataset)
    if path.suffix == ".json" and path.is_file():
        dataset = Dataset.from_recipe(path)
    elif (path / INFO_FILE).is_file():
        dataset = Dataset.from_path(path)
    elif path.exists():
        raise SightlineError(
            f"{path}: is no dataset folder; make one of it with `sightline dataset convert {path} ...`."
        )
    elif not in_job() and (path.suffix == ".json" or config.dataset != path.name):
        raise SightlineError(
            f"{path}: there is no such recipe or dataset folder; give its path from {Path.cwd()}, or a name."
        )
    else:
        dataset = Dataset.from_name(config.dataset)
    return dataset if config.splits is None else dataset.apply_split_manifest(config.splits)
