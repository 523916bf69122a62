"""Which samples, and in which order."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sightline.data.sampling import representative_positions
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

SAMPLE_TAG = "sample"
"""The tag of samples that may be shown to anybody: those of `create_sample_dataset`."""


def shuffle(dataset: "Dataset", seed: int = 0) -> "Dataset":
    """All samples in a random order, which is the same for the same ``seed``."""
    return dataset.replace(samples=dataset.samples.sample(fraction=1, shuffle=True, seed=seed))


def select(dataset: "Dataset", positions: list[int]) -> "Dataset":
    """The samples at ``positions`` (rows, from 0; negative ones count from the end), in that order.

    Where a position occurs twice, the samples are numbered anew, so that each has a ``sample_index`` of
    its own.

    Raises:
        SightlineError: a position that the dataset does not have.
    """
    count = len(dataset)
    rows = np.asarray(positions, dtype=np.int64)
    outside = (rows < -count) | (rows >= count)
    if outside.any():
        raise SightlineError(
            f"dataset '{dataset.info.dataset_name}' has no sample at position {rows[outside][0]}; "
            f"it has {count} samples."
        )
    return dataset.replace(samples=_numbered(dataset.samples[np.where(rows < 0, rows + count, rows)]))


def select_range(
    dataset: "Dataset", start: int | None = None, stop: int | None = None, step: int = 1
) -> "Dataset":
    """Every ``step``-th sample from ``start`` up to ``stop`` (not included): ``dataset[start:stop:step]``.

    Raises:
        SightlineError: ``step`` is 0.
    """
    if step == 0:
        raise SightlineError("step is 0; give 1 for every sample, 10 for every tenth.")
    return dataset[start:stop:step]


def sample(
    dataset: "Dataset",
    n: int | None = None,
    fraction: float | None = None,
    seed: int = 0,
    with_replacement: bool = False,
) -> "Dataset":
    """``n`` samples or a ``fraction`` of them, chosen at random, in the order that they have here.

    The same dataset, size and ``seed`` give the same samples. Where there are fewer than ``n``, all are
    taken, so that a recipe also fits a small part of its dataset. ``with_replacement`` lets a sample be
    chosen more than once, ``n`` and ``fraction`` be as large as they like, and numbers the samples anew.

    Raises:
        SightlineError: not exactly one of ``n`` and ``fraction``, or one below 0.
    """
    count = len(dataset)
    if (n is None) == (fraction is None):
        raise SightlineError("give either n, a number of samples, or fraction, a part of them.")
    size = n if n is not None else round(count * (fraction or 0))
    if size < 0:
        raise SightlineError(f"a sample of {size} images was asked for; ask for 0 or more.")
    generator = np.random.default_rng(seed)
    if with_replacement and count:
        rows = generator.integers(0, count, size)
    else:
        rows = np.argsort(generator.random(count))[:size]
    return dataset.replace(samples=_numbered(dataset.samples[np.sort(rows)]))


def create_sample_dataset(dataset: "Dataset", n: int = 60, seed: int = 0) -> "Dataset":
    """``n`` samples that stand for all, each with the tag "sample"; all samples where there are fewer.

    Every split occurs and, as far as ``n`` reaches, every class, then every class of every split.
    The same dataset, ``n`` and ``seed`` give the same samples.

    Raises:
        SightlineError: ``n`` is less than 1.
    """
    chosen = dataset.samples[representative_positions(dataset.samples, n, seed)]
    tagged = pl.concat_list("tags", pl.lit([SAMPLE_TAG], pl.List(pl.String)))
    has_tag = pl.col("tags").list.contains(SAMPLE_TAG)
    tags = pl.when(has_tag).then("tags").otherwise(tagged).alias("tags")
    return dataset.replace(samples=chosen.with_columns(tags))


def _numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """``frame``, numbered anew where two samples have the same ``sample_index``."""
    if frame["sample_index"].n_unique() == len(frame):
        return frame
    return frame.with_columns(pl.int_range(pl.len(), dtype=pl.UInt64).alias("sample_index"))
