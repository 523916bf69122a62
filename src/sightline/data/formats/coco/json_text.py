"""Columns as JSON text: one string per row, made without a Python object per value."""

from collections.abc import Collection

import msgspec
import polars as pl
from msgspec import Raw

_DECIMALS = 9
"""Of lengths in pixels: fractions of an image's size become pixels again without a trace of the detour."""


def number(expr: pl.Expr) -> pl.Expr:
    """Lengths in pixels, rounded to a billionth."""
    return expr.round(_DECIMALS).cast(pl.String)


def quoted(column: str) -> pl.Expr:
    """A column of text as JSON strings."""
    # As the only field of an object, polars escapes it as JSON asks: {"x":"..."}.
    return pl.struct(pl.col(column).alias("x")).struct.json_encode().str.slice(5).str.strip_suffix("}")


def field(key: str, value: pl.Expr, present: pl.Expr) -> pl.Expr:
    """``,"key":value`` where ``present``, else nothing."""
    return pl.when(present).then(pl.concat_str(pl.lit(f',"{key}":'), value)).otherwise(pl.lit(""))


def other_keys(metas: pl.Series, known: Collection[str]) -> pl.DataFrame:
    """Of JSON objects (or null): ``others``, the text ``,"key":value...`` of keys that are not ``known``.

    Beside it ``iscrowd``, 1 where the object has an ``iscrowd`` that is true, else 0.
    """
    texts = metas.unique().drop_nulls()
    others: list[str] = []
    crowds: list[int] = []
    for text in texts:
        meta = msgspec.json.decode(text, type=dict[str, Raw])
        crowds.append(int(bytes(meta.get("iscrowd", b"0")) in (b"1", b"true")))
        kept = {key: value for key, value in meta.items() if key not in known}
        others.append(f",{msgspec.json.encode(kept).decode()[1:-1]}" if kept else "")
    found = pl.DataFrame(
        {"json": texts, "others": others, "iscrowd": crowds},
        schema={"json": pl.String, "others": pl.String, "iscrowd": pl.Int64},
    )
    rows = metas.alias("json").to_frame().join(found, on="json", how="left", maintain_order="left")
    return rows.select(pl.col("others").fill_null(""), pl.col("iscrowd").fill_null(0))


def lines(rows: pl.Series) -> bytes:
    """The texts as elements of a JSON array, one per line."""
    return rows.str.join(",\n").item().encode()
