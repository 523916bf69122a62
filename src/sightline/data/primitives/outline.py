"""From masks to outlines and back, without a pixel gained or lost.

Outlines run along the edges between pixels, so their corners are whole numbers from 0 to the width and
height. `rasterise` fills outlines by the rule of COCO's tools, where a pixel is inside if its centre is
(to a fifth of a pixel). The outline of a mask, rasterised, is that mask again.

OpenCV's and scikit-image's contours run through the centres of pixels instead, which shaves half a pixel
off each side and loses single ones; rasterio's ``shapes`` runs along the edges too, and is slower.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np


def trace_mask(mask: np.ndarray) -> list[np.ndarray]:
    """The outlines of the connected parts of a mask, from the top down.

    Pixels are connected that share an edge. A hole is joined to the outline around it by a cut of no
    width, so that each part is one closed line, which needs no rule about the direction it turns.

    Args:
        mask: of shape (height, width), inside where it is not 0.

    Returns:
        For each part its corners in order, as int64 of shape (corners, 2): x and y in pixels.
    """
    x, y, following, tops, solid = _outlines(mask)
    holes = [top for top in tops if not solid[top]]
    if holes:
        x, y, following = _join_holes(x, y, following, holes)
    return _closed_lines(x, y, following, [top for top in tops if solid[top]])


def trace_edges(mask: np.ndarray) -> list[np.ndarray]:
    """As `trace_mask`, with holes as outlines of their own, which turn the other way."""
    x, y, following, tops, _ = _outlines(mask)
    return _closed_lines(x, y, following, tops)


def rasterise(outlines: Sequence[np.ndarray], height: int, width: int) -> list[str]:
    """The compressed COCO RLE of each outline, filled, in an image of ``height`` x ``width`` pixels.

    ``outlines`` are of shape (points, 2), x and y in pixels. What reaches over the image is cut off;
    fewer than three points hold nothing.
    """
    from pycocotools import mask as coco

    if not outlines:
        return []
    # pycocotools takes four numbers for a box, so shorter outlines are filled up with what has no area.
    flat = [
        (outline if len(outline) > 2 else np.zeros((3, 2))).astype(np.float64).ravel().tolist()
        for outline in outlines
    ]
    encoded: Any = coco.frPyObjects(cast(Any, flat), height, width)
    return [entry["counts"].decode("ascii") for entry in encoded]


def _outlines(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[int], np.ndarray]:
    """All corners of all outlines: x, y and the number of the next one; each outline's uppermost corner, the
    left one of several; and of each corner whether the pixel right below it is inside."""
    # The corners are found at once, as are their partners: along each row, and along each column, the edges
    # join the first corner to the second, the third to the fourth and so on. (O'Rourke, "Uniqueness of
    # orthogonal connect-the-dots", 1988.)
    inside = mask != 0
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, nothing, [], nothing.astype(bool)
    top, left = rows[0], columns[0]
    box = inside[top : rows[-1] + 1, left : columns[-1] + 1]
    x, y, second, falling, solid = _corners(np.pad(box, 1))
    along_row = _partners(np.lexsort((second, x, y)))
    along_column = _partners(np.lexsort((second ^ falling, y, x)))
    following, tops = _rings(along_row, along_column, solid)
    return x + left, y + top, following, tops, solid


def _corners(padded: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Where outlines turn, by row and column: x, y and three flags.

    Where two pixels touch by their corners only, two outlines turn; ``second`` marks the other one.
    ``falling`` says that those two pixels are the upper right and the lower left, ``solid`` that the pixel
    right below the corner is inside.
    """
    upper_left, upper_right = padded[:-1, :-1], padded[:-1, 1:]
    lower_left, lower_right = padded[1:, :-1], padded[1:, 1:]
    crossing = (upper_left == lower_right) & (upper_right == lower_left) & (upper_left != upper_right)
    turning = upper_left ^ upper_right ^ lower_left ^ lower_right
    y, x = np.nonzero(turning | crossing)
    copies = 1 + crossing[y, x].astype(np.int64)
    second = np.zeros(int(copies.sum()), dtype=bool)
    second[np.cumsum(copies)[copies == 2] - 1] = True
    y, x = np.repeat(y, copies), np.repeat(x, copies)
    return x, y, second, crossing[y, x] & upper_right[y, x], lower_right[y, x]


def _partners(order: np.ndarray) -> np.ndarray:
    partners = np.empty_like(order)
    partners[order[0::2]], partners[order[1::2]] = order[1::2], order[0::2]
    return partners


def _rings(
    along_row: np.ndarray, along_column: np.ndarray, solid: np.ndarray
) -> tuple[np.ndarray, list[int]]:
    """The corner after each corner, and of each ring the uppermost corner, the left one of several.

    Outlines turn clockwise as seen in the image, holes the other way.
    """
    rows, columns, outer = along_row.tolist(), along_column.tolist(), solid.tolist()
    following, tops = [-1] * len(rows), []
    for start in range(len(rows)):
        if following[start] >= 0:
            continue
        tops.append(start)
        first, second = (rows, columns) if outer[start] else (columns, rows)
        corner = start
        while following[corner] < 0:
            middle = first[corner]
            following[corner], following[middle] = middle, second[middle]
            corner = second[middle]
    return np.array(following), tops


def _join_holes(
    x: np.ndarray, y: np.ndarray, following: np.ndarray, holes: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut from the top left corner of each hole leftwards to the nearest outline.

    Holes are visited from the top down and from left to right, so what a cut meets is joined already.
    """
    count, before = len(x), np.argsort(following)
    starts = np.flatnonzero(x == x[following])  # of the vertical edges
    edges = len(starts)
    starts = np.concatenate([starts, np.zeros(len(holes), np.int64)])
    room = np.zeros(3 * len(holes), np.int64)
    x, y, following = (np.concatenate([values, room]) for values in (x, y, following))
    for number, hole in enumerate(holes):
        ends = following[starts[:edges]]
        low, high = np.minimum(y[starts[:edges]], y[ends]), np.maximum(y[starts[:edges]], y[ends])
        meets = (low <= y[hole]) & (y[hole] < high) & (x[starts[:edges]] < x[hole])
        start = starts[np.flatnonzero(meets)[x[starts[:edges]][meets].argmax()]]
        here, back, there = count + 3 * number + np.arange(3)
        x[here], x[back], x[there] = x[start], x[start], x[hole]
        y[here], y[back], y[there] = y[hole], y[hole], y[hole]
        following[back], following[start] = following[start], here
        following[here], following[before[hole]] = hole, there
        following[there] = back
        starts[edges] = back
        edges += 1
    return x, y, following


def _closed_lines(x: np.ndarray, y: np.ndarray, following: np.ndarray, starts: list[int]) -> list[np.ndarray]:
    points, successors = np.stack([x, y], axis=1), following.tolist()
    lines = []
    for start in starts:
        line, corner = [start], successors[start]
        while corner != start:
            line.append(corner)
            corner = successors[corner]
        lines.append(points[line])
    return lines
