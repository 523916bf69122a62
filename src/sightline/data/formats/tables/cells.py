"""Read the cells of a CSV or Parquet table, typed by field."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from sightline.errors import SightlineError

SUFFIXES = {".csv": ",", ".tsv": "\t", ".parquet": ""}
"""The kinds of files that are tables, each with what separates its cells as a rule."""

TASK_KEY = "sightline"
"""The key of a Parquet file's metadata that holds a `StoredTask` as JSON."""

_BOX = ("xmin", "ymin", "xmax", "ymax", "x_center", "y_center", "box_width", "box_height")
_NUMBERS = frozenset((*_BOX, "confidence"))
_WHOLE_NUMBERS = frozenset(("class_idx", "image_width", "image_height"))
_MISSING = ("", "na", "nan", "n/a", "null", "none")
_LONGEST_LINE = 1 << 16


class StoredTask(msgspec.Struct):
    """What `write_table` says of its task beside the cells: the name, and all classes if they are fixed."""

    task: str | None = None
    classes: list[str] | None = None


def read_cells(path: Path) -> pl.DataFrame:
    """The table as it stands in the file; all columns of a CSV are text.

    Raises:
        SightlineError: not there, of another kind, damaged, or a CSV that is not UTF-8.
    """
    if not path.is_file():
        raise SightlineError(f"{path}: no such file; give a {', '.join(SUFFIXES)} file.")
    separator = SUFFIXES.get(path.suffix.lower())
    if separator is None:
        raise SightlineError(f"{path}: is no table that can be read; give a {', '.join(SUFFIXES)} file.")
    try:
        if not separator:
            return pl.read_parquet(path, glob=False)
        _refuse_utf_16(path)
        return pl.read_csv(path, separator=_separator(path, separator), infer_schema=False, glob=False)
    except pl.exceptions.NoDataError:
        raise SightlineError(f"{path}: is empty; write a line with the names of the columns first.") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        if separator and not _is_utf8(path):
            raise SightlineError(f"{path}: is not UTF-8 text; save it as UTF-8.") from None
        problem = str(error).splitlines()[0]
        raise SightlineError(f"{path}: cannot be read as a table ({problem}); write it again.") from None


def stored_task(path: Path) -> StoredTask:
    """What a Parquet file says of its task; nothing where it was not written by `write_table`.

    Raises:
        SightlineError: the file's metadata says something else.
    """
    text = pl.read_parquet_metadata(path).get(TASK_KEY) if path.suffix.lower() == ".parquet" else None
    try:
        return StoredTask() if text is None else msgspec.json.decode(text, type=StoredTask)
    except msgspec.DecodeError:
        raise SightlineError(
            f"{path}: its metadata '{TASK_KEY}' holds no task and classes; write the file again."
        ) from None


def typed_cells(path: Path, cells: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """One column per field of ``columns`` (field to column of ``cells``), with the field's type.

    ``bbox`` becomes an array of four numbers. Missing and "NaN" numbers are null, confidences within 0..1.

    Raises:
        SightlineError: a cell that does not hold what its field must; the sentence names row and column.
    """
    typed: dict[str, pl.Series] = {}
    for field, column in columns.items():
        values = cells[column]
        if field in _NUMBERS:
            typed[field] = numbers = _numbers(path, values)
            if field == "confidence":
                outside = ~numbers.is_between(0, 1)
                _refuse(path, values, outside.fill_null(value=False), "a confidence within 0..1")
        elif field in _WHOLE_NUMBERS:
            typed[field] = _whole_numbers(path, values)
        elif field == "bbox":
            typed[field] = _four_numbers(path, values)
        elif field == "ground_truth":
            typed[field] = values.cast(pl.String).str.to_lowercase().is_in(["true", "1"])
        elif values.dtype.is_nested() or values.dtype == pl.Binary:
            raise SightlineError(f"{path}: column '{column}' is {values.dtype}, expected text for {field}.")
        else:
            text = values.cast(pl.String)
            typed[field] = text.set(text == "", None)
    return pl.DataFrame(typed)


def _separator(path: Path, usual: str) -> str:
    """What separates the cells of the header: spreadsheets write semicolons where commas mark decimals.

    Raises:
        SightlineError: the last line has fewer cells than the header, and no end.
    """
    with path.open("rb") as stream:
        header = stream.readline(_LONGEST_LINE).decode("utf-8", errors="replace")
        stream.seek(max(len(header), path.stat().st_size - _LONGEST_LINE))
        last = stream.read().rpartition(b"\n")[2].decode("utf-8", errors="replace")
    separator = max((usual, ",", ";", "\t"), key=header.count)
    if last and '"' not in last and last.count(separator) < header.count(separator):
        raise SightlineError(f"{path}: ends within its last line, '{last[:80]}'; fetch the file again.")
    return separator


def _refuse_utf_16(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(_LONGEST_LINE)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in start:
        raise SightlineError(f"{path}: is UTF-16 text, as spreadsheets write it; save it as UTF-8.")


def _is_utf8(path: Path) -> bool:
    try:
        path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _numbers(path: Path, values: pl.Series) -> pl.Series:
    if values.dtype.is_numeric() or values.dtype in (pl.Null, pl.Boolean):
        return values.cast(pl.Float64).fill_nan(None)
    if values.dtype != pl.String:
        raise SightlineError(f"{path}: column '{values.name}' is {values.dtype}, expected numbers.")
    text = values.str.strip_chars().str.replace(",", ".", literal=True)
    numbers = text.cast(pl.Float64, strict=False)
    wrong = text.is_not_null() & numbers.is_null() & ~text.str.to_lowercase().is_in(_MISSING)
    _refuse(path, values, wrong, "a number")
    return numbers.fill_nan(None)


def _whole_numbers(path: Path, values: pl.Series) -> pl.Series:
    numbers = _numbers(path, values)
    wrong = numbers.is_infinite() | (numbers % 1 != 0) | (numbers.abs() > 2**53)
    _refuse(path, values, wrong.fill_null(value=False), "a whole number")
    return numbers.cast(pl.Int64)


def _four_numbers(path: Path, values: pl.Series) -> pl.Series:
    if values.dtype == pl.String:
        texts = values.set(values.is_in(["", "[]"]), None)
        lists = texts.str.extract_all(r"[^\s,;\[\]()]+").cast(pl.List(pl.Float64), strict=False)
    elif isinstance(values.dtype, pl.List | pl.Array):
        lists = values.cast(pl.List(pl.Float64), strict=False)
    else:
        raise SightlineError(f"{path}: column '{values.name}' is {values.dtype}, expected four numbers.")
    _refuse(path, values, (lists.list.len() != 4).fill_null(value=False), "four numbers")
    return lists.list.to_array(4)


def _refuse(path: Path, values: pl.Series, wrong: pl.Series, expected: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong.to_numpy())[0])
        raise SightlineError(
            f"{path}: row {row + 1}: {values.name} is '{values[row]}', expected {expected}; mend it there."
        )
