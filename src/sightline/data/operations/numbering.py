"""Annotations after the classes of their task have changed: names completed, indices counted anew.

A class may have attributes, whose tasks have classes of their own, so a class index within an attribute
depends on the class of the annotation that carries it.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table, cut_lists
from sightline.data.info import TaskInfo
from sightline.data.schema import PRIMITIVE_COLUMNS

_OWNER = "owner"
_CLASS_KEYS = [_OWNER, "task_name", "class_name"]


def class_name_of(task: TaskInfo) -> pl.Expr:
    """The class names of the rows of ``task``, also of those that have only an index."""
    names = task.class_names
    if not names:
        return pl.col("class_name")
    by_index = pl.col("class_idx").replace_strict(
        range(len(names)), names, default=None, return_dtype=pl.String
    )
    return pl.coalesce("class_name", by_index)


def renumbered(table: pl.DataFrame, column: str, tasks: Iterable[TaskInfo]) -> pl.DataFrame:
    """``table`` (see `annotation_table`) with ``class_idx`` counted from ``class_name`` and ``tasks``.

    Attributes are counted too. Where a task has no fixed classes, or a name is missing, the index stays;
    a name that the task does not list has none.
    """
    return _renumbered(table.with_columns(pl.lit(0).alias(_OWNER)), column, [(0, t) for t in tasks]).drop(
        _OWNER
    )


def with_attributes(
    table: pl.DataFrame, column: str, attributes: pl.DataFrame, missing: pl.Series | None = None
) -> pl.DataFrame:
    """``table`` with the attribute lists in ``column`` replaced by the rows of ``attributes``.

    Their `POSITION` is the row of ``table``. A row without any has None where ``missing`` says so, else an
    empty list; by default what it had before.
    """
    ordered = attributes.sort(POSITION, maintain_order=True)
    lengths = np.bincount(ordered[POSITION].to_numpy(), minlength=len(table))
    absent = table[column].is_null() if missing is None else missing
    return table.with_columns(
        cut_lists(column, ordered.drop(POSITION).to_struct(column), lengths, absent.to_numpy())
    )


def _renumbered(table: pl.DataFrame, column: str, owned: Sequence[tuple[int, TaskInfo]]) -> pl.DataFrame:
    """As `renumbered`; ``owned`` are the tasks of each owner, a number for the class that carries them."""
    owned = [
        (owner, task) for owner, task in owned if task.primitive.column == column and task.classes is not None
    ]
    listed = [
        (owner, task.name, index, info)
        for owner, task in owned
        for index, info in enumerate(task.classes or ())
    ]
    classes = pl.DataFrame(
        {
            _OWNER: [owner for owner, *_ in listed],
            "task_name": [task_name for _, task_name, *_ in listed],
            "class_name": [info.name for *_, info in listed],
            "index": [index for *_, index, _ in listed],
            "class": range(len(listed)),
        },
        schema={
            _OWNER: pl.Int32,
            "task_name": pl.String,
            "class_name": pl.String,
            "index": pl.Int64,
            "class": pl.Int32,
        },
    )
    fixed = pl.DataFrame(
        [(owner, task.name, True) for owner, task in owned],
        schema={_OWNER: pl.Int32, "task_name": pl.String, "fixed": pl.Boolean},
        orient="row",
    )
    found = (
        table.select(pl.col(_OWNER).cast(pl.Int32), "task_name", "class_name", "class_idx")
        .join(fixed, on=[_OWNER, "task_name"], how="left", maintain_order="left")
        .join(classes, on=_CLASS_KEYS, how="left", maintain_order="left")
    )
    counted = pl.col("fixed").is_not_null() & pl.col("class_name").is_not_null()
    table = table.with_columns(
        found.select(pl.when(counted).then("index").otherwise("class_idx").alias("class_idx")).to_series()
    )
    carried = [(number, task) for number, (*_, info) in enumerate(listed) for task in info.attributes or ()]
    for name in PRIMITIVE_COLUMNS:
        if name in table.columns and any(task.primitive.column == name for _, task in carried):
            attributes = annotation_table(table, name)
            owners = found["class"].gather(attributes[POSITION]).alias(_OWNER)
            inner = _renumbered(attributes.with_columns(owners), name, carried)
            table = with_attributes(table, name, inner.drop(_OWNER))
    return table
