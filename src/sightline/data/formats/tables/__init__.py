"""Tables of annotations, as CSV or Parquet: one row per box, or one per image and class."""

from pathlib import Path

from sightline.data.formats.tables.cells import SUFFIXES
from sightline.data.formats.tables.reading import read_table
from sightline.data.formats.tables.writing import write_table

__all__ = ["is_table", "read_table", "write_table"]


def is_table(path: Path) -> bool:
    """Whether ``path`` is a file of a kind that tables come in."""
    return path.suffix.lower() in SUFFIXES and path.is_file()
