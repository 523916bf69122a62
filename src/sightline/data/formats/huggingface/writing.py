"""Make a Hugging Face dataset."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from PIL import Image

from sightline.data.annotation_tables import POSITION, annotation_table, cut_lists
from sightline.data.formats.fitting import refuse_unknown_classes
from sightline.data.formats.huggingface.library import DICT_FILE, bars, column_of, library
from sightline.data.formats.image_files import refuse_empty
from sightline.data.formats.left_out import count_left_out
from sightline.data.formats.repairs import Repairs
from sightline.data.info import TaskInfo
from sightline.data.primitives import Bbox, Classification, Segmentation
from sightline.data.primitives.rle import decode_mask
from sightline.data.progress import in_parallel
from sightline.data.splits import SPLITS
from sightline.data.staging import folder_written_whole
from sightline.data.storage import check_images_exist
from sightline.errors import SightlineError

if TYPE_CHECKING:
    import datasets

    from sightline.data.dataset import Dataset


def write_huggingface(
    dataset: "Dataset",
    path: str | Path | None = None,
    *,
    overwrite: bool = False,
    progress: bool = True,
) -> "datasets.DatasetDict":
    """Make a ``datasets.DatasetDict`` with a ``Dataset`` per split; with ``path`` also save it there.

    Columns: ``image`` (an ``Image`` by its path), for a classification task a ``ClassLabel`` (a list of
    them where a sample has several), for a task of boxes a list of ``bbox`` (x, y, width, height in
    pixels), ``category`` and, where they say anything, ``object_id`` and ``confidence``, for a
    segmentation an ``Image`` of class numbers with 255 (of 16 bits: 65535) where no class is.
    `read_huggingface` says which column is which task. Other annotations are left out with a warning.
    In memory images stay where they are; on disk they are within the dataset.

    Raises:
        SightlineError: images that are missing, two tasks for one column, or a ``path`` that must not be
            written over.
    """
    library_ = library()
    frame = dataset.samples
    refuse_empty(frame, dataset.info.dataset_name if path is None else path)
    if frame["file_path"].null_count():
        raise SightlineError(f"{frame['file_path'].null_count()} samples have no file_path; leave them out.")
    in_videos = frame["file_path"].filter(frame["storage_format"] != "image")
    if len(in_videos):
        raise SightlineError(f"{in_videos[0]}: is a video; extract the frames first.")
    check_images_exist(frame)
    columns: dict[str, list[Any]] = {"image": frame["file_path"].to_list()}
    features: dict[str, Any] = {"image": library_.Image()}
    repairs = Repairs(dataset.info.dataset_name)
    written: list[str] = []
    for task in dataset.info.tasks:
        column = column_of(task.primitive, task.name)
        if column in columns:
            raise SightlineError(
                f"task '{task.name}' needs the column '{column}', which is taken; rename the task."
            )
        if task.primitive is Classification:
            columns[column], features[column] = _labels(frame, task)
        elif task.primitive is Bbox:
            columns[column], features[column] = _objects(frame, task)
        elif task.primitive is Segmentation:
            columns[column], features[column] = _maps(frame, task, progress), library_.Image()
        else:
            continue
        written.append(task.name)
    count_left_out(dataset, written, repairs)
    repairs.report()
    splits = frame["split"]
    described = library_.DatasetInfo(
        dataset_name=dataset.info.dataset_name,
        description=dataset.info.description or "",
        features=library_.Features(features),
    )
    result = library_.DatasetDict()
    for split in SPLITS:
        rows = np.flatnonzero((splits == split).to_numpy()).tolist()
        if rows:
            chosen = {name: [values[row] for row in rows] for name, values in columns.items()}
            result[split] = library_.Dataset.from_dict(chosen, info=described.copy(), split=split)
    if path is not None:
        with (
            folder_written_whole(Path(path), overwrite=overwrite, marker=DICT_FILE) as staging,
            bars(progress),
        ):
            result.save_to_disk(str(staging))
    return result


def _class_feature(task: TaskInfo) -> Any:
    return library().ClassLabel(names=task.class_names) if task.class_names else library().Value("string")


def _class_values(task: TaskInfo, frame: pl.DataFrame, table: pl.DataFrame) -> pl.Expr:
    """The number of each class, as the feature has it; the name where the task has no fixed classes."""
    refuse_unknown_classes(table, frame, task)
    name = pl.col("class_name")
    if not task.class_names:
        return name
    numbers = {class_name: number for number, class_name in enumerate(task.class_names)}
    return name.replace_strict(numbers, return_dtype=pl.Int64)


def _labels(frame: pl.DataFrame, task: TaskInfo) -> tuple[list[Any], Any]:
    """A class per sample, or a list of them where some sample has not exactly one."""
    table = annotation_table(frame, "classifications", task.name)
    lists = _lists(frame, "classifications", table.select(POSITION, _class_values(task, frame, table)))
    feature = _class_feature(task)
    if (lists.list.len() == 1).fill_null(value=True).all():
        return lists.list.first().to_list(), feature
    return lists.to_list(), library().List(feature)


def _objects(frame: pl.DataFrame, task: TaskInfo) -> tuple[list[Any], Any]:
    table = annotation_table(frame, "bboxes", task.name)
    sizes = frame.select(pl.col("height").alias("image_height"), pl.col("width").alias("image_width"))
    sizes = sizes[table[POSITION]]
    across, down = sizes["image_width"], sizes["image_height"]
    box = [
        table["top_left_x"] * across,
        table["top_left_y"] * down,
        table["width"] * across,
        table["height"] * down,
    ]
    table = table.select(
        POSITION,
        pl.concat_list(box).alias("bbox"),
        _class_values(task, frame, table).alias("category"),
        "object_id",
        "confidence",
    )
    library_ = library()
    fields = {"bbox": library_.List(library_.Value("float64"), length=4), "category": _class_feature(task)}
    optional = {"object_id": "string", "confidence": "float64"}
    fields |= {name: library_.Value(kind) for name, kind in optional.items() if table[name].count()}
    table = table.select(POSITION, pl.struct(list(fields)).alias("object"))
    return _lists(frame, "bboxes", table).to_list(), library_.List(fields)


def _maps(frame: pl.DataFrame, task: TaskInfo, progress: bool) -> list[dict[str, Any] | None]:
    """A PNG of class numbers per sample."""
    table = annotation_table(frame, "bitmasks", task.name)
    refuse_unknown_classes(table, frame, task)
    names = task.class_names or table["class_name"].unique().sort().to_list()
    kind = np.uint8 if len(names) < 255 else np.uint16
    masks: dict[int, list[tuple[int, str]]] = {}
    for position, name, rle in table.select(POSITION, "class_name", "rle_string").iter_rows():
        masks.setdefault(position, []).append((names.index(name), rle))
    rows = frame.select("height", "width", pl.col("bitmasks").is_not_null()).rows()

    def draw(position: int) -> dict[str, Any] | None:
        height, width, annotated = rows[position]
        if not annotated:
            return None
        values = np.full((height, width), np.iinfo(kind).max, kind)
        for number, rle in masks.get(position, ()):
            values[decode_mask(rle, height, width)] = number
        stream = io.BytesIO()
        Image.fromarray(values).save(stream, "PNG")
        return {"bytes": stream.getvalue(), "path": None}

    return list(in_parallel(draw, range(len(frame)), "Writing masks", progress=progress))


def _lists(frame: pl.DataFrame, column: str, table: pl.DataFrame) -> pl.Series:
    """The second column of ``table`` as a list per sample; None where the sample has none in ``column``."""
    lengths = np.bincount(table[POSITION].to_numpy(), minlength=len(frame))
    values = table.to_series(1)
    return cut_lists(values.name, values, lengths, frame[column].is_null().to_numpy())
