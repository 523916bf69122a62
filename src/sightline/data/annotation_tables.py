"""Annotations as flat tables: one row per annotation, with the ``position`` of its sample.

Everything that works on all annotations of a dataset at once (formats, operations, statistics) takes
them out of the frame with `annotation_table`, works on columns, and puts them back with
`with_annotations`. No Python object per annotation exists on the way.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from sightline.data.checks import Where, check_geometry, check_samples
from sightline.data.info import DatasetInfo
from sightline.data.primitives import PRIMITIVE_OF_COLUMN
from sightline.data.schema import PRIMITIVE_COLUMNS, SAMPLE_SCHEMA, annotation_type
from sightline.data.splits import UNDEFINED
from sightline.data.tasks import with_classes
from sightline.errors import SightlineError

POSITION = "position"
"""The column of an annotation table that holds the row of the annotation's sample, from 0, UInt32."""


def annotation_table(frame: pl.DataFrame, column: str, task_name: str | None = None) -> pl.DataFrame:
    """One row per annotation in ``column``, samples in order: `POSITION` and all fields of an annotation.

    Args:
        frame: of `SAMPLE_SCHEMA`.
        column: one of `PRIMITIVE_COLUMNS`.
        task_name: only the annotations of that task; None for all.
    """
    table = (
        frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias(POSITION), column)
        .filter(pl.col(column).list.len() > 0)
        .explode(column)
        .unnest(column)
    )
    return table if task_name is None else table.filter(pl.col("task_name") == task_name)


def with_annotations(frame: pl.DataFrame, column: str, table: pl.DataFrame) -> pl.DataFrame:
    """``frame`` with the annotations in ``column`` replaced by those of ``table``.

    ``table`` has `POSITION` and any fields of an annotation; those that it lacks become null, and within
    a sample its order is kept. A sample without rows has an empty list where it had a list before, and
    None where it had none.

    Raises:
        SightlineError: a field that an annotation in ``column`` does not have, or of another type.
    """
    annotated = frame[column].is_not_null().to_numpy()
    return frame.with_columns(_lists(column, table, annotated))


def frame_from_tables(
    info: DatasetInfo, samples: pl.DataFrame, tables: Mapping[str, pl.DataFrame | None]
) -> pl.DataFrame:
    """A frame of `SAMPLE_SCHEMA` from columns; see `Dataset.from_tables`."""
    count = len(samples)
    frame = _conform("samples", samples, dict(SAMPLE_SCHEMA.items()), set(PRIMITIVE_COLUMNS))
    frame = frame.with_columns(
        pl.col("split").fill_null(UNDEFINED),
        pl.col("tags").fill_null(pl.lit([], pl.List(pl.String))),
        pl.col("storage_format").fill_null("image"),
        pl.col("dataset_name").fill_null(info.dataset_name),
    )
    indices = frame["sample_index"]
    if indices.null_count() or indices.n_unique() != count:
        frame = frame.with_columns(pl.int_range(pl.len(), dtype=pl.UInt64).alias("sample_index"))

    def where(position: int) -> str:
        return f"sample {position} ({frame['file_path'][position]})"

    check_samples(frame, where)
    lists = [
        _lists(column, checked_table(column, table, info, where), np.ones(count, dtype=bool))
        for column, table in tables.items()
        if table is not None
    ]
    return frame.with_columns(lists).select(SAMPLE_SCHEMA.names())


def checked_table(column: str, table: pl.DataFrame, info: DatasetInfo, where: Where) -> pl.DataFrame:
    """``table`` with every field of an annotation, defaults and classes filled in, and checked.

    ``task_name`` defaults to the only task that ``info`` has for the column, ``ground_truth`` to True;
    ``class_name`` and ``class_idx`` complete each other.

    Raises:
        SightlineError: a field of another type, a box in pixels, a task or class that ``info`` does not
            list; the sentence names the sample and the field.
    """
    if POSITION not in table.columns:
        raise SightlineError(
            f"the table of {column} has no column '{POSITION}', the row of each one's sample."
        )
    fields = _field_types(column)
    result = _conform(f"the table of {column}", table, {POSITION: pl.UInt32()} | fields, set())
    tasks = [task.name for task in info.tasks if task.primitive.column == column]
    default = (
        tasks[0] if len(tasks) == 1 else PRIMITIVE_OF_COLUMN[column].__dataclass_fields__["task_name"].default
    )
    result = result.with_columns(
        pl.col("task_name").fill_null(default), pl.col("ground_truth").fill_null(value=True)
    )
    positions = result[POSITION]
    if positions.null_count():
        raise SightlineError(
            f"the table of {column} has rows without '{POSITION}', the row of each one's sample."
        )

    def annotation_where(row: int) -> str:
        return f"{where(int(positions[row]))}: {column}"

    result = with_classes(column, result, info, annotation_where)
    check_geometry(column, result, annotation_where)
    return result


def cut_lists(name: str, flat: pl.Series, lengths: np.ndarray, missing: np.ndarray) -> pl.Series:
    """Cut ``flat`` into consecutive lists of the given lengths; None where ``missing``, else maybe empty."""
    count = len(lengths)
    owner = pl.Series(np.repeat(np.arange(count, dtype=np.uint32), lengths.astype(np.int64))).set_sorted()
    filled = pl.DataFrame({"owner": owner, name: flat}).group_by("owner", maintain_order=True).agg(name)[name]
    if len(filled) == count:
        return filled
    empty = pl.Series(name, [[]], pl.List(flat.dtype))
    absent = pl.Series(name, [None], pl.List(flat.dtype))
    pool = pl.concat([filled, empty, absent], rechunk=True)  # of several chunks it gathers 300 times slower
    held = lengths > 0
    places = np.where(held, np.cumsum(held) - 1, len(filled))
    places[missing & ~held] = len(filled) + 1
    return pool.gather(places)


def _lists(column: str, table: pl.DataFrame, annotated: np.ndarray) -> pl.Series:
    """One list of annotations per sample, from a table; see `with_annotations`."""
    table = _conform(f"the table of {column}", table, {POSITION: pl.UInt32()} | _field_types(column), set())
    positions = table[POSITION]
    if not positions.is_sorted():
        table = table.sort(POSITION, maintain_order=True)
        positions = table[POSITION]
    if len(positions) and int(positions[-1]) >= len(annotated):
        raise SightlineError(
            f"the table of {column} has a row for sample {positions[-1]} of {len(annotated)}; "
            f"'{POSITION}' counts samples from 0."
        )
    lengths = np.bincount(positions.to_numpy(), minlength=len(annotated))
    return cut_lists(column, table.drop(POSITION).to_struct(column), lengths, ~annotated)


def _field_types(column: str) -> dict[str, pl.DataType]:
    return {field.name: field.dtype for field in annotation_type(column).fields}  # pyright: ignore[reportReturnType]


def _conform(
    what: str, table: pl.DataFrame, types: Mapping[str, pl.DataType], left_out: set[str]
) -> pl.DataFrame:
    """``table`` with exactly the columns of ``types``; null where it lacks one."""
    unknown = [name for name in table.columns if name not in types or name in left_out]
    if unknown:
        known = ", ".join(name for name in types if name not in left_out)
        raise SightlineError(f"{what} has no column '{unknown[0]}'; it may have {known}.")
    columns: list[pl.Series | pl.Expr] = []
    for name, dtype in types.items():
        if name not in table.columns:
            columns.append(pl.lit(None, dtype).alias(name))
        elif table.schema[name] == dtype:
            columns.append(pl.col(name))
        else:
            columns.append(_cast(what, table[name], dtype))
    # A frame without columns has no height for the literals to be repeated to.
    base = table if table.columns else pl.DataFrame({"": []})
    return base.select(columns)


def _cast(what: str, values: pl.Series, dtype: pl.DataType) -> pl.Series:
    numeric = values.dtype.is_numeric() and dtype.is_numeric()
    alike = numeric or values.dtype == pl.Null or values.dtype.is_nested() == dtype.is_nested()
    if not alike or (
        (values.dtype == pl.String) != (dtype == pl.String)
        and values.dtype not in (pl.Null, pl.Categorical)
        and not isinstance(values.dtype, pl.Enum)
    ):
        raise SightlineError(f"{what}: column '{values.name}' is {values.dtype}, expected {dtype}.")
    if values.dtype.is_float() and dtype.is_integer() and not (values.drop_nulls() % 1 == 0).all():
        raise SightlineError(f"{what}: column '{values.name}' is {values.dtype}, expected whole numbers.")
    try:
        return values.cast(dtype)
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise SightlineError(
            f"{what}: column '{values.name}' is {values.dtype}, expected {dtype} ({first})."
        ) from None
