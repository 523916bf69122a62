"""Annotations as tables: one of entries, and one each of their boxes, polygons and masks."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import polars as pl
from msgspec import Raw

from sightline.data.annotation_tables import POSITION, cut_lists
from sightline.data.checks import plausible
from sightline.data.formats.boxes import count_over_edge, read_boxes
from sightline.data.formats.coco.categories import class_indices
from sightline.data.formats.coco.masks import mask_columns
from sightline.data.formats.coco.numbering import numbered
from sightline.data.formats.coco.parsing import Annotation, Rle, annotation_blocks
from sightline.data.formats.repairs import Repairs
from sightline.data.schema import META
from sightline.errors import SightlineError

_NO_BOX = (np.nan,) * 4


@dataclass
class ImageTable:
    """The images that annotations are of. ``ids`` is sorted; ``positions`` are the rows of its samples."""

    ids: np.ndarray
    positions: np.ndarray
    heights: np.ndarray
    widths: np.ndarray

    def find(self, ids: np.ndarray) -> np.ndarray:
        """The place of each id in this table; -1 where it is not listed."""
        if not len(self.ids):
            return np.full(len(ids), -1)
        places = np.searchsorted(self.ids, ids).clip(max=len(self.ids) - 1)
        return np.where(self.ids[places] == ids, places, -1)


@dataclass
class _Block:
    """Annotations with what is known of each: the sizes of their images, and their numbers in the file."""

    path: Path
    what: str
    annotations: list[Annotation]
    numbers: np.ndarray
    heights: np.ndarray
    widths: np.ndarray

    def name(self, row: int) -> str:
        return f"{self.path}: {self.what}[{self.numbers[row]}]"

    def size(self, row: int) -> str:
        return f"{self.widths[row]} wide and {self.heights[row]} high"


def annotation_tables(
    path: Path,
    items: Sequence[Raw],
    images: ImageTable,
    index_of_id: dict[int, int],
    repairs: Repairs,
    what: str = "annotations",
) -> dict[str, pl.DataFrame]:
    """Tables ``bboxes``, and as far as there are any ``polygons`` and ``bitmasks``.

    They are as `Dataset.from_tables` takes them. All that comes from one annotation has its id (or the
    ``object_id`` that it names) as ``object_id``.
    ``what`` is the list's name in the sentences of errors.

    Raises:
        SightlineError: an annotation that is wrong in a way that cannot be mended; it is named.
    """
    collected: dict[str, list[pl.DataFrame]] = {
        "entries": [_NO_ENTRIES],
        "bboxes": [_NO_BOXES],
        "polygons": [],
        "bitmasks": [],
    }
    with _no_garbage_collection():
        for first, annotations, metas in annotation_blocks(path, items, what):
            for name, table in _block_tables(
                path, first, annotations, metas, images, index_of_id, repairs, what
            ):
                collected[name].append(table)
    every_entry = pl.concat(collected.pop("entries"))
    every_entry = every_entry.with_columns(_object_ids(every_entry, what, repairs)).drop("id")
    return {
        name: _with_entries(pl.concat(tables), every_entry) for name, tables in collected.items() if tables
    }


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Millions of lists of numbers, none of them in a cycle, would be searched for cycles again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_NO_ENTRIES = pl.DataFrame(
    schema={
        "number": pl.Int64,
        POSITION: pl.UInt32,
        "class_idx": pl.Int64,
        "id": pl.Int64,
        "object_id": pl.String,
        "confidence": pl.Float64,
        "object_area": pl.Float64,
        "meta": META,
    }
)


_NO_BOXES = pl.DataFrame(
    schema={
        "number": pl.Int64,
        "top_left_x": pl.Float64,
        "top_left_y": pl.Float64,
        "width": pl.Float64,
        "height": pl.Float64,
    }
)


def _with_entries(regions: pl.DataFrame, every_entry: pl.DataFrame) -> pl.DataFrame:
    places = every_entry["number"].search_sorted(regions["number"])
    table = pl.concat([regions.drop("number"), every_entry[places].drop("number")], how="horizontal")
    area = pl.when("whole").then("object_area") if "whole" in table.columns else pl.col("object_area")
    return table.with_columns(area.alias("area")).drop("object_area", "whole", strict=False)


def _object_ids(entries: pl.DataFrame, what: str, repairs: Repairs) -> pl.Series:
    """``object_id`` where an annotation names one, else its own id, or a new one where it has none."""
    ids = entries["id"]
    repeated = ~ids.is_first_distinct() & ids.is_not_null()
    if repeated.any():
        row = int(repeated.arg_true()[0])
        example = f"{what}[{entries['number'][row]}] with id {ids[row]}"
        repairs.add("annotations numbered anew, as another one has their id", example, int(repeated.sum()))
    own = numbered(ids, 0).cast(pl.String)
    return entries.select(pl.coalesce("object_id", own).alias("object_id")).to_series()


def _block_tables(
    path: Path,
    first: int,
    annotations: list[Annotation],
    metas: list[str | None] | None,
    images: ImageTable,
    index_of_id: dict[int, int],
    repairs: Repairs,
    what: str,
) -> Iterator[tuple[str, pl.DataFrame]]:
    count = len(annotations)
    numbers = np.arange(first, first + count)
    places = images.find(np.fromiter((entry.image_id for entry in annotations), np.int64, count))
    known = places >= 0
    if not known.all():
        row = int(np.flatnonzero(~known)[0])
        example = f"{what}[{first + row}] with image_id {annotations[row].image_id}"
        repairs.add("annotations left out, as their image is not listed", example, int((~known).sum()))
        kept = np.flatnonzero(known)
        annotations = [annotations[row] for row in kept]
        metas = None if metas is None else [metas[row] for row in kept]
        numbers, places = numbers[kept], places[kept]
        if not len(kept):
            return
    category_ids = np.array([entry.category_id for entry in annotations], dtype=np.int64)
    block = _Block(path, what, annotations, numbers, images.heights[places], images.widths[places])
    area = pl.Series([entry.area for entry in annotations], dtype=pl.Float64)
    yield (
        "entries",
        pl.DataFrame(
            {
                "number": numbers,
                POSITION: images.positions[places].astype(np.uint32),
                "class_idx": class_indices(path, category_ids, index_of_id, what, numbers),
                "id": pl.Series([entry.id for entry in annotations], dtype=pl.Int64),
                "object_id": pl.Series([entry.object_id for entry in annotations], dtype=pl.String),
                "confidence": pl.Series([entry.score for entry in annotations], dtype=pl.Float64),
                "object_area": area / (block.heights * block.widths),
                "meta": _meta_series(metas, len(annotations)),
            }
        ),
    )
    boxes = _box_array(block)
    lacking = np.isnan(boxes[:, 0])
    for name, table, bounds, owners in (*_polygons(block, repairs), *_masks(block)):
        yield name, table
        # An annotation without a box gets the bounds of its regions.
        for axis, merge in ((slice(0, 2), np.fmin), (slice(2, 4), np.fmax)):
            of_lacking = lacking[owners]
            merge.at(boxes[:, axis], owners[of_lacking], bounds[of_lacking, axis])
    found = lacking & ~np.isnan(boxes[:, 0])
    boxes[found, 2:] -= boxes[found, :2]
    missing = np.isnan(boxes[:, 0])
    _count(block, missing, "annotations left out, as they have neither a box nor a segmentation", repairs)
    yield "bboxes", _boxes(block, boxes, ~missing, repairs)


def _box_array(block: _Block) -> np.ndarray:
    """The boxes as they are in the file, NaN where an annotation has none."""
    boxes = [entry.bbox or _NO_BOX for entry in block.annotations]
    if set(map(len, boxes)) - {4}:
        row = next(row for row, box in enumerate(boxes) if len(box) != 4)
        raise SightlineError(
            f"{block.name(row)}.bbox has {len(boxes[row])} numbers; a box is left, top, width, height."
        )
    return np.fromiter(chain.from_iterable(boxes), np.float64, 4 * len(boxes)).reshape(-1, 4)


def _boxes(block: _Block, boxes: np.ndarray, present: np.ndarray, repairs: Repairs) -> pl.DataFrame:
    rows = np.flatnonzero(present)
    sizes = np.stack([block.heights, block.widths], axis=1)[rows]
    table, good = read_boxes(
        boxes[rows], "xywh", "pixels", sizes, lambda row: f"{block.name(int(rows[row]))}.bbox", repairs
    )
    return table.insert_column(0, pl.Series("number", block.numbers[rows])).filter(good)


_Regions = Iterator[tuple[str, pl.DataFrame, np.ndarray, np.ndarray]]


def _polygons(block: _Block, repairs: Repairs) -> _Regions:
    """The rings of all annotations of a block: their table, bounds (left, top, right, bottom), owners."""
    segmentations = [
        entry.segmentation if isinstance(entry.segmentation, list) else () for entry in block.annotations
    ]
    counts = np.fromiter(map(len, segmentations), np.int64, len(segmentations))
    owners = np.repeat(np.arange(len(counts)), counts)
    rings = list(chain.from_iterable(segmentations))
    lengths = np.fromiter(map(len, rings), np.int64, len(rings))
    odd = np.flatnonzero(lengths % 2)
    if len(odd):
        raise SightlineError(
            f"{block.name(int(owners[odd[0]]))}.segmentation has a ring of {lengths[odd[0]]} numbers; a ring "
            "is x, y, x, y ..."
        )
    short = lengths < 6
    if short.any():
        example = f"{block.what}[{block.numbers[owners[short][0]]}]"
        repairs.add("polygons left out, as they have less than 3 points", example, int(short.sum()))
        rings = [ring for ring in rings if len(ring) >= 6]
        owners, lengths = owners[~short], lengths[~short]
    if not rings:
        return
    points = np.fromiter(chain.from_iterable(rings), np.float64, int(lengths.sum())).reshape(-1, 2)
    lengths //= 2
    owner_of_point = np.repeat(owners, lengths)
    scale = np.stack([block.widths, block.heights], axis=1)[owner_of_point]
    outside = ~plausible(points / scale).all(axis=1)
    if outside.any():
        point = int(np.flatnonzero(outside)[0])
        row = int(owner_of_point[point])
        raise SightlineError(
            f"{block.name(row)}.segmentation reaches {_shown(points[point])}, far outside its image, which "
            f"is {block.size(row)}; correct one of them."
        )
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    bounds = [np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)]
    low, high = (bound / scale[starts] for bound in bounds)
    count_over_edge(low, high, "polygons", lambda ring: block.name(int(owners[ring])), repairs)
    x, y = (points / scale).T
    flat = pl.DataFrame({"x": x, "y": y}).to_struct("points")
    rings_of_object = np.bincount(owners, minlength=len(block.annotations))
    yield (
        "polygons",
        pl.DataFrame(
            {
                "number": block.numbers[owners],
                "points": cut_lists("points", flat, lengths, np.zeros(len(lengths), dtype=bool)),
                "whole": rings_of_object[owners] == 1,
            }
        ),
        np.concatenate(bounds, axis=1),
        owners,
    )


def _masks(block: _Block) -> _Regions:
    """The masks of a block: their table, bounds (left, top, right, bottom), owners."""
    owned = [
        (row, entry.segmentation)
        for row, entry in enumerate(block.annotations)
        if isinstance(entry.segmentation, Rle)
    ]
    if not owned:
        return
    owners = np.fromiter((row for row, _ in owned), np.int64, len(owned))
    table = mask_columns(
        [mask for _, mask in owned],
        block.heights[owners],
        block.widths[owners],
        lambda number: f"{block.name(owned[number][0])}.segmentation",
    )
    left, top, width, height = table.select("left", "top", "width", "height").to_numpy().T
    bounds = np.stack([left, top, left + width, top + height], axis=1).astype(np.float64)
    yield "bitmasks", table.with_columns(pl.Series("number", block.numbers[owners])), bounds, owners


def _count(block: _Block, rows: np.ndarray, what: str, repairs: Repairs) -> None:
    if rows.any():
        example = f"{block.what}[{block.numbers[np.flatnonzero(rows)[0]]}]"
        repairs.add(what, example, int(rows.sum()))


def _meta_series(texts: list[str | None] | None, count: int) -> pl.Series:
    if texts is None:
        return pl.Series("meta", [None], META).new_from_index(0, count)
    frame = pl.DataFrame({"json": pl.Series(texts, dtype=pl.String)})
    return frame.select(pl.when(pl.col("json").is_not_null()).then(pl.struct("json")).alias("meta"))["meta"]


def _shown(numbers: np.ndarray) -> str:
    return ", ".join(f"{number:g}" for number in numbers)
