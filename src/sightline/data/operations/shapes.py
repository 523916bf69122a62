"""The same objects as another primitive: boxes from masks, masks from polygons, and back."""

from typing import TYPE_CHECKING, Literal

import polars as pl

from sightline.data.annotation_tables import annotation_table, with_annotations
from sightline.data.formats.repairs import Repairs
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.operations import shape_tables as tables
from sightline.data.primitives import Bbox, Bitmask, Classification, Polygon, Primitive, Segmentation
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

Shape = Literal["Bbox", "Polygon", "Bitmask", "Segmentation"]

_SHAPES: dict[str, type[Primitive]] = {kind.__name__: kind for kind in (Bbox, Polygon, Bitmask, Segmentation)}


def convert_task(
    dataset: "Dataset",
    task: str,
    to: Shape,
    new_name: str | None = None,
    connected_parts: bool = False,
    progress: bool = True,
) -> "Dataset":
    """The annotations of a task as another primitive; classes, object ids and attributes are kept.

    * A box is the smallest around the object; the polygon or mask of a box is its rectangle.
    * A mask holds the pixels whose centres are inside the polygon, by the rule of COCO's tools. Polygons
      of a sample that share an ``object_id`` are parts of one object and become one mask, or one box.
    * A polygon runs along the edges of the mask's pixels, so the way back gives the same mask. A mask of
      several parts becomes several polygons that share an ``object_id`` (made up where it has none); a
      hole is joined to the outline by a cut without width.
    * A segmentation holds, of each class, the pixels where no later object of the sample lies. What
      belongs to single objects (ids, confidence, attributes) has no place in it.
    * Masks of a segmentation are one per class, or with ``connected_parts`` one per connected part
      (pixels that share an edge). Polygons and boxes of a segmentation are one per connected part.

    ``area`` is that of the new shape. Objects of which nothing is left (a polygon that holds no pixel's
    centre) are left out, with a warning that counts them.

    Args:
        dataset: stays as it is.
        task: name of the task.
        to: the primitive to convert to.
        new_name: add the result beside the task, under this name; None replaces the task.
        connected_parts: make an object of its own of each connected part of a mask.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no such task, it has no shape or has that one already, ``new_name`` is taken, or
            a mask was made for an image of another size.
    """
    source = task_with_shape(dataset.info, task)
    target = _SHAPES.get(to)
    if target is None:
        raise SightlineError(f"to='{to}' is not one of {', '.join(_SHAPES)}.")
    if source.primitive is target and not (connected_parts and target is Bitmask):
        raise SightlineError(f"task '{source.name}' holds {to} annotations already.")
    name = source.name if new_name is None else new_name
    replaced = new_name is None
    if not replaced and any(other.name == name for other in dataset.info.tasks):
        raise SightlineError(f"dataset '{dataset.info.dataset_name}' has a task '{name}'; choose a new_name.")

    table = tables.with_image_sizes(
        annotation_table(dataset.samples, source.primitive.column, source.name), dataset.samples
    )
    repairs = Repairs(f"task '{source.name}' as {to}")
    converted = converted_table(table, source.primitive, target, repairs, connected_parts, progress)
    repairs.report()

    frame = dataset.samples
    if replaced:
        frame = _without_task(frame, source, dataset.info)
    column = target.column
    annotated = dataset.samples[source.primitive.column].is_not_null()
    frame = frame.with_columns(
        pl.when(pl.col(column).is_null() & annotated).then([]).otherwise(column).alias(column)
    )
    converted = converted.with_columns(pl.lit(name).alias("task_name"))
    both = pl.concat([annotation_table(frame, column), converted], how="diagonal")
    new_task = source.model_copy(update={"primitive": target, "name": name})
    others = [other for other in dataset.info.tasks if not replaced or other is not source]
    place = dataset.info.tasks.index(source) if replaced else len(others)
    info = dataset.info.model_copy(update={"tasks": [*others[:place], new_task, *others[place:]]})
    return dataset.replace(info=info, samples=with_annotations(frame, column, both))


def task_with_shape(info: DatasetInfo, task: str | None) -> TaskInfo:
    """The task of that name, or the only one whose annotations have a place in the image.

    Raises:
        SightlineError: there is no such task, or more than one.
    """
    if task is None:
        shaped = [entry for entry in info.tasks if entry.primitive is not Classification]
        if len(shaped) == 1:
            return shaped[0]
        listed = ", ".join(f"'{entry.name}'" for entry in shaped) or "none"
        raise SightlineError(
            f"dataset '{info.dataset_name}' has several tasks with shapes or none ({listed}); "
            "name one of them as task."
        )
    found = info.task(task)
    if found.primitive is Classification:
        raise SightlineError(f"task '{task}' holds Classification annotations, which have no shape.")
    return found


def converted_table(
    table: pl.DataFrame,
    source: type[Primitive],
    target: type[Primitive],
    repairs: Repairs,
    connected_parts: bool = False,
    progress: bool = True,
) -> pl.DataFrame:
    """``table`` of ``source`` annotations, with image sizes, as a table of ``target`` annotations.

    See `convert_task`; ``repairs`` counts what is left out.
    """
    shape = Bitmask if source is Segmentation else source
    if shape is Bitmask and target is not Segmentation:
        if connected_parts or (source is Segmentation and target is not Bitmask):
            table = tables.connected_parts(table, progress)
        elif target is Polygon:
            return tables.without_sizes(tables.polygons_of_masks(table, repairs, progress))
    if shape is Bbox and target is not Bbox:
        table, shape = tables.polygons_of_boxes(table), Polygon
    if shape is Polygon and target is Bbox:
        table = tables.boxes_of_polygons(table, repairs)
    elif shape is Polygon and target is not Polygon:
        table, shape = tables.masks_of_polygons(table, repairs, progress), Bitmask
    if shape is Bitmask and target is Bbox:
        table = tables.boxes_of_masks(table, repairs)
    elif shape is Bitmask and target is Polygon:
        table = tables.polygons_of_masks(table, repairs, progress)
    elif target is Segmentation:
        table = tables.segmentation_of_masks(table, repairs, progress)
    return tables.without_sizes(table)


def _without_task(frame: pl.DataFrame, task: TaskInfo, info: DatasetInfo) -> pl.DataFrame:
    column = task.primitive.column
    if not any(other.primitive.column == column for other in info.tasks if other is not task):
        return frame.with_columns(pl.lit(None, frame.schema[column]).alias(column))
    table = annotation_table(frame, column).filter(pl.col("task_name") != task.name)
    return with_annotations(frame, column, table)
