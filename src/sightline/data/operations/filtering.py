"""Samples and annotations for which something holds."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table, with_annotations
from sightline.data.operations.classes import having
from sightline.data.operations.names import matches, matching, not_there
from sightline.data.operations.numbering import class_name_of
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

Match = Literal["any", "all", "none"]
"""Of the things asked for, a sample has to have one, every one, or not one."""


def filter(dataset: "Dataset", expression: str | pl.Expr) -> "Dataset":
    """The samples for which ``expression`` holds: what comes after WHERE in SQL, over the columns of samples.

    ``"width >= 640 AND split = 'train'"``, ``"file_path LIKE '%night%'"``, ``"array_length(bboxes) > 3"``,
    ``"video_info.frame_rate = 25"``, ``"meta.weather IN ('rain', 'snow')"``. As in SQL, what is unknown
    (NULL) does not hold. In Python it may be a polars expression, which has ``meta`` as JSON text.

    Raises:
        SightlineError: an expression that cannot be read, an unknown column, values that cannot be
            compared, or an expression that is not true or false for each sample.
    """
    return dataset.replace(samples=dataset.samples.filter(_holds(dataset.samples, expression, "sample")))


def filter_annotations(
    dataset: "Dataset", expression: str | pl.Expr, task: str | None = None, remove_samples: bool = False
) -> "Dataset":
    """The annotations of a task for which ``expression`` holds; those of other tasks stay.

    Args:
        dataset: what to filter.
        expression: as for `filter`, over the fields of an annotation:
            ``"width * height > 0.001 AND confidence >= 0.5"``.
        task: its name; by default the only task there is.
        remove_samples: drop the samples that are left without an annotation of the task.

    Raises:
        SightlineError: an unknown task, or as for `filter`.
    """
    of = dataset.info.task(task)
    table = annotation_table(dataset.samples, of.primitive.column)
    mine = table["task_name"] == of.name
    holds = _holds(table.drop(POSITION), expression, "annotation")
    frame = with_annotations(dataset.samples, of.primitive.column, table.filter(~mine | holds))
    return dataset.replace(samples=having(frame, of) if remove_samples else frame)


def filter_samples_by_class(
    dataset: "Dataset", class_names: list[str], task: str | None = None, match: Match = "any"
) -> "Dataset":
    """The samples that show one of some classes, all of them, or none; with all their annotations.

    Args:
        dataset: what to filter.
        class_names: the classes, in which ``*`` stands for any text.
        task: the name of their task; by default the only task there is.
        match: "any", "all" or "none" of the names given.

    Raises:
        SightlineError: an unknown task, or a name that fits no class.
    """
    of = dataset.info.task(task)
    frame = dataset.samples
    table = annotation_table(frame, of.primitive.column, of.name)
    shown = table.select(POSITION, class_name_of(of).alias("name"))
    listed = of.class_names or sorted(shown["name"].drop_nulls().unique())
    what = f"class of task '{of.name}'"
    has = [_rows_of(shown, matching([name], listed, what), len(frame)) for name in class_names]
    return dataset.replace(samples=frame.filter(_matched(has, match, len(frame))))


def filter_tags(dataset: "Dataset", tags: list[str], match: Match = "any") -> "Dataset":
    """The samples that have one of ``tags``, all of them, or none (``match``: "any", "all", "none").

    In a tag ``*`` stands for any text.
    """
    frame = dataset.samples
    given = frame.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(POSITION), pl.col("tags").alias("name")
    )
    given = given.filter(pl.col("name").list.len() > 0).explode("name")
    there = given["name"].unique().to_list()
    has = [_rows_of(given, [name for name in there if matches(tag, name)], len(frame)) for tag in tags]
    return dataset.replace(samples=frame.filter(_matched(has, match, len(frame))))


def _rows_of(table: pl.DataFrame, names: list[str], count: int) -> np.ndarray:
    """Which of ``count`` samples have one of ``names`` in ``table``."""
    has = np.zeros(count, dtype=bool)
    has[table.filter(pl.col("name").is_in(names))[POSITION].to_numpy()] = True
    return has


def _matched(has: list[np.ndarray], match: Match, count: int) -> np.ndarray:
    found = np.array(has, dtype=bool).reshape(len(has), count).sum(axis=0)
    return found == len(has) if match == "all" else (found > 0) == (match == "any")


def _holds(frame: pl.DataFrame, expression: str | pl.Expr, what: str) -> pl.Series:
    """For each row whether ``expression`` holds; ``what`` a row is, for an error's sentence."""
    try:
        parsed = pl.sql_expr(expression) if isinstance(expression, str) else expression
        roots = dict.fromkeys(parsed.meta.root_names())
        for name in roots:
            if name not in frame.columns:
                field = f"field of any {what} (text stands in single quotes)"
                raise SightlineError(f"'{expression}': {not_there(name, frame.columns, field)}")
        if "meta" in roots and isinstance(expression, str):
            frame = frame.with_columns(_decoded(frame["meta"]))
        holds = frame.with_columns(parsed.alias("holds"))["holds"]
    except pl.exceptions.StructFieldNotFoundError as error:
        raise SightlineError(f"'{expression}': there is no field '{error}' in any {what}.") from None
    except pl.exceptions.PolarsError as error:
        raise SightlineError(
            f"'{expression}' cannot be worked out ({str(error).splitlines()[0]}); write a condition as after "
            "WHERE in SQL, such as \"width >= 640 AND split = 'train'\"."
        ) from None
    if holds.dtype != pl.Boolean:
        raise SightlineError(f"'{expression}' is {holds.dtype} for each {what}, expected true or false.")
    return holds.fill_null(value=False)


def _decoded(meta: pl.Series) -> pl.Series:
    """``meta`` as the structs that its JSON texts describe, so that keys are fields."""
    texts = meta.struct.field("json")
    if texts.null_count() == len(texts):
        raise SightlineError("there is no meta here to filter by.")
    return texts.str.json_decode(infer_schema_length=None).alias("meta")
