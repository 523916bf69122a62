"""The annotations of several tasks as COCO has them: one row per object, with its box, rings and mask."""

from collections.abc import Sequence

import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.formats.coco.masks import mask_areas
from sightline.data.formats.fitting import refuse_unknown_classes
from sightline.data.formats.repairs import Repairs
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Bbox, Bitmask, Classification, Polygon, Segmentation
from sightline.data.schema import attribute_columns
from sightline.errors import SightlineError

BOX = ("x", "y", "w", "h")
"""Left, top, width and height of an object's box, in pixels."""

_KEY = (POSITION, "key", "class_name", "nth")
_COMMON = ("object_id", "confidence", "json")
_AREAS = ("area", "measured_area")


def tasks_to_write(info: DatasetInfo, task: str | Sequence[str] | None) -> list[TaskInfo]:
    """The tasks named; by default those of boxes, polygons and masks, or a segmentation alone.

    Raises:
        SightlineError: a task that there is not or that has no place in COCO, or more than one of a kind.
    """
    if task is not None:
        names = [task] if isinstance(task, str) else list(task)
        tasks = [info.task(name) for name in dict.fromkeys(names)]
        unfit = [found for found in tasks if found.primitive is Classification]
        if unfit or not tasks:
            what = f"task '{unfit[0].name}' is of Classification" if unfit else "no task is named"
            raise SightlineError(f"{what}; COCO takes boxes, polygons and masks.")
    else:
        tasks = [found for found in info.tasks if found.primitive in (Bbox, Polygon, Bitmask)]
        tasks = tasks or [found for found in info.tasks if found.primitive is Segmentation]
        if not tasks:
            raise SightlineError(
                f"dataset '{info.dataset_name}' has no task of boxes, polygons or masks; COCO takes those."
            )
    columns = [found.primitive.column for found in tasks]
    for found in tasks:
        if columns.count(found.primitive.column) > 1:
            same = [other.name for other in tasks if other.primitive.column == found.primitive.column]
            raise SightlineError(
                f"tasks {', '.join(map(repr, same))} are of the same kind, so one file cannot hold both; "
                "name the task to write."
            )
    return tasks


def classes_of(tasks: Sequence[TaskInfo], frame: pl.DataFrame) -> list[str]:
    """The classes of the tasks in their order; of a task without fixed ones, those that occur, sorted."""
    names: list[str] = []
    for task in tasks:
        if task.class_names is not None:
            names += task.class_names
        else:
            names += (
                annotation_table(frame, task.primitive.column, task.name)["class_name"]
                .drop_nulls()
                .unique()
                .sort()
            )
    return list(dict.fromkeys(names))


def coco_objects(
    frame: pl.DataFrame, tasks: Sequence[TaskInfo], repairs: Repairs, *, chosen: bool
) -> pl.DataFrame:
    """One row per object, samples in order, lengths in pixels; what is left out is in ``repairs``.

    Columns: position, class_name, object_id, confidence, json (its ``meta``), `BOX`, area, and as far as
    the tasks have them points (a list of rings) and rle_string. Regions of several tasks are one object
    where image, ``object_id`` and class agree.

    ``chosen`` says that the tasks were named; otherwise tasks that share no ids are refused.

    Raises:
        SightlineError: an annotation without a class, or tasks whose objects cannot be told to be the same.
    """
    sizes = frame.select(pl.col("height").alias("image_height"), pl.col("width").alias("image_width"))
    tables = [(task, _regions(frame, sizes, task, repairs)) for task in tasks]
    tables = [(task, table) for task, table in tables if len(table)] or tables[:1]
    name, objects = tables[0][0].name, tables[0][1]
    for task, table in tables[1:]:
        objects = _joined(objects, table, None if chosen else (name, task.name))
    if {"points", "rle_string"} <= set(objects.columns):
        both = objects["points"].is_not_null() & objects["rle_string"].is_not_null()
        if both.any():
            example = f"one of {frame['file_path'][int(objects[POSITION].filter(both)[0])]}"
            repairs.add("polygons left out, as their object has a mask too", example, int(both.sum()))
    areas = pl.coalesce("area", "measured_area").alias("area")
    return objects.with_columns(areas).drop("measured_area").sort(POSITION, maintain_order=True)


def _regions(frame: pl.DataFrame, sizes: pl.DataFrame, task: TaskInfo, repairs: Repairs) -> pl.DataFrame:
    """The objects of one task."""
    column = task.primitive.column
    table = annotation_table(frame, column, task.name)
    nested = attribute_columns(column, 0)
    carries = table.select(pl.any_horizontal(pl.col(nested).list.len() > 0)).to_series()
    if carries.any():
        example = frame["file_path"][int(table[POSITION].filter(carries)[0])]
        what = f"annotations of task '{task.name}' written without their attributes"
        repairs.add(what, f"one of {example}", int(carries.sum()))
    table = table.drop(nested)
    table = pl.concat([table, sizes[table[POSITION]]], how="horizontal")
    unnamed = table["class_name"].is_null()
    if unnamed.any():
        position = int(table[POSITION][int(unnamed.arg_true()[0])])
        raise SightlineError(
            f"sample {position} ({frame['file_path'][position]}): an annotation of task '{task.name}' has no "
            "class_name, and COCO needs one."
        )
    refuse_unknown_classes(table, frame, task)
    pixels = pl.col("image_height") * pl.col("image_width")
    table = table.with_columns(
        pl.col("meta").struct.field("json"),
        # Without an id it is an object of its own, of a key that no id can be.
        pl.coalesce("object_id", pl.format("\0{}{}", pl.lit(column), pl.int_range(pl.len()))).alias("key"),
        (pl.col("area") * pixels).alias("area"),
    )
    if column == "polygons":
        return _from_polygons(table)
    if column == "bitmasks":
        table = table.with_columns(
            *(pl.col(old).cast(pl.Float64).alias(new) for old, new in zip(_MASK_BOX, BOX, strict=True)),
            _mask_areas(table).alias("measured_area"),
        )
        return _numbered(table, "rle_string")
    table = table.with_columns(
        (pl.col("top_left_x") * pl.col("image_width")).alias("x"),
        (pl.col("top_left_y") * pl.col("image_height")).alias("y"),
        (pl.col("width") * pl.col("image_width")).alias("w"),
        (pl.col("height") * pl.col("image_height")).alias("h"),
    )
    return _numbered(table.with_columns((pl.col("w") * pl.col("h")).alias("measured_area")))


def _mask_areas(table: pl.DataFrame) -> pl.Series:
    if not table["area"].null_count():
        return table["area"]  # counting the pixels of many masks takes long
    return mask_areas(*table.select("rle_string", "image_height", "image_width").get_columns())


_MASK_BOX = ("left", "top", "width", "height")


def _numbered(table: pl.DataFrame, *geometry: str) -> pl.DataFrame:
    """With ``nth``, which tells apart what one image has twice under the same id and class."""
    nth = pl.lit(0, pl.Int64)
    if table["object_id"].null_count() < len(table):
        nth = pl.int_range(pl.len()).over(*_KEY[:3])
    return table.select(*_KEY[:3], nth.alias("nth"), *_COMMON, *BOX, *_AREAS, *geometry)


def _from_polygons(table: pl.DataFrame) -> pl.DataFrame:
    """Rings of one object put together: their bounds, and the sum of their areas."""
    rings = (
        table.with_row_index("ring")
        .select("ring", "points", "image_width", "image_height")
        .explode("points")
        .select(
            "ring",
            (pl.col("points").struct.field("x") * pl.col("image_width")).alias("x"),
            (pl.col("points").struct.field("y") * pl.col("image_height")).alias("y"),
        )
        .group_by("ring", maintain_order=True)
        .agg(
            # The shoelace formula; rings are closed by joining the last point to the first.
            ((pl.col("x") * pl.col("y").shift(-1, fill_value=pl.col("y").first())).sum()
             - (pl.col("y") * pl.col("x").shift(-1, fill_value=pl.col("x").first())).sum()
             ).abs().truediv(2).alias("measured_area"),
            pl.col("x").min(), pl.col("y").min(),
            pl.col("x").max().alias("right"), pl.col("y").max().alias("bottom"),
            pl.concat_list("x", "y").explode().alias("points"),
        )
    )  # fmt: skip
    table = pl.concat([table.drop("points"), rings.drop("ring")], how="horizontal")
    objects = table.group_by(*_KEY[:3], maintain_order=True).agg(
        pl.col(_COMMON).drop_nulls().first(),
        pl.col("x", "y").min(),
        (pl.col("right").max() - pl.col("x").min()).alias("w"),
        (pl.col("bottom").max() - pl.col("y").min()).alias("h"),
        pl.when(pl.col("area").is_not_null().all()).then(pl.col("area").sum()).alias("area"),
        pl.col("measured_area").sum(),
        pl.col("points"),
    )
    return _numbered(objects, "points")


def _joined(first: pl.DataFrame, second: pl.DataFrame, refuse: tuple[str, str] | None) -> pl.DataFrame:
    """Objects with the regions of both; ``second``'s area is that of the object, not of its box."""
    both = first.join(second, on=_KEY, how="full", coalesce=True, maintain_order="left_right")
    if refuse is not None and len(both) == len(first) + len(second):
        raise SightlineError(
            f"the annotations of tasks '{refuse[0]}' and '{refuse[1]}' share no object_id, so objects would "
            "be written twice; name the tasks to write."
        )
    both = both.with_columns(
        *(pl.coalesce(name, f"{name}_right").alias(name) for name in (*_COMMON, *BOX)),
        *(pl.coalesce(f"{name}_right", name).alias(name) for name in _AREAS),
    )
    return both.drop([name for name in both.columns if name.endswith("_right")])
