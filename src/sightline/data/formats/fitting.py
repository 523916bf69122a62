"""What of a dataset fits into a format: which task, and which classes."""

import polars as pl

from sightline.data.annotation_tables import POSITION
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Primitive
from sightline.errors import SightlineError


def fitting_task(
    info: DatasetInfo, name: str | None, format_name: str, *primitives: type[Primitive]
) -> TaskInfo:
    """The task ``name``, or the only one of ``primitives``, which the format holds.

    Raises:
        SightlineError: no such task, several where none is named, or one of another primitive.
    """
    held = " or ".join(primitive.__name__ for primitive in primitives)
    if name is not None:
        chosen = info.task(name)
        if chosen.primitive not in primitives:
            raise SightlineError(
                f"task '{name}' is of {chosen.primitive.__name__}; {format_name} holds {held}."
            )
        return chosen
    fitting = [task for task in info.tasks if task.primitive in primitives]
    if not fitting:
        raise SightlineError(
            f"dataset '{info.dataset_name}' has no task of {held}, which is what {format_name} holds."
        )
    if len(fitting) > 1:
        listed = ", ".join(f"'{task.name}' ({task.primitive.__name__})" for task in fitting)
        raise SightlineError(
            f"dataset '{info.dataset_name}' has several tasks that {format_name} holds: {listed}; name one, "
            "task=."
        )
    return fitting[0]


def refuse_unknown_classes(table: pl.DataFrame, frame: pl.DataFrame, task: TaskInfo) -> None:
    """Refuse annotations of classes that their task does not have: a format could only misname them.

    Args:
        table: the annotations of ``task`` in ``frame``, with `POSITION` and ``class_name``.

    Raises:
        SightlineError: there are some; the sentence names the first.
    """
    if task.class_names is None:
        return
    unknown = ~table["class_name"].is_in(task.class_names)  # (null where there is no class)
    if unknown.any():
        first = table.row(int(unknown.arg_true()[0]), named=True)
        raise SightlineError(
            f"{frame['file_path'][first[POSITION]]}: an annotation of task '{task.name}' is of class "
            f"'{first['class_name']}', which the task does not have (one of {int(unknown.sum())}); map it "
            "to another class, or add the class to the dataset's info."
        )
