"""Several datasets as one."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from sightline.data.annotation_tables import annotation_table, with_annotations
from sightline.data.info import ClassInfo, DatasetInfo, TaskInfo
from sightline.data.operations.numbering import class_name_of, renumbered
from sightline.data.schema import PRIMITIVE_COLUMNS, SAMPLE_SCHEMA
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_TOLD_BY_ALL = (
    "dataset_title",
    "description",
    "reference_bibtex",
    "reference_paper_url",
    "reference_dataset_page",
    "meta",
)


def merge(datasets: "Sequence[Dataset]", name: str | None = None, version: str = "1.0.0") -> "Dataset":
    """All samples of ``datasets``, one dataset after the other, numbered anew.

    Tasks of the same name and primitive become one, with the classes of all, in the order in which they
    first occur; class indices are counted anew. A task without fixed classes in one dataset has none in
    the result. Each sample keeps its ``dataset_name``, and "not annotated" (None) stays what it was.

    Args:
        datasets: one or more.
        name: of the result; by default the names of all, joined by "+".
        version: of the result.

    Raises:
        SightlineError: no datasets, or tasks of the same name but different primitives.
    """
    datasets = list(datasets) if isinstance(datasets, list | tuple) else []
    if not datasets:
        raise SightlineError("there are no datasets to merge; give a list of one or more.")
    infos = [dataset.info for dataset in datasets]
    tasks = united_tasks(
        ((task, f"dataset '{info.dataset_name}'") for info in infos for task in info.tasks),
        "rename one with rename_task",
    )
    told: dict[str, Any] = {field: _same([getattr(info, field) for info in infos]) for field in _TOLD_BY_ALL}
    info = DatasetInfo(
        dataset_name=name or "+".join(dict.fromkeys(info.dataset_name for info in infos)),
        version=version,
        tasks=tasks,
        updated_at=max(info.updated_at for info in infos),
        **told,
    )
    samples = pl.concat([_under_tasks(dataset, tasks) for dataset in datasets])
    numbers = pl.int_range(pl.len(), dtype=pl.UInt64).alias("sample_index")
    return datasets[0].replace(info=info, samples=samples.with_columns(numbers).select(SAMPLE_SCHEMA.names()))


def united_tasks(tasks: Iterable[tuple[TaskInfo, str]], hint: str) -> list[TaskInfo]:
    """Tasks with those of the same name made one, in order; each comes with where it is from.

    Raises:
        SightlineError: two of the same name have different primitives; ``hint`` says what to do.
    """
    united: dict[str, TaskInfo] = {}
    origins: dict[str, str] = {}
    for task, origin in tasks:
        before = united.get(task.name, task)
        if before.primitive is not task.primitive:
            raise SightlineError(
                f"task '{task.name}' is a {before.primitive.__name__} in {origins[task.name]} and a "
                f"{task.primitive.__name__} in {origin}; {hint}."
            )
        classes = (
            None
            if before.classes is None or task.classes is None
            else united_classes([*before.classes, *task.classes])
        )
        united[task.name] = TaskInfo(primitive=task.primitive, name=task.name, classes=classes)
        origins.setdefault(task.name, origin)
    return list(united.values())


def united_classes(classes: Iterable[ClassInfo]) -> list[ClassInfo]:
    """Classes with those of the same name made one, in order, with the attributes of all."""
    united: dict[str, list[TaskInfo]] = {}
    for info in classes:
        united.setdefault(info.name, []).extend(info.attributes or ())
    return [
        ClassInfo(
            name=name,
            attributes=united_tasks(
                ((task, f"attributes of class '{name}'") for task in attributes),
                "rename one of the attributes",
            )
            or None,
        )
        for name, attributes in united.items()
    ]


def _under_tasks(dataset: "Dataset", tasks: Sequence[TaskInfo]) -> pl.DataFrame:
    """The samples of a dataset with class indices as ``tasks`` count them."""
    frame = dataset.samples
    for column in PRIMITIVE_COLUMNS:
        own = [task for task in dataset.info.tasks if task.primitive.column == column]
        names = {task.name for task in own}
        if own == [task for task in tasks if task.name in names]:
            continue
        table = annotation_table(frame, column)
        for task in own:
            of_task = pl.col("task_name") == task.name
            table = table.with_columns(
                pl.when(of_task).then(class_name_of(task)).otherwise("class_name").alias("class_name")
            )
        frame = with_annotations(frame, column, renumbered(table, column, tasks))
    return frame


def _same(values: list[Any]) -> Any:
    """The value that all have; None where they differ."""
    return values[0] if all(value == values[0] for value in values) else None
