"""A key per sample, by which samples are grouped or spread: a column, a field, or something in ``meta``."""

import polars as pl

from sightline.data.schema import SAMPLE_SCHEMA
from sightline.errors import SightlineError


def sample_keys(frame: pl.DataFrame, key: str) -> pl.Series:
    """One text per sample, null where it has none.

    ``key`` is a column (``collection_id``), a field of one (``video_info.name``), or a value in the
    samples' ``meta`` (``meta.patient``, ``meta.site.city``). ``file_path`` stands for the folder that the
    image is in, since a path alone is every image's own.

    Raises:
        SightlineError: no such column or field, or one that holds more than one value.
    """
    column, *fields = key.split(".")
    if column not in SAMPLE_SCHEMA:
        known = [name for name, dtype in SAMPLE_SCHEMA.items() if not dtype.is_nested()]
        raise SightlineError(
            f"samples have no column '{column}'; there are {', '.join(known)}, and meta.<key>."
        )
    keys = _meta_values(frame, fields) if column == "meta" and fields else _values(frame, key, column, fields)
    if column == "file_path":
        keys = keys.str.replace(r"[^/]*$", "")
    return keys.alias("key")


def group_keys(frame: pl.DataFrame, key: str) -> pl.Series:
    """`sample_keys`, each with the name of its dataset: two datasets may both have a video "1"."""
    named = frame.select(pl.col("dataset_name").fill_null(""), sample_keys(frame, key))
    return named.select(pl.format("{}/{}", "dataset_name", "key").alias("group")).to_series()


def refuse_empty(keys: pl.Series, key: str) -> None:
    """Raise a `SightlineError` where no sample has the ``key``."""
    if keys.null_count() == len(keys) > 0:
        raise SightlineError(f"no sample has a '{key}'; choose another key.")


def _values(frame: pl.DataFrame, key: str, column: str, fields: list[str]) -> pl.Series:
    values = frame[column]
    for field in fields:
        if not isinstance(values.dtype, pl.Struct) or field not in values.struct.fields:
            raise SightlineError(f"samples have no field '{key}'; choose another key.")
        values = values.struct.field(field)
    if values.dtype.is_nested():
        raise SightlineError(
            f"'{key}' holds {values.dtype.base_type()} values; choose a field with one value."
        )
    return values.cast(pl.String)


def _meta_values(frame: pl.DataFrame, fields: list[str]) -> pl.Series:
    path = "$" + "".join(f"['{field}']" for field in fields)
    return frame["meta"].struct.field("json").str.json_path_match(path)
