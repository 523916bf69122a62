"""The id of a sample: which image it is, wherever it lies and whatever it is called.

It is the start of the SHA-256 of the image file, and for a frame of a video the video's with the frame's
number behind it. A path would not do: it changes when a folder moves, when images are renamed, and when
`Dataset.write` stores them by content. A number would not do either: it changes when datasets are
shuffled or merged. An image changes its id only when its bytes change, and then it is another image.

`Dataset.write` names files by that hash, so there nothing is read; elsewhere every image is read once.
"""

import os
from pathlib import Path

import polars as pl

from sightline.data.progress import in_parallel
from sightline.dataset_folder import IMAGE_FOLDER
from sightline.errors import SightlineError
from sightline.files import sha256_file

_DIGITS = 32
_BATCH = 32  # files; small ones are read in less time than it takes to hand one over
_STORED = rf"/{IMAGE_FOLDER}/(?<folder>[0-9a-f]{{2}})/(?<name>[0-9a-f]{{{_DIGITS}}})(?:\.[^/]*)?$"


def sample_ids(frame: pl.DataFrame, *, progress: bool = True) -> pl.Series:
    """The id of each sample of a frame of `SAMPLE_SCHEMA`.

    Raises:
        SightlineError: a sample without an image file, or one that cannot be read.
    """
    if frame["file_path"].null_count():
        row = int(frame["file_path"].is_null().arg_true()[0])
        raise SightlineError(
            f"sample {frame['sample_index'][row]} has no file_path; only samples with images have an id."
        )
    paths = frame["file_path"].unique(maintain_order=True)
    return _ids(frame, paths, _hashed(paths, _stored_names(paths), progress))


def comparable_ids(frame: pl.DataFrame, *, progress: bool = True) -> pl.Series:
    """As `sample_ids`, but an image that no other can be equal to has its path for an id, and is not read.

    Files of different sizes are different. A file that is not there has its path for an id too, and a
    sample without one has none.
    """
    paths = frame["file_path"].drop_nulls().unique(maintain_order=True)
    names = _stored_names(paths)
    if names.null_count():
        sizes = pl.Series(
            list(in_parallel(_size, paths.to_list(), "Looking at images", progress=progress, batch=_BATCH))
        )
        alone = sizes.is_null() | ~sizes.is_duplicated()
        names = names.zip_with(names.is_not_null() | ~alone, paths)
    return _ids(frame, paths, _hashed(paths, names, progress))


def _stored_names(paths: pl.Series) -> pl.Series:
    """The hash that is the name of each file, null for files that `Dataset.write` did not name."""
    parts = pl.DataFrame({"parts": paths.str.extract_groups(_STORED)}).unnest("parts")
    return parts.select(pl.when(pl.col("name").str.starts_with(pl.col("folder"))).then("name")).to_series()


def _hashed(paths: pl.Series, ids: pl.Series, progress: bool) -> pl.Series:
    """``ids``, with the hashes of the files where they are null."""
    unknown = ids.is_null()
    hashes = in_parallel(
        _hash, paths.filter(unknown).to_list(), "Reading images", progress=progress, batch=_BATCH
    )
    rows = unknown.arg_true()
    return ids.clone().scatter(rows, pl.Series(list(hashes), dtype=pl.String)) if len(rows) else ids


def _ids(frame: pl.DataFrame, paths: pl.Series, ids: pl.Series) -> pl.Series:
    known = pl.DataFrame({"file_path": paths, "id": ids})
    number = pl.format("#{}", pl.col("collection_index").cast(pl.String).fill_null(""))
    is_frame = pl.col("storage_format") != "image"
    return (
        frame.select("file_path", "collection_index", "storage_format")
        .join(known, on="file_path", how="left", maintain_order="left")
        .select(pl.when(is_frame).then(pl.col("id") + number).otherwise("id").alias("id"))
        .to_series()
    )


def _hash(path: str) -> str:
    try:
        return sha256_file(Path(path))[:_DIGITS]
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}); restore it.") from None


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116 (twice as fast as Path)
    except OSError:
        return None
