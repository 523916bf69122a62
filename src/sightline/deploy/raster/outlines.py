"""The outlines of the connected parts of a class map, in pixels, smoothed without tearing them apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.deploy.raster.gdal import gdal
from sightline.deploy.raster.regions import ReadStrip
from sightline.deploy.raster.vrt import VirtualRaster


@dataclass(frozen=True)
class Outline:
    """A connected part of a map: the number of its class, its area in pixels, and its rings.

    The first ring is the outer one, the others are holes; float64 (corners, 2) of x to the right and y down,
    not closed. The outer one turns clockwise as the map is seen, holes the other way.
    """

    class_number: int
    pixels: int
    rings: list[np.ndarray]


def outlines(classes: VirtualRaster) -> Iterator[Outline]:
    """All parts of the map, those without data as well; pixels are connected along edges.

    GDAL traces the map row by row, but keeps all outlines until the last is found.
    """
    from rasterio.features import shapes

    with gdal() as rasterio, rasterio.open(classes.text()) as raster:
        for geometry, value in shapes(rasterio.band(raster, 1), connectivity=4):
            rings = [np.asarray(ring[:-1], np.float64) for ring in geometry["coordinates"]]
            areas = [_area(ring) for ring in rings]
            turned = [
                ring if (area > 0) == (number == 0) else ring[::-1]
                for number, (ring, area) in enumerate(zip(rings, areas, strict=True))
            ]
            yield Outline(int(value), round(2 * abs(areas[0]) - sum(map(abs, areas))), turned)


def nodes(read: ReadStrip, height: int, width: int, rows: int = 512) -> np.ndarray:
    """The corners of pixels where three or more parts meet, or two and the border of the map, and its own
    four corners: sorted int64, ``y * (width + 1) + x``. Smoothing leaves them where they are."""
    found = [np.array([0, width, height * (width + 1), height * (width + 1) + width])]
    above = np.full((1, width), -1, np.int16)  # what lies beyond the border is of no class
    for start in range(0, height, rows):
        strip = read(start, min(start + rows, height)).astype(np.int16)
        last = np.full((1, width), -1, np.int16) if start + len(strip) == height else None
        around = np.pad(
            np.concatenate([above, strip] if last is None else [above, strip, last]),
            ((0, 0), (1, 1)),
            constant_values=-1,
        )
        y, x = np.nonzero(_lines(around) > 2)
        found.append((y + start) * (width + 1) + x)
        above = strip[-1:]
    return np.unique(np.concatenate(found))


def _lines(around: np.ndarray) -> np.ndarray:
    """How many lines between different classes end at each corner of four pixels."""
    upper_left, upper_right = around[:-1, :-1], around[:-1, 1:]
    lower_left, lower_right = around[1:, :-1], around[1:, 1:]
    lines = (upper_left != upper_right).astype(np.uint8)
    lines += upper_right != lower_right
    lines += lower_right != lower_left
    lines += lower_left != upper_left
    return lines


def smoothed(rings: Sequence[np.ndarray], nodes: np.ndarray, width: int, rounds: int) -> list[np.ndarray]:
    """The rings with a point at each node, after ``rounds`` of smoothing.

    The first round replaces the corners of pixels by the middles of the edges between them, as marching
    squares do; each other one draws a point to its neighbours: a quarter of each and half of itself. Both are
    the same in either direction, so the parts on both sides of a line get the same one.
    """
    lengths = np.array([len(ring) for ring in rings])
    points, lengths = _unit_steps(np.concatenate(rings), lengths)
    numbers = (points[:, 1] * (width + 1) + points[:, 0]).astype(np.int64)
    fixed = nodes[np.minimum(np.searchsorted(nodes, numbers), len(nodes) - 1)] == numbers
    if rounds:
        _, following = _around(lengths)
        middles = (points + points[following]) / 2
        keep = np.stack([fixed, np.ones_like(fixed)], axis=1)
        points = np.stack([points, middles], axis=1)[keep]
        lengths = _sums(keep.sum(axis=1), lengths)
        fixed = np.stack([fixed, np.zeros_like(fixed)], axis=1)[keep]
    previous, following = _around(lengths)
    for _ in range(rounds - 1):
        drawn = (points[previous] + points[following]) / 4 + points / 2
        points = np.where(fixed[:, None], points, drawn)
    before, after = points - points[previous], points[following] - points
    keep = fixed | (before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0])
    return np.split(points[keep], np.cumsum(_sums(keep, lengths))[:-1])


def _unit_steps(points: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All corners of pixels that the rings pass, and how many of each."""
    _, following = _around(lengths)
    steps = points[following] - points
    counts = np.abs(steps).max(axis=1).astype(np.int64)
    first = np.cumsum(counts) - counts
    along = np.arange(int(counts.sum())) - np.repeat(first, counts)
    moved = np.repeat(points, counts, axis=0) + along[:, None] * np.repeat(np.sign(steps), counts, axis=0)
    return moved, _sums(counts, lengths)


def _around(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The point before each point and the one after it, on rings of these lengths that lie one after
    another."""
    ends = np.cumsum(lengths)
    following = np.arange(1, int(ends[-1]) + 1)
    following[ends - 1] = ends - lengths
    previous = np.empty_like(following)
    previous[following] = np.arange(len(following))
    return previous, following


def _sums(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The sum of the values of each ring."""
    return np.add.reduceat(values.astype(np.int64), np.cumsum(lengths) - lengths)


def _area(ring: np.ndarray) -> float:
    """By the shoelace formula, positive if the ring is clockwise with y down."""
    x, y = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2
