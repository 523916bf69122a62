"""Bring annotations that something else wrote (or an older format holds) into the fixed schema.

Known differences: ``file_name`` for ``file_path``, ``objects`` for ``bboxes``, ``rleString`` for
``rle_string``; columns and fields that are absent; ``meta`` as a struct of whatever keys occurred;
and RLEs that cover a bitmask's bounding box instead of the whole image.
"""

import logging
from typing import Any

import numpy as np
import polars as pl

from sightline.data.primitives import PRIMITIVE_OF_COLUMN
from sightline.data.primitives.rle import decode_mask, encode_mask, rle_length
from sightline.data.schema import META, SAMPLE_SCHEMA, data_type
from sightline.data.splits import UNDEFINED, split_from_name
from sightline.errors import SightlineError

logger = logging.getLogger(__name__)

_OLD_COLUMNS = {"file_name": "file_path", "objects": "bboxes"}
_OLD_FIELDS = {"rle_string": "rleString"}


def conform(frame: pl.DataFrame, dataset_name: str) -> pl.DataFrame:
    """The frame in `SAMPLE_SCHEMA`, in our conventions; what fits nowhere is left out with a warning in
    the log.

    Raises:
        SightlineError: a column or field whose type cannot be brought to the schema's, or that has to
            be there and is not.
    """
    renames = {
        old: new for old, new in _OLD_COLUMNS.items() if old in frame.columns and new not in frame.columns
    }
    frame = frame.rename(renames)
    for name in ("height", "width"):
        if name not in frame.columns:
            raise SightlineError(f"column '{name}' is missing; write the annotations again with it.")
    return _with_whole_image_masks(_with_defaults(with_full_schema(frame), dataset_name))


def with_full_schema(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in `SAMPLE_SCHEMA`: absent columns and fields added as null, types converted.

    Raises:
        SightlineError: a column or field whose type cannot be brought to the schema's.
    """
    left_out = [name for name in frame.columns if name not in SAMPLE_SCHEMA and _holds(frame[name])]
    schema = frame.schema
    columns = [
        _converted(pl.col(name), schema[name], dtype, name, left_out).alias(name)
        if name in schema
        else pl.lit(None, dtype).alias(name)
        for name, dtype in SAMPLE_SCHEMA.items()
    ]
    if left_out:
        logger.warning("left out, because the schema has no place for it: %s", ", ".join(left_out))
    try:
        return frame.select(columns)
    except pl.exceptions.PolarsError as error:
        raise SightlineError(f"a column does not hold what its name says ({error}).") from error


def _converted(
    expr: pl.Expr, source: pl.DataType, target: pl.DataType, path: str, left_out: list[str]
) -> pl.Expr:
    if source == target:
        return expr
    if source == pl.Null():
        return pl.lit(None, target)
    if isinstance(target, pl.List) and isinstance(source, pl.List):
        inner = _converted(pl.element(), data_type(source.inner), data_type(target.inner), path, left_out)
        # A literal alone has length one, whatever the length of the list.
        return expr.list.eval(pl.when(pl.element().is_not_null()).then(inner))
    if isinstance(target, pl.Struct) and isinstance(source, pl.Struct):
        fields = {field.name: data_type(field.dtype) for field in source.fields}
        if target == META:
            value = pl.struct(expr.struct.json_encode().alias("json"))
        else:
            value = pl.struct(_fields(expr, fields, target, path, left_out))
        return pl.when(expr.is_not_null()).then(value)
    if source.is_nested() or target.is_nested():
        raise SightlineError(f"column '{path}' is of type {source}, expected {target}.")
    if target == pl.String() and source.is_temporal():
        return expr.dt.to_string("iso")
    return expr.cast(target)


def _fields(
    expr: pl.Expr, fields: dict[str, pl.DataType], target: pl.Struct, path: str, left_out: list[str]
) -> list[pl.Expr]:
    result = []
    used: set[str] = set()
    for field in target.fields:
        name = field.name if field.name in fields else _OLD_FIELDS.get(field.name, field.name)
        if name in fields:
            used.add(name)
            value = expr.struct.field(name)
            inner = f"{path}.{name}"
            result.append(
                _converted(value, fields[name], data_type(field.dtype), inner, left_out).alias(field.name)
            )
        else:
            result.append(pl.lit(None, data_type(field.dtype)).alias(field.name))
    left_out += [
        f"{path}.{name}" for name, dtype in fields.items() if name not in used and dtype != pl.Null()
    ]
    return result


def _holds(column: pl.Series) -> bool:
    return column.null_count() < len(column)


def _with_defaults(frame: pl.DataFrame, dataset_name: str) -> pl.DataFrame:
    """Fill what may not be unknown, and map the spellings of splits."""
    names = frame["split"].drop_nulls().unique()
    splits = {name: split_from_name(name) or UNDEFINED for name in names}
    unknown = sorted(name for name in names if split_from_name(name) is None)
    if unknown:
        logger.warning("taken as %s, because they name no split: %s", UNDEFINED, ", ".join(unknown))
    frame = frame.with_columns(
        pl.col("split").replace_strict(splits, default=UNDEFINED, return_dtype=pl.String)
        if splits
        else pl.lit(UNDEFINED).alias("split"),
        pl.col("tags").fill_null(pl.lit([], pl.List(pl.String))),
        pl.col("storage_format").fill_null("image"),
        pl.col("dataset_name").fill_null(dataset_name),
        *[_annotation_defaults(column) for column in PRIMITIVE_OF_COLUMN if _holds(frame[column])],
    )
    if frame["sample_index"].null_count():
        frame = frame.with_columns(pl.int_range(len(frame), dtype=pl.UInt64).alias("sample_index"))
    return frame


def _annotation_defaults(column: str) -> pl.Expr:
    task_name = PRIMITIVE_OF_COLUMN[column].__dataclass_fields__["task_name"].default
    field = pl.field("task_name")
    return pl.col(column).list.eval(
        pl.element().struct.with_fields(
            pl.when(field.is_null() | (field == ""))
            .then(pl.lit(task_name))
            .otherwise(field)
            .alias("task_name"),
            pl.field("ground_truth").fill_null(value=True),
        )
    )


def _with_whole_image_masks(frame: pl.DataFrame) -> pl.DataFrame:
    """Re-encode the masks whose RLE covers their bounding box only, nested ones included."""
    for column in ("bboxes", "bitmasks", "polygons"):
        if _holds(frame[column]) and (column == "bitmasks" or _holds_nested_masks(frame[column])):
            frame = _with_whole_image_masks_in(frame, column)
    return frame


def _holds_nested_masks(lists: pl.Series) -> bool:
    return _holds(lists.drop_nulls().explode().struct.field("bitmasks"))


def _with_whole_image_masks_in(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    changed = False
    rows: list[list[dict[str, Any]] | None] = []
    for path, height, width, annotations in frame.select("file_path", "height", "width", column).iter_rows():
        for annotation in annotations or ():
            masks = list(annotation["bitmasks"] or ())
            if column == "bitmasks":
                masks.append(annotation)
            try:
                for mask in masks:
                    if rle_length(mask["rle_string"]) != height * width:
                        mask["rle_string"] = _whole_image_rle(mask, height, width)
                        changed = True
            except SightlineError as error:
                raise SightlineError(f"sample {path}: {error}") from None
        rows.append(annotations)
    return frame.with_columns(pl.Series(column, rows, SAMPLE_SCHEMA[column])) if changed else frame


def _whole_image_rle(mask: dict[str, Any], height: int, width: int) -> str:
    top, left = mask["top"], mask["left"]
    if min(top, left) < 0 or top + mask["height"] > height or left + mask["width"] > width:
        raise SightlineError(
            f"a bitmask at top {top}, left {left} of {mask['height']} x {mask['width']} pixels reaches "
            f"outside its image of {height} x {width}."
        )
    whole = np.zeros((height, width), dtype=bool)
    crop = decode_mask(mask["rle_string"], mask["height"], mask["width"])
    whole[top : top + mask["height"], left : left + mask["width"]] = crop
    return encode_mask(whole)
