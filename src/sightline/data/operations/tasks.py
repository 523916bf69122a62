"""Tasks: rename, drop, keep."""

from typing import TYPE_CHECKING

import polars as pl

from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.operations.names import matching
from sightline.data.schema import PRIMITIVE_COLUMNS
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


def rename_task(dataset: "Dataset", old: str, new: str) -> "Dataset":
    """The task ``old`` under the name ``new``, in the info and in every annotation.

    Raises:
        SightlineError: there is no task ``old``, or another task is called ``new`` already.
    """
    if not new.strip():
        raise SightlineError(f"task '{old}' cannot become '{new}'; give it a name.")
    task = dataset.info.task(old)
    renamed = TaskInfo(primitive=task.primitive, name=new, classes=task.classes)
    refuse_taken(dataset.info, renamed.name, old)
    name = pl.field("task_name")
    new_name = pl.when(name == old).then(pl.lit(renamed.name)).otherwise(name).alias("task_name")
    annotations = pl.col(task.primitive.column).list.eval(pl.element().struct.with_fields(new_name))
    return dataset.replace(
        info=with_task(dataset.info, old, renamed), samples=dataset.samples.with_columns(annotations)
    )


def drop_task(dataset: "Dataset", name: str) -> "Dataset":
    """All samples without the task ``name`` and its annotations.

    Raises:
        SightlineError: there is no such task.
    """
    return _with_only(dataset, [task for task in dataset.info.tasks if task is not dataset.info.task(name)])


def keep_tasks(dataset: "Dataset", names: list[str]) -> "Dataset":
    """All samples with only the tasks ``names``, in which ``*`` stands for any text, and their annotations.

    Raises:
        SightlineError: a name without a task.
    """
    there = [task.name for task in dataset.info.tasks]
    kept = matching(names, there, f"task of dataset '{dataset.info.dataset_name}'")
    return _with_only(dataset, [task for task in dataset.info.tasks if task.name in kept])


def with_task(info: DatasetInfo, name: str, *tasks: TaskInfo) -> DatasetInfo:
    """``info`` with the task ``name`` replaced by ``tasks``."""
    before = [(task,) if task.name != name else tasks for task in info.tasks]
    return info.model_copy(update={"tasks": [task for group in before for task in group]})


def refuse_taken(info: DatasetInfo, new: str, old: str | None = None) -> None:
    """Raise a `SightlineError` where a task other than ``old`` is called ``new``."""
    if new != old and any(task.name == new for task in info.tasks):
        raise SightlineError(
            f"dataset '{info.dataset_name}' has a task '{new}' already; choose another name."
        )


def _with_only(dataset: "Dataset", tasks: list[TaskInfo]) -> "Dataset":
    """The dataset with ``tasks`` only; a column without a task is None, not annotated, in every sample."""
    columns: list[pl.Expr] = []
    for column in PRIMITIVE_COLUMNS:
        before = [task.name for task in dataset.info.tasks if task.primitive.column == column]
        names = [task.name for task in tasks if task.primitive.column == column]
        if names == before:
            continue
        if names:
            columns.append(pl.col(column).list.filter(pl.element().struct.field("task_name").is_in(names)))
        else:
            columns.append(pl.lit(None, dataset.samples.schema[column]).alias(column))
    return dataset.replace(
        info=dataset.info.model_copy(update={"tasks": tasks}), samples=dataset.samples.with_columns(columns)
    )
