"""Images that occur more than once, exactly or nearly."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from sightline.data.operations.hashes import file_hash, near_pairs, perceptual_hash, pixel_hash
from sightline.data.progress import in_parallel
from sightline.data.storage import check_images_exist
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

Method = Literal["exact", "pixels", "perceptual"]
Keep = Literal["first", "last", "largest"]

_HASHES = {"exact": file_hash, "pixels": pixel_hash, "perceptual": perceptual_hash}
_MOST = 16  # bits: with more, half of the images of a kind would be the same


def find_duplicates(
    dataset: "Dataset",
    method: Method = "exact",
    max_distance: int = 4,
    keep: Keep = "first",
    across_splits: bool = True,
    progress: bool = True,
) -> pl.DataFrame:
    """Groups of samples with the same image, one row per sample, the one to keep first in each group.

    Args:
        dataset: stays as it is.
        method: ``exact`` compares files, ``pixels`` what they decode to, ``perceptual`` what is seen: the
            same picture scaled, compressed anew, or a little brighter. Even images, in which nothing
            is to be seen, have no perceptual duplicates.
        max_distance: for ``perceptual``: of 64 bits, how many may differ (0 to 16). Up to 4 is nearly
            always the same picture, from about 10 on it is often only a similar one.
        keep: which of a group to keep: the ``first`` or ``last`` in the dataset's order, or the ``largest``
            in pixels (the first of several).
        across_splits: also compare samples of different splits; a group is of one split otherwise.
        progress: show a bar on a terminal.

    Returns:
        Columns ``group`` (from 0), ``position`` (row of the sample), ``sample_index``, ``split``,
        ``file_path`` and ``distance`` (bits to the one to keep; never above ``max_distance``).

    Raises:
        SightlineError: an image is missing or cannot be read, or a number that is out of range.
    """
    if method not in _HASHES:
        raise SightlineError(f"method='{method}' is not one of {', '.join(_HASHES)}.")
    if keep not in ("first", "last", "largest"):
        raise SightlineError(f"keep='{keep}' is not one of first, last, largest.")
    if not 0 <= max_distance <= _MOST:
        raise SightlineError(f"max_distance is {max_distance}; give bits from 0 to {_MOST}.")
    frame = dataset.samples
    order = _order(frame, keep)
    hashes = _hashes(frame, method, progress)
    splits = frame["split"].to_numpy() if not across_splits else np.full(len(frame), "")
    rows: list[tuple[int, int]] = []
    distances = np.zeros(len(frame), dtype=np.int64)
    for split in dict.fromkeys(splits):
        members = order[(splits == split)[order]]
        leaders, bits = _leaders(hashes.gather(members), max_distance if method == "perceptual" else 0)
        distances[members] = bits
        rows += zip(members[leaders].tolist(), members.tolist(), strict=True)
    table = pl.DataFrame(rows, schema={"leader": pl.Int64, "position": pl.Int64}, orient="row")
    table = table.filter(pl.len().over("leader") > 1)
    # Groups in the order of the samples that are kept, and within each those before the others.
    rank = np.empty(len(frame), np.int64)
    rank[order] = np.arange(len(frame))
    table = table.with_columns(
        pl.Series("rank", rank[table["position"].to_numpy()], pl.Int64),
        pl.Series("distance", distances[table["position"].to_numpy()], pl.Int64),
    ).sort("leader", "rank")
    samples = frame.select("sample_index", "split", "file_path")[table["position"]]
    group = pl.col("leader").rle_id().cast(pl.Int64).alias("group")
    return table.hstack(samples).select(group, "position", "sample_index", "split", "file_path", "distance")


def remove_duplicates(
    dataset: "Dataset",
    method: Method = "exact",
    max_distance: int = 4,
    keep: Keep = "first",
    across_splits: bool = True,
    progress: bool = True,
) -> "Dataset":
    """The samples without those whose image another sample has; see `find_duplicates`.

    The annotations of those left out are not joined to those of the sample that is kept.

    Args:
        dataset: stays as it is.
        method: ``exact``, ``pixels`` or ``perceptual``.
        max_distance: for ``perceptual``: of 64 bits, how many may differ (0 to 16).
        keep: which of each group is kept: ``first``, ``last`` or ``largest``.
        across_splits: also compare samples of different splits.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: as `find_duplicates`.
    """
    found = find_duplicates(dataset, method, max_distance, keep, across_splits, progress)
    surplus = found.filter(~pl.col("group").is_first_distinct())["position"]
    kept = np.ones(len(dataset), dtype=bool)
    kept[surplus.to_numpy()] = False
    return dataset.replace(samples=dataset.samples.filter(pl.Series(kept, dtype=pl.Boolean)))


def _order(frame: pl.DataFrame, keep: Keep) -> np.ndarray:
    """Positions, those to keep rather first."""
    positions = np.arange(len(frame))
    if keep == "last":
        return positions[::-1]
    if keep == "largest":
        pixels = (frame["height"] * frame["width"]).to_numpy()
        return np.argsort(-pixels, kind="stable")
    return positions


def _hashes(frame: pl.DataFrame, method: Method, progress: bool) -> pl.Series:
    """The hash of each sample's image, or None where it has none."""
    missing = frame.filter(pl.col("file_path").is_null())["sample_index"]
    if len(missing):
        raise SightlineError(f"sample {missing[0]} has no file_path; set it to an image file.")
    check_images_exist(frame)
    keys = ["file_path", "height", "width", "storage_format", "collection_index"]
    images = frame.select(keys).unique(maintain_order=True)
    function = _HASHES[method]

    def work(row: int) -> int | None:
        path, height, width, stored, _ = images.row(row)
        if stored != "image":
            raise SightlineError(f"{path}: not an image file; extract the frames of videos first.")
        return function(Path(path), (height, width))

    found = list(in_parallel(work, range(len(images)), "Hashing images", progress=progress))
    hashed = images.with_columns(pl.Series("hash", found, pl.UInt64))
    return frame.select(keys).join(hashed, on=keys, how="left", nulls_equal=True, maintain_order="left")[
        "hash"
    ]


def _leaders(hashes: pl.Series, max_distance: int) -> tuple[np.ndarray, np.ndarray]:
    """For each hash the place of the one that stands for it, and the bits between them.

    The first hash stands for itself and for all near it, then the first that is left, and so on: every
    hash is near the one that stands for it, which a chain of near ones would not promise.
    """
    leaders, bits = np.arange(len(hashes)), np.zeros(len(hashes), dtype=np.int64)
    known = np.flatnonzero(hashes.is_not_null().to_numpy())
    values = hashes.drop_nulls().to_numpy()
    unique, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    # Number the unique hashes by their first occurrence.
    by_first = np.argsort(first)
    unique, first, inverse = unique[by_first], first[by_first], np.argsort(by_first)[inverse]
    leader_of, bits_of = np.arange(len(unique)), np.zeros(len(unique), dtype=np.int64)
    if max_distance:
        one, other, distance = near_pairs(unique, max_distance)
        low, high = np.minimum(one, other), np.maximum(one, other)
        by_low = np.lexsort((high, low))
        taken = bytearray(len(unique))
        for lower, higher, apart in zip(
            low[by_low].tolist(), high[by_low].tolist(), distance[by_low].tolist(), strict=True
        ):
            if leader_of[lower] == lower and not taken[higher]:
                taken[higher], leader_of[higher], bits_of[higher] = 1, lower, apart
    leaders[known] = known[first[leader_of[inverse]]]
    bits[known] = bits_of[inverse]
    return leaders, bits
