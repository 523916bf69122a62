"""Folders of frames, one per video, each with a JSON file of the object that was followed through it.

``<video>/000000.png ...`` and ``<video>/<any name>.json``; see `sightline.data.formats.tracks`. The n-th
entry belongs to the n-th frame by name, where ``frame2`` comes before ``frame10``.
"""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.formats.boxes import BOX
from sightline.data.formats.fitting import fitting_task
from sightline.data.formats.image_files import check_images, place_images
from sightline.data.formats.left_out import count_left_out
from sightline.data.formats.repairs import Repairs
from sightline.data.formats.tracks import (
    CLASSES_FILE,
    Entry,
    box_table,
    class_in,
    class_of_video,
    read_tracks,
    write_tracks,
)
from sightline.data.image_sizes import image_sizes
from sightline.data.images import IMAGE_SUFFIXES
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Bbox
from sightline.data.splits import UNDEFINED, split_from_name
from sightline.data.staging import folder_written_whole
from sightline.data.storage import Storing
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


def read_tracked_objects(
    cls: type["Dataset"],
    path: str | Path,
    *,
    name: str | None = None,
    version: str = "1.0.0",
    task_name: str = "object_detection",
    class_name: str | None = None,
    class_from: str | None = None,
    split: str = UNDEFINED,
    progress: bool = True,
) -> "Dataset":
    """Make a dataset of ``<path>/<video>/``, of ``<path>/<split>/<video>/``, or of one such video.

    ``collection_id`` is the video and ``collection_index`` the number in the frame's name (its place
    among the frames, where names have no ascending numbers), so that a split by ``collection_id`` keeps
    each video whole. A frame in which the object is not seen has an empty list of boxes.

    Args:
        path: the folder.
        name: of the dataset; the folder's by default.
        version: of the dataset.
        task_name: of the boxes.
        class_name: the class of all objects.
        class_from: takes the class from the video's name: ``folder`` for the last word in it
            (``IR_DRONE_001`` is a ``DRONE``), or a regular expression with one group. Without either
            option ``classes.json`` in ``path`` says it, or the class is ``object``.
        split: of the samples, where the folder has no splits.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no videos, a video without or with several JSON files, or one that is damaged or
            has another number of entries than there are frames.
    """
    root = Path(path).absolute()
    videos = _videos(root, split)
    class_source = class_of_video(root, class_name, class_from)
    repairs = Repairs(root)
    rows: list[tuple[str, str, str, int]] = []
    entries: list[Entry] = []
    classes: list[str | None] = []
    for in_split, folder in videos:
        frames = _frames(folder)
        label_file = _label_file(folder)
        found = read_tracks(label_file, repairs)
        if len(found) != len(frames):
            raise SightlineError(
                f"{label_file}: has {len(found)} entries, but video '{folder.name}' has {len(frames)} "
                "frames; restore what is missing."
            )
        entries += found
        seen = any(isinstance(entry, tuple) for entry in found)
        classes += [class_in(folder.name, class_source) if seen else None] * len(frames)
        numbers = _frame_numbers(frames)
        rows += [(str(f), in_split, folder.name, n) for f, n in zip(frames, numbers, strict=True)]
    samples = pl.DataFrame(
        rows, schema=["file_path", "split", "collection_id", "collection_index"], orient="row"
    )
    sizes = image_sizes(samples["file_path"].to_list(), progress=progress)
    samples = samples.with_columns(pl.Series("height", sizes[:, 0]), pl.Series("width", sizes[:, 1]))
    boxes = box_table(entries, sizes, repairs, [row[0] for row in rows])
    repairs.report()
    return tracked_dataset(cls, DatasetInfo(dataset_name=name or root.name, version=version),
                           samples, entries, boxes, classes, task_name)  # fmt: skip


def tracked_dataset(
    cls: type["Dataset"],
    info: DatasetInfo,
    samples: pl.DataFrame,
    entries: list[Entry],
    boxes: pl.DataFrame,
    classes: Sequence[str | None],
    task_name: str,
) -> "Dataset":
    """A dataset of frames with at most one box each, of which ``boxes`` is what `box_table` gives.

    A frame is not annotated where its entry is None, or its box is not among ``boxes``. ``classes`` holds
    the class of the object for each sample, None for those of a video without boxes.
    """
    row = boxes["row"]
    table = boxes.rename({"row": POSITION}).with_columns(
        pl.Series("class_name", classes, pl.String)[row],
        samples["collection_id"][row].alias("object_id"),
    )
    names = sorted({class_name for class_name in classes if class_name is not None})
    task = TaskInfo.from_class_names(Bbox, names, task_name)
    dataset = cls.from_tables(info.model_copy(update={"tasks": [task]}), samples, bboxes=table)
    known = np.array([entry is False for entry in entries], dtype=bool)
    known[row.to_numpy()] = True
    return dataset.replace(
        samples=dataset.samples.with_columns(pl.when(pl.Series(known)).then("bboxes").alias("bboxes"))
    )


def write_tracked_objects(
    dataset: "Dataset",
    path: str | Path,
    *,
    task: str | None = None,
    label_file: str = "label.json",
    how: Storing = "copy",
    overwrite: bool = False,
    progress: bool = True,
) -> None:
    """Write ``<path>/<video>/`` (``<path>/<split>/<video>/`` where samples have splits).

    The videos are the ``collection_id`` of samples, and frames are named by ``collection_index``.
    ``classes.json`` says the class of each video's object, for which the format itself has no place.

    Raises:
        SightlineError: samples that are in no video, two of one number, more than one box in a frame, or
            objects of several classes in one video.
    """
    info = fitting_task(dataset.info, task, "a folder of frames", Bbox)
    frame = dataset.samples
    _refuse_unfit(frame)
    check_images(frame, Path(path).absolute(), how)
    entries, class_of = entries_of(frame, info.name)
    repairs = Repairs(path)
    count_left_out(dataset, [info.name], repairs)
    repairs.report()
    has_splits = bool((frame["split"] != UNDEFINED).any())
    folder = pl.format("{}/{}", "split", "collection_id") if has_splits else pl.col("collection_id")
    placed = (
        frame.select("file_path", "collection_index", folder.alias("folder"))
        .with_row_index("row")
        .sort("folder", "collection_index")
    )
    with folder_written_whole(Path(path), overwrite=overwrite, marker=CLASSES_FILE) as staging:
        targets = [
            staging / folder / f"{number:06d}{Path(source).suffix.lower()}"
            for source, number, folder in placed.select("file_path", "collection_index", "folder").iter_rows()
        ]
        place_images(placed["file_path"].to_list(), targets, how, progress=progress)
        for (video,), frames in placed.group_by("folder", maintain_order=True):
            write_tracks(staging / str(video) / label_file, [entries[row] for row in frames["row"]])
        text = json.dumps(class_of, ensure_ascii=False, indent=4, sort_keys=True)
        (staging / CLASSES_FILE).write_text(f"{text}\n", encoding="utf-8")


def entries_of(frame: pl.DataFrame, task_name: str) -> tuple[list[Entry], dict[str, str]]:
    """An entry for each sample, and the class of each ``collection_id``.

    Raises:
        SightlineError: more than one box in a frame, or several classes in one video.
    """
    table = annotation_table(frame, "bboxes", task_name).filter("ground_truth")
    position = table[POSITION]
    if position.is_duplicated().any():
        first = int(position.filter(position.is_duplicated())[0])
        raise SightlineError(
            f"{frame['file_path'][first]}: has several boxes, but this format follows one object; filter "
            "the dataset first."
        )
    sizes = frame.select("width", "height").to_numpy()[position]
    boxes = table.select(BOX).to_numpy() * np.tile(sizes, 2)
    entries: list[Entry] = [None if annotated else False for annotated in frame["bboxes"].is_null()]
    for row, box in zip(position, boxes.tolist(), strict=True):
        entries[row] = tuple(box)
    classes = pl.DataFrame({"video": frame["collection_id"][position], "class": table["class_name"]}).unique()
    several = classes.filter(classes["video"].is_duplicated())
    if len(several):
        raise SightlineError(
            f"video '{several['video'].min()}' has objects of several classes, but this format follows one "
            "object; filter the dataset first."
        )
    return entries, {video: str(name) for video, name in classes.sort("video").rows()}


def is_tracked_objects(path: Path) -> bool:
    """Whether ``path``, or a folder in it, holds frames beside one JSON file; looks at a few folders."""
    if not path.is_dir():
        return False
    folders = [path, *_subfolders(path)[:1]]
    folders += [inner for folder in folders[1:] for inner in _subfolders(folder)[:1]]
    return any(
        len(list(folder.glob("*.json"))) == 1 and any(file.suffix == ".png" for file in folder.iterdir())
        for folder in folders
    )


def natural_key(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sorts ``frame2`` before ``frame10``."""
    parts = re.split(r"(\d+)", path.stem)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], path.name


def _videos(root: Path, split: str) -> list[tuple[str, Path]]:
    if not root.is_dir():
        raise SightlineError(f"{root}: no such folder; give a folder of <video> folders.")
    if any(root.glob("*.json")) and _frames(root, may_be_none=True):
        return [(split, root)]
    folders = _subfolders(root)
    splits = [split_from_name(folder.name) for folder in folders]
    if folders and all(splits):
        videos = [
            (s, video) for s, folder in zip(splits, folders, strict=True) for video in _subfolders(folder)
        ]
    else:
        videos = [(split, folder) for folder in folders]
    if not videos:
        raise SightlineError(f"{root}: holds no folders of frames with a JSON file.")
    return [(in_split or split, folder) for in_split, folder in videos]


def _frames(folder: Path, *, may_be_none: bool = False) -> list[Path]:
    frames = [
        path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES and path.name[0] != "."
    ]
    if not frames and not may_be_none:
        raise SightlineError(f"{folder}: holds no frames; remove the folder or restore its images.")
    return sorted(frames, key=natural_key)


def _label_file(folder: Path) -> Path:
    found = sorted(folder.glob("*.json"))
    if len(found) != 1:
        what = "no JSON file" if not found else f"{len(found)} JSON files ({found[0].name}, {found[1].name})"
        raise SightlineError(f"{folder}: has {what}; a video has one with 'exist' and 'gt_rect'.")
    return found[0]


def _frame_numbers(frames: list[Path]) -> list[int]:
    found = [re.search(r"(\d+)$", path.stem) for path in frames]
    numbers = [int(match.group(1)) for match in found if match and len(match.group(1)) < 18]
    ascending = len(numbers) == len(frames) and all(a < b for a, b in pairwise(numbers))
    return numbers if ascending else list(range(len(frames)))


def _subfolders(folder: Path) -> list[Path]:
    folders = (path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return sorted(folders, key=natural_key)


def _refuse_unfit(frame: pl.DataFrame) -> None:
    """Refuse samples that cannot be frames in a folder named for their video."""
    key = frame.select("split", "collection_id", "collection_index")
    unfit = (
        (frame["storage_format"] != "image")
        | key["collection_id"].is_null()
        | key["collection_index"].is_null()
        | key["collection_id"].str.contains(r"^$|^\.|[/\x00]").fill_null(value=True)
        | (key["collection_index"] < 0).fill_null(value=True)
        | key.is_duplicated()
    )
    if unfit.any():
        first = int(unfit.arg_true()[0])
        raise SightlineError(
            f"{frame['file_path'][first]}: is not one frame of a video: its storage_format is "
            f"'{frame['storage_format'][first]}', collection_id '{key['collection_id'][first]}' (to name a "
            f"folder) and collection_index {key['collection_index'][first]} (each once); {int(unfit.sum())} "
            "samples are like that."
        )
