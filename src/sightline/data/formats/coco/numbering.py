"""Ids for what is written: those that it had, and new ones for the rest."""

import polars as pl

_LARGEST = 2**53  # beyond it, readers whose numbers are all floating point confuse ids


def numbered(wanted: pl.Series, first: int) -> pl.Series:
    """``wanted`` where it is a number from ``first`` up that no earlier one has, else the next free one.

    ``wanted`` is Int64 with nulls; the result is Int64 without, and without repetition.
    """
    usable = wanted.is_between(first, _LARGEST) & wanted.is_first_distinct()
    frame = wanted.to_frame("wanted").with_columns(usable.fill_null(value=False).alias("usable"))
    largest = frame.filter("usable")["wanted"].max()
    following = first if largest is None else int(largest) + 1  # pyright: ignore[reportArgumentType]
    new = following - 1 + (~pl.col("usable")).cast(pl.Int64).cum_sum()
    return frame.select(pl.when("usable").then("wanted").otherwise(new).alias("id")).to_series()
