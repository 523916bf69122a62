"""Results: predictions as a JSON list, apart from the annotations that they are compared with."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from msgspec import Raw

from sightline.data.annotation_tables import POSITION, annotation_table, checked_table, with_annotations
from sightline.data.formats.coco import json_text
from sightline.data.formats.coco.categories import CategoryDict, categories_of
from sightline.data.formats.coco.images import image_ids
from sightline.data.formats.coco.objects import BOX, classes_of, coco_objects, tasks_to_write
from sightline.data.formats.coco.parsing import decode, read_json
from sightline.data.formats.coco.reading import INFO_KEY
from sightline.data.formats.coco.regions import ImageTable, annotation_tables
from sightline.data.formats.coco.writing import segmentation_text
from sightline.data.formats.repairs import Repairs
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import PRIMITIVE_OF_COLUMN, Classification
from sightline.errors import SightlineError
from sightline.files import written_whole

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_BLOCK = 50_000  # predictions that exist as text at once


def read_coco_results(
    dataset: "Dataset",
    path: str | Path,
    task_name: str,
    *,
    truth: str | Sequence[str] | None = None,
    split: str | None = None,
) -> "Dataset":
    """``dataset`` with the predictions of a results file as another task, named ``task_name``.

    The task is of masks or polygons where the file has segmentations, else of boxes. Image and category
    ids are those that `Dataset.to_coco` writes for the tasks named by ``truth`` (by default those that it
    writes by default), whose classes the new task has. ``split`` says which split's images are meant,
    where ids occur in several. All images that are meant become annotated: with an empty list where
    nothing was predicted.

    Raises:
        SightlineError: a damaged file, an entry that is wrong or has no score (it is named), a category
            that the dataset does not have, or a task of that name that it has already.
    """
    file = Path(path).absolute()
    if any(task.name == task_name for task in dataset.info.tasks):
        raise SightlineError(f"dataset '{dataset.info.dataset_name}' has a task '{task_name}'; name another.")
    class_names = classes_of(tasks_to_write(dataset.info, truth), dataset.samples)
    _, id_of_class = categories_of(_known_categories(dataset.info), class_names)
    index_of_id = {id_of_class[name]: index for index, name in enumerate(class_names)}
    images = _image_table(dataset, split)
    items = decode(file, read_json(file), list[Raw], "the file")
    repairs = Repairs(file)
    tables = annotation_tables(file, items, images, index_of_id, repairs, "results")
    column = next((name for name in ("bitmasks", "polygons") if name in tables), "bboxes")
    task = TaskInfo.from_class_names(PRIMITIVE_OF_COLUMN[column], class_names, task_name)
    info = dataset.info.model_copy(update={"tasks": [*dataset.info.tasks, task]})
    frame = dataset.samples
    predictions = tables[column]
    unsure = predictions["confidence"].is_null()
    if unsure.any():
        raise SightlineError(f"{file}: {int(unsure.sum())} of {len(unsure)} results have no score; add it.")
    predictions = predictions.with_columns(
        pl.lit(task_name).alias("task_name"),
        pl.lit(value=False).alias("ground_truth"),
        # The rings of a result stay together, and apart from the annotation that has its number as id.
        (f"{task_name}:" + pl.col("object_id")).alias("object_id"),
    )
    predictions = checked_table(
        column, predictions, info, lambda row: f"sample {row} ({frame['file_path'][row]})"
    )
    asked = pl.Series(np.isin(np.arange(len(frame)), images.positions))
    empty = pl.lit([], dtype=frame.schema[column])
    annotated = frame.with_columns(
        pl.when(asked & pl.col(column).is_null()).then(empty).otherwise(column).alias(column)
    )
    table = pl.concat([annotation_table(frame, column), predictions], how="diagonal_relaxed")
    repairs.report()
    return dataset.replace(info=info, samples=with_annotations(annotated, column, table))


def write_coco_results(
    dataset: "Dataset", path: str | Path, *, task: str | None = None, split: str | None = None
) -> None:
    """Write a task's annotations as a results file: image and category id, box or segmentation, score.

    Image and category ids are those that `Dataset.to_coco` writes for the same dataset. ``task`` defaults
    to the only one of the dataset, and ``split`` to all of them. The file appears when it is complete.

    Raises:
        SightlineError: no such task, annotations without a confidence, or several splits with the same
            image ids.
    """
    found = dataset.info.task(task)
    if found.primitive is Classification:
        raise SightlineError(
            f"task '{found.name}' is of Classification; COCO takes boxes, polygons and masks."
        )
    frame, repairs = dataset.samples, Repairs(path)
    images = _image_table(dataset, split)
    objects = coco_objects(frame, [found], repairs, chosen=True)
    unsure = objects["confidence"].is_null()
    if unsure.any():
        position = int(objects[POSITION].filter(unsure)[0])
        raise SightlineError(
            f"{int(unsure.sum())} of {len(objects)} annotations of task '{found.name}' have no confidence, "
            f"the first is of sample {position} ({frame['file_path'][position]}); results need one."
        )
    _, id_of_class = categories_of(_known_categories(dataset.info), classes_of([found], frame))
    known_as = pl.DataFrame(
        {
            POSITION: images.positions.astype(np.uint32),
            "image_id": images.ids,
            "image_height": images.heights,
            "image_width": images.widths,
        }
    )
    objects = objects.join(known_as, on=POSITION, how="inner", maintain_order="left")
    repairs.report()
    with written_whole(Path(path).absolute()) as temporary, temporary.open("wb") as stream:
        stream.write(b"[")
        for number, block in enumerate(objects.iter_slices(_BLOCK)):
            stream.write((b",\n" if number else b"\n") + json_text.lines(_result_texts(block, id_of_class)))
        stream.write(b"]\n")


def _result_texts(block: pl.DataFrame, id_of_class: dict[str, int]) -> pl.Series:
    x, y, w, h = (json_text.number(pl.col(name)) for name in BOX)
    return block.select(
        pl.concat_str(
            pl.lit('{"image_id":'), "image_id", pl.lit(',"category_id":'),
            pl.col("class_name").replace_strict(id_of_class, return_dtype=pl.Int64),
            pl.lit(',"bbox":['), x, pl.lit(","), y, pl.lit(","), w, pl.lit(","), h, pl.lit("]"),
            segmentation_text(block), pl.lit(',"score":'), pl.col("confidence").cast(pl.String), pl.lit("}"),
        )
    ).to_series()  # fmt: skip


def _image_table(dataset: "Dataset", split: str | None) -> ImageTable:
    """The images by the ids that they are written with, of one split or of all.

    Raises:
        SightlineError: no image is in ``split``, or splits have the same ids.
    """
    samples = dataset.samples.select("split", "height", "width", "meta").with_row_index(POSITION)
    if split is not None:
        samples = samples.filter(pl.col("split") == split)
        if not len(samples):
            raise SightlineError(f"dataset '{dataset.info.dataset_name}' has no split '{split}'.")
    parts = [
        part.select(POSITION, "height", "width", image_ids(part).alias("id"))
        for part in samples.partition_by("split", maintain_order=True)
    ]
    table = pl.concat(parts).sort("id") if parts else samples.with_columns(id=pl.lit(0, pl.Int64))
    repeated = table["id"].filter(~table["id"].is_first_distinct())
    if len(repeated):
        raise SightlineError(
            f"image id {repeated[0]} occurs in several splits of '{dataset.info.dataset_name}'; "
            "name the split."
        )
    return ImageTable(*(table[name].to_numpy() for name in ("id", POSITION, "height", "width")))


def _known_categories(info: DatasetInfo) -> list[CategoryDict]:
    return (info.meta or {}).get(INFO_KEY, {}).get("categories", [])
