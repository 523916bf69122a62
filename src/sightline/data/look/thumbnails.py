"""Samples to be looked at: which ones, and small."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import polars as pl
from PIL import Image

from sightline.data.progress import in_parallel
from sightline.data.sample import Sample
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

R = TypeVar("R")


def drawn_samples(
    dataset: "Dataset", n: int, seed: int, split: str | None, make: Callable[[Sample], R], progress: bool
) -> Iterator[R]:
    """What ``make`` gives for ``n`` samples drawn at random (or all), in the order of the dataset.

    Raises:
        SightlineError: ``n`` is less than 1, there are no samples (of the split), or as ``make`` says.
    """
    if n < 1:
        raise SightlineError(f"n is {n}; give the number of samples to show, from 1 up.")
    rows = dataset.samples.select(row=pl.int_range(pl.len()))
    if split is not None:
        rows = rows.filter(dataset.samples["split"] == split)
    if not len(rows):
        of_split = "" if split is None else f" of split '{split}'"
        raise SightlineError(f"dataset '{dataset.info.dataset_name}' has no samples{of_split} to show.")
    chosen = rows.sample(min(n, len(rows)), seed=seed).sort("row")["row"].to_list()
    return in_parallel(lambda row: make(dataset[row]), chosen, "Drawing samples", progress=progress)


def thumbnail(sample: Sample, side: int) -> np.ndarray:
    """The image as uint8 RGB, its longest side ``side`` pixels, or a bit less where it is enlarged."""
    return resized(sample.read_image(), side)


def resized(pixels: np.ndarray, side: int) -> np.ndarray:
    """An image (height, width, 3), its longest side ``side`` pixels, or a bit less where it is enlarged."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    if factor >= 2:
        factor = int(factor)
        size, resampling = (width * factor, height * factor), Image.Resampling.NEAREST
    else:
        size = max(1, round(width * factor)), max(1, round(height * factor))
        resampling = Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(pixels).resize(size, resampling, reducing_gap=2.0))
