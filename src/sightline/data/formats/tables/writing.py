"""Write the annotations of one task as a table."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.formats.boxes import Units
from sightline.data.formats.fitting import fitting_task
from sightline.data.formats.left_out import count_left_out, count_not_annotated
from sightline.data.formats.repairs import Repairs
from sightline.data.formats.tables.cells import SUFFIXES, TASK_KEY, StoredTask
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Bbox, Classification
from sightline.errors import SightlineError
from sightline.files import written_whole

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_OPTIONAL = ("confidence", "object_id")


def write_table(
    dataset: "Dataset",
    path: str | Path,
    *,
    task: str | None = None,
    units: Units = "fractions",
    overwrite: bool = False,
) -> None:
    """Write a CSV or Parquet file with a row per annotation of one task; `read_table` reads it.

    The columns are ``file_path`` (relative to the table's folder for images below it), ``split``,
    ``image_width``, ``image_height``, ``class_name``, ``class_idx``, for boxes ``xmin``, ``ymin``,
    ``xmax``, ``ymax``, and ``confidence``, ``object_id``, ``ground_truth``, ``collection_id`` where they
    say anything. An image without annotations has a row without class and box. Images are not copied,
    and what has no column (attributes, ``meta``, other tasks) is not written. Of a dataset without tasks
    the images are listed alone. A Parquet file also keeps the task's name, and classes that do not occur.

    Args:
        dataset: what to write.
        path: a ``.csv``, ``.tsv`` or ``.parquet`` file.
        task: the name of a Bbox or Classification task; default the only one.
        units: of the boxes.
        overwrite: replace the file if it is there.

    Raises:
        SightlineError: no such task, samples without an image file, a path of another kind, or one that
            is there and must not be written over.
    """
    path = Path(path).absolute()
    separator = SUFFIXES.get(path.suffix.lower())
    if separator is None:
        raise SightlineError(
            f"{path}: is no kind of table; give it one of the suffixes {', '.join(SUFFIXES)}."
        )
    if path.exists() and not overwrite:
        raise SightlineError(f"{path}: exists already; choose another path or overwrite it.")
    chosen = _task_to_write(dataset.info, task)
    rows = _rows(dataset, chosen, units, path)
    with written_whole(path) as temporary:
        if separator:
            rows.write_csv(temporary, separator=separator)
        else:
            stored = StoredTask(chosen.name, chosen.class_names) if chosen else StoredTask()
            rows.write_parquet(temporary, metadata={TASK_KEY: msgspec.json.encode(stored).decode()})


def _task_to_write(info: DatasetInfo, name: str | None) -> TaskInfo | None:
    """The task of boxes or classes; None for a dataset without any tasks."""
    if not info.tasks and name is None:
        return None
    return fitting_task(info, name, "a table", Bbox, Classification)


def _rows(dataset: "Dataset", task: TaskInfo | None, units: Units, path: Path) -> pl.DataFrame:
    frame = dataset.samples
    lost = frame.filter(pl.col("file_path").is_null())
    if len(lost):
        raise SightlineError(
            f"{len(lost)} samples have no file_path, the first is {lost['sample_index'][0]}."
        )
    samples = frame.select(
        pl.int_range(pl.len(), dtype=pl.UInt32).alias(POSITION),
        pl.col("file_path").str.strip_prefix(f"{path.parent.as_posix()}/"),
        "split",
        pl.col("width").alias("image_width"),
        pl.col("height").alias("image_height"),
        "collection_id",
    )
    if task is None:
        collection = ["collection_id"] if samples["collection_id"].count() else []
        return samples.drop(POSITION).select(pl.exclude("collection_id"), *collection)
    column = task.primitive.column
    repairs = Repairs(path)
    count_not_annotated(frame, [task], repairs)
    count_left_out(dataset, [task.name], repairs)
    repairs.report()
    table = annotation_table(frame, column, task.name)
    rows = samples.join(
        table.select(POSITION, *_fields(column)), on=POSITION, how="left", maintain_order="left_right"
    )
    if column == "bboxes":
        rows = rows.with_columns(_corners(units))
    order = ["file_path", "split", "image_width", "image_height", "class_name", "class_idx"]
    order += ["xmin", "ymin", "xmax", "ymax"] if column == "bboxes" else []
    order += [name for name in ("confidence", "object_id", "collection_id") if rows[name].count()]
    order += ["ground_truth"] if not rows["ground_truth"].drop_nulls().all() else []
    return rows.select(order)


def _fields(column: str) -> list[str]:
    box = ["top_left_x", "top_left_y", "width", "height"] if column == "bboxes" else []
    return ["class_name", "class_idx", "confidence", "object_id", "ground_truth", *box]


def _corners(units: Units) -> list[pl.Expr]:
    across, down = ("image_width", "image_height") if units == "pixels" else (1.0, 1.0)

    def scaled(value: pl.Expr, by: str | float) -> pl.Expr:
        return value * (pl.col(by) if isinstance(by, str) else by)

    left, top = pl.col("top_left_x"), pl.col("top_left_y")
    return [
        scaled(left, across).alias("xmin"),
        scaled(top, down).alias("ymin"),
        scaled(left + pl.col("width"), across).alias("xmax"),
        scaled(top + pl.col("height"), down).alias("ymax"),
    ]
