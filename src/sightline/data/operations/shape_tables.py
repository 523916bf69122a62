"""Tables of annotations from one primitive to another; see `sightline.data.operations.shapes`.

A table here is that of `annotation_table` with the sizes of the images added by `with_image_sizes`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION
from sightline.data.formats.repairs import Repairs
from sightline.data.primitives.outline import rasterise, trace_mask
from sightline.data.primitives.rle import decode_mask, paint_masks, rle_area
from sightline.data.progress import in_parallel
from sightline.data.schema import scalar_fields

R = TypeVar("R")

_SIZE = ["image_height", "image_width"]
_BATCH = 32  # annotations, or samples, that a thread takes at a time


def with_image_sizes(table: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """``table`` with the height and width of each annotation's image, in pixels."""
    sizes = frame.select(pl.col("height").alias(_SIZE[0]), pl.col("width").alias(_SIZE[1]))
    return table.hstack(sizes[table[POSITION]])


def without_sizes(table: pl.DataFrame) -> pl.DataFrame:
    """``table`` as `with_annotations` takes it."""
    return table.drop(_SIZE)


def boxes_of_polygons(table: pl.DataFrame, repairs: Repairs) -> pl.DataFrame:
    """The smallest box around each object; polygons that share an object id are one."""
    x, y = (pl.col("points").list.eval(pl.element().struct.field(axis)) for axis in ("x", "y"))
    edges = table.select(
        _objects(table).alias("object"),
        left=x.list.min(),
        top=y.list.min(),
        right=x.list.max(),
        bottom=y.list.max(),
    )
    edges = edges.group_by("object", maintain_order=True).agg(
        pl.min("left", "top"), pl.max("right", "bottom")
    )
    boxes = edges.select(
        top_left_x="left",
        top_left_y="top",
        width=pl.col("right") - pl.col("left"),
        height=pl.col("bottom") - pl.col("top"),
    )
    return _boxes(table[edges["object"]], boxes, "polygons", repairs)


def boxes_of_masks(table: pl.DataFrame, repairs: Repairs) -> pl.DataFrame:
    """The box around each mask's pixels."""
    boxes = table.select(
        top_left_x=pl.col("left") / pl.col(_SIZE[1]),
        top_left_y=pl.col("top") / pl.col(_SIZE[0]),
        width=pl.col("width") / pl.col(_SIZE[1]),
        height=pl.col("height") / pl.col(_SIZE[0]),
    )
    return _boxes(table, boxes, "bitmasks", repairs)


def polygons_of_boxes(table: pl.DataFrame) -> pl.DataFrame:
    """The four corners of each box."""
    left, top = pl.col("top_left_x"), pl.col("top_left_y")
    right, bottom = left + pl.col("width"), top + pl.col("height")
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    points = table.select(
        points=pl.concat_list([pl.struct(x.alias("x"), y.alias("y")) for x, y in corners]),
        area=pl.col("width") * pl.col("height"),
    )
    return _with_geometry(table, "bboxes", points)


def masks_of_polygons(table: pl.DataFrame, repairs: Repairs, progress: bool) -> pl.DataFrame:
    """The pixels inside each object's polygons; see `sightline.data.primitives.outline.rasterise`."""
    from pycocotools import mask as coco

    outlines, sizes = _outlines(table), table.select(_SIZE).to_numpy()
    objects = _objects(table).to_numpy()
    order = np.argsort(objects, kind="stable")  # the parts of an object behind each other
    firsts = np.flatnonzero(np.diff(objects[order], prepend=-1))
    lasts = np.append(firsts[1:], len(order))

    def mask(number: int) -> str:
        rows = order[firsts[number] : lasts[number]]
        height, width = (int(value) for value in sizes[rows[0]])
        masks = rasterise([outlines[row] for row in rows], height, width)
        if len(masks) == 1:
            return masks[0]
        parts: Any = [_coco(text, height, width) for text in masks]
        united: Any = coco.merge(parts, intersect=False)
        return united["counts"].decode("ascii")

    masks = _each(mask, len(firsts), "Filling polygons", progress)
    return _masks(table[order[firsts]], "polygons", list(masks), repairs)


def polygons_of_masks(table: pl.DataFrame, repairs: Repairs, progress: bool) -> pl.DataFrame:
    """The outlines of each mask's parts, which share an object id; see `trace_mask`."""
    sources, outlines, areas = [], [], []
    for row, parts in enumerate(_each(_tracer(table), len(table), "Tracing masks", progress)):
        sources += [row] * len(parts)
        outlines += [part / (width, height) for part, height, width in parts]
        areas += [_area(part) / (width * height) for part, height, width in parts]
    points = np.concatenate([np.zeros((0, 2)), *outlines])
    lengths = [len(outline) for outline in outlines]
    owner = pl.Series("owner", np.repeat(np.arange(len(lengths)), lengths))
    columns = pl.DataFrame({"x": points[:, 0], "y": points[:, 1]}, schema={"x": pl.Float64, "y": pl.Float64})
    listed = pl.DataFrame({"owner": owner, "points": columns.to_struct()})
    polygons = listed.group_by("owner", maintain_order=True).agg("points").select("points")
    polygons = polygons.with_columns(pl.Series("area", areas, pl.Float64))
    table = _with_ids_for_parts(table, np.bincount(sources, minlength=len(table)))
    _count_lost(table, np.setdiff1d(np.arange(len(table)), sources), "bitmasks without a pixel", repairs)
    return _with_geometry(table[sources], "bitmasks", polygons)


def connected_parts(table: pl.DataFrame, progress: bool) -> pl.DataFrame:
    """A mask for each connected part of each mask; a part has no object id, unless it is the only one."""
    sources, masks = [], []
    for row, parts in enumerate(_each(_tracer(table), len(table), "Tracing masks", progress)):
        if len(parts) == 1:
            sources.append(row)
            masks.append(table["rle_string"][row])
            continue
        for outline, height, width in parts:
            sources.append(row)
            masks += rasterise([outline], height, width)
    alone = np.bincount(sources, minlength=len(table))[sources] == 1
    object_id = pl.when(pl.Series(alone)).then("object_id").alias("object_id")
    return _masks(table[sources].with_columns(object_id), "bitmasks", masks, Repairs("parts"))


def segmentation_of_masks(table: pl.DataFrame, repairs: Repairs, progress: bool) -> pl.DataFrame:
    """One mask per class and sample, of the pixels that no later mask of the sample covers."""
    positions = table[POSITION].to_numpy()
    firsts = np.flatnonzero(np.diff(positions.astype(np.int64), prepend=-1))
    lasts = np.append(firsts[1:], len(positions))
    masks, sizes = table["rle_string"], table.select(_SIZE).to_numpy()
    classes = table.select(pl.struct("class_name", "class_idx").rank("dense")).to_series().to_numpy()

    def labels(sample: int) -> list[tuple[int, str]]:
        rows = range(firsts[sample], lasts[sample])
        height, width = (int(value) for value in sizes[rows[0]])
        codes = [int(classes[row]) for row in rows]
        first = dict(zip(reversed(codes), reversed(rows), strict=True))
        seen = paint_masks([masks[row] for row in rows], codes, height, width)
        return [(first[code], text) for code, text in seen.items()]

    each = _each(labels, len(firsts), "Merging masks", progress)
    found = [entry for entries in each for entry in entries]
    kept = table[[row for row, _ in found]].select(
        POSITION, *_SIZE, "class_name", "class_idx", "ground_truth"
    )
    return _masks(kept, "bitmasks", [text for _, text in found], repairs)


def _tracer(table: pl.DataFrame) -> Callable[[int], list[tuple[np.ndarray, int, int]]]:
    """Gives for a row of bitmasks the outlines of its parts, and the height and width of the image."""
    masks, sizes = table["rle_string"], table.select(_SIZE).to_numpy()

    def trace(row: int) -> list[tuple[np.ndarray, int, int]]:
        height, width = (int(value) for value in sizes[row])
        return [(outline, height, width) for outline in trace_mask(decode_mask(masks[row], height, width))]

    return trace


def _each(function: Callable[[int], R], count: int, label: str, progress: bool) -> Iterator[R]:
    """The results of ``function`` for 0 up to ``count``, worked out by threads in batches."""

    def batch(start: int) -> list[R]:
        return [function(number) for number in range(start, min(start + _BATCH, count))]

    for results in in_parallel(batch, range(0, count, _BATCH), label, progress=progress):
        yield from results


def _objects(table: pl.DataFrame) -> pl.Series:
    """For each row the first row of its object: that of the same sample and object id, else itself."""
    rows = table.select(POSITION, "object_id", row=pl.int_range(pl.len()))
    first = pl.col("row").min().over(POSITION, "object_id")
    return rows.select(pl.when(pl.col("object_id").is_null()).then("row").otherwise(first)).to_series()


def _outlines(table: pl.DataFrame) -> list[np.ndarray]:
    """The points of each polygon in pixels, of shape (points, 2)."""
    lengths = table["points"].list.len().fill_null(0).to_numpy()
    points = table.filter(lengths > 0)["points"].explode().struct.unnest().to_numpy().reshape(-1, 2)
    sizes = np.repeat(table.select(reversed(_SIZE)).to_numpy(), lengths, axis=0)
    return np.split(points * sizes, np.cumsum(lengths)[:-1]) if len(lengths) else []


def _area(outline: np.ndarray) -> float:
    """Square pixels inside an outline (the shoelace formula)."""
    x, y = outline[:, 0], outline[:, 1]
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def _with_ids_for_parts(table: pl.DataFrame, parts: np.ndarray) -> pl.DataFrame:
    prefix = "object-"
    while table["object_id"].str.starts_with(prefix).any():
        prefix = f"_{prefix}"
    made_up = prefix + pl.int_range(pl.len()).cast(pl.String)
    needed = pl.col("object_id").is_null() & pl.Series(parts > 1)
    return table.with_columns(pl.when(needed).then(made_up).otherwise("object_id").alias("object_id"))


def _boxes(table: pl.DataFrame, boxes: pl.DataFrame, column: str, repairs: Repairs) -> pl.DataFrame:
    boxes = boxes.with_columns(area=pl.col("width") * pl.col("height"))
    result = _with_geometry(table, column, boxes)
    empty = boxes.select((pl.col("area") <= 0).fill_null(value=True)).to_series()
    _count_lost(table, empty.arg_true().to_numpy(), f"{column} without extent", repairs)
    return result.filter(~empty)


def _masks(table: pl.DataFrame, column: str, masks: Sequence[str], repairs: Repairs) -> pl.DataFrame:
    from pycocotools import mask as coco

    sizes = table.select(_SIZE).to_numpy()
    encoded: Any = [
        _coco(text, int(height), int(width)) for text, (height, width) in zip(masks, sizes, strict=True)
    ]
    boxes = np.asarray(coco.toBbox(encoded) if encoded else np.zeros((0, 4))).astype(np.int64)
    # pycocotools' own area fails for more than 255 masks at once.
    pixels = np.array([rle_area(text) for text in masks], dtype=np.float64)
    geometry = pl.DataFrame(
        {
            "left": boxes[:, 0],
            "top": boxes[:, 1],
            "width": boxes[:, 2],
            "height": boxes[:, 3],
            "rle_string": pl.Series(masks, dtype=pl.String),
            "area": pixels / sizes.prod(axis=1),
        }
    )
    _count_lost(table, np.flatnonzero(pixels == 0), f"{column} that cover no pixel", repairs)
    return _with_geometry(table, column, geometry).filter(pixels > 0)


def _coco(text: str, height: int, width: int) -> dict[str, Any]:
    return {"size": [height, width], "counts": text.encode("ascii")}


def _with_geometry(table: pl.DataFrame, column: str, geometry: pl.DataFrame) -> pl.DataFrame:
    """``table``, of annotations in ``column``, with other geometry in place of what it has."""
    old = [name for name in scalar_fields(column) if name not in scalar_fields("classifications")]
    return table.drop(old, strict=False).hstack(geometry)


def _count_lost(table: pl.DataFrame, rows: np.ndarray, what: str, repairs: Repairs) -> None:
    if len(rows):
        repairs.add(
            f"{what} left out", f"of the sample at position {table[POSITION][int(rows[0])]}", len(rows)
        )
