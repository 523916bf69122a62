"""Annotations cut along windows of their images.

An annotation may be seen in several windows, and each gets its part, in fractions of the window. All
rows of a column are cut at once; an attribute of an annotation is cut like an annotation of its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table, cut_lists
from sightline.data.primitives import Bitmask
from sightline.data.primitives.rle import decode_mask, decode_windows, rle_area
from sightline.data.schema import PRIMITIVE_COLUMNS, scalar_fields

_HAIR = 1e-6  # pixels; what has no extent is in the window that its place is in
_BOX = ("top_left_x", "top_left_y", "width", "height")
_MASK = {
    name: scalar_fields("bitmasks")[name] for name in ("top", "left", "height", "width", "rle_string", "area")
}

Keep = tuple[pl.DataFrame, np.ndarray]
"""Rows after the cut, and which of them are visible."""


@dataclass(frozen=True)
class Grid:
    """The windows of each image: ``columns[i] * rows[i]`` of image i, row by row, one image after another.

    ``steps`` is the distance between windows, ``side`` their width and height, all in pixels.
    ``heights`` and ``widths`` are those of the images. With ``shifted`` the last window of each row and
    column ends where the image does; else they all lie at multiples of ``steps``.
    """

    side: int
    steps: int
    heights: np.ndarray
    widths: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    shifted: bool

    @property
    def first(self) -> np.ndarray:
        """The number of each image's first window, and at the end the number of windows."""
        return np.concatenate(([0], np.cumsum(self.rows * self.columns)))

    def windows(self) -> tuple[np.ndarray, np.ndarray]:
        """The image of each window, (windows,), and left and top edge, (windows, 2)."""
        first = self.first
        image = np.repeat(np.arange(len(self.rows)), np.diff(first))
        number = np.arange(first[-1]) - first[image]
        places = np.stack([number % self.columns[image], number // self.columns[image]], axis=1) * self.steps
        if self.shifted:
            last = np.stack([self.widths, self.heights], axis=1) - self.side
            places = np.minimum(places, np.maximum(last, 0)[image])
        return image, places

    def seen(self, image: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which regions are in which windows, as pairs: the region's number, and the window's.

        ``image`` is that of each region; ``bounds`` (regions, 4) its edges left, top, right, bottom.
        """
        spans = []
        for axis, (lengths, counts) in enumerate(((self.widths, self.columns), (self.heights, self.rows))):
            low, high = bounds[:, axis], np.maximum(bounds[:, axis + 2], bounds[:, axis] + _HAIR)
            count = counts[image]
            start = np.floor((low - self.side) / self.steps).astype(np.int64) + 1
            stop = np.ceil(high / self.steps).astype(np.int64)
            if self.shifted:
                start = np.minimum(start, count - 1)
                stop = np.where(high > lengths[image] - self.side, count, stop)
            start = start.clip(0, None)
            spans.append((start, (np.minimum(stop, count) - start).clip(0)))
        (left, across), (top, down) = spans
        total = across * down
        region = np.repeat(np.arange(len(image)), total)
        number = np.arange(len(region)) - np.repeat(np.cumsum(total) - total, total)
        column = left[region] + number % np.maximum(across[region], 1)
        row = top[region] + number // np.maximum(across[region], 1)
        return region, self.first[image[region]] + row * self.columns[image[region]] + column


@dataclass(frozen=True)
class _Cut:
    """A window per row: ``corners`` (rows, 2) its left and top edge, ``sizes`` (rows, 2) its image's width
    and height; ``side`` is the windows' own, and ``min_visible`` the part of an object that must be seen.
    Rows of the same ``origin`` that follow each other are one annotation in several windows."""

    origin: np.ndarray
    corners: np.ndarray
    sizes: np.ndarray
    side: int
    min_visible: float
    segmentations: frozenset[str]

    def of(self, rows: np.ndarray) -> "_Cut":
        """For attributes: a row for each number of a row here."""
        return replace(self, origin=np.arange(len(rows)), corners=self.corners[rows], sizes=self.sizes[rows])


def cut_annotations(
    frame: pl.DataFrame, column: str, grid: Grid, min_visible: float, segmentations: frozenset[str]
) -> tuple[pl.DataFrame, int]:
    """The annotations in ``column`` of all images, as a table in which `POSITION` is the window's number.

    Kept is of which ``min_visible`` (a fraction of its area in the image) or more lies in a window; of
    the tasks ``segmentations`` every pixel. The number of annotations that are in no window comes along.
    """
    table = annotation_table(frame, column)
    image = table[POSITION].to_numpy().astype(np.int64)
    sizes = np.stack([grid.widths, grid.heights], axis=1)[image]
    region, window = grid.seen(image, _bounds(column, table, sizes))
    if not len(region):
        return table.clear(), len(table)
    _, corners = grid.windows()
    cut = _Cut(region, corners[window], sizes[region], grid.side, min_visible, segmentations)
    rows, visible = _cut_rows(column, table.drop(POSITION)[region], cut)
    kept = rows.insert_column(0, pl.Series(POSITION, window, pl.UInt32)).filter(pl.Series(visible))
    return kept.sort(POSITION, maintain_order=True), len(table) - len(np.unique(region[visible]))


def without_invalid(
    table: pl.DataFrame, tasks: frozenset[str], valid: dict[int, str], side: int
) -> pl.DataFrame:
    """The table of bitmasks, those of ``tasks`` without the pixels of their window that hold no data.

    ``valid`` is an RLE of what does, for the windows where that is not all.
    """
    touched = pl.col(POSITION).is_in(list(valid)) & pl.col("task_name").is_in(list(tasks))
    marked = table.with_row_index("row")
    replaced = []
    gone = []
    for row, position, rle in marked.filter(touched).select("row", POSITION, "rle_string").iter_rows():
        mask = decode_mask(rle, side, side) & decode_mask(valid[position], side, side)
        if mask.any():
            replaced.append((row, *_mask_fields(mask)))
        else:
            gone.append(row)
    marked = marked.filter(~pl.col("row").is_in(gone))
    if replaced:
        marked = marked.update(_mask_table(replaced), on="row", how="left")
    return marked.drop("row")


def _bounds(column: str, table: pl.DataFrame, sizes: np.ndarray) -> np.ndarray:
    """Left, top, right and bottom edge of each annotation in pixels, as float64 (rows, 4)."""
    if column == "bboxes":
        box = table.select(_BOX).to_numpy()
        # What reaches over the image's edge is seen in the windows at the edge.
        corners = np.stack([box[:, :2], box[:, :2] + box[:, 2:]], axis=1).clip(0, 1) * sizes[:, None]
        return corners.reshape(-1, 4)
    if column == "bitmasks":
        edges = table.select(
            "left", "top", right=pl.col("left") + pl.col("width"), bottom=pl.col("top") + pl.col("height")
        )
        return edges.to_numpy().astype(np.float64)
    if column == "polygons":
        coordinate = pl.col("points").list.eval
        x, y = (coordinate(pl.element().struct.field(name)) for name in "xy")
        edges = table.select(x.list.min().alias("left"), y.list.min().alias("top"),
                             x.list.max().alias("right"), y.list.max().alias("bottom"))  # fmt: skip
        return np.nan_to_num(edges.to_numpy().astype(np.float64)).clip(0, 1) * np.tile(sizes, 2)
    return np.concatenate([np.zeros_like(sizes), sizes], axis=1).astype(np.float64)


def _cut_rows(column: str, rows: pl.DataFrame, cut: _Cut) -> Keep:
    """The rows, each cut along its window, and which of them are visible in it."""
    functions: dict[str, Callable[[pl.DataFrame, _Cut], Keep]] = {
        "bboxes": _cut_boxes,
        "polygons": _cut_polygons,
        "bitmasks": _cut_masks,
    }
    rows, visible = functions[column](rows, cut) if column in functions else (rows, np.ones(len(rows), bool))
    for name in PRIMITIVE_COLUMNS:
        if name in functions and name in rows.columns and rows[name].null_count() < len(rows):
            rows = rows.with_columns(_cut_attributes(rows[name], cut))
    return rows, visible


def _cut_attributes(lists: pl.Series, cut: _Cut) -> pl.Series:
    lengths = lists.list.len().fill_null(0).to_numpy()
    owner = np.repeat(np.arange(len(lists)), lengths)
    flat = lists.filter(pl.Series(lengths > 0)).explode().struct.unnest()
    flat, visible = _cut_rows(lists.name, flat, cut.of(owner))
    kept = np.bincount(owner[visible], minlength=len(lists))
    flat = flat.filter(pl.Series(visible))
    return cut_lists(lists.name, flat.to_struct(lists.name), kept, lists.is_null().to_numpy())


def _cut_boxes(rows: pl.DataFrame, cut: _Cut) -> Keep:
    box = rows.select(_BOX).to_numpy() * np.tile(cut.sizes, 2)
    low, high = box[:, :2].clip(0, cut.sizes), (box[:, :2] + box[:, 2:]).clip(0, cut.sizes)
    seen_low = np.maximum(low, cut.corners)
    seen_high = np.minimum(high, cut.corners + cut.side)
    whole, seen = np.prod(high - low, axis=1), np.prod((seen_high - seen_low).clip(0), axis=1)
    part = np.divide(seen, whole, out=np.zeros(len(rows)), where=whole > 0)
    in_window = ((seen_low <= seen_high) & (seen_low < cut.corners + cut.side)).all(axis=1)
    visible = in_window & np.where(whole > 0, (part > 0) & (part >= cut.min_visible), True)
    fractions = np.hstack([seen_low - cut.corners, (seen_high - seen_low).clip(0)]) / cut.side
    scale = part * np.prod(cut.sizes, axis=1) / cut.side**2
    return (
        rows.with_columns(
            *(pl.Series(name, fractions[:, n]) for n, name in enumerate(_BOX)),
            (pl.col("area") * pl.Series(scale)).clip(0, 1).alias("area"),
        ),
        visible,
    )


def _cut_polygons(rows: pl.DataFrame, cut: _Cut) -> Keep:
    lengths = rows["points"].list.len().fill_null(0).to_numpy()
    owner = np.repeat(np.arange(len(rows)), lengths)
    points = rows["points"].filter(pl.Series(lengths > 0)).explode().struct.unnest().to_numpy()
    points = points.reshape(-1, 2) * cut.sizes[owner] - cut.corners[owner]
    # The part of the window that the image covers: nothing lies in the padding.
    limits = np.minimum(cut.sizes - cut.corners, cut.side)
    outlines = np.split(points, np.cumsum(lengths)[:-1])
    visible, scale = np.zeros(len(rows), dtype=bool), np.ones(len(rows))
    for row, outline in enumerate(outlines):
        whole = clip_polygon(outline, -cut.corners[row], cut.sizes[row] - cut.corners[row])
        seen = clip_polygon(outline, np.zeros(2), limits[row])
        area = _area(whole)
        part = _area(seen) / area if area > 0 else float(len(seen) > 0)
        visible[row] = part > 0 and part >= cut.min_visible
        scale[row] = part
        outlines[row] = seen
    lengths = np.array([len(outline) for outline in outlines])
    fractions = np.concatenate(outlines) / cut.side
    flat = pl.DataFrame({"x": fractions[:, 0], "y": fractions[:, 1]}).to_struct("points")
    scale *= np.prod(cut.sizes, axis=1) / cut.side**2
    return (
        rows.with_columns(
            cut_lists("points", flat, lengths, np.zeros(len(rows), dtype=bool)),
            (pl.col("area") * pl.Series(scale)).clip(0, 1).alias("area"),
        ),
        visible,
    )


def clip_polygon(points: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The part of a polygon, (points, 2), in the rectangle from ``low`` to ``high``, both (x, y).

    Where an outline leaves the rectangle and returns, the parts are joined along its edge (Sutherland and
    Hodgman, "Reentrant polygon clipping", 1974).
    """
    for axis in (0, 1):
        for limit, sign in ((low[axis], 1), (high[axis], -1)):
            depth = (points[:, axis] - limit) * sign
            inside = depth >= 0
            if inside.all() or not len(points):
                continue
            following, next_depth = np.roll(points, -1, axis=0), np.roll(depth, -1)
            crosses = inside != np.roll(inside, -1)
            share = np.divide(depth, depth - next_depth, out=np.zeros_like(depth), where=crosses)
            crossing = points + (following - points) * share[:, None]
            crossing[:, axis] = limit
            both = np.stack([points, crossing], axis=1).reshape(-1, 2)
            points = both[np.stack([inside, crosses], axis=1).ravel()]
    return points


def _area(points: np.ndarray) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _cut_masks(rows: pl.DataFrame, cut: _Cut) -> Keep:
    visible = np.zeros(len(rows), dtype=bool)
    everything = rows["task_name"].is_in(list(cut.segmentations)).to_numpy()
    replaced: list[tuple] = []
    starts = np.flatnonzero(np.diff(cut.origin, prepend=-1))
    for start, stop in pairwise([*starts.tolist(), len(rows)]):
        rle, (width, height) = rows["rle_string"][start], map(int, cut.sizes[start])
        least = 1 if everything[start] else max(1, cut.min_visible * rle_area(rle))
        windows = [(int(x), int(y), cut.side, cut.side) for x, y in cut.corners[start:stop]]
        for row, mask in enumerate(decode_windows(rle, height, width, windows), start):
            if np.count_nonzero(mask) >= least:
                visible[row] = True
                replaced.append((row, *_mask_fields(mask)))
    changed = rows.with_row_index("row").update(_mask_table(replaced), on="row", how="left")
    return changed.drop("row"), visible


def _mask_fields(mask: np.ndarray) -> tuple:
    cut = Bitmask.from_mask(mask)
    return tuple(getattr(cut, name) for name in _MASK)


def _mask_table(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"row": pl.UInt32} | _MASK, orient="row")
