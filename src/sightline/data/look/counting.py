"""What the tables and plots show, counted in columns; the fields that nobody asks for are not touched."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Segmentation
from sightline.data.primitives.rle import rle_area
from sightline.data.splits import SPLITS

_SLICE = 200_000  # samples at a time, so that memory does not grow with the dataset
_NAMED = 5  # classes without annotations that are named and not only counted


@dataclass(frozen=True)
class ObjectSizes:
    """One number per object of a task, float32.

    ``width`` and ``height`` are those of the box around the object in pixels, ``area`` is what the object
    itself covers in square pixels, and the centre is that of the box, as fractions of the image.
    """

    width: np.ndarray
    height: np.ndarray
    centre_x: np.ndarray
    centre_y: np.ndarray
    area: np.ndarray

    @property
    def side(self) -> np.ndarray:
        """The side of a square of the same area, in pixels."""
        return np.sqrt(self.area)


@dataclass(frozen=True)
class ShownClasses:
    """The classes of a task that a table or plot has room for."""

    names: list[str]
    """Those that occur: all in the order of the task, or the most frequent ones first."""
    others: int
    """How many more occur."""
    unused: list[str]
    """Those that the task lists and no annotation has."""

    @property
    def unused_line(self) -> str:
        """A sentence about the classes that never occur, naming a few; nothing where there are none."""
        if not self.unused:
            return ""
        count = len(self.unused)
        named = f": {', '.join(self.unused)}" if count <= _NAMED else ""
        return f"{count:,} {'class' if count == 1 else 'classes'} without annotations{named}"


def splits_of(frame: pl.DataFrame) -> list[str]:
    """The splits that have samples, in the order in which tables show them."""
    present = set(frame["split"].unique())
    return [split for split in SPLITS if split in present]


def class_counts(frame: pl.DataFrame, task: TaskInfo, *, pixels: bool = False) -> pl.DataFrame:
    """Annotations of a task per class and split: ``class_name``, ``split``, ``count``.

    A class without a name counts by its index, or as "-". Attributes of annotations are not counted. With
    ``pixels``, which only masks have, ``count`` is how many pixels the annotations cover.
    """
    column, keys = task.primitive.column, ["task_name", "class_name", "class_idx"]
    name = pl.coalesce("class_name", pl.col("class_idx").cast(pl.String), pl.lit("-")).alias("class_name")
    parts = []
    for part in frame.select("split", "height", "width", column).iter_slices(_SLICE):
        fields = annotation_fields(part, column, keys, ["split"])
        count = _mask_pixels(part, column) if pixels else pl.Series(np.ones(len(fields), np.int64))
        of_task = fields.with_columns(count.alias("count")).filter(pl.col("task_name") == task.name)
        parts.append(of_task.group_by(name, "split").agg(pl.sum("count")))
    nothing = pl.DataFrame(schema={"class_name": pl.String, "split": pl.String, "count": pl.Int64})
    return pl.concat([nothing, *parts]).group_by("class_name", "split").agg(pl.sum("count"))


def pixel_shares(
    frame: pl.DataFrame, task: TaskInfo, splits: Sequence[str], most: int
) -> dict[str, np.ndarray]:
    """How much of the images each class of a segmentation covers, the largest class first.

    Of each class that occurs the fractions of the pixels of each split's annotated samples, and behind them
    that of all splits; of the classes behind the ``most`` largest the sum, and of pixels without a class.
    """
    counts = class_counts(frame, task, pixels=True)
    size = (pl.col("height") * pl.col("width")).sum()
    of_split = dict(
        frame.filter(pl.col(task.primitive.column).is_not_null()).group_by("split").agg(size).iter_rows()
    )
    totals = np.array([of_split.get(split, 0) for split in splits])
    by_class: dict[str, np.ndarray] = {}
    for name, split, count in counts.filter(pl.col("split").is_in(splits)).iter_rows():
        by_class.setdefault(name, np.zeros(len(splits)))[splits.index(split)] = count
    ordered = sorted(by_class.items(), key=lambda entry: (-entry[1].sum(), entry[0]))
    rows = dict(ordered[:most])
    if others := [row for _, row in ordered[most:]]:
        rows[other_classes(len(others))] = np.sum(others, axis=0)
    rows["(no class)"] = (totals - sum(rows.values())).clip(0)  # masks of classes may overlap
    if not rows["(no class)"].any():
        del rows["(no class)"]
    totals = np.append(totals, totals.sum()).clip(1)
    return {name: np.append(row, row.sum()) / totals for name, row in rows.items()}


def shown_classes(info: TaskInfo, counts: pl.DataFrame, most: int) -> ShownClasses:
    """The classes that occur in ``counts``, or the ``most`` frequent ones of them."""
    found = (
        counts.group_by("class_name")
        .agg(pl.sum("count"))
        .sort("count", "class_name", descending=[True, False])
    )
    occurring = set(found["class_name"])
    listed = info.class_names or []
    names = [name for name in listed if name in occurring]
    names += sorted(occurring.difference(listed))
    unused = [name for name in listed if name not in occurring]
    if len(names) <= most:
        return ShownClasses(names, 0, unused)
    return ShownClasses(found["class_name"].head(most).to_list(), len(names) - most, unused)


def other_classes(count: int) -> str:
    """What stands for classes for which there is no room."""
    return "1 other class" if count == 1 else f"{count:,} other classes"


def object_sizes(frame: pl.DataFrame, task: TaskInfo) -> ObjectSizes:
    """How large the boxes, polygons or masks of a task are, and where.

    A box covers its width times its height, a mask its pixels, and a polygon what the shoelace formula
    gives.
    """
    column = task.primitive.column
    parts = [
        _sizes(part, column, task.name)
        for part in frame.select("height", "width", column).iter_slices(_SLICE)
        if part[column].null_count() < len(part)
    ]
    joined = np.concatenate([np.zeros((0, 5), np.float32), *parts])
    return ObjectSizes(*joined.T)


def object_tasks(info: DatasetInfo) -> list[TaskInfo]:
    """The tasks whose annotations are objects with a place in the image; a segmentation has none."""
    return [
        task
        for task in info.tasks
        if task.primitive.column != "classifications" and task.primitive is not Segmentation
    ]


def annotation_fields(
    frame: pl.DataFrame, column: str, fields: Sequence[str], of_sample: Sequence[str]
) -> pl.DataFrame:
    """One row per annotation in ``column``: some of its fields, and some columns of its sample."""
    lists = frame[column]
    lengths = lists.list.len().fill_null(0).to_numpy()
    # Where nothing has to be put in for empty lists, exploding copies nothing.
    annotations = lists.explode(empty_as_null=False, keep_nulls=False).struct
    columns = {name: annotations.field(name) for name in fields}
    owner = pl.Series(np.repeat(np.arange(len(frame), dtype=np.uint32), lengths))
    return pl.DataFrame(columns).hstack(
        [frame[name].gather(owner).alias(f"sample_{name}" if name in columns else name) for name in of_sample]
    )


_IMAGE = {"height": "image_height", "width": "image_width"}


def _mask_pixels(part: pl.DataFrame, column: str) -> pl.Series:
    """How many pixels each mask covers; what does not say its area is counted."""
    part = part.rename(_IMAGE)
    table = annotation_fields(part, column, ["area"], list(_IMAGE.values()))
    pixels = (table["area"] * table["image_height"] * table["image_width"]).round()
    unknown = ~pixels.is_finite().fill_null(value=False)
    if unknown.any():
        masks = annotation_fields(part, column, ["rle_string"], [])["rle_string"].filter(unknown)
        pixels = pixels.scatter(unknown.arg_true(), [float(rle_area(mask)) for mask in masks])
    return pixels.cast(pl.Int64)


def _sizes(part: pl.DataFrame, column: str, task_name: str) -> np.ndarray:
    """The columns of `ObjectSizes`, of shape (objects, 5)."""
    names = {
        "bboxes": ["top_left_x", "top_left_y", "width", "height"],
        "bitmasks": ["left", "top", "width", "height"],
        "polygons": ["points"],
    }[column]
    image_height, image_width = pl.col("image_height"), pl.col("image_width")
    table = annotation_fields(part.rename(_IMAGE), column, ["task_name", *names], list(_IMAGE.values()))
    if column == "bitmasks":
        table = table.with_columns(_mask_pixels(part, column).alias("area"))
    table = table.filter(pl.col("task_name") == task_name)
    width, height = pl.col("width"), pl.col("height")
    if column == "polygons":
        table = table.filter(pl.col("points").list.len() > 0)
        x, y = (pl.col("points").list.eval(pl.element().struct.field(axis)).list for axis in ("x", "y"))
        table = table.with_columns(pl.Series("area", _polygon_areas(table["points"]))).select(
            *_IMAGE.values(),
            "area",
            left=x.min(),
            top=y.min(),
            width=x.max() - x.min(),
            height=y.max() - y.min(),
        )
    if column == "bitmasks":
        columns = [
            width,
            height,
            (pl.col("left") + width / 2) / image_width,
            (pl.col("top") + height / 2) / image_height,
            pl.col("area"),
        ]
    else:
        left, top = ("left", "top") if column == "polygons" else names[:2]
        area = pl.col("area") if column == "polygons" else width * height
        columns = [
            width * image_width,
            height * image_height,
            pl.col(left) + width / 2,
            pl.col(top) + height / 2,
            area * image_width * image_height,
        ]
    numbers = table.select(entry.cast(pl.Float32).alias(str(n)) for n, entry in enumerate(columns)).to_numpy()
    return numbers[np.isfinite(numbers).all(axis=1)]


def _polygon_areas(polygons: pl.Series) -> np.ndarray:
    """What each polygon covers, by the shoelace formula; none of them is without points."""
    lengths = polygons.list.len().to_numpy().astype(np.int64)
    x, y = polygons.explode().struct.unnest().select("x", "y").to_numpy().reshape(-1, 2).T
    if not len(lengths):
        return np.zeros(0)
    lasts = np.cumsum(lengths) - 1
    following = np.arange(1, len(x) + 1)
    following[lasts] = lasts - lengths + 1
    return np.abs(np.add.reduceat(x * y[following] - y * x[following], lasts - lengths + 1)) / 2
