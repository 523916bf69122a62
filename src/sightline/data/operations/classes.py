"""Classes: rename, unite, remove, keep."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table, with_annotations
from sightline.data.info import ClassInfo, TaskInfo
from sightline.data.operations.merging import united_classes
from sightline.data.operations.names import listing, matches, matching, not_there
from sightline.data.operations.numbering import class_name_of, renumbered, with_attributes
from sightline.data.operations.tasks import with_task
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

REMOVE = "__REMOVE__"
"""The new name of a class whose annotations are to be removed."""


def map_classes(
    dataset: "Dataset",
    mapping: dict[str, str],
    task: str | None = None,
    attribute: str | list[str] | None = None,
    unmapped: Literal["strict", "keep", "remove"] = "strict",
) -> "Dataset":
    """The annotations of a task under other class names: ``{"Vehicle.*": "vehicle", "*": "__REMOVE__"}``.

    Classes that get the same name become one, with the attributes of all. A class stands where the first
    class stood that it is made of, and class indices are counted anew.

    Args:
        dataset: what to change.
        mapping: old names and new ones. In an old name ``*`` stands for any text; where several fit a
            class, a name without ``*`` goes first, then the one with the most other characters, so the
            order of ``mapping`` means nothing. The new name ``__REMOVE__`` removes the annotations.
        task: its name; by default the only task there is.
        attribute: map the classes of this attribute of the task's annotations instead (``"Colour"``), or
            of an attribute's attribute (``["Colour", "Tone"]``).
        unmapped: what becomes of classes that nothing in ``mapping`` fits: refuse them ("strict"), keep
            them, or remove their annotations. An annotation without a class is only removed by "remove".

    Raises:
        SightlineError: an unknown task or attribute, a name in ``mapping`` that fits no class, two that
            fit one equally well, or (with "strict") classes that nothing fits.
    """
    nameless = [old for old, new in mapping.items() if not isinstance(new, str) or not new.strip()]
    if nameless:
        raise SightlineError(f"mapping: '{nameless[0]}' becomes {mapping[nameless[0]]!r}; give it a name.")
    of = dataset.info.task(task)
    path = _attribute_path(of, [attribute] if isinstance(attribute, str) else attribute or [])
    owner = f"{'attribute' if path else 'task'} '{(path or [of])[-1].name}'"
    targets = _targets(mapping, _class_names(dataset, of, path), unmapped, owner)
    return _relabelled(dataset, of, path, targets, remove_unnamed=unmapped == "remove")


def filter_classes(
    dataset: "Dataset", class_names: list[str], task: str | None = None, remove_samples: bool = False
) -> "Dataset":
    """The annotations of some classes of a task only; its other classes are gone from the task too.

    Args:
        dataset: what to filter.
        class_names: what to keep, in which ``*`` stands for any text. The classes keep their order, and
            class indices are counted anew.
        task: its name; by default the only task there is.
        remove_samples: drop the samples that are left without an annotation of the task.

    Raises:
        SightlineError: an unknown task, or a name that fits no class.
    """
    of = dataset.info.task(task)
    names = _class_names(dataset, of, [])
    kept = matching(class_names, names, f"class of task '{of.name}'")
    targets = {name: name if name in kept else REMOVE for name in names}
    filtered = _relabelled(dataset, of, [], targets, remove_unnamed=True)
    return filtered.replace(samples=having(filtered.samples, of)) if remove_samples else filtered


def having(frame: pl.DataFrame, task: TaskInfo, wanted: pl.Expr | None = None) -> pl.DataFrame:
    """The samples that have an annotation of ``task``, of which ``wanted`` holds (`pl.element()`)."""
    found = pl.element().struct.field("task_name") == task.name
    if wanted is not None:
        found &= wanted
    return frame.filter(pl.col(task.primitive.column).list.eval(found).list.any().fill_null(value=False))


def _targets(
    mapping: Mapping[str, str], names: list[str], unmapped: Literal["strict", "keep", "remove"], owner: str
) -> dict[str, str]:
    """The new name of each of ``names``, the classes of ``owner``."""
    for pattern in mapping:
        if not any(matches(pattern, name) for name in names):
            raise SightlineError(not_there(pattern, names, f"class of {owner}"))
    targets: dict[str, str] = {}
    left: list[str] = []
    for name in names:
        fitting = sorted((pattern for pattern in mapping if matches(pattern, name)), key=_precedence)
        best = [pattern for pattern in fitting if _precedence(pattern) == _precedence(fitting[0])]
        if len({mapping[pattern] for pattern in best}) > 1:
            raise SightlineError(
                f"'{best[0]}' and '{best[1]}' both fit class '{name}' and map it to different classes; "
                f"add '{name}' itself to the mapping."
            )
        if fitting:
            targets[name] = mapping[fitting[0]]
        elif unmapped == "strict":
            left.append(name)
        else:
            targets[name] = name if unmapped == "keep" else REMOVE
    if left:
        raise SightlineError(
            f"the mapping leaves out {len(left)} of the {len(names)} classes of {owner}: {listing(left)}; "
            f"map them, to '{REMOVE}' if they are to go, or set unmapped to keep or remove."
        )
    return targets


def _precedence(pattern: str) -> tuple[bool, int]:
    """Names before patterns, and those before less specific ones."""
    return "*" in pattern, -len(pattern.replace("*", ""))


def _attribute_path(task: TaskInfo, names: list[str]) -> list[TaskInfo]:
    """The tasks of the attribute, of its attribute and so on that ``names`` names, from ``task`` down."""
    path: list[TaskInfo] = []
    for number, name in enumerate(names):
        below = {
            a.name: a for t in _at(task, names[:number]) for c in t.classes or () for a in c.attributes or ()
        }
        if name not in below:
            raise SightlineError(not_there(name, below, f"attribute of task '{(path or [task])[-1].name}'"))
        path.append(below[name])
    return path


def _at(task: TaskInfo, path: list[str]) -> Iterator[TaskInfo]:
    """Every task that ``path`` leads to from ``task``: each class has attributes of its own."""
    if not path:
        yield task
        return
    for info in task.classes or ():
        for attribute in info.attributes or ():
            if attribute.name == path[0]:
                yield from _at(attribute, path[1:])


def _class_names(dataset: "Dataset", task: TaskInfo, path: list[TaskInfo]) -> list[str]:
    """The classes that are listed, in order, and those that occur all the same, by name."""
    names = dict.fromkeys(
        name for end in _at(task, [step.name for step in path]) for name in end.class_names or ()
    )
    found: list[str] = []

    def collect(table: pl.DataFrame, mine: pl.Series) -> pl.DataFrame:
        found.extend(table.filter(mine)["class_name"].drop_nulls().unique())
        return table

    _edited(*_annotations(dataset, task), path, collect)
    return [*names, *sorted(set(found) - set(names))]


def _relabelled(
    dataset: "Dataset",
    task: TaskInfo,
    path: list[TaskInfo],
    targets: Mapping[str, str],
    *,
    remove_unnamed: bool,
) -> "Dataset":
    """The dataset with each class under its new name, or removed."""
    old = pl.col("class_name") if path else class_name_of(task)
    new = old.replace_strict(list(targets), list(targets.values()), default=None, return_dtype=pl.String)

    def relabel(table: pl.DataFrame, mine: pl.Series) -> pl.DataFrame:
        table = table.with_columns(mine.alias("mine"), new.alias("new"))
        removed = pl.col("mine") & (pl.col("new") == REMOVE).fill_null(remove_unnamed)
        is_new = pl.col("mine") & pl.col("new").is_not_null()
        return (
            table.filter(~removed)
            .with_columns(
                pl.when(is_new).then("new").otherwise("class_name").alias("class_name"),
                pl.when(is_new).then(None).otherwise("class_idx").alias("class_idx"),
            )
            .drop("mine", "new")
        )

    info = with_task(dataset.info, task.name, _with_classes(task, [step.name for step in path], targets))
    column = task.primitive.column
    table = _edited(*_annotations(dataset, task), path, relabel)
    counted = renumbered(table, column, info.tasks)
    return dataset.replace(info=info, samples=with_annotations(dataset.samples, column, counted))


def _with_classes(task: TaskInfo, path: list[str], targets: Mapping[str, str]) -> TaskInfo:
    """``task`` with the classes at the end of ``path`` under their new names."""
    if task.classes is None:
        return task
    if path:
        classes = [
            ClassInfo(
                name=info.name,
                attributes=info.attributes
                and [
                    _with_classes(a, path[1:], targets) if a.name == path[0] else a for a in info.attributes
                ],
            )
            for info in task.classes
        ]
    else:
        renamed = [ClassInfo(name=targets[info.name], attributes=info.attributes) for info in task.classes]
        classes = united_classes(info for info in renamed if info.name != REMOVE)
    return TaskInfo(primitive=task.primitive, name=task.name, classes=classes)


def _annotations(dataset: "Dataset", task: TaskInfo) -> tuple[pl.DataFrame, pl.Series]:
    """All annotations in the column of ``task``, and which are its own."""
    table = annotation_table(dataset.samples, task.primitive.column)
    return table, table["task_name"] == task.name


_Edit = Callable[[pl.DataFrame, pl.Series], pl.DataFrame]


def _edited(table: pl.DataFrame, mine: pl.Series, path: list[TaskInfo], edit: _Edit) -> pl.DataFrame:
    """``table`` after ``edit`` of the annotations at the end of ``path``, of which some are ``mine``."""
    if not path:
        return edit(table, mine)
    column = path[0].primitive.column
    attributes = annotation_table(table, column)
    inner = mine.gather(attributes[POSITION]) & (attributes["task_name"] == path[0].name)
    return with_attributes(table, column, _edited(attributes, inner, path[1:], edit))
