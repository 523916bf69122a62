"""Folders of images sorted into classes: ``<root>/<split>/<class>/*.jpg`` or ``<root>/<class>/*.jpg``.

The layout of ``torchvision.datasets.ImageFolder``, which opens each split folder that is written here.
It numbers classes by the sorted folders it finds, so every class has a folder in every split; the
dataset's own order stands in ``classes.txt``, one folder name per line.

A class name that cannot be the name of a folder is escaped, and comes back as it was: ``/`` as ``%2F``,
a leading ``.`` as ``%2E``, control characters likewise.
"""

import logging
import os
import re
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.formats.fitting import fitting_task, refuse_unknown_classes
from sightline.data.formats.image_files import (
    check_images,
    images_below,
    is_image,
    place_images,
    unique_names,
)
from sightline.data.formats.left_out import count_left_out
from sightline.data.formats.repairs import Repairs
from sightline.data.image_sizes import image_sizes
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Classification
from sightline.data.splits import UNDEFINED, assign_splits, split_from_name
from sightline.data.staging import folder_written_whole
from sightline.data.storage import Storing
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

logger = logging.getLogger("sightline.data")

CLASSES_FILE = "classes.txt"

_ANNOTATIONS = frozenset((".json", ".csv", ".tsv", ".xml", ".yaml", ".yml", ".parquet"))
_GLANCE = 20  # names per folder that decide what kind of folder it is

_ESCAPED = re.compile(r"%([01][0-9A-F]|2F|2E|25|7F)")
_TO_ESCAPE = re.compile(rf"[\x00-\x1f\x7f/]|^\.|%(?={_ESCAPED.pattern[1:]})")


def read_image_folder(
    cls: type["Dataset"],
    path: str | Path,
    *,
    name: str | None = None,
    version: str = "1.0.0",
    task_name: str = "image_classification",
    split: str = UNDEFINED,
    split_ratios: Mapping[str, float] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> "Dataset":
    """Make a dataset of ``<path>/<split>/<class>/*.jpg``, or ``<path>/<class>/*.jpg``.

    The folders of ``path`` are splits where every one of them has the name of a split (and a folder
    within); else they are classes, and the samples are assigned by ``split_ratios`` (as ``{"train":
    0.8, "test": 0.2}``, each class evenly), or all to ``split``. Samples come sorted by split folder,
    class and file name. Classes are sorted by name, unless ``classes.txt`` lists the class folders.
    ``name`` defaults to the folder's name. The images stay where they are until `Dataset.write`.

    Raises:
        SightlineError: no images, an image that cannot be read, folders that are neither splits nor
            classes, or ratios beside split folders.
    """
    root = Path(path).absolute()
    split_folders = _split_folders(root, split, split_ratios)
    folders = [(in_split, folder) for in_split, parent in split_folders for folder in _subfolders(parent)]
    splits: list[str] = []
    classes: list[str] = []
    files: list[str] = []
    for in_split, folder in folders:
        found = images_below(folder)
        files += found
        splits += [in_split] * len(found)
        classes += [_class_of(folder.name)] * len(found)
    if not files:
        raise SightlineError(f"{root}: holds no images in <split>/<class> or <class> folders.")
    if split_ratios:
        splits = assign_splits(classes, split_ratios, seed)
    sizes = image_sizes(files, progress=progress)
    samples = pl.DataFrame({"file_path": files, "split": splits}).with_columns(
        height=pl.Series(sizes[:, 0]), width=pl.Series(sizes[:, 1])
    )
    labels = pl.DataFrame({"class_name": classes}).with_row_index(POSITION)
    class_names = _in_listed_order(root, sorted({folder.name for _, folder in folders}))
    task = TaskInfo.from_class_names(Classification, class_names, task_name)
    info = DatasetInfo(dataset_name=name or root.name, version=version, tasks=[task])
    return cls.from_tables(info, samples, classifications=labels)


def write_image_folder(
    dataset: "Dataset",
    path: str | Path,
    *,
    task: str | None = None,
    how: Storing = "copy",
    overwrite: bool = False,
    progress: bool = True,
) -> None:
    """Write ``<path>/<split>/<class>/<file>``; ``<path>/<class>/<file>`` where no sample has a split.

    ``task`` names the classification task that sorts the images; it defaults to the only one. Other
    annotations have no place in this format. Files keep their names as far as those differ within a
    folder. A class without images in a split has an empty folder there, and a warning says so, because
    ``torchvision.datasets.ImageFolder`` opens such a split only with ``allow_empty=True``.

    Raises:
        SightlineError: samples that are not of exactly one class of the task, an image that is missing
            or of a kind that image folders do not hold, a class name too long for a folder, or a
            ``path`` that must not be written over.
    """
    info = fitting_task(dataset.info, task, "an image folder", Classification)
    root = Path(path).absolute()
    samples = dataset.samples.select("file_path", "split")
    check_images(dataset.samples, root, how)
    repairs = Repairs(root)
    count_left_out(dataset, [info.name], repairs)
    class_of_sample = _one_class_each(dataset.samples, info)
    repairs.report()
    class_names = info.class_names or sorted(set(class_of_sample))
    folder_of = {class_name: _folder_of(class_name) for class_name in class_names}
    has_splits = bool((samples["split"] != UNDEFINED).any())
    split_of_sample = samples["split"] + "/" if has_splits else pl.lit("")
    targets = samples.select(
        "file_path",
        folder=split_of_sample + class_of_sample.replace_strict(folder_of, return_dtype=pl.String),
    ).with_columns(name=pl.col("file_path").map_batches(_names, pl.String).over("folder"))
    splits = samples["split"].unique().sort().to_list() if has_splits else [""]
    folders = [f"{parent}/{name}".lstrip("/") for parent in splits for name in folder_of.values()]
    with folder_written_whole(root, overwrite=overwrite, marker=CLASSES_FILE) as staging:
        for folder in folders:
            (staging / folder).mkdir(parents=True)
        listing = "".join(f"{name}\n" for name in folder_of.values())
        (staging / CLASSES_FILE).write_text(listing, encoding="utf-8")
        places = [staging / folder / name for folder, name in targets.select("folder", "name").iter_rows()]
        place_images(targets["file_path"].to_list(), places, how, progress=progress)
    empty = sorted(set(folders) - set(targets["folder"]))
    if empty:
        logger.warning(
            "%s: %d of %d class folders are empty, so that classes keep their numbers; the first is %s; "
            "torchvision's ImageFolder opens its split with allow_empty=True.",
            root, len(empty), len(folders), empty[0],
        )  # fmt: skip


def is_image_folder(path: Path) -> bool:
    """Whether ``path`` holds folders of nothing but images, or split folders of such.

    Annotations beside them say that it is something else, which is not to be read without them.
    """
    folders = _subfolders(path) if path.is_dir() else []
    if any(file.suffix.lower() in _ANNOTATIONS for file in (path.iterdir() if folders else ())):
        return False
    if folders and all(split_from_name(folder.name) for folder in folders):
        folders = [inner for folder in folders for inner in _subfolders(folder)] or folders
    seen = [is_image(name) and name[0] != "." for folder in folders for name in _first_names(folder)]
    return bool(seen) and all(seen)


def _first_names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in islice(entries, _GLANCE)]


def _split_folders(
    root: Path, split: str, split_ratios: Mapping[str, float] | None
) -> list[tuple[str, Path]]:
    """The folders that hold class folders, each with its split."""
    if not root.is_dir():
        raise SightlineError(f"{root}: no such folder; give a folder of <split>/<class> or <class> folders.")
    tops = _subfolders(root)
    split_folders = [(known, folder) for folder in tops if (known := split_from_name(folder.name))]
    nested = [folder for _, folder in split_folders if _subfolders(folder)]
    if not nested and tops and len(split_folders) == len(tops):
        raise SightlineError(
            f"{root}: holds the split '{tops[0].name}' but no folders of classes in it; put the images into "
            "<split>/<class>."
        )
    if not nested:
        return [(split, root)]
    if len(split_folders) < len(tops):
        other = next(folder.name for folder in tops if not split_from_name(folder.name))
        raise SightlineError(
            f"{root}: holds the split '{nested[0].name}' beside '{other}'; put splits or classes, not both."
        )
    if split_ratios:
        raise SightlineError(f"{root}: has splits of its own ('{nested[0].name}'); leave out the ratios.")
    return split_folders


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _one_class_each(frame: pl.DataFrame, task: TaskInfo) -> pl.Series:
    """The class of each sample."""
    table = annotation_table(frame, "classifications", task.name)
    refuse_unknown_classes(table, frame, task)
    counts = table.group_by(POSITION).agg(
        pl.col("class_name").first(), pl.col("class_name").n_unique().alias("n")
    )
    classes = frame.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(POSITION), "sample_index", "file_path"
    ).join(counts, on=POSITION, how="left", maintain_order="left")
    wrong = classes.filter(pl.col("class_name").is_null() | (pl.col("n") != 1))
    if len(wrong):
        first = wrong.row(0, named=True)
        raise SightlineError(
            f"{len(wrong)} of {len(frame)} samples are not of exactly one class of task '{task.name}', the "
            f"first is sample {first['sample_index']} ({first['file_path']}) with {first['n'] or 'none'}; "
            "leave them out."
        )
    return classes["class_name"]


def _in_listed_order(root: Path, folders: list[str]) -> list[str]:
    """The class names of ``folders``, as `CLASSES_FILE` orders them where it lists these very folders."""
    try:
        listed = (root / CLASSES_FILE).read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError):
        listed = []
    return list(dict.fromkeys(map(_class_of, listed if sorted(listed) == folders else folders)))


def _folder_of(class_name: str) -> str:
    folder = _TO_ESCAPE.sub(lambda found: f"%{ord(found[0]):02X}", class_name)
    if folder in ("", CLASSES_FILE) or len(folder.encode()) > 255:
        raise SightlineError(
            f"class '{class_name}' cannot name a folder; give it another name of 1 to 255 bytes."
        )
    return folder


def _class_of(folder: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), folder)


def _names(paths: pl.Series) -> pl.Series:
    return pl.Series(unique_names(paths))
