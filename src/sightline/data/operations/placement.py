"""Where images end up when they are resized, padded, cropped and flipped, and their annotations with them."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table, cut_lists
from sightline.data.operations.tile_annotations import clip_polygon
from sightline.data.primitives import Bitmask
from sightline.data.primitives.rle import decode_mask
from sightline.data.schema import PRIMITIVE_COLUMNS, scalar_fields

_BOX = ["top_left_x", "top_left_y", "width", "height"]
_MASK = [name for name in scalar_fields("bitmasks") if name not in scalar_fields("classifications")]

Pair = tuple[float, float]


@dataclass(frozen=True)
class Placement:
    """How the pixels of an image map to those of the image made of it; all pairs are (x, y).

    A point ``p`` goes to ``scale * p + shift``, a mirror image has a negative scale. What is outside of
    the rectangle from ``low`` to ``high`` (in the new image) was cut off on the way.
    """

    size: tuple[int, int]
    scale: Pair = (1.0, 1.0)
    shift: Pair = (0.0, 0.0)
    low: Pair = (-np.inf, -np.inf)
    high: Pair = (np.inf, np.inf)

    def scaled(self, size: tuple[int, int]) -> "Placement":
        """Stretched to another size."""
        x, y = size[0] / self.size[0], size[1] / self.size[1]
        return Placement(
            size,
            *((pair[0] * x, pair[1] * y) for pair in (self.scale, self.shift, self.low, self.high)),
        )

    def moved(self, left: int, top: int, size: tuple[int, int]) -> "Placement":
        """Within an image of ``size`` whose corner is at (``left``, ``top``) of this one."""
        shift, low, high = ((pair[0] - left, pair[1] - top) for pair in (self.shift, self.low, self.high))
        return Placement(size, self.scale, shift, low, high)

    def cut(self) -> "Placement":
        """What is outside of the image now is lost."""
        low = max(self.low[0], 0.0), max(self.low[1], 0.0)
        high = min(self.high[0], self.size[0]), min(self.high[1], self.size[1])
        return replace(self, low=low, high=high)

    def mirrored(self, axis: int) -> "Placement":
        """Flipped along x (0) or y (1)."""
        pairs = [list(pair) for pair in (self.scale, self.shift, self.low, self.high)]
        scale, shift, low, high = pairs
        length = self.size[axis]
        scale[axis], shift[axis] = -scale[axis], length - shift[axis]
        low[axis], high[axis] = length - high[axis], length - low[axis]
        return Placement(self.size, *((pair[0], pair[1]) for pair in pairs))


@dataclass(frozen=True)
class Moves:
    """A `Placement` per row, as arrays of shape (rows, 2); ``old`` and ``new`` are sizes in pixels."""

    old: np.ndarray
    new: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of_placements(cls, old: np.ndarray, placements: list[Placement]) -> "Moves":
        """``old`` holds the images' widths and heights before."""
        names = ("size", "scale", "shift", "low", "high")
        columns = [
            np.array([getattr(p, name) for p in placements], np.float64).reshape(-1, 2) for name in names
        ]
        return cls(old, *columns)

    def of(self, rows: np.ndarray) -> "Moves":
        """Those of the given rows, in that order."""
        return Moves(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    def points(self, fractions: np.ndarray) -> np.ndarray:
        """Where points (rows, 2), fractions of the old image, are in the new one, in pixels."""
        return fractions * self.old * self.scale + self.shift

    def nearest(self, row: int, axis: int) -> np.ndarray:
        """For each pixel of a new image along x (0) or y (1) the old one that its centre shows, or -1."""
        centres = np.arange(self.new[row, axis]) + 0.5
        places = np.floor((centres - self.shift[row, axis]) / self.scale[row, axis]).astype(np.int64)
        shown = (centres > self.low[row, axis]) & (centres < self.high[row, axis])
        return np.where(shown & (places >= 0) & (places < self.old[row, axis]), places, -1)

    def area_factor(self) -> np.ndarray:
        """What an area, a fraction of the image, is to be multiplied with."""
        return np.abs(self.scale).prod(axis=1) * self.old.prod(axis=1) / self.new.prod(axis=1)


def moved_annotations(frame: pl.DataFrame, column: str, moves: Moves) -> tuple[pl.DataFrame, pl.Series]:
    """The annotations in ``column`` in the new images, as a table, and the images of those not seen there.

    Attributes are moved like the annotations that carry them.
    """
    table = annotation_table(frame, column)
    rows, seen = _moved(column, table, moves.of(table[POSITION].to_numpy()))
    visible = pl.Series(seen, dtype=pl.Boolean)
    return rows.filter(visible), frame["file_path"][table[POSITION].filter(~visible)]


def _moved(column: str, rows: pl.DataFrame, moves: Moves) -> tuple[pl.DataFrame, np.ndarray]:
    functions = {"bboxes": _move_boxes, "polygons": _move_polygons, "bitmasks": _move_masks}
    if not len(rows) or column not in functions:
        return rows, np.ones(len(rows), dtype=bool)
    rows, seen = functions[column](rows, moves)
    for name in PRIMITIVE_COLUMNS:
        if name in functions and name in rows.columns and rows[name].null_count() < len(rows):
            rows = rows.with_columns(_moved_attributes(rows[name], moves))
    return rows, seen


def _moved_attributes(lists: pl.Series, moves: Moves) -> pl.Series:
    lengths = lists.list.len().fill_null(0).to_numpy()
    owner = np.repeat(np.arange(len(lists)), lengths)
    flat = lists.filter(pl.Series(lengths > 0)).explode().struct.unnest()
    flat, seen = _moved(lists.name, flat, moves.of(owner))
    kept = np.bincount(owner[seen], minlength=len(lists))
    flat = flat.filter(pl.Series(seen, dtype=pl.Boolean))
    return cut_lists(lists.name, flat.to_struct(lists.name), kept, lists.is_null().to_numpy())


def _move_boxes(rows: pl.DataFrame, moves: Moves) -> tuple[pl.DataFrame, np.ndarray]:
    box = rows.select(_BOX).to_numpy()
    ends = moves.points(box[:, :2]), moves.points(box[:, :2] + box[:, 2:])
    low, high = np.minimum(*ends), np.maximum(*ends)
    seen_low, seen_high = low.clip(moves.low, moves.high), high.clip(moves.low, moves.high)
    whole, part = (high - low).prod(axis=1), (seen_high - seen_low).prod(axis=1)
    # What has no extent itself is there while its place is.
    seen = np.where(whole > 0, part > 0, ((low >= moves.low) & (high <= moves.high)).all(axis=1))
    share = np.divide(part, whole, out=np.ones_like(part), where=whole > 0)
    fractions = np.hstack([seen_low / moves.new, (seen_high - seen_low) / moves.new])
    columns = [pl.Series(name, fractions[:, n]) for n, name in enumerate(_BOX)]
    return rows.with_columns(*columns, _area(share, moves)), seen


def _move_polygons(rows: pl.DataFrame, moves: Moves) -> tuple[pl.DataFrame, np.ndarray]:
    lengths = rows["points"].list.len().fill_null(0).to_numpy()
    owner = np.repeat(np.arange(len(rows)), lengths)
    flat = rows["points"].filter(pl.Series(lengths > 0)).explode().struct.unnest().to_numpy().reshape(-1, 2)
    points = moves.of(owner).points(flat)
    share, seen = np.ones(len(rows)), np.ones(len(rows), dtype=bool)
    over = ((points < moves.low[owner]) | (points > moves.high[owner])).any(axis=1)
    if over.any():
        outlines = np.split(points, np.cumsum(lengths)[:-1])
        for row in np.unique(owner[over]):
            outline = clip_polygon(outlines[row], moves.low[row], moves.high[row])
            whole, part = _square_pixels(outlines[row]), _square_pixels(outline)
            share[row] = part / whole if whole > 0 else 1.0
            seen[row] = part > 0 if whole > 0 else len(outline) > 0
            outlines[row] = outline
        lengths = np.array([len(outline) for outline in outlines])
        owner, points = np.repeat(np.arange(len(rows)), lengths), np.concatenate(outlines)
    fractions = points / moves.new[owner]
    structs = pl.DataFrame({"x": fractions[:, 0], "y": fractions[:, 1]}).to_struct("points")
    lists = cut_lists("points", structs, lengths, rows["points"].is_null().to_numpy())
    return rows.with_columns(lists, _area(share, moves)), seen


def _move_masks(rows: pl.DataFrame, moves: Moves) -> tuple[pl.DataFrame, np.ndarray]:
    masks = []
    for row, rle in enumerate(rows["rle_string"].to_list()):
        width, height = (int(length) for length in moves.old[row])
        columns, rows_of_image = moves.nearest(row, 0), moves.nearest(row, 1)
        mask = np.pad(decode_mask(rle, height, width), ((0, 1), (0, 1)))  # where nothing is mapped to
        masks.append(Bitmask.from_mask(mask[np.ix_(rows_of_image, columns)]))
    fields = {name: [getattr(mask, name) for mask in masks] for name in _MASK}
    columns = [pl.Series(name, values, scalar_fields("bitmasks")[name]) for name, values in fields.items()]
    return rows.with_columns(columns), np.array(fields["area"]) > 0


def _area(share: np.ndarray, moves: Moves) -> pl.Expr:
    return (pl.col("area") * pl.Series(share * moves.area_factor())).clip(0, 1).alias("area")


def _square_pixels(points: np.ndarray) -> float:
    x, y = points[:, 0], points[:, 1]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
