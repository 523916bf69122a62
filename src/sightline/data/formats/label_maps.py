"""Label maps: a class's number in each pixel."""

from collections.abc import Iterable

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION
from sightline.data.primitives import Segmentation

_FIELDS = ("top", "left", "height", "width", "rle_string", "area")


def masks_by_number(values: np.ndarray, ignore: int | None) -> list[tuple[int, Segmentation]]:
    """A mask for each number in the map (height, width) of whole numbers, ``ignore`` aside; ascending."""
    return [
        (int(number), Segmentation.from_mask(values == number))
        for number in np.unique(values)
        if number != ignore
    ]


def mask_table(masks: Iterable[tuple[int, str, Segmentation]]) -> pl.DataFrame:
    """A table of bitmasks from (position, class name, mask)."""
    rows = [(position, name, *(getattr(mask, field) for field in _FIELDS)) for position, name, mask in masks]
    types = (pl.UInt32, pl.String, pl.Int64, pl.Int64, pl.Int64, pl.Int64, pl.String, pl.Float64)
    return pl.DataFrame(rows, dict(zip((POSITION, "class_name", *_FIELDS), types, strict=True)), orient="row")
