"""Tables that show what is in a dataset."""

from collections.abc import Sequence

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sightline.data.class_counts import class_occurrences
from sightline.data.info import DatasetInfo
from sightline.data.splits import SPLITS


def print_stats(info: DatasetInfo, frame: pl.DataFrame, console: Console | None = None) -> None:
    """Print samples per split, and for each task the annotations per class and split."""
    console = console or Console()
    splits = [split for split in SPLITS if (frame["split"] == split).any()]
    title = f"{info.dataset_name} {info.version}"
    console.print(_samples_table(escape(title), frame, splits))
    occurrences = class_occurrences(frame)
    for task in info.tasks:
        of_task = occurrences.filter(
            (pl.col("task_name") == task.name) & (pl.col("column") == task.primitive.column)
        )
        heading = f"{escape(task.name)} ({task.primitive.__name__})"
        console.print(_classes_table(heading, of_task, task.class_names, splits))


def _samples_table(title: str, frame: pl.DataFrame, splits: Sequence[str]) -> Table:
    table = Table("split", title=title, title_justify="left")
    for heading in ("samples", "share"):
        table.add_column(heading, justify="right")
    for split in splits:
        count = int((frame["split"] == split).sum())
        table.add_row(split, f"{count:,}", f"{count / len(frame):.1%}")
    table.add_section()
    table.add_row("all", f"{len(frame):,}", "")
    return table


def _classes_table(
    heading: str, occurrences: pl.DataFrame, class_names: list[str] | None, splits: Sequence[str]
) -> Table:
    counts = {
        (name, split): count
        for name, split, count in occurrences.group_by("class_name", "split").len().iter_rows()
    }
    names = list(class_names or ())
    names += sorted({name for name, _ in counts} - set(names))
    table = Table("class", title=heading, title_justify="left")
    for column in (*splits, "all"):
        table.add_column(column, justify="right")
    for name in names:
        row = [counts.get((name, split), 0) for split in splits]
        table.add_row(escape(name), *(f"{count:,}" for count in (*row, sum(row))))
    table.add_section()
    totals = [int((occurrences["split"] == split).sum()) for split in splits]
    table.add_row("all", *(f"{count:,}" for count in (*totals, len(occurrences))))
    return table
