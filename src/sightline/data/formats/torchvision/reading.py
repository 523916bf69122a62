"""Make a dataset of a torchvision dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION
from sightline.data.formats.pictures import picture_folder, store_pixels
from sightline.data.formats.torchvision.layouts import layouts_in, read_layout
from sightline.data.formats.torchvision.objects import read_object
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Classification
from sightline.data.progress import in_parallel
from sightline.data.splits import UNDEFINED
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


def read_torchvision(
    cls: type["Dataset"],
    source: Any,
    *,
    dataset: str | None = None,
    folder: str | Path | None = None,
    name: str | None = None,
    version: str = "1.0.0",
    split: str = UNDEFINED,
    ignore: int | None = 255,
    progress: bool = True,
) -> "Dataset":
    """Make a dataset of what torchvision has downloaded, or of one of its dataset objects.

    A path is the ``root`` that torchvision was given. MNIST, FashionMNIST, KMNIST, CIFAR10, CIFAR100 (with
    the superclasses as a second task) and STL10 (without its unlabelled images) are found there, whole:
    train and test are splits. Pickles are read without running what is in them.

    For all others ``source`` is the object, such as ``torchvision.datasets.OxfordIIITPet(root)``, made
    without transforms. Its targets may be class numbers, VOC or COCO annotations, label maps,
    dicts of ``boxes`` (corners in pixels) and ``labels``, or tuples of these.

    Args:
        source: the root, or a torchvision dataset.
        dataset: which one it is, where several lie below the root.
        folder: where to put images that are in arrays: PNG files named by their content.
        name: of the dataset; default that of torchvision's class.
        version: of the dataset.
        split: of a dataset object that does not say its split.
        ignore: the number in label maps that is no class.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no dataset that is known, damaged files, images in arrays without ``folder``, or
            a target of another kind; the sentence names it.
    """
    if not isinstance(source, str | Path):
        return read_object(cls, source, folder, name, version, split, ignore, progress)
    root = Path(source).absolute()
    if not root.is_dir():
        raise SightlineError(f"{root}: no such folder; give the root that torchvision was given.")
    chosen, parts, class_names = read_layout(root, dataset)
    target = picture_folder(folder, root)
    files: list[str] = []
    for part in parts:
        images = part.images
        files += in_parallel(
            lambda index, images=images: store_pixels(np.ascontiguousarray(images[index]), target),
            range(len(images)),
            f"Writing {part.split} images",
            progress=progress,
        )
    height, width = parts[0].images.shape[1:3]
    samples = pl.DataFrame(
        {"file_path": files, "split": [part.split for part in parts for _ in range(len(part.images))]}
    ).with_columns(height=pl.lit(height, pl.Int64), width=pl.lit(width, pl.Int64))
    numbers = {task: np.concatenate([part.labels[task] for part in parts]) for task in class_names}
    table = pl.concat(
        pl.DataFrame({"class_idx": indices}).with_columns(task_name=pl.lit(task)).with_row_index(POSITION)
        for task, indices in numbers.items()
    )
    tasks = [TaskInfo.from_class_names(Classification, names, task) for task, names in class_names.items()]
    info = DatasetInfo(dataset_name=name or chosen, version=version, tasks=tasks)
    return cls.from_tables(info, samples, classifications=table)


def is_torchvision(path: Path) -> bool:
    """Whether one of the known datasets lies below ``path``."""
    return path.is_dir() and any(True for _ in layouts_in(path))
