"""From rows of `Dataset.samples` back to `Sample` objects.

For many rows this is the way of `sightline.data.columns` in reverse: each field of all annotations of
a block of rows becomes one flat list, fields that hold nothing are skipped, and the objects are made
from what is left. For a single row that would cost more than it saves.
"""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from sightline.data.context import Attribution, CameraInfo, License, Orientation, Position, VideoInfo
from sightline.data.primitives import PRIMITIVE_OF_COLUMN, Point, Primitive, Segmentation
from sightline.data.sample import Sample
from sightline.data.schema import CONTEXT_TYPES, PRIMITIVE_COLUMNS, SAMPLE_SCHEMA

_BLOCK = 2_000  # rows whose objects exist at once

_CONTEXT_CLASSES: dict[str, type] = {
    "attribution": Attribution,
    "video_info": VideoInfo,
    "camera_info": CameraInfo,
    "position": Position,
    "orientation": Orientation,
}


def samples_from_frame(frame: pl.DataFrame, segmentation_tasks: frozenset[str]) -> Iterator[Sample]:
    """The rows of a frame of `SAMPLE_SCHEMA` as objects, in order.

    ``segmentation_tasks`` names the tasks whose bitmasks are `Segmentation` objects.
    """
    for block in frame.iter_slices(_BLOCK):
        columns = [_values(block[name], segmentation_tasks) for name in SAMPLE_SCHEMA]
        names = tuple(SAMPLE_SCHEMA)
        for row in zip(*columns, strict=True):
            yield Sample(**dict(zip(names, row, strict=True)))


def sample_from_row(row: dict[str, Any], segmentation_tasks: frozenset[str]) -> Sample:
    """One row of a frame of `SAMPLE_SCHEMA`, as ``frame.row(i, named=True)`` gives it."""
    values = dict(row)
    for column in PRIMITIVE_COLUMNS:
        if values[column] is not None:
            values[column] = [_annotation(column, fields, segmentation_tasks) for fields in values[column]]
    for name in CONTEXT_TYPES:
        values[name] = _context(name, values[name])
    if values["meta"] is not None:
        values["meta"] = json.loads(values["meta"]["json"])
    return Sample(**values)


def _annotation(column: str, fields: dict[str, Any], segmentation_tasks: frozenset[str]) -> Any:
    values = {name: value for name, value in fields.items() if value is not None}
    for name in PRIMITIVE_COLUMNS:
        if name in values:
            values[name] = [_annotation(name, nested, segmentation_tasks) for nested in values[name]]
    if "meta" in values:
        values["meta"] = json.loads(values["meta"]["json"])
    if "points" in values:
        values["points"] = [Point(**point) for point in values["points"]]
    if column == "bitmasks" and values["task_name"] in segmentation_tasks:
        return Segmentation(**values)
    return PRIMITIVE_OF_COLUMN[column](**values)


def _values(column: pl.Series, segmentation_tasks: frozenset[str]) -> list[Any]:
    if column.null_count() == len(column):
        return [None] * len(column)
    if column.name in PRIMITIVE_COLUMNS:
        return _annotation_lists(column, segmentation_tasks)
    if column.name in CONTEXT_TYPES:
        return [_context(column.name, fields) for fields in column]
    if column.name == "meta":
        return [None if meta is None else json.loads(meta["json"]) for meta in column]
    return column.to_list()


def _annotation_lists(column: pl.Series, segmentation_tasks: frozenset[str]) -> list[list[Primitive] | None]:
    objects = iter(_annotations(column.name, _flat(column), segmentation_tasks))
    return [
        None if length is None else [next(objects) for _ in range(length)]
        for length in column.list.len().to_list()
    ]


def _flat(lists: pl.Series) -> pl.Series:
    """The elements of all lists, one after the other; neither None nor an empty list leaves a trace."""
    return lists.filter((lists.list.len() > 0).fill_null(value=False)).explode()


def _annotations(column: str, flat: pl.Series, segmentation_tasks: frozenset[str]) -> list[Any]:
    primitive = PRIMITIVE_OF_COLUMN[column]
    names: list[str] = []
    columns: list[list[Any]] = []
    for name in flat.struct.fields:
        values = flat.struct.field(name)
        if values.null_count() == len(values):
            continue
        names.append(name)
        if name in PRIMITIVE_COLUMNS:
            columns.append(_annotation_lists(values, segmentation_tasks))
        elif name == "meta":
            columns.append([None if meta is None else json.loads(meta["json"]) for meta in values])
        elif name == "points":
            columns.append([[Point(**point) for point in points] for points in values.to_list()])
        else:
            columns.append(values.to_list())
    if column == "bitmasks" and segmentation_tasks:
        kinds = [
            Segmentation if task in segmentation_tasks else primitive
            for task in flat.struct.field("task_name").to_list()
        ]
        rows = zip(*columns, strict=True)
        return [kind(**dict(zip(names, row, strict=True))) for kind, row in zip(kinds, rows, strict=True)]
    return [primitive(**dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def _context(name: str, fields: dict[str, Any] | None) -> Any:
    if fields is None:
        return None
    if fields.get("licenses") is not None:
        fields["licenses"] = [License(**license_) for license_ in fields["licenses"]]
    return _CONTEXT_CLASSES[name](**fields)
