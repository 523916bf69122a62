"""Find what is wrong with a dataset: a table of problems, each with the sample that has it.

Reading and building a dataset refuse what could not be worked with at all. Here is what can be worked
with and is most likely a mistake all the same, and what only a look at the image files shows.
"""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION
from sightline.data.checks import EDGE
from sightline.data.image_sizes import size_of
from sightline.data.images import read_rgb
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.look.counting import annotation_fields
from sightline.data.primitives.rle import rle_length
from sightline.data.progress import in_parallel
from sightline.data.sample_ids import comparable_ids
from sightline.data.schema import PRIMITIVE_COLUMNS
from sightline.data.splits import SPLITS, UNDEFINED
from sightline.errors import SightlineError

ImageCheck = Literal["none", "exist", "header", "decode"]
"""How closely image files are looked at: not at all, are they there, is the size right, do they decode."""

PROBLEMS = pl.Schema(
    {
        "problem": pl.String,
        "sample_index": pl.UInt64,
        "file_path": pl.String,
        "split": pl.String,
        "task_name": pl.String,
        "annotation": pl.UInt32,
        "detail": pl.String,
    }
)
"""The columns of the table of problems; ``annotation`` is the place in the sample's list, from 0."""

_ANNOTATION = "annotation"
_BATCH = 32  # files; most are looked at in less time than it takes to hand one over


def find_problems(
    info: DatasetInfo, frame: pl.DataFrame, images: ImageCheck = "header", *, progress: bool = True
) -> pl.DataFrame:
    """Every inconsistency of a dataset, as a frame of `PROBLEMS`, in the order of the samples.

    ``images`` says how closely the files are looked at. Samples stored in videos are only looked for.
    """
    numbered = _numbered(frame)
    found = [*_in_samples(frame), _leaks(numbered, "collection_id", "collection '{}'")]
    for column in PRIMITIVE_COLUMNS:
        found += _in_annotations(info, frame, column)
    if images != "none":
        in_files = list(_in_files(frame, images, progress))
        found += in_files
        if not in_files:  # an image that cannot be read cannot be compared with others
            ids = comparable_ids(frame, progress=progress)
            found.append(_leaks(numbered.with_columns(ids.alias("id")), "id", "the image '{}'"))
    rows = pl.concat(found) if found else pl.DataFrame(schema={POSITION: pl.UInt32, **_DETAILS})
    samples = numbered.select(POSITION, "sample_index", "file_path", "split")
    return (
        rows.sort(POSITION, "problem", _ANNOTATION, maintain_order=True)
        .join(samples, on=POSITION, how="left", maintain_order="left")
        .select(PROBLEMS.names())
    )


_OF_SAMPLE = (
    "sample_index",
    "file_path",
    "split",
    "height",
    "width",
    "storage_format",
    "collection_id",
    "collection_index",
)


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """What is looked at of the samples themselves, with `POSITION` in front.

    Annotations are left behind, since each filter would copy all of them. One piece of memory, because
    frames that were put together from hundreds take many times as long.
    """
    return frame.select(_OF_SAMPLE).rechunk().with_row_index(POSITION)


_DETAILS = {"problem": pl.String, "task_name": pl.String, _ANNOTATION: pl.UInt32, "detail": pl.String}


def _rows(problem: str, table: pl.DataFrame, wrong: pl.Expr, detail: pl.Expr) -> pl.DataFrame:
    """The rows of ``table`` for which ``wrong`` holds, as problems."""
    names = [name for name in ("task_name", _ANNOTATION) if name in table.columns]
    return (
        table.filter(wrong)
        .select(POSITION, *names, pl.lit(problem).alias("problem"), detail.cast(pl.String).alias("detail"))
        .select(
            pl.col(POSITION).cast(pl.UInt32),
            *(
                pl.col(name).cast(dtype)
                if name in ("problem", "detail", *names)
                else pl.lit(None, dtype).alias(name)
                for name, dtype in _DETAILS.items()
            ),
        )
    )


def _in_samples(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    samples = _numbered(frame)
    yield _rows(
        "duplicate sample_index",
        samples,
        pl.col("sample_index").is_duplicated(),
        pl.format("sample_index {} occurs more than once", "sample_index"),
    )
    frames_of_video = pl.struct("file_path", "collection_index")
    path_only = pl.col("storage_format") == "image"
    repeated = (path_only & pl.col("file_path").is_duplicated()) | (
        ~path_only & frames_of_video.is_duplicated()
    )
    yield _rows(
        "duplicate image",
        samples,
        repeated & pl.col("file_path").is_not_null(),
        pl.lit("used by several samples"),
    )
    yield _rows("no image", samples, pl.col("file_path").is_null(), pl.lit("file_path is missing"))
    unknown = ~pl.col("split").is_in(SPLITS)
    yield _rows("unknown split", samples, unknown.fill_null(value=True), pl.format("'{}'", "split"))
    wrong_size = (pl.col("height") <= 0) | (pl.col("width") <= 0)
    yield _rows("impossible size", samples, wrong_size, pl.format("{} x {} pixels", "height", "width"))


def _leaks(samples: pl.DataFrame, key: str, what: str) -> pl.DataFrame:
    """Samples whose ``key`` is in several splits; ``what`` says what the key is."""
    splits = pl.col("split").unique().sort().str.join(", ").over(key)
    return _rows(
        "leak between splits",
        samples.filter(pl.col(key).is_not_null(), pl.col("split") != UNDEFINED),
        pl.col("split").n_unique().over(key) > 1,
        pl.format(f"{what} is in the splits {{}}", key, splits),
    )


_CARRIED = "classifications"
_CHECKED = ("task_name", "class_name", "class_idx", "confidence", "ground_truth")
_SHAPES = {
    "classifications": (),
    "bboxes": ("top_left_x", "top_left_y", "width", "height"),
    "bitmasks": ("width", "height", "rle_string"),
    "polygons": ("points",),
}
"""The fields that are looked at: of all annotations, and of those in a column."""


def _in_annotations(info: DatasetInfo, frame: pl.DataFrame, column: str) -> Iterator[pl.DataFrame]:
    positions = pl.DataFrame({POSITION: pl.int_range(len(frame), dtype=pl.UInt32, eager=True)})
    samples = positions.with_columns(frame[column])
    # Most fields, and all that is nested, are not looked at; taking those apart needs gigabytes.
    carried = [_CARRIED] if any(_listed_attributes(task) for task in info.tasks) else []
    table = annotation_fields(samples, column, [*_CHECKED, *_SHAPES[column], *carried], [POSITION]).rechunk()
    if not len(table):
        return
    rows = np.arange(len(table))
    firsts = np.searchsorted(table[POSITION].to_numpy(), table[POSITION].to_numpy())
    table = table.with_columns(pl.Series(_ANNOTATION, rows - firsts, pl.UInt32))
    if carried:
        attributes = pl.col(_CARRIED).list
        of = {"attribute": "task_name", "value": "class_name"}
        table = table.with_columns(
            attributes.eval(pl.element().struct.field(field)).alias(name) for name, field in of.items()
        ).drop(_CARRIED)
        for task in info.tasks:
            if task.primitive.column == column:
                yield from _in_attributes(task, table)
    yield from _against_tasks(info, table, column)
    confidence = pl.col("confidence")
    yield _rows(
        "confidence out of range",
        table,
        confidence.is_not_null() & (confidence.is_nan() | ~confidence.is_between(0, 1)),
        pl.format("confidence {}", "confidence"),
    )
    if column == "bboxes":
        yield from _in_boxes(table)
    if column == "polygons":
        yield from _in_polygons(table)
    if column == "bitmasks":
        yield from _in_masks(frame, table)


def _against_tasks(info: DatasetInfo, table: pl.DataFrame, column: str) -> Iterator[pl.DataFrame]:
    tasks = [task for task in info.tasks if task.primitive.column == column]
    unknown = ~pl.col("task_name").is_in([task.name for task in tasks])
    yield _rows(
        "unknown task", table, unknown, pl.format("task '{}' is not in the dataset's info", "task_name")
    )
    for task in tasks:
        names = task.class_names
        if names is None:
            continue
        of_task = table.filter(pl.col("task_name") == task.name)
        name, index = pl.col("class_name"), pl.col("class_idx")
        known = name.is_in(names)
        yield _rows(
            "no class", of_task, name.is_null() & index.is_null(), pl.lit("neither class_name nor class_idx")
        )
        yield _rows("unknown class", of_task, ~known & name.is_not_null(), pl.format("class_name '{}'", name))
        yield _rows(
            "unknown class",
            of_task,
            name.is_null() & ~index.is_between(0, len(names) - 1),
            pl.format("class_idx {} of {} classes", index, pl.lit(len(names))),
        )
        expected = name.replace_strict(names, range(len(names)), default=None, return_dtype=pl.Int64)
        yield _rows(
            "class index mismatch",
            of_task,
            known & index.is_not_null() & (index != expected),
            pl.format("class_name '{}' is class {}, class_idx says {}", name, expected, index),
        )


def _listed_attributes(task: TaskInfo) -> set[tuple[str, str, str]]:
    """The class, name and value of every attribute that is a classification with fixed classes."""
    return {
        (class_info.name, attribute.name, name)
        for class_info in task.classes or ()
        for attribute in class_info.attributes or ()
        if attribute.primitive.column == _CARRIED
        for name in attribute.class_names or ()
    }


def _in_attributes(task: TaskInfo, table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Classifications that annotations carry, against the attributes that their class lists."""
    listed = _listed_attributes(task)
    if not listed:
        return
    carried = (
        table.filter(pl.col("task_name") == task.name, pl.col("attribute").list.len() > 0)
        .select(POSITION, "task_name", _ANNOTATION, pl.col("class_name").alias("owner"), "attribute", "value")
        .explode("attribute", "value")
    )
    known = pl.DataFrame(sorted(listed), schema=["owner", "attribute", "value"], orient="row")
    closed = known.select("owner", "attribute").unique()
    unknown = carried.join(closed, on=["owner", "attribute"], how="semi").join(
        known, on=["owner", "attribute", "value"], how="anti"
    )
    yield _rows(
        "unknown attribute",
        unknown,
        pl.lit(value=True),
        pl.format("attribute '{}' of class '{}' is '{}'", "attribute", "owner", "value"),
    )


def _in_boxes(table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    x, y, width, height = (pl.col(name) for name in ("top_left_x", "top_left_y", "width", "height"))
    shown = pl.format("x {}, y {}, width {}, height {}", x, y, width, height)
    outside = (x < -EDGE) | (y < -EDGE) | (x + width > 1 + EDGE) | (y + height > 1 + EDGE)
    yield _rows("box outside the image", table, outside, shown)
    yield _rows("box without area", table, (width <= 0) | (height <= 0), shown)
    # Two boxes of different tasks, or one predicted and one true, are no duplicates.
    same = pl.struct(POSITION, "task_name", "class_name", "ground_truth", x, y, width, height)
    yield _rows("duplicate box", table, same.is_duplicated(), shown)


def _in_polygons(table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    points = pl.col("points")
    count = points.list.len()
    yield _rows(
        "polygon without area", table, (count < 3).fill_null(value=True), pl.format("{} points", count)
    )
    low = pl.min_horizontal(*(points.list.eval(pl.element().struct.field(axis)).list.min() for axis in "xy"))
    high = pl.max_horizontal(*(points.list.eval(pl.element().struct.field(axis)).list.max() for axis in "xy"))
    yield _rows(
        "polygon outside the image",
        table.with_columns(low.alias("low"), high.alias("high")),
        (pl.col("low") < -EDGE) | (pl.col("high") > 1 + EDGE),
        pl.format("points from {} to {}", "low", "high"),
    )


def _in_masks(frame: pl.DataFrame, table: pl.DataFrame) -> Iterator[pl.DataFrame]:
    positions = table[POSITION].to_numpy()
    expected = (frame["height"] * frame["width"]).to_numpy()[positions]
    lengths = np.fromiter(map(_length, table["rle_string"].to_list()), dtype=np.int64, count=len(table))
    sized = table.with_columns(pl.Series("pixels", lengths), pl.Series("expected", expected))
    yield _rows(
        "mask of another size",
        sized,
        pl.col("pixels") != pl.col("expected"),
        pl.format("its RLE counts {} pixels, the image has {}", "pixels", "expected"),
    )
    yield _rows(
        "mask without pixels",
        table,
        (pl.col("width") <= 0) | (pl.col("height") <= 0),
        pl.lit("nothing is set"),
    )


def _length(rle: str) -> int:
    try:
        return rle_length(rle)
    except SightlineError:
        return -1


def _in_files(frame: pl.DataFrame, images: ImageCheck, progress: bool) -> Iterator[pl.DataFrame]:
    samples = _numbered(frame).filter(pl.col("file_path").is_not_null())
    rows = samples.select("file_path", "height", "width", "storage_format").rows()
    results = in_parallel(
        partial(_file_problem, images), rows, "Checking images", progress=progress, batch=_BATCH
    )
    found = [(row, *result) for row, result in enumerate(results) if result is not None]
    if not found:
        return
    rows_found, problems, details = zip(*found, strict=True)
    yield pl.DataFrame(
        {
            POSITION: samples[POSITION].gather(list(rows_found)),
            "problem": list(problems),
            "task_name": pl.Series([None] * len(found), dtype=pl.String),
            _ANNOTATION: pl.Series([None] * len(found), dtype=pl.UInt32),
            "detail": list(details),
        }
    ).cast({POSITION: pl.UInt32})


def _file_problem(images: ImageCheck, row: tuple[str, int, int, str]) -> tuple[str, str] | None:
    path, height, width, storage_format = row[0], row[1], row[2], row[3]
    if "://" in path:
        return None  # in an object store; looked at when it is downloaded
    if not os.path.isfile(path):  # noqa: PTH113 (several times as fast)
        return "missing image", "there is no such file"
    if images == "exist" or storage_format != "image":
        return None
    try:
        size = size_of(path)
        if (height, width) != size and not ((height, width) == size[::-1] and _turned(path)):
            return (
                "image of another size",
                f"the file has {size[0]} x {size[1]}, the sample says {height} x {width}",
            )
        if images == "decode":
            read_rgb(Path(path), (height, width))
    except SightlineError as error:
        return "unreadable image", str(error).removeprefix(f"{path}: ")
    return None


def _turned(path: str) -> bool:
    """Whether EXIF turns the image on its side: then annotations may be of either orientation."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except OSError:
        return False  # a raster that only rasterio reads, and EXIF turns no raster
