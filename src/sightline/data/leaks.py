"""What leaks between splits: a recording, or an image, that is in one split and in another too."""

import polars as pl

from sightline.data.sample_ids import comparable_ids
from sightline.data.sample_keys import group_keys
from sightline.data.splits import SPLITS, UNDEFINED
from sightline.errors import SightlineError

LEAKS = pl.Schema(
    {
        "problem": pl.String,
        "key": pl.String,
        "split_a": pl.String,
        "split_b": pl.String,
        "sample_index_a": pl.UInt64,
        "sample_index_b": pl.UInt64,
    }
)
"""The columns of the table of leaks; ``key`` is the group, or the image's id or path."""

_PROBLEMS = {"group": "group in two splits", "id": "image in two splits"}

_NAMED = 5  # leaks that an error's sentence names


def find_leaks(
    frame: pl.DataFrame, *, group_by: str = "collection_id", progress: bool = True
) -> pl.DataFrame:
    """Groups and images that are in two splits: a row of `LEAKS` for each, and for each pair of splits.

    The samples are the first ones of the two splits. UNDEFINED is no split. Images are compared by their
    content; only files of equal size are read, and those that are not there are passed over.

    Raises:
        SightlineError: an unknown key ``group_by``, or an image that cannot be read.
    """
    assigned = frame.filter(pl.col("split") != UNDEFINED)
    listed = assigned.select("split", "sample_index").with_columns(
        group_keys(assigned, group_by).alias("group"), comparable_ids(assigned, progress=progress).alias("id")
    )
    return leaks_of(listed)


def leaks_of(listed: pl.DataFrame) -> pl.DataFrame:
    """The `LEAKS` among samples of which ``split``, ``group``, ``id`` and ``sample_index`` are given."""
    return pl.concat([_crossing(listed, name) for name in _PROBLEMS])


def refuse_leaks(leaks: pl.DataFrame, where: str) -> None:
    """Raise a `SightlineError` that counts the leaks and names the first, unless there are none."""
    for problem in _PROBLEMS.values():
        found = leaks.filter(pl.col("problem") == problem)
        if len(found):
            named = [
                f"'{row['key']}' ({row['split_a']}, {row['split_b']})" for row in found[:_NAMED].to_dicts()
            ]
            more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
            raise SightlineError(
                f"{where}: the splits leak, {problem}: {', '.join(named)}{more}; "
                "make the splits by group, with each image once."
            )


def _crossing(listed: pl.DataFrame, name: str) -> pl.DataFrame:
    """The values of the column ``name`` that occur in more than one split."""
    firsts = (
        listed.filter(pl.col(name).is_not_null(), pl.col("split") != UNDEFINED)
        .with_columns(pl.col("split").cast(pl.Enum(SPLITS)))
        .group_by(name, "split", maintain_order=True)
        .agg(pl.col("sample_index").first())
        .filter(pl.len().over(name) > 1)
    )
    return (
        firsts.join(firsts, on=name, suffix="_b")
        .filter(pl.col("split") < pl.col("split_b"))
        .sort(name, "split", "split_b")
        .select(
            pl.lit(_PROBLEMS[name]).alias("problem"),
            pl.col(name).alias("key"),
            pl.col("split").cast(pl.String).alias("split_a"),
            pl.col("split_b").cast(pl.String),
            pl.col("sample_index").alias("sample_index_a"),
            "sample_index_b",
        )
    )
