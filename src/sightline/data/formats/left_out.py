"""What a format has no place for, counted before it is lost."""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sightline.data.formats.repairs import Repairs
from sightline.data.info import TaskInfo
from sightline.data.schema import PRIMITIVE_COLUMNS, attribute_columns

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


def count_left_out(
    dataset: "Dataset", written: Collection[str], repairs: Repairs, *, attributes: Collection[str] = ()
) -> None:
    """Count in ``repairs`` the annotations of each task not ``written``, and those that lose attributes.

    Args:
        dataset: what is exported.
        written: names of the tasks that the format takes.
        repairs: where to count; says it with its report.
        attributes: the kinds of attributes that the format keeps, as ``bboxes``.
    """
    for column in PRIMITIVE_COLUMNS:
        lists = dataset.samples[column]
        flat = lists.drop_nulls().explode(empty_as_null=False)
        if not len(flat):
            continue
        lengths = lists.list.len().fill_null(0).to_numpy()
        tasks = flat.struct.field("task_name")
        carried = _carried(flat, [name for name in attribute_columns(column, 0) if name not in attributes])
        for name in sorted(tasks.unique()):
            if name in written:
                what = f"annotations of task '{name}' written without their attributes"
                lost = carried & (tasks == name)
            else:
                what, lost = f"annotations of task '{name}' left out", tasks == name
            if count := int(lost.sum()):
                row = int(np.searchsorted(np.cumsum(lengths), int(lost.arg_max() or 0), side="right"))
                example = f"in sample {row} ({dataset.samples['file_path'][row]})"
                repairs.add(f"{what}, as this format has no place for them", example, count)


def count_not_annotated(frame: pl.DataFrame, tasks: Collection[TaskInfo], repairs: Repairs) -> None:
    """Count the samples of ``frame`` that are annotated for none of ``tasks``.

    For formats that have no other way to write them than samples with nothing on them.
    """
    columns = {task.primitive.column for task in tasks}
    unannotated = frame["file_path"].filter(
        frame.select(pl.all_horizontal(pl.col(name).is_null() for name in sorted(columns))).to_series()
    )
    names = ", ".join(f"'{task.name}'" for task in tasks)
    repairs.add(
        f"images not annotated for {names} written like images with nothing on them",
        "".join(unannotated[:1]),
        len(unannotated),
    )


def _carried(flat: pl.Series, names: list[str]) -> pl.Series:
    """Whether each annotation carries attributes of these kinds."""
    result = pl.Series([False]).new_from_index(0, len(flat))
    for name in names:
        lists = flat.struct.field(name)
        if lists.null_count() < len(lists):
            result |= (lists.list.len() > 0).fill_null(value=False)
    return result
