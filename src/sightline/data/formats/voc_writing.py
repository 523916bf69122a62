"""Write Pascal VOC."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.formats.fitting import fitting_task, refuse_unknown_classes
from sightline.data.formats.image_files import check_images, place_images, unique_names
from sightline.data.formats.left_out import count_left_out
from sightline.data.formats.repairs import Repairs
from sightline.data.formats.voc_boxes import object_texts
from sightline.data.formats.voc_layout import ANNOTATIONS, IMAGES, LISTS, SETS
from sightline.data.formats.voc_masks import (
    CLASS_MASKS,
    LABEL_MAP,
    OBJECT_MASKS,
    VOID,
    write_label_map,
    write_numbers,
)
from sightline.data.formats.voc_xml import annotation_text, escaped
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Bbox, Bitmask, Segmentation
from sightline.data.primitives.rle import decode_mask
from sightline.data.progress import in_parallel
from sightline.data.splits import TRAIN, VALIDATION
from sightline.data.staging import check_target, folder_written_whole
from sightline.data.storage import Storing
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


def write_voc(
    dataset: "Dataset",
    path: str | Path,
    *,
    task: str | None = None,
    masks: str | None = None,
    one_based: bool = False,
    how: Storing = "copy",
    overwrite: bool = False,
    progress: bool = True,
) -> None:
    """Write ``Annotations``, ``JPEGImages`` and ``ImageSets/Main``; with ``masks`` also those.

    The boxes of one task are written, with the boxes nested in them as parts and their ``meta`` as
    elements; confidences, ids and other attributes have no place there. ``labelmap.txt`` keeps the order
    of the classes. Corners are pixels, whole where they are whole, else with six decimals. Samples that
    were not annotated for the task get no XML file. Samples of the split UNDEFINED are in no list. Files
    keep their names as far as those differ.

    Args:
        dataset: what to write.
        path: the folder, which appears when it is complete.
        task: the name of a task of boxes; by default the only one, or none where ``masks`` are given and
            there are no boxes.
        masks: the name of a task of masks, written as ``SegmentationClass`` and, where each mask is of
            one object, ``SegmentationObject``. Where masks overlap, the later one wins, and a warning
            counts it.
        one_based: write corners as numbers of pixels that count from 1; see `Dataset.from_voc`.
        how: ``copy``, ``symlink`` or ``hardlink`` images.
        overwrite: replace a VOC folder.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no fitting task or several, an annotation without a class, a name that XML cannot
            hold, an image that is missing, or a ``path`` that must not be written over.
    """
    root = Path(path).absolute()
    box_task, mask_task = _tasks_to_write(dataset.info, task, masks)
    check_target(root, overwrite=overwrite, marker=ANNOTATIONS)
    check_images(dataset.samples, root, how)
    repairs = Repairs(root)
    tasks = [found.name for found in (box_task, mask_task) if found is not None]
    count_left_out(dataset, tasks, repairs, attributes=["bboxes"])
    frame = dataset.samples
    names = unique_names(frame["file_path"])
    stems = [name.rpartition(".")[0] for name in names]
    documents = (
        [None] * len(names) if box_task is None else _documents(frame, box_task, names, one_based, repairs)
    )
    class_names = _class_names(dataset.info, frame, [mask_task, box_task])
    with folder_written_whole(root, overwrite=overwrite, marker=ANNOTATIONS) as staging:
        (staging / ANNOTATIONS).mkdir()
        write_label_map(staging / LABEL_MAP, class_names)
        _write_lists(staging / SETS, stems, frame["split"])
        if mask_task is not None:
            _write_masks(staging, frame, mask_task, class_names, stems, repairs, progress=progress)
        targets = [f"{staging}/{IMAGES}/{name}" for name in names]
        place_images(frame["file_path"].to_list(), targets, how, progress=progress)
        files = [
            (staging / ANNOTATIONS / f"{stem}.xml", text)
            for stem, text in zip(stems, documents, strict=True)
            if text is not None
        ]
        written = in_parallel(
            lambda file: file[0].write_text(file[1], encoding="utf-8"),
            files, "Writing annotations", progress=progress, batch=64,
        )  # fmt: skip
        for _ in written:
            pass
    repairs.report()


def _tasks_to_write(
    info: DatasetInfo, task: str | None, masks: str | None
) -> tuple[TaskInfo | None, TaskInfo | None]:
    """The tasks of boxes and of masks; None for boxes where only masks are asked for and there."""
    only_masks = task is None and masks is not None and all(t.primitive is not Bbox for t in info.tasks)
    box_task = None if only_masks else fitting_task(info, task, "VOC", Bbox)
    mask_task = None if masks is None else fitting_task(info, masks, "VOC (masks)", Bitmask, Segmentation)
    return box_task, mask_task


def _documents(
    frame: pl.DataFrame, task: TaskInfo, names: Sequence[str], one_based: bool, repairs: Repairs
) -> list[str | None]:
    """The text of each sample's annotation file; None for a sample that is not annotated."""
    table = annotation_table(frame, "bboxes", task.name)
    unnamed = table["class_name"].is_null()
    if unnamed.any():
        first = frame["file_path"][table[POSITION][int(unnamed.arg_true()[0])]]
        raise SightlineError(f"{first}: a box of task '{task.name}' has no class; VOC needs one.")
    scored = table["confidence"].is_not_null()
    if scored.any():
        first = frame["file_path"][table[POSITION][int(scored.arg_true()[0])]]
        repairs.add("confidences left out, which VOC has no place for", first, int(scored.sum()))
    sizes = frame.select("height", "width").to_numpy()
    texts = table.select(POSITION, text=object_texts(table, sizes[table[POSITION].to_numpy()], one_based))
    objects = [""] * len(frame)
    for position, text in texts.group_by(POSITION).agg(pl.col("text").str.join("")).iter_rows():
        objects[position] = text
    about = frame.select(
        "height", "width", pl.col("meta").struct.field("json"), annotated=pl.col("bboxes").is_not_null()
    )
    return [
        f"<annotation>\n{annotation_text(name, height, width, meta)}{text}</annotation>\n"
        if annotated
        else None
        for name, text, (height, width, meta, annotated) in zip(
            names, objects, about.iter_rows(), strict=True
        )
    ]


def _class_names(info: DatasetInfo, frame: pl.DataFrame, tasks: Sequence[TaskInfo | None]) -> list[str]:
    """The classes of the tasks in the order of their numbers."""
    result: list[str] = []
    for task in tasks:
        if task is not None:
            found = task.class_names
            if found is None:
                found = annotation_table(frame, task.primitive.column, task.name)["class_name"]
                found = found.drop_nulls().unique().sort().to_list()
            result += found
    unfit = next((name for name in result if escaped(name) and "\n" in name), None)
    if unfit is not None:
        raise SightlineError(f"class {unfit!a} of '{info.dataset_name}' has a line break; rename it.")
    return list(dict.fromkeys(result))


def _write_lists(folder: Path, stems: Sequence[str], splits: pl.Series) -> None:
    folder.mkdir(parents=True)
    of_split = {
        split: sorted(stem for stem, other in zip(stems, splits, strict=True) if other == split)
        for split in LISTS
    }
    lists = {LISTS[split]: found for split, found in of_split.items()}
    lists["trainval"] = sorted(of_split[TRAIN] + of_split[VALIDATION])
    for word, found in lists.items():
        if found:
            (folder / f"{word}.txt").write_text("\n".join(found) + "\n", encoding="utf-8")


def _write_masks(
    root: Path,
    frame: pl.DataFrame,
    task: TaskInfo,
    class_names: Sequence[str],
    stems: Sequence[str],
    repairs: Repairs,
    *,
    progress: bool,
) -> None:
    """Write the label maps of every sample that was annotated for masks."""
    of_objects = task.primitive is Bitmask
    number_of = {name: number for number, name in enumerate(class_names, 1)}
    if len(number_of) >= VOID:
        raise SightlineError(f"task '{task.name}' has {len(number_of)} classes; masks of VOC hold 254.")
    for folder in (CLASS_MASKS, OBJECT_MASKS)[: 1 + of_objects]:
        (root / folder).mkdir()
    table = annotation_table(frame, "bitmasks", task.name).select(POSITION, "class_name", "rle_string")
    refuse_unknown_classes(table, frame, task)
    masks_of = dict(
        table.group_by(POSITION, maintain_order=True).agg("class_name", "rle_string").rows_by_key(POSITION)
    )
    samples = frame.select("file_path", "height", "width", annotated=pl.col("bitmasks").is_not_null()).rows()

    def write(position: int) -> int:
        path, height, width, _ = samples[position]
        classes = np.zeros((height, width), dtype=np.uint8)
        objects = np.zeros_like(classes)
        overlap = 0
        ((names, texts),) = masks_of.get(position, [([], [])])
        if of_objects and len(names) >= VOID:
            raise SightlineError(f"{path}: has {len(names)} masks; VOC holds 254 objects per image.")
        for number, (name, text) in enumerate(zip(names, texts, strict=True), 1):
            if name is None:
                raise SightlineError(f"{path}: a mask of task '{task.name}' has no class; VOC needs one.")
            mask = decode_mask(text, height, width)
            overlap += bool(classes[mask].any())
            classes[mask], objects[mask] = number_of[name], number
        write_numbers(root / CLASS_MASKS / f"{stems[position]}.png", classes)
        if of_objects:
            write_numbers(root / OBJECT_MASKS / f"{stems[position]}.png", objects)
        return overlap

    positions = [position for position, sample in enumerate(samples) if sample[3]]
    counts = in_parallel(write, positions, "Writing masks", progress=progress)
    for position, overlap in zip(positions, counts, strict=True):
        repairs.add("masks laid over others, which lose these pixels", samples[position][0], overlap)
