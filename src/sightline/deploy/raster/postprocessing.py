"""What is mended in a class map once it is there: exactly as on the whole map, strip by strip."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from sightline.config import Config
from sightline.deploy.raster.filters import closing, median, opening
from sightline.deploy.raster.regions import ReadStrip

STRIP_ROWS = 256
"""Rows that are filtered at a time; memory is a few dozen bytes for each of their pixels."""


def _odd_or_zero(size: int) -> int:
    if size and size % 2 == 0:
        raise ValueError(f"must be odd, so that a pixel is in the middle, not {size}")
    return size


Side = Annotated[int, Field(ge=0, le=255), AfterValidator(_odd_or_zero)]


class Postprocessing(Config):
    """Filters of the class map, in this order; 0 leaves one out. Scores stay as they are."""

    median: Side = 0
    """Side of the square, in pixels, around a pixel, which takes the class that more than half of it have."""
    opening: Side = 0
    """Side of the square, in pixels, that must fit into what is not background; the rest becomes
    background."""
    closing: Side = 0
    """Side of the square, in pixels, that must fit into background; gaps that are narrower are closed."""
    min_area: int = Field(default=0, ge=0)
    """Connected parts of fewer pixels take the class of the largest part beside them."""
    background: int = Field(default=0, ge=0)
    """Number of the class that opening gives to and closing takes from."""

    @property
    def halo(self) -> int:
        """How many pixels away something can change a pixel, apart from ``min_area``."""
        return self.median // 2 + 2 * (self.opening // 2) + 2 * (self.closing // 2)

    @property
    def filters(self) -> bool:
        """Whether there is anything to do but ``min_area``."""
        return self.halo > 0

    def filtered(self, classes: np.ndarray) -> np.ndarray:
        """A whole class map (height, width) after median, opening and closing."""
        if self.median > 1:
            classes = median(classes, self.median)
        if self.opening > 1:
            classes = opening(classes, self.opening, self.background)
        if self.closing > 1:
            classes = closing(classes, self.closing, self.background)
        return classes


def filtered_strips(
    read: ReadStrip, height: int, settings: Postprocessing, rows: int = STRIP_ROWS
) -> Iterator[np.ndarray]:
    """The map after median, opening and closing, in strips of ``rows`` rows."""
    for start, stop in spans(height, rows):
        above, below = max(0, start - settings.halo), min(height, stop + settings.halo)
        yield settings.filtered(read(above, below))[start - above : stop - above]


def spans(height: int, rows: int = STRIP_ROWS) -> Sequence[tuple[int, int]]:
    """First and last row (excluded) of strips of ``rows`` rows."""
    return [(start, min(start + rows, height)) for start in range(0, height, rows)]
