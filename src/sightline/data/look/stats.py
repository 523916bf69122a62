"""Tables that show what is in a dataset."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.look.counting import (
    ShownClasses,
    class_counts,
    object_sizes,
    object_tasks,
    other_classes,
    pixel_shares,
    shown_classes,
    splits_of,
)
from sightline.data.primitives import Segmentation

_CLASSES, _SIZES = 100, 5  # rows of a table; further ones are summed up


def print_stats(info: DatasetInfo, frame: pl.DataFrame, console: Console | None = None) -> None:
    """Print samples per split, the images' sizes, annotations per class and split, and objects' sizes.

    Of a segmentation, which has no objects, the share of the pixels per class is printed instead.
    """
    console = console or Console()
    splits = splits_of(frame)
    console.print(_samples_table(escape(f"{info.dataset_name} {info.version}"), frame, splits))
    if len(frame):
        console.print(_image_sizes_table(frame))
    for task in info.tasks:
        heading = f"{escape(task.name)} ({task.primitive.__name__})"
        counts = class_counts(frame, task)
        shown = shown_classes(task, counts, _CLASSES)
        console.print(_classes_table(heading, counts, shown, splits))
        if task.primitive is Segmentation:
            console.print(_pixels_table(f"{escape(task.name)}: pixels", frame, task, splits))
        if shown.unused:
            console.print(escape(shown.unused_line), highlight=False)
    if tasks := object_tasks(info):
        console.print(_objects_table(frame, tasks))


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(first, title=title, title_justify="left")
    for heading in others:
        table.add_column(heading, justify="right")
    return table


def _samples_table(title: str, frame: pl.DataFrame, splits: Sequence[str]) -> Table:
    table = _table(title, "split", "samples", "share")
    counts = dict(frame["split"].value_counts().iter_rows())
    for split in splits:
        table.add_row(split, f"{counts[split]:,}", f"{counts[split] / len(frame):.1%}")
    table.add_section()
    table.add_row("all", f"{len(frame):,}", "")
    return table


def _image_sizes_table(frame: pl.DataFrame) -> Table:
    sizes = frame.group_by("width", "height").len().sort("len", "width", "height", descending=True)
    table = _table("image sizes", "width x height", "samples", "share")
    for width, height, count in sizes.head(_SIZES).iter_rows():
        table.add_row(f"{width} x {height}", f"{count:,}", f"{count / len(frame):.1%}")
    rest = sizes.slice(_SIZES)
    if len(rest):
        count = int(rest["len"].sum())
        table.add_row(f"{len(rest):,} other sizes", f"{count:,}", f"{count / len(frame):.1%}")
    return table


def _classes_table(heading: str, counts: pl.DataFrame, shown: ShownClasses, splits: Sequence[str]) -> Table:
    by_class = {(name, split): count for name, split, count in counts.iter_rows()}
    table = _table(heading, "class", *splits, "all")

    def add(name: str, row: list[int]) -> None:
        table.add_row(name, *(f"{count:,}" for count in (*row, sum(row))))

    rows = [[by_class.get((name, split), 0) for split in splits] for name in shown.names]
    for name, row in zip(shown.names, rows, strict=True):
        add(escape(name), row)
    of_split = dict(counts.group_by("split").agg(pl.sum("count")).iter_rows())
    totals = [of_split.get(split, 0) for split in splits]
    if shown.others:
        sums = np.sum(rows, axis=0).tolist()
        add(
            other_classes(shown.others),
            [total - part for total, part in zip(totals, sums, strict=True)],
        )
    table.add_section()
    add("all", totals)
    return table


def _pixels_table(heading: str, frame: pl.DataFrame, task: TaskInfo, splits: Sequence[str]) -> Table:
    """Fractions of the pixels of the annotated samples."""
    table = _table(heading, "class", *splits, "all")
    for name, shares in pixel_shares(frame, task, splits, _CLASSES).items():
        table.add_row(escape(name), *(f"{share:.2%}" for share in shares))
    return table


def _objects_table(frame: pl.DataFrame, tasks: Sequence[TaskInfo]) -> Table:
    """An object's size is the side of a square of the area that the object itself covers."""
    headings = ("objects", "per sample", "smallest", "median", "largest")
    table = _table("object sizes in pixels (side of a square of the same area)", "task", *headings)
    for task in tasks:
        sides = object_sizes(frame, task).side
        annotated = len(frame) - frame[task.primitive.column].null_count()
        cells = ["", "", ""]
        if len(sides):
            cells = [f"{value:,.0f}" for value in (sides.min(), np.median(sides), sides.max())]
        per_sample = f"{len(sides) / annotated:.1f}" if annotated else ""
        table.add_row(escape(task.name), f"{len(sides):,}", per_sample, *cells)
    return table
