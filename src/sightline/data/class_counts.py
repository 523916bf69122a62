"""Which classes occur in which samples: the basis of statistics and of stratified sampling."""

import polars as pl

from sightline.data.schema import PRIMITIVE_COLUMNS


def class_occurrences(frame: pl.DataFrame) -> pl.DataFrame:
    """One row per annotation of a sample itself (attributes are not counted).

    Columns: ``position`` (row in ``frame``), ``split``, ``column``, ``task_name``, ``class_name`` (for
    an annotation without a name its index, and "-" without either).
    """
    parts = [_occurrences(frame, column) for column in PRIMITIVE_COLUMNS]
    return pl.concat(parts)


def _occurrences(frame: pl.DataFrame, column: str) -> pl.DataFrame:
    fields = pl.col(column).struct
    return (
        frame.select(pl.int_range(pl.len(), dtype=pl.UInt32).alias("position"), "split", column)
        .filter(pl.col(column).list.len() > 0)
        .explode(column)
        .select(
            "position",
            "split",
            pl.lit(column).alias("column"),
            fields.field("task_name").alias("task_name"),
            pl.coalesce(
                fields.field("class_name"), fields.field("class_idx").cast(pl.String), pl.lit("-")
            ).alias("class_name"),
        )
    )
