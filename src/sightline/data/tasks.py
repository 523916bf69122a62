"""Annotations against the tasks that a dataset lists: classes known by name, by index, or both."""

from collections.abc import Callable, Sequence
from typing import Any

from sightline.data.info import DatasetInfo
from sightline.data.primitives import Primitive
from sightline.errors import SightlineError


def fill_classes(
    column: str,
    fields: dict[str, list[Any]],
    annotations: Sequence[Primitive],
    info: DatasetInfo,
    where: Callable[[int], str],
) -> None:
    """Complete ``class_name`` and ``class_idx`` in ``fields`` (one list per field) from the tasks.

    Raises:
        SightlineError: a task that ``info`` does not list, or a class that the task does not.
    """
    tasks = {task.name: task for task in info.tasks if task.primitive.column == column}
    indices = {
        name: {class_name: index for index, class_name in enumerate(task.class_names or ())}
        for name, task in tasks.items()
    }
    names, numbers = fields["class_name"], fields["class_idx"]
    for position, task_name in enumerate(fields["task_name"]):
        task = tasks.get(task_name)
        if task is None:
            listed = ", ".join(f"'{name}'" for name in tasks) or "none of this kind"
            raise SightlineError(
                f"{where(position)}: task_name '{task_name}' is not a task of the dataset's info (it lists "
                f"{listed}); add TaskInfo({type(annotations[position]).__name__}, name='{task_name}')."
            )
        if task.classes is None:
            continue
        name, number = names[position], numbers[position]
        if name is not None:
            index = indices[task_name].get(name)
            if index is None or (number is not None and number != index):
                raise SightlineError(_class_problem(where(position), task_name, name, number, index))
            numbers[position] = index
        elif number is not None:
            if not 0 <= number < len(task.classes):
                raise SightlineError(
                    f"{where(position)}: class_idx {number} is not within the {len(task.classes)} classes "
                    f"of task '{task_name}'."
                )
            names[position] = task.classes[number].name


def _class_problem(where: str, task_name: str, name: str, number: int | None, index: int | None) -> str:
    if index is None:
        return f"{where}: class_name '{name}' is not a class of task '{task_name}'; add it there."
    return (
        f"{where}: class_name '{name}' is class {index} of task '{task_name}', but class_idx says {number}."
    )
