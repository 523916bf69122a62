"""Read a table of annotations into a dataset."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION
from sightline.data.formats.boxes import BoxFormat, Units, read_boxes
from sightline.data.formats.repairs import Repairs
from sightline.data.formats.stated_sizes import count_other_sizes
from sightline.data.formats.tables.cells import read_cells, stored_task, typed_cells
from sightline.data.formats.tables.columns import recognise
from sightline.data.formats.tables.images import found_images
from sightline.data.image_sizes import image_sizes
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Bbox, Classification
from sightline.data.splits import UNDEFINED, split_from_name
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

ONLY_CLASS = "object"
"""The class of boxes in a table that has no classes."""

_ROW = "row"
_OF_SAMPLE = ("split", "image_height", "image_width", "collection_id")
_OF_ANNOTATION = ("class_name", "confidence", "object_id", "ground_truth")
_CORNERS: dict[BoxFormat, tuple[str, ...]] = {
    "xyxy": ("xmin", "ymin", "xmax", "ymax"),
    "xywh": ("xmin", "ymin", "box_width", "box_height"),
    "cxcywh": ("x_center", "y_center", "box_width", "box_height"),
}
_ALL_CORNERS = ("xmin", "ymin", "xmax", "ymax", "x_center", "y_center", "box_width", "box_height")
_FRACTION = 1.5  # a box that reaches further than this cannot well be in fractions of its image


def read_table(
    cls: type["Dataset"],
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    images: str | Path | None = None,
    classes: Sequence[str] | None = None,
    box_format: BoxFormat = "xywh",
    units: Units | None = None,
    name: str | None = None,
    version: str = "1.0.0",
    task_name: str | None = None,
    split: str = UNDEFINED,
    progress: bool = True,
) -> "Dataset":
    """Make a dataset of a CSV or Parquet file with a row per box, or per image and class.

    What the columns hold is seen from their names (``filename``, ``xmin``, ``x_center``, ``label`` ...;
    `sightline.data.formats.tables.columns.FIELDS` has them all), or said by ``columns``, as
    ``{"file_path": "img", "class_name": "breed"}``. Columns that say nothing of an image, its split,
    its class or its box are left out with a warning. With boxes the task is a `Bbox`, else a
    `Classification`; an image of several rows has several. A row without a box or class stands for an
    image with nothing on it. Rows that say the same twice count once. A table that says of images nothing
    but their split, size and collection gives images that are not annotated, without a task.

    Args:
        path: a ``.csv``, ``.tsv`` or ``.parquet`` file with the names of its columns.
        columns: field to column, for columns whose name does not say it.
        images: the folder that file names are relative to; default the table's folder. Names without
            a suffix, or without their folder, are looked for in the folders below it.
        classes: the class names in order, for tables that hold class numbers, or to order the names;
            default those that a Parquet file of `Dataset.to_table` says, and those that occur, ordered by
            number where there is one, else by name. A CSV has no place for a class that does not occur.
        box_format: what the four numbers of a single column ``bbox`` are.
        units: of boxes; default what the numbers themselves say.
        name: of the dataset; default the file's name.
        version: of the dataset.
        task_name: of the annotations; default the one that the file says, else the primitive's own.
        split: of rows that have none.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: not a table, or one without a header or known columns; a cell of the wrong type,
            numbers that cannot be a box, an image that is missing, or a class that ``classes`` does not
            list; the sentence names it.
    """
    path = Path(path).absolute()
    repairs = Repairs(path)
    cells = read_cells(path)
    found = recognise(path, cells.columns, columns or {})
    box_format, box_fields = _box_fields(path, found, box_format)
    left_out = [column for column in cells.columns if column not in found.values()]
    has_task = bool(box_fields) or not {"class_name", "class_idx"}.isdisjoint(found)
    if left_out and not has_task:
        raise SightlineError(
            f"{path}: no column is known to hold classes or boxes; it has {', '.join(cells.columns)}; name "
            "the one that does, as columns={'class_name': '...'}, or drop the rest for images alone."
        )
    repairs.add(
        "columns that say nothing of image, class or box left out", "".join(left_out[:1]), len(left_out)
    )
    rows = _without_repeats(typed_cells(path, cells, found), repairs)
    del cells
    stored = stored_task(path)
    rows, class_names = _with_classes(path, rows, classes, stored.classes or [])
    folder = Path(images).absolute() if images else path.parent
    rows, samples = _with_samples(path, rows, folder, split, repairs, progress)
    info = DatasetInfo(dataset_name=name or path.stem, version=version)
    task_name = task_name or stored.task
    primitive = Bbox if box_fields else Classification
    if has_task or task_name is not None:
        named = class_names if has_task else list(classes or [])
        info.tasks.append(TaskInfo.from_class_names(primitive, named, task_name))
    tables: dict[str, pl.DataFrame] = {}
    if has_task:
        table = rows.select(POSITION, *(name for name in _OF_ANNOTATION if name in rows.columns))
        if box_fields:
            table = _with_boxes(table, rows, samples, box_fields, box_format, units, repairs)
        tables[primitive.column] = table.filter(pl.col("class_name").is_not_null() | bool(box_fields))
    repairs.report()
    return cls.from_tables(info, samples, **tables)


def _box_fields(path: Path, found: Mapping[str, str], bbox_format: BoxFormat) -> tuple[BoxFormat, list[str]]:
    """How the table gives its boxes and in which fields; no fields where it has no boxes."""
    for box_format, fields in _CORNERS.items():
        if set(fields) <= found.keys():
            return box_format, list(fields)
    if "bbox" in found:
        return bbox_format, ["bbox"]
    some = [found[field] for field in _ALL_CORNERS if field in found]
    if some:
        raise SightlineError(
            f"{path}: has {', '.join(some)}, but not all four numbers of a box; name the missing ones, as "
            "columns={'xmax': '...'}."
        )
    return bbox_format, []


def _without_repeats(rows: pl.DataFrame, repairs: Repairs) -> pl.DataFrame:
    """The rows with their number, each that says something new."""
    fields = rows.columns
    rows = rows.with_row_index(_ROW, 1)
    kept = rows.unique(fields, keep="first", maintain_order=True)
    if len(kept) < len(rows):
        first = rows.join(kept, on=_ROW, how="anti", maintain_order="left")[_ROW][0]
        repairs.add("rows that repeat another left out", f"row {first}", len(rows) - len(kept))
    return kept


def _with_classes(
    path: Path, rows: pl.DataFrame, classes: Sequence[str] | None, stored: Sequence[str]
) -> tuple[pl.DataFrame, list[str]]:
    """The rows with ``class_name`` alone for the class, and all names in order, the ``stored`` ones first."""
    if "class_name" in rows.columns and "class_idx" not in rows.columns:
        numbers = rows["class_name"].cast(pl.Int64, strict=False)
        if numbers.cast(pl.String).equals(rows["class_name"]):
            rows = rows.drop("class_name").with_columns(class_idx=numbers)
    if not {"class_name", "class_idx"} & set(rows.columns):
        return rows.with_columns(class_name=pl.lit(ONLY_CLASS)), list(classes or [ONLY_CLASS])
    if "class_name" not in rows.columns:
        number = pl.col("class_idx")
        names = dict(enumerate(classes)) if classes else {}
        known = number.replace_strict(names, default=None, return_dtype=pl.String) if classes else None
        rows = rows.with_columns(class_name=number.cast(pl.String) if known is None else known)
    if classes is None:
        order = dict.fromkeys([*stored, *_class_order(path, rows)])
        return rows.drop("class_idx", strict=False), list(order)
    given = pl.coalesce(pl.col("^class_(name|idx)$").cast(pl.String))
    unknown = rows.filter(
        given.is_not_null() & ~pl.col("class_name").is_in(list(classes)).fill_null(value=False)
    )
    if len(unknown):
        raise SightlineError(
            f"{path}: row {unknown[_ROW][0]}: class '{unknown.select(given).item(0, 0)}' is not one of the "
            f"{len(classes)} classes given; add it to them."
        )
    return rows.drop("class_idx", strict=False), list(classes)


def _class_order(path: Path, rows: pl.DataFrame) -> list[str]:
    """The class names by number where they have one, else by name."""
    if "class_idx" not in rows.columns:
        return rows["class_name"].drop_nulls().unique().sort().to_list()
    pairs = rows.select("class_name", "class_idx", _ROW).unique(["class_name", "class_idx"], keep="first")
    pairs = pairs.filter(pl.col("class_name").is_not_null() | pl.col("class_idx").is_not_null())
    pairs = pairs.sort("class_idx", _ROW)
    for field in ("class_name", "class_idx"):
        wrong = pairs.filter(pl.col(field).is_duplicated() | pl.col(field).is_null())
        if len(wrong):
            said = " and ".join(
                f"'{name}' is {number} in row {row}" for name, number, row in wrong[:2].rows()
            )
            raise SightlineError(f"{path}: class {said}; give each class one name and one number.")
    return pairs["class_name"].to_list()


def _with_samples(
    path: Path, rows: pl.DataFrame, folder: Path, split: str, repairs: Repairs, progress: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with the `POSITION` of their sample, and the samples in the order in which they occur."""
    nameless = rows.filter(pl.col("file_path").is_null())
    if len(nameless):
        raise SightlineError(
            f"{path}: {len(nameless)} rows name no image, the first is row {nameless[_ROW][0]}."
        )
    names = rows["file_path"].unique(maintain_order=True)
    paths = pl.DataFrame({"file_path": names, "path": found_images(path, names, folder)})
    rows = rows.join(paths, on="file_path", how="left", maintain_order="left")
    rows = rows.drop("file_path").rename({"path": "file_path"})
    fields = [name for name in _OF_SAMPLE if name in rows.columns]
    samples = rows.group_by("file_path", maintain_order=True).agg(
        *(pl.col(name).drop_nulls().first() for name in fields),
        *(pl.col(name).drop_nulls().unique(maintain_order=True).alias(f"all {name}") for name in fields),
    )
    for name in fields:
        torn = samples.filter(pl.col(f"all {name}").list.len() > 1)
        if len(torn):
            values = " and ".join(str(value) for value in torn[f"all {name}"][0][:2])
            raise SightlineError(
                f"{path}: says of {torn['file_path'][0]} that its {name} is {values}; make the rows agree."
            )
    samples = samples.select("file_path", *fields)
    samples = _with_sizes(_with_splits(samples, split, repairs), progress)
    count_other_sizes(samples, repairs, progress=progress)
    positions = samples.select("file_path").with_row_index(POSITION)
    return rows.join(positions, on="file_path", how="left", maintain_order="left"), samples


def _with_splits(samples: pl.DataFrame, split: str, repairs: Repairs) -> pl.DataFrame:
    if "split" not in samples.columns:
        return samples.with_columns(split=pl.lit(split))
    words = samples["split"].drop_nulls().unique(maintain_order=True).to_list()
    known = {word: split_from_name(word) for word in words}
    unknown = samples["split"].is_in([word for word, meant in known.items() if meant is None])
    unknown_words = samples["split"].filter(unknown)
    repairs.add(
        f"images of a split that is none taken as {UNDEFINED}", "".join(unknown_words[:1]), len(unknown_words)
    )
    splits = {word: meant or UNDEFINED for word, meant in known.items()}
    return samples.with_columns(
        pl.col("split").replace_strict(splits, return_dtype=pl.String).fill_null(split)
        if splits
        else pl.lit(split).alias("split")
    )


def _with_sizes(samples: pl.DataFrame, progress: bool) -> pl.DataFrame:
    """The samples with height and width: those of the table, else of the files."""
    for side in ("height", "width"):
        stated = pl.col(f"image_{side}") if f"image_{side}" in samples.columns else pl.lit(None, pl.Int64)
        samples = samples.with_columns(stated.alias(side))
    unsized = samples["height"].is_null() | samples["width"].is_null()
    sizes = samples.select("height", "width").to_numpy(writable=True)
    sizes[unsized.to_numpy()] = image_sizes(samples["file_path"].filter(unsized).to_list(), progress=progress)
    sizes = pl.DataFrame(sizes.astype(np.int64), schema=["height", "width"], orient="row")
    return samples.drop("^(image_)?(height|width)$").hstack(sizes)


def _with_boxes(
    table: pl.DataFrame,
    rows: pl.DataFrame,
    samples: pl.DataFrame,
    fields: Sequence[str],
    box_format: BoxFormat,
    units: Units | None,
    repairs: Repairs,
) -> pl.DataFrame:
    """The rows of ``table`` that hold a box, with the box."""
    no_box = rows.select(pl.all_horizontal(pl.col(fields).is_null())).to_series()
    if (rows["class_name"] != ONLY_CLASS).any():
        labelled = rows.filter(no_box & rows["class_name"].is_not_null())
        example = f"row {labelled[_ROW][0]}, '{labelled['class_name'][0]}'" if len(labelled) else ""
        repairs.add("rows with a class but no box taken as images without boxes", example, len(labelled))
    rows, table = rows.filter(~no_box), table.filter(~no_box)
    numbers = rows["bbox"].to_numpy() if fields == ["bbox"] else rows.select(fields).to_numpy()
    numbers = numbers.astype(np.float64).reshape(-1, 4)
    sizes = samples[rows[POSITION]].select("height", "width").to_numpy()
    boxes, good = read_boxes(
        numbers, box_format, units or _units_of(numbers), sizes, lambda at: f"row {rows[_ROW][at]}", repairs
    )
    return table.hstack(boxes).filter(good)


def _units_of(numbers: np.ndarray) -> Units:
    """What most boxes are in; the rest then is far outside of its image, or tiny."""
    reach = np.abs(numbers[np.isfinite(numbers).all(axis=1)]).max(axis=1, initial=0)
    reach = reach[reach > 0]
    return "pixels" if len(reach) and np.median(reach) > _FRACTION else "fractions"
