"""Annotations against the tasks that a dataset lists: classes known by name, by index, or both."""

from collections.abc import Callable
from typing import Any

import polars as pl

from sightline.data.info import DatasetInfo
from sightline.data.primitives import PRIMITIVE_OF_COLUMN
from sightline.errors import SightlineError


def with_classes(
    column: str, table: pl.DataFrame, info: DatasetInfo, where: Callable[[int], str]
) -> pl.DataFrame:
    """``table`` (one row per annotation) with ``class_name`` and ``class_idx`` completing each other.

    Annotations of tasks without fixed classes stay as they are.

    Raises:
        SightlineError: a task that ``info`` does not list, or a class that the task does not.
    """
    tasks = {task.name: task for task in info.tasks if task.primitive.column == column}
    unknown = (~table["task_name"].is_in(list(tasks))).fill_null(value=True)
    if unknown.any():
        row = int(unknown.arg_true()[0])
        listed = ", ".join(f"'{name}'" for name in tasks) or "none of this kind"
        task_name = table["task_name"][row]
        raise SightlineError(
            f"{where(row)}: task_name '{task_name}' is not a task of the dataset's info (it lists {listed}); "
            f"add TaskInfo({PRIMITIVE_OF_COLUMN[column].__name__}, name='{task_name}')."
        )
    fixed = {name: task.class_names for name, task in tasks.items() if task.class_names is not None}
    if not fixed or not len(table):
        return table
    classes = pl.DataFrame(
        {
            "task_name": [name for name, names in fixed.items() for _ in names],
            "class_name": [name for names in fixed.values() for name in names],
            "class_idx": [index for names in fixed.values() for index in range(len(names))],
        },
        schema={"task_name": pl.String, "class_name": pl.String, "class_idx": pl.Int64},
    )
    keys = table.select("task_name", "class_name", "class_idx")
    by_name = keys.join(classes, on=["task_name", "class_name"], how="left", maintain_order="left")
    by_index = keys.join(classes, on=["task_name", "class_idx"], how="left", maintain_order="left")
    found = keys.with_columns(
        by_name["class_idx_right"].alias("index"), by_index["class_name_right"].alias("name")
    )
    is_fixed = pl.col("task_name").is_in(list(fixed))
    named, numbered = pl.col("class_name").is_not_null(), pl.col("class_idx").is_not_null()
    wrong_name = named & (pl.col("index").is_null() | (numbered & (pl.col("class_idx") != pl.col("index"))))
    wrong_index = ~named & numbered & pl.col("name").is_null()
    wrong = found.select(is_fixed & (wrong_name | wrong_index)).to_series()
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise SightlineError(f"{where(row)}: {_problem(found.row(row, named=True), fixed)}")
    return table.with_columns(
        found.select(
            pl.when(is_fixed)
            .then(pl.coalesce("class_name", "name"))
            .otherwise("class_name")
            .alias("class_name"),
            pl.when(is_fixed)
            .then(pl.coalesce("index", "class_idx"))
            .otherwise("class_idx")
            .alias("class_idx"),
        )
    )


def _problem(row: dict[str, Any], classes: dict[str, list[str]]) -> str:
    task, name, number, index = row["task_name"], row["class_name"], row["class_idx"], row["index"]
    if name is None:
        return f"class_idx {number} is not within the {len(classes[task])} classes of task '{task}'."
    if index is None:
        return f"class_name '{name}' is not a class of task '{task}'; add it there."
    return f"class_name '{name}' is class {index} of task '{task}', but class_idx says {number}."
