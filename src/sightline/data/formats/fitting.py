"""Which task of a dataset a format of one task is written with."""

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
