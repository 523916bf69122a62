"""Boxes as other programs write them, brought to fractions of the image by the same rules in every format.

What cannot be a box is refused: a number that is missing or not finite, a negative size, a place far outside
of the image. Two corners in the wrong order are put right, boxes of no size are left out, and those that
reach over the edge of their image are kept (`Dataset.check` lists them); each of these is counted.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import polars as pl

from sightline.data.checks import EDGE, plausible
from sightline.data.formats.repairs import Repairs

BoxFormat = Literal["xyxy", "xywh", "cxcywh"]
"""What a box's four numbers are: two corners, a corner and the size, or the centre and the size."""

Units = Literal["pixels", "fractions"]

BOX = ("top_left_x", "top_left_y", "width", "height")


def read_boxes(
    numbers: np.ndarray,
    box_format: BoxFormat,
    units: Units,
    image_sizes: np.ndarray | None,
    where: Callable[[int], str],
    repairs: Repairs,
    *,
    one_based: bool = False,
) -> tuple[pl.DataFrame, np.ndarray]:
    """The columns `BOX`, and which rows hold a box that a dataset can hold, as bool.

    Args:
        numbers: float64 (count, 4).
        box_format: what they are.
        units: of the numbers.
        image_sizes: (count, 2), heights and widths; None for fractions.
        where: names a row, with its file where ``repairs`` is of many.
        repairs: counts what is mended, left out or over the edge.
        one_based: corners are numbers of pixels that count from 1, the last one within the box.

    Raises:
        SightlineError: numbers that cannot be a box; the sentence names the row.
    """

    def refuse(wrong: np.ndarray, problem: str) -> None:
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            shown = ", ".join(f"{number:g}" for number in numbers[row])
            image = "" if image_sizes is None else " of an image {1} x {0}".format(*image_sizes[row])
            repairs.refuse(
                where(row), f"the box {shown} ({box_format} in {units}{image}) {problem}; correct it."
            )

    refuse(~np.all(np.isfinite(numbers), axis=1), "has a number that is missing or not finite")
    if box_format == "xyxy":
        corner, size = _of_corners(numbers, one_based, where, repairs)
    else:
        corner, size = numbers[:, :2], numbers[:, 2:]
        refuse(np.any(size < 0, axis=1), "has a negative size")
        corner = corner - size / 2 if box_format == "cxcywh" else corner
    if units == "pixels":
        assert image_sizes is not None
        corner, size = corner / image_sizes[:, ::-1], size / image_sizes[:, ::-1]
    fractions = np.hstack([corner, size])
    refuse(~np.all(plausible(fractions), axis=1), "is far outside its image")
    good = np.all(size > 0, axis=1)
    _count(~good, "boxes of no size left out", where, repairs)
    count_over_edge(corner[good], (corner + size)[good], "boxes", _chosen(where, good), repairs)
    return pl.DataFrame(fractions, schema=list(BOX), orient="row"), good


def count_over_edge(
    low: np.ndarray, high: np.ndarray, what: str, where: Callable[[int], str], repairs: Repairs
) -> None:
    """Count which of ``what`` reach over their image; both ends are (count, 2) fractions of it."""
    over = np.any((low < -EDGE) | (high > 1 + EDGE), axis=1)
    _count(over, f"{what} that reach over the edge of their image kept", where, repairs)


def _of_corners(
    numbers: np.ndarray, one_based: bool, where: Callable[[int], str], repairs: Repairs
) -> tuple[np.ndarray, np.ndarray]:
    """The upper left corner and the size of what lies between two opposite corners."""
    first, second = numbers[:, :2], numbers[:, 2:]
    wrong = first - one_based > second
    _count(np.any(wrong, axis=1), "boxes with swapped corners put right", where, repairs)
    corner = np.where(wrong, second, first) - one_based
    return corner, np.where(wrong, first, second) - corner


def _count(rows: np.ndarray, what: str, where: Callable[[int], str], repairs: Repairs) -> None:
    if rows.any():
        repairs.add(what, where(int(np.flatnonzero(rows)[0])), int(rows.sum()))


def _chosen(where: Callable[[int], str], rows: np.ndarray) -> Callable[[int], str]:
    return lambda number: where(int(np.flatnonzero(rows)[number]))
