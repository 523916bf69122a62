"""Attributes of annotations, made part of their class or tasks of their own."""

import logging
from typing import TYPE_CHECKING, Literal

import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table, with_annotations
from sightline.data.info import ClassInfo, TaskInfo
from sightline.data.operations.merging import united_classes, united_tasks
from sightline.data.operations.names import not_there
from sightline.data.operations.numbering import class_name_of, renumbered, with_attributes
from sightline.data.operations.tasks import refuse_taken, with_task
from sightline.data.schema import PRIMITIVE_COLUMNS
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

logger = logging.getLogger("sightline.data")

_ATTRIBUTES = "classifications"  # boxes within a box are no property of it, so only these are flattened


def flatten_attributes(
    dataset: "Dataset",
    task: str | None = None,
    attributes: list[str] | None = None,
    separator: str = ".",
    into: Literal["class_name", "tasks"] = "class_name",
) -> "Dataset":
    """Attributes of a task's annotations as part of their class names, or as tasks of their own.

    A "Vehicle" with the attribute Colour "red" becomes a "Vehicle.red". Each class is followed by one for
    each value of its attribute, whether or not it occurs, and stays for annotations without the attribute.
    With ``into="tasks"`` the vehicle stays what it is, and a task "objects.Colour" gets the same box, with
    the class "red".

    An attribute's own attributes (the Tone of a Colour) are then attributes of the annotation, and can be
    flattened next. Where an annotation has an attribute twice, the first counts, and a warning says how
    often.

    Args:
        dataset: what to change.
        task: its name; by default the only task there is.
        attributes: which ones, in the order in which they stand in the name; by default all
            classifications with fixed classes, in the order of the classes, nested ones included.
        separator: what stands between the parts of a name.
        into: where they go.

    Raises:
        SightlineError: an unknown task or attribute, an attribute without fixed classes, a value that it
            does not list, or a name that is taken.
    """
    of = dataset.info.task(task)
    if attributes is None:
        while names := _flattenable(dataset.info.task(of.name)):
            dataset = _flattened(dataset, of.name, names[0], separator, into)
        return dataset
    for attribute in attributes:
        names = _flattenable(dataset.info.task(of.name))
        if attribute not in names:
            raise SightlineError(
                not_there(attribute, names, f"attribute with fixed classes of task '{of.name}'")
            )
        dataset = _flattened(dataset, of.name, attribute, separator, into)
    return dataset


def _flattenable(task: TaskInfo) -> list[str]:
    """The attributes that classes of the task have, as far as they can be flattened, in order."""
    found = (a for info in task.classes or () for a in info.attributes or ())
    return list(dict.fromkeys(a.name for a in found if _is_flat(a)))


def _is_flat(attribute: TaskInfo) -> bool:
    return attribute.primitive.column == _ATTRIBUTES and attribute.classes is not None


def _flattened(
    dataset: "Dataset", task_name: str, attribute: str, separator: str, into: Literal["class_name", "tasks"]
) -> "Dataset":
    """The dataset after one attribute has been flattened."""
    task = dataset.info.task(task_name)
    column = task.primitive.column
    table = annotation_table(dataset.samples, column)
    mine = table["task_name"] == task.name
    table = table.with_columns(
        pl.when(mine).then(class_name_of(task)).otherwise("class_name").alias("class_name")
    )
    carried = annotation_table(table, _ATTRIBUTES)
    asked = mine.gather(carried[POSITION]) & (carried["task_name"] == attribute)
    first = asked & carried.select(pl.struct(POSITION, asked.alias("asked")).is_first_distinct()).to_series()
    if repeated := int((asked & ~first).sum()):
        logger.warning(
            "task '%s': %d annotations have the attribute '%s' more than once; the first counts.",
            task.name,
            repeated,
            attribute,
        )
    taken = carried.filter(first)
    if into == "class_name":
        changed = _expanded(task, attribute, separator)
        info = with_task(dataset.info, task.name, changed)
        table = _with_rest(table, pl.concat([carried.filter(~asked), _hoisted(taken)]), taken)
        values = taken.select(pl.col(POSITION).alias("row"), pl.col("class_name").alias("value"))
        table = (
            table.with_row_index("row")
            .join(values, on="row", how="left", maintain_order="left")
            .with_columns(pl.col("class_name") + pl.coalesce(pl.lit(separator) + pl.col("value"), pl.lit("")))
        )
        _refuse_unlisted(dataset.samples, table, changed, attribute)
        table = table.drop("row", "value")
    else:
        own = _as_task(task, attribute, separator)
        refuse_taken(dataset.info, own.name)
        info = with_task(dataset.info, task.name, _without(task, attribute), own)
        copies = _copies(table, taken, own.name)
        table = pl.concat([_with_rest(table, carried.filter(~asked), taken), copies])
        _refuse_unlisted(dataset.samples, copies.with_columns(value="class_name"), own, attribute)
    counted = renumbered(table, column, info.tasks)
    return dataset.replace(info=info, samples=with_annotations(dataset.samples, column, counted))


def _with_rest(table: pl.DataFrame, rest: pl.DataFrame, taken: pl.DataFrame) -> pl.DataFrame:
    """``table`` with the attributes ``rest``; None where the last one was ``taken``."""
    missing = table[_ATTRIBUTES].is_null().scatter(taken[POSITION], True)
    return with_attributes(table, _ATTRIBUTES, rest, missing)


def _hoisted(taken: pl.DataFrame) -> pl.DataFrame:
    """The attributes of the attributes ``taken``, as attributes of what carries those."""
    inner = annotation_table(taken, _ATTRIBUTES)
    return inner.select(
        taken[POSITION].gather(inner[POSITION])
        if name == POSITION
        else pl.col(name)
        if name in inner.columns
        else pl.lit(None, dtype).alias(name)  # one level higher there is room for one level more
        for name, dtype in taken.schema.items()
    )


def _copies(table: pl.DataFrame, taken: pl.DataFrame, task_name: str) -> pl.DataFrame:
    """The annotations that carry the attributes ``taken``, each with the attribute for its class."""
    inner = _hoisted(taken.with_columns(pl.int_range(pl.len(), dtype=pl.UInt32).alias(POSITION)))
    copies = table[taken[POSITION]].with_columns(
        pl.lit(task_name).alias("task_name"),
        taken["class_name"],
        taken["class_idx"],
        taken["confidence"],
        *(
            pl.lit(None, table.schema[name]).alias(name)
            for name in PRIMITIVE_COLUMNS
            if name in table.columns
        ),
    )
    return with_attributes(copies, _ATTRIBUTES, inner)


def _expanded(task: TaskInfo, attribute: str, separator: str) -> TaskInfo:
    """The task with a class for each value of the attribute behind each class that has it."""
    classes: list[ClassInfo] = []
    for info in task.classes or ():
        others = [a for a in info.attributes or () if a.name != attribute]
        classes.append(ClassInfo(name=info.name, attributes=others or None))
        for value in _values([info], attribute):
            inner = [(a, f"attributes of '{info.name}'") for a in (*others, *(value.attributes or ()))]
            classes.append(
                ClassInfo(
                    name=f"{info.name}{separator}{value.name}",
                    attributes=united_tasks(inner, "rename one of the attributes") or None,
                )
            )
    return TaskInfo(primitive=task.primitive, name=task.name, classes=classes)


def _as_task(task: TaskInfo, attribute: str, separator: str) -> TaskInfo:
    values = united_classes(_values(task.classes or [], attribute))
    return TaskInfo(primitive=task.primitive, name=f"{task.name}{separator}{attribute}", classes=values)


def _without(task: TaskInfo, attribute: str) -> TaskInfo:
    classes = [
        ClassInfo(
            name=info.name, attributes=[a for a in info.attributes or () if a.name != attribute] or None
        )
        for info in task.classes or ()
    ]
    return TaskInfo(primitive=task.primitive, name=task.name, classes=classes)


def _values(classes: list[ClassInfo], attribute: str) -> list[ClassInfo]:
    """The classes of the attribute, wherever ``classes`` list it."""
    attributes = (a for info in classes for a in info.attributes or () if a.name == attribute)
    return [value for a in attributes for value in a.classes or ()]


def _refuse_unlisted(frame: pl.DataFrame, table: pl.DataFrame, task: TaskInfo, attribute: str) -> None:
    """Refuse values that the task's new classes do not have a place for."""
    listed = pl.col("class_name").is_in(task.class_names or []).fill_null(value=False)
    wrong = table.filter(pl.col("value").is_not_null(), ~listed)
    if len(wrong):
        row = wrong.row(0, named=True)
        raise SightlineError(
            f"sample {frame['sample_index'][row[POSITION]]} ({frame['file_path'][row[POSITION]]}): attribute "
            f"'{attribute}' is '{row['value']}', which its class does not list; add it to the dataset's info."
        )
