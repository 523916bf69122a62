"""``annotations.parquet`` and ``annotations.jsonl``: the same rows, for machines and for people.

Both leave out the columns, and the fields of annotations, that are null in every sample; reading puts
them back with their types. Most of the schema is unused in most datasets, and hundreds of empty columns
would make reading four times slower.

Where some confidences of a column are known and others are not, the parquet file has NaN for those that
are not: other readers of the folder (the ``hafnia`` package) refuse null there. The jsonl file shows
``meta`` as the objects that they are.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl

from sightline.data.foreign import conform, with_full_schema
from sightline.data.schema import (
    META,
    PRIMITIVE_COLUMNS,
    SAMPLE_SCHEMA,
    SCHEMA_KEY,
    SCHEMA_VERSION,
    data_type,
)
from sightline.dataset_folder import JSONL_FILE, PARQUET_FILE
from sightline.errors import SightlineError

_LINES = 2_000  # rows that exist as text at once
_ROW_GROUP = 25_000  # rows; groups are read in parallel
_DICTIONARY = 1_000  # texts; with more of them, a dictionary per row group saves little
_ARROW_SCHEMA = "ARROW:schema"

# In written JSON a quote within a text has a backslash before it, so this matches no text's inside.
_META_AS_TEXT = re.compile(rb'"meta":\{"json":("(?:[^"\\]|\\.)*")\}')


def write_annotations(frame: pl.DataFrame, folder: Path) -> None:
    """Write both files; ``file_path`` has to be relative to ``folder`` already."""
    pruned = _without_nulls(frame) if len(frame) else frame
    parquet = (
        _with_dictionaries(_with_unknown_confidence(pruned, None, float("nan")))
        .lazy()
        .sink_parquet(
            folder / PARQUET_FILE,
            compression="lz4",  # a fifth larger than zstd here, and read a quarter faster
            row_group_size=_ROW_GROUP,
            # Readers take types from _ARROW_SCHEMA, and so find text where we have an Enum.
            metadata={SCHEMA_KEY: SCHEMA_VERSION, _ARROW_SCHEMA: _arrow_schema(pruned)},
            lazy=True,
        )
    )
    if not any(map(_holds_meta, pruned.dtypes)):
        pl.collect_all([parquet, pruned.lazy().sink_ndjson(folder / JSONL_FILE, lazy=True)])
        return
    parquet.collect()
    with (folder / JSONL_FILE).open("wb") as stream:
        for block in pruned.iter_slices(_LINES):
            buffer = BytesIO()
            block.write_ndjson(buffer)
            stream.write(_META_AS_TEXT.sub(_meta_as_object, buffer.getvalue()))


def read_annotations(folder: Path, dataset_name: str) -> pl.DataFrame:
    """The annotations of a dataset folder in `SAMPLE_SCHEMA`, with ``file_path`` as it is in the file.

    The parquet file is preferred; without one the jsonl file is read.

    Raises:
        SightlineError: neither file is there, or it cannot be read; the sentence names the file.
    """
    parquet, jsonl = folder / PARQUET_FILE, folder / JSONL_FILE
    if parquet.exists():
        return _read_parquet(parquet, dataset_name)
    if jsonl.exists():
        return _read_jsonl(jsonl, dataset_name)
    raise SightlineError(
        f"{folder}: has neither {PARQUET_FILE} nor {JSONL_FILE}; is it a dataset folder, and complete?"
    )


def _read_parquet(path: Path, dataset_name: str) -> pl.DataFrame:
    try:
        ours = pl.read_parquet_metadata(path).get(SCHEMA_KEY) == SCHEMA_VERSION
        frame = pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise SightlineError(
            f"{path}: cannot be read as a parquet file ({_first_line(error)}); restore it, or delete it to "
            f"have {JSONL_FILE} read instead."
        ) from error
    try:
        frame = _with_unknown_confidence(frame, float("nan"), None)
        return with_full_schema(frame) if ours else conform(frame, dataset_name)
    except SightlineError as error:
        raise SightlineError(f"{path}: {error}") from error


def _read_jsonl(path: Path, dataset_name: str) -> pl.DataFrame:
    frames: list[pl.DataFrame] = []
    is_numbered = True
    for first_line, rows in _row_blocks(path):
        is_numbered = is_numbered and all(row.get("sample_index") is not None for row in rows)
        try:
            # Each block infers its own types, which the schema then makes the same.
            frames.append(conform(_inferred(rows), dataset_name))
        except (SightlineError, TypeError, pl.exceptions.PolarsError) as error:
            raise SightlineError(_jsonl_problem(path, first_line, rows, dataset_name, error)) from error
    if not frames:
        return SAMPLE_SCHEMA.to_frame()
    frame = pl.concat(frames)
    if not is_numbered:
        frame = frame.with_columns(pl.int_range(len(frame), dtype=pl.UInt64).alias("sample_index"))
    return frame


def _inferred(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """The rows with the types that they have; 1 is a fraction where others are 0.5."""
    try:
        return pl.DataFrame(rows, infer_schema_length=None, strict=True)
    except (TypeError, pl.exceptions.PolarsError):
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        return pl.read_ndjson(lines.encode(), infer_schema_length=None)


def _row_blocks(path: Path) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    rows: list[dict[str, Any]] = []
    first_line = 1
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode())
            except UnicodeDecodeError as error:
                raise SightlineError(
                    f"{path}: line {number} is not UTF-8 from byte {error.start + 1} on."
                ) from None
            except json.JSONDecodeError as error:
                raise SightlineError(
                    f"{path}: line {number} is not valid JSON at column {error.colno} ({error.msg})."
                ) from None
            if not isinstance(row, dict):
                raise SightlineError(f"{path}: line {number} is not a JSON object.")
            first_line = first_line if rows else number
            rows.append(_with_meta_as_text(row))
            if len(rows) == _LINES:
                yield first_line, rows
                rows = []
    if rows:
        yield first_line, rows


def _with_meta_as_text(value: Any) -> Any:
    """Every ``meta`` object in a row as the struct that the schema has for it."""
    if isinstance(value, list):
        return [_with_meta_as_text(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {"json": json.dumps(item, ensure_ascii=False, separators=(",", ":"))}
        if key == "meta" and isinstance(item, dict)
        else _with_meta_as_text(item)
        for key, item in value.items()
    }


def _jsonl_problem(
    path: Path, first_line: int, rows: list[dict[str, Any]], dataset_name: str, error: Exception
) -> str:
    for offset, row in enumerate(rows):
        try:
            conform(pl.DataFrame([row], infer_schema_length=None), dataset_name)
        except (SightlineError, TypeError, pl.exceptions.PolarsError) as alone:
            return f"{path}: line {first_line + offset}: {_first_line(alone)}"
    return f"{path}: lines {first_line} and later do not agree on the type of a field ({_first_line(error)})."


def _with_unknown_confidence(frame: pl.DataFrame, old: float | None, new: float | None) -> pl.DataFrame:
    """Replace one way of saying that a confidence is not known by the other, at every level."""

    def replaced(field: pl.Expr, values: pl.Series) -> pl.Expr | None:
        if not values.dtype.is_float() or not (values.is_null() if old is None else values.is_nan()).any():
            return None
        return field.fill_null(new) if old is None else field.fill_nan(new)

    return _with_changed(frame, ("confidence",), replaced)


def _with_dictionaries(frame: pl.DataFrame) -> pl.DataFrame:
    """Texts that many annotations share as Enum: the parquet file then has a number for each annotation.

    Polars makes no dictionaries for text within lists otherwise, and reading takes a fifth longer without.
    """

    def encoded(field: pl.Expr, values: pl.Series) -> pl.Expr | None:
        texts = values.unique().drop_nulls()
        return field.cast(pl.Enum(texts.sort())) if len(texts) <= _DICTIONARY else None

    return _with_changed(frame, ("class_name", "task_name"), encoded)


def _arrow_schema(frame: pl.DataFrame) -> str:
    """The types of the columns, as parquet files have them beside their own."""
    empty = BytesIO()
    frame.clear().write_parquet(empty)
    return pl.read_parquet_metadata(empty.getvalue())[_ARROW_SCHEMA]


Change = Callable[[pl.Expr, pl.Series], pl.Expr | None]
"""The new value of a field, given all its values; None where it stays as it is."""


def _with_changed(frame: pl.DataFrame, names: Collection[str], change: Change) -> pl.DataFrame:
    """The frame with the fields of those ``names`` changed in the annotations of every level."""
    columns = [name for name in PRIMITIVE_COLUMNS if name in frame.columns]
    changes = {name: _changed(pl.col(name), frame[name], names, change) for name in columns}
    return frame.with_columns(**{name: new for name, new in changes.items() if new is not None})


def _changed(lists: pl.Expr, values: pl.Series, names: Collection[str], change: Change) -> pl.Expr | None:
    """The lists of annotations with the change made, or None where there is nothing to change."""
    dtype = values.dtype
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return None
    fields: list[pl.Expr] = []
    for name in (field.name for field in dtype.inner.fields):
        if name not in names and name not in PRIMITIVE_COLUMNS:
            continue
        # Only the field is taken out of the lists: the whole annotations are many times as much.
        inner = values.drop_nulls().list.eval(pl.element().struct.field(name)).explode(empty_as_null=False)
        expr = pl.field(name)
        new = change(expr, inner) if name in names else _changed(expr, inner, names, change)
        fields += [] if new is None else [new]
    return lists.list.eval(pl.element().struct.with_fields(fields)) if fields else None


def _holds(values: pl.Series) -> bool:
    return values.null_count() < len(values)


def _without_nulls(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without the columns, and the fields of annotations, that are null throughout."""
    held = [name for name in frame.columns if _holds(frame[name])]
    return frame.select(_pruned(pl.col(name), frame[name]).alias(name) for name in held)


def _pruned(expr: pl.Expr, values: pl.Series) -> pl.Expr:
    dtype = values.dtype
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        return expr.list.eval(_pruned(pl.element(), values.drop_nulls().explode()))
    if isinstance(dtype, pl.Struct) and dtype != META and len(values):
        kept = [field.name for field in dtype.fields if _holds(values.struct.field(field.name))]
        if kept:
            fields = [
                _pruned(expr.struct.field(name), values.struct.field(name)).alias(name) for name in kept
            ]
            return pl.when(expr.is_not_null()).then(pl.struct(fields))
    return expr


def _holds_meta(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.List):
        return _holds_meta(data_type(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return dtype == META or any(_holds_meta(data_type(field.dtype)) for field in dtype.fields)
    return False


def _meta_as_object(match: re.Match[bytes]) -> bytes:
    return b'"meta":' + json.loads(match.group(1)).encode()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
