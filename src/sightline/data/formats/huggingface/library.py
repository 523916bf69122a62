"""The ``datasets`` library, which is optional, and the columns that stand for tasks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sightline.data.primitives import Bbox, Classification, Primitive, Segmentation
from sightline.errors import SightlineError

COLUMN_OF = {Classification: "label", Bbox: "objects", Segmentation: "mask"}
"""The column of a task that has the name that tasks of its primitive have by default."""

DICT_FILE = "dataset_dict.json"
"""What ``DatasetDict.save_to_disk`` writes beside the folders of the splits."""


def library() -> Any:
    """The ``datasets`` module.

    Raises:
        SightlineError: it is not installed.
    """
    try:
        import datasets
    except ImportError:
        raise SightlineError(
            "Hugging Face datasets needs a library: run pip install 'sightline[huggingface]'."
        ) from None
    return datasets


def column_of(primitive: type[Primitive], task_name: str) -> str:
    """The column of a task."""
    default = primitive.__dataclass_fields__["task_name"].default
    return COLUMN_OF.get(primitive, task_name) if task_name == default else task_name


def task_of(primitive: type[Primitive], column: str) -> str:
    """The task of a column."""
    default = primitive.__dataclass_fields__["task_name"].default
    return default if column == COLUMN_OF[primitive] else column


@contextmanager
def bars(shown: bool) -> Iterator[None]:
    """The library's own bars only where they are wanted and there is a terminal."""
    datasets = library()
    if (shown and sys.stderr.isatty()) or datasets.are_progress_bars_disabled():
        yield
        return
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.enable_progress_bars()
