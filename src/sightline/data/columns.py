"""From `Sample` objects to columns, and from rows back to `Sample` objects.

Objects become columns field by field: each field of all annotations of a chunk is one flat list, and
the lists of annotations per sample are cut out of those at the end. No dictionary is made on the way.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Any

import numpy as np
import polars as pl

from sightline.data.annotation_tables import cut_lists
from sightline.data.checks import Where, check_geometry, check_samples, plausible, refuse_deeper
from sightline.data.context import Attribution
from sightline.data.info import DatasetInfo
from sightline.data.primitives import PRIMITIVE_OF_COLUMN, Primitive
from sightline.data.sample import Sample
from sightline.data.schema import (
    CONTEXT_TYPES,
    META,
    PRIMITIVE_COLUMNS,
    SAMPLE_SCHEMA,
    annotation_type,
    attribute_columns,
    scalar_fields,
)
from sightline.data.tasks import with_classes
from sightline.errors import SightlineError

_CHUNK = 10_000  # samples whose columns exist as Python lists at once


def frame_from_samples(samples: Iterable[Sample], info: DatasetInfo) -> pl.DataFrame:
    """The samples as a frame of `SAMPLE_SCHEMA`, in the order given.

    Raises:
        SightlineError: a value of the wrong type or range, nesting that is too deep, or a class or task
            that ``info`` does not list; the sentence names the sample and the field.
    """
    stream, frames, start = iter(samples), [], 0
    while chunk := list(islice(stream, _CHUNK)):
        frames.append(_chunk_frame(chunk, start, info))
        start += len(chunk)
    if not frames:
        return pl.DataFrame(schema=SAMPLE_SCHEMA)
    frame = pl.concat(frames)
    indices = frame["sample_index"]
    if indices.null_count() or indices.n_unique() != len(indices):
        frame = frame.with_columns(pl.int_range(len(frame), dtype=pl.UInt64).alias("sample_index"))
    return frame


def _chunk_frame(samples: list[Sample], start: int, info: DatasetInfo) -> pl.DataFrame:
    for position, sample in enumerate(samples):
        if not isinstance(sample, Sample):
            raise SightlineError(
                f"sample {start + position} is of type {type(sample).__name__}; give Sample objects."
            )

    def where(position: int) -> str:
        return f"sample {start + position} ({samples[position].file_path})"

    columns: list[pl.Series] = []
    for name, dtype in SAMPLE_SCHEMA.items():
        values = list(map(attrgetter(name), samples))
        if name in PRIMITIVE_COLUMNS:
            columns.append(_annotation_lists(name, values, 0, where, info))
        elif name in CONTEXT_TYPES:
            rows = [None if value is None else _context_row(value) for value in values]
            columns.append(typed_series(name, rows, dtype, where))
        elif name == "meta":
            columns.append(_meta_series(values, where))
        else:
            columns.append(typed_series(name, values, dtype, where))
    frame = pl.DataFrame(columns).with_columns(
        pl.col("dataset_name").fill_null(pl.lit(info.dataset_name)),
    )
    check_samples(frame, where)
    return frame


def _annotation_lists(
    column: str, lists: Sequence[list[Primitive] | None], level: int, where: Where, info: DatasetInfo | None
) -> pl.Series:
    """One list of annotation structs per element of ``lists``, None where that is None."""
    dtype = pl.List(annotation_type(column, level))
    if all(annotations is None for annotations in lists):
        return pl.Series(column, [None], dtype).new_from_index(0, len(lists))
    lengths = [len(annotations) if annotations else 0 for annotations in lists]
    flat = list(chain.from_iterable(filter(None, lists)))
    owner = np.repeat(np.arange(len(lists)), lengths)

    def annotation_where(position: int) -> str:
        return f"{where(int(owner[position]))}: {column}"

    expected = PRIMITIVE_OF_COLUMN[column]
    for position, annotation in enumerate(flat):
        if not isinstance(annotation, expected):
            raise SightlineError(
                f"{annotation_where(position)} holds a {type(annotation).__name__}, "
                f"expected {expected.__name__}."
            )
    fields: dict[str, list[Any]] = {}
    for name in scalar_fields(column):
        fields[name] = list(map(attrgetter(name), flat))
    series: list[pl.Series] = []
    for name, field_type in scalar_fields(column).items():
        if name == "meta":
            series.append(_meta_series(fields[name], annotation_where))
        elif name == "points":
            series.append(_points_series(fields[name], annotation_where))
        else:
            series.append(typed_series(name, fields[name], field_type, annotation_where))
    series += [
        _annotation_lists(name, list(map(attrgetter(name), flat)), level + 1, annotation_where, None)
        for name in attribute_columns(column, level)
    ]
    refuse_deeper(column, flat, level, annotation_where)
    table = pl.DataFrame(series)
    if level == 0 and info is not None:
        table = with_classes(column, table, info, annotation_where)
    check_geometry(column, table, annotation_where)
    return cut_lists(column, table.to_struct("annotation"), np.array(lengths), _missing(lists))


def _missing(lists: Sequence[list | None]) -> np.ndarray:
    return np.fromiter((annotations is None for annotations in lists), dtype=bool, count=len(lists))


def typed_series(name: str, values: list[Any], dtype: pl.DataType, where: Where) -> pl.Series:
    """The values as a series; a value of another type is an error that names it, not a silent cast."""
    if isinstance(dtype, pl.List):  # polars would take a text for the list of its letters
        for position, value in enumerate(values):
            if not isinstance(value, list | tuple | None):
                raise SightlineError(_type_problem(where(position), name, value, dtype))
    try:
        return pl.Series(name, values, dtype, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        pass
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    try:
        return pl.Series(name, plain, dtype, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        for position, value in enumerate(plain):
            try:
                pl.Series(name, [value], dtype, strict=True)
            except (TypeError, OverflowError, pl.exceptions.PolarsError):
                raise SightlineError(_type_problem(where(position), name, value, dtype)) from None
        raise


def _type_problem(where: str, name: str, value: object, dtype: pl.DataType) -> str:
    return f"{where}: {name} is {value!r}, expected {_readable_type(dtype)}."


def _readable_type(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "a whole number"
    if dtype.is_float():
        return "a number"
    names = {pl.String(): "text", pl.Boolean(): "True or False", pl.List(pl.String): "a list of text"}
    return names.get(dtype, str(dtype))


def _meta_series(values: list[dict[str, Any] | None], where: Where) -> pl.Series:
    if all(value is None for value in values):
        return pl.Series("meta", [None], META).new_from_index(0, len(values))
    texts = [
        None if v is None else {"json": meta_text(v, where, position)} for position, v in enumerate(values)
    ]
    return pl.Series("meta", texts, META)


def meta_text(meta: Any, where: Where, position: int) -> str:
    """A ``meta`` object as JSON text; numpy scalars count as the numbers they are."""
    if not isinstance(meta, dict):
        raise SightlineError(f"{where(position)}: meta is {meta!r}, expected a dict.")
    try:
        return json.dumps(meta, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
    except (TypeError, ValueError) as error:
        raise SightlineError(f"{where(position)}: meta cannot be written as JSON ({error}).") from None


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not a JSON type")


def _points_series(lists: list[list[tuple[float, float]]], where: Where) -> pl.Series:
    lengths = [len(points) for points in lists]
    owner = np.repeat(np.arange(len(lists)), lengths)
    try:
        flat = np.array(list(chain.from_iterable(lists)), dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError):
        for position, points in enumerate(lists):
            if np.shape(points) != (len(points), 2):
                raise SightlineError(f"{where(position)}: points must be (x, y) pairs of numbers.") from None
        raise
    if len(flat) and not plausible(flat).all():
        position = int(owner[int(np.flatnonzero(~plausible(flat).all(axis=1))[0])])
        raise SightlineError(
            f"{where(position)}: points are not within 0..1; give fractions of the image's size."
        )
    points = pl.DataFrame({"x": flat[:, 0], "y": flat[:, 1]}).to_struct("points")
    return cut_lists("points", points, np.array(lengths), _missing(lists))


def _context_row(value: Any) -> dict[str, Any]:
    row = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, Attribution) and value.licenses is not None:
        row["licenses"] = [_context_row(license_) for license_ in value.licenses]
    return row
