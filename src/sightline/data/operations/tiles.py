"""Tiles (chips) from large images, which keep their annotations and their place on Earth."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, with_annotations
from sightline.data.formats.repairs import Repairs
from sightline.data.images import IMAGE_SUFFIXES, read_bands, read_valid, store_image
from sightline.data.operations.tile_annotations import Grid, cut_annotations, without_invalid
from sightline.data.primitives import Segmentation
from sightline.data.primitives.rle import encode_mask
from sightline.data.progress import in_parallel
from sightline.data.raster import (
    Georeference,
    checked_bands,
    has_mask,
    is_raster,
    opened,
    rasterio_available,
    read_pixels,
    read_validity,
)
from sightline.data.schema import PRIMITIVE_COLUMNS
from sightline.data.storage import check_images_exist
from sightline.data.video import read_frame
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

Edge = Literal["pad", "shift", "drop"]
ImageFormat = Literal["auto", "tif", "png", "jpg"]


def tile(
    dataset: "Dataset",
    folder: Path,
    size: int = 512,
    stride: int | None = None,
    bands: list[int] | None = None,
    edge: Edge = "pad",
    min_visible: float = 0.1,
    min_valid_fraction: float = 0.0,
    drop_empty: bool = False,
    image_format: ImageFormat = "auto",
    progress: bool = True,
) -> "Dataset":
    """Square tiles of all images, row by row, each a sample with its part of the annotations.

    A tile of a GeoTIFF is a GeoTIFF: its transform, CRS, nodata value and band descriptions are such
    that each pixel keeps its place on Earth and its value. Large rasters are read a tile at a time.

    Boxes, polygons and masks are clipped to the tile; classes of the whole image are kept. In a
    segmentation no class is where a tile has no data: in padding, and where the image has nodata.
    A tile's ``collection_id`` is its image (or the image's own collection), so that splitting by it
    never separates tiles of one image; ``meta["tile"]`` says from where it was cut, in pixels.

    Args:
        dataset: stays as it is.
        folder: where the tiles are stored, by content hash.
        size: width and height of a tile in pixels.
        stride: distance from one tile to the next in pixels; ``size`` by default.
        bands: which bands, in which order, counted from 1; all by default.
        edge: where the last tile of a row or column reaches over the image: ``pad`` fills it up (with
            the nodata value, or 0), ``shift`` moves it back until it fits, ``drop`` leaves it out. An
            image smaller than a tile is padded, unless dropped.
        min_visible: least fraction of an object's area in the image that a tile must show to list it.
        min_valid_fraction: tiles with less data than this fraction of their pixels are left out.
        drop_empty: leave out tiles without a box, polygon or mask.
        image_format: of the tiles; ``auto`` is TIFF for TIFFs and PNG for others.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: an image is missing, cannot be read, is of another size than the dataset says, or
            has no such band; or a number that is out of range.
    """
    _check_arguments(size, stride, min_visible, min_valid_fraction)
    frame = dataset.samples
    if frame["file_path"].null_count():
        raise SightlineError(f"dataset '{dataset.info.dataset_name}' has samples without an image file.")
    check_images_exist(frame)
    grid = _grid(frame, size, stride or size, edge)
    repairs = Repairs(f"tiles of dataset '{dataset.info.dataset_name}'")
    nothing = np.flatnonzero(grid.rows * grid.columns == 0)
    if len(nothing):
        repairs.add("images smaller than a tile left out", frame["file_path"][int(nothing[0])], len(nothing))
    segmentations = frozenset(task.name for task in dataset.info.tasks if task.primitive is Segmentation)
    tables: dict[str, pl.DataFrame] = {}
    for column in PRIMITIVE_COLUMNS:
        if frame[column].null_count() < len(frame):
            tables[column], lost = cut_annotations(frame, column, grid, min_visible, segmentations)
            repairs.add(f"{column} are not seen enough in any tile", f"of {len(tables[column])} kept", lost)
    image, places = grid.windows()
    wanted = np.arange(len(image))
    if drop_empty:
        wanted = _with_regions(tables)
    chips = _Chips(size, bands, min_valid_fraction, image_format, folder.absolute())
    jobs = _jobs(frame, image, wanted, places, chips)
    done = [
        tile for tiles in in_parallel(_cut_tiles, jobs, "Cutting tiles", progress=progress) for tile in tiles
    ]
    repairs.report()
    valid = {tile.number: tile.valid for tile in done if tile.valid is not None}
    if "bitmasks" in tables and segmentations:
        tables["bitmasks"] = without_invalid(tables["bitmasks"], segmentations, valid, size)
    if drop_empty:
        regions = set(_with_regions(tables).tolist())
        done = [tile for tile in done if tile.number in regions]
    return dataset.replace(samples=_samples(frame, grid, done, tables))


@dataclass(frozen=True)
class _Chips:
    """What tiles are to be like; see `tile`."""

    size: int
    bands: list[int] | None
    min_valid_fraction: float
    image_format: ImageFormat
    folder: Path


@dataclass(frozen=True)
class _Job:
    """Tiles to be cut from one file: their numbers, and the left and top edge of each."""

    chips: _Chips
    file_path: str
    storage_format: str
    frame_number: int | None
    height: int
    width: int
    numbers: list[int]
    places: list[tuple[int, int]]


@dataclass(frozen=True)
class _Tile:
    """A tile that was stored. ``valid`` is the RLE of where it holds data, None where that is everywhere."""

    number: int
    file_path: str
    valid: str | None
    valid_fraction: float


def _check_arguments(size: int, stride: int | None, min_visible: float, min_valid_fraction: float) -> None:
    for name, number in (("size", size), ("stride", stride)):
        if number is not None and number < 1:
            raise SightlineError(f"{name} is {number}; give pixels from 1 up.")
    for name, fraction in (("min_visible", min_visible), ("min_valid_fraction", min_valid_fraction)):
        if not 0 <= fraction <= 1:
            raise SightlineError(f"{name} is {fraction}; give a fraction from 0 to 1.")


def _grid(frame: pl.DataFrame, size: int, stride: int, edge: Edge) -> Grid:
    heights, widths = frame["height"].to_numpy(), frame["width"].to_numpy()

    def count(lengths: np.ndarray) -> np.ndarray:
        over = lengths - size
        if edge == "drop":
            return np.where(over < 0, 0, over // stride + 1)
        # Further tiles would show nothing that the one before them did not.
        enough = -(-np.maximum(over, 0) // stride) + 1
        # With gaps between tiles, one more might begin outside of the image.
        return enough if edge == "shift" else np.minimum(enough, -(-lengths // stride))

    return Grid(size, stride, heights, widths, count(heights), count(widths), shifted=edge == "shift")


def _with_regions(tables: dict[str, pl.DataFrame]) -> np.ndarray:
    """The numbers of the tiles in which there is a box, polygon or mask, ascending."""
    numbers = [table[POSITION].to_numpy() for column, table in tables.items() if column != "classifications"]
    return np.unique(np.concatenate(numbers)).astype(np.int64) if numbers else np.zeros(0, np.int64)


def _jobs(
    frame: pl.DataFrame, image: np.ndarray, wanted: np.ndarray, places: np.ndarray, chips: _Chips
) -> list[_Job]:
    """One per image; of a raster, which is read in windows, one per row of tiles."""
    rows = frame.select("file_path", "storage_format", "collection_index", "height", "width").rows()
    keys = np.stack([image[wanted], places[wanted, 1]], axis=1)
    rasters = np.array([_in_windows(path, stored) for path, stored, *_ in rows], dtype=bool)
    keys[:, 1] *= rasters[keys[:, 0]]
    starts = np.flatnonzero(np.any(np.diff(keys, axis=0, prepend=-1), axis=1))
    jobs = []
    for start, stop in pairwise([*starts.tolist(), len(wanted)]):
        tiles = wanted[start:stop]
        path, stored, frame_number, height, width = rows[image[tiles[0]]]
        jobs.append(
            _Job(chips, path, stored, frame_number, height, width, tiles.tolist(), places[tiles].tolist())
        )
    return jobs


def _in_windows(file_path: str, storage_format: str) -> bool:
    return storage_format == "image" and is_raster(Path(file_path)) and rasterio_available()


def _cut_tiles(job: _Job) -> list[_Tile]:
    chips, tiles = job.chips, []
    with _source(job) as (read, place, fill):
        suffix = f".{chips.image_format}"
        if chips.image_format == "auto":
            suffix = ".png" if place is None else ".tif"
        for number, (left, top) in zip(job.numbers, job.places, strict=True):
            width, height = min(chips.size, job.width - left), min(chips.size, job.height - top)
            inner, inner_valid = read((left, top, width, height))
            valid = np.zeros((chips.size, chips.size), dtype=bool)
            valid[:height, :width] = inner_valid
            fraction = float(valid.mean())
            if fraction < chips.min_valid_fraction:
                continue
            pixels = np.full((chips.size, chips.size, inner.shape[2]), fill, dtype=inner.dtype)
            pixels[:height, :width] = inner
            of_window = None if place is None else place.of_window(left, top)
            path = store_image(chips.folder, suffix, pixels, of_window, valid)
            tiles.append(_Tile(number, str(path), None if valid.all() else encode_mask(valid), fraction))
    return tiles


@contextmanager
def _source(job: _Job) -> "Iterator[tuple[Any, Georeference | None, float]]":
    """How to read a window (pixels and where they are valid), the place on Earth, and what to pad with."""
    if _in_windows(job.file_path, job.storage_format):
        with opened(job.file_path) as raster:
            bands = checked_bands(job.file_path, raster.count, job.chips.bands)
            masked, place = has_mask(raster), Georeference.of(raster).of_bands(bands)
            _check_size(job, (raster.height, raster.width))

            def read_window(window: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
                pixels = read_pixels(raster, bands, window)
                return pixels, read_validity(raster, pixels, window, masked=masked)

            yield read_window, place, place.nodata or 0
        return
    pixels, valid = _whole(job)
    _check_size(job, pixels.shape[:2])

    def cut(window: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        left, top, width, height = window
        part = slice(top, top + height), slice(left, left + width)
        return pixels[part], valid[part]

    yield cut, None, 0


def _whole(job: _Job) -> tuple[np.ndarray, np.ndarray]:
    if job.storage_format == "video":
        pixels = read_frame(job.file_path, job.frame_number or 0)
        chosen = checked_bands(job.file_path, 3, job.chips.bands)
        return pixels[..., [band - 1 for band in chosen]], np.ones(pixels.shape[:2], dtype=bool)
    if job.storage_format != "image" or Path(job.file_path).suffix.lower() not in IMAGE_SUFFIXES:
        raise SightlineError(f"{job.file_path}: is neither an image nor a video frame; leave it out.")
    size = (job.height, job.width)
    return read_bands(job.file_path, job.chips.bands, size), read_valid(job.file_path, size)


def _check_size(job: _Job, found: tuple[int, ...]) -> None:
    if found != (job.height, job.width):
        raise SightlineError(
            f"{job.file_path}: is {found[0]} x {found[1]} pixels, but the dataset says {job.height} x "
            f"{job.width}; mend its height and width."
        )


def _samples(
    frame: pl.DataFrame, grid: Grid, done: list[_Tile], tables: dict[str, pl.DataFrame]
) -> pl.DataFrame:
    """A row per tile: its image's, with what is the tile's own."""
    image, places = grid.windows()
    numbers = np.array([tile.number for tile in done], dtype=np.int64)
    # Not one copy of all annotations of an image per tile.
    bare = frame.with_columns(
        pl.when(pl.col(column).is_not_null()).then(pl.lit([], frame.schema[column])).alias(column)
        for column in PRIMITIVE_COLUMNS
    )
    source = image[numbers]
    names = pl.Series("name", _names(frame["file_path"].to_list()))
    own_number = pl.Series(numbers - grid.first[source])
    metas = _metas(frame["meta"].to_list(), names.to_list(), source, places[numbers], grid.side, done)
    has_collection = pl.col("collection_id").is_not_null()
    samples = bare[source].with_columns(
        pl.int_range(pl.len(), dtype=pl.UInt64).alias("sample_index"),
        pl.Series("file_path", [tile.file_path for tile in done], pl.String),
        pl.lit(grid.side, pl.Int64).alias("height"),
        pl.lit(grid.side, pl.Int64).alias("width"),
        pl.lit("image").alias("storage_format"),
        pl.lit(None, pl.String).alias("remote_path"),
        pl.when(has_collection).then("collection_id").otherwise(names[source]).alias("collection_id"),
        pl.when(has_collection).then("collection_index").otherwise(own_number).alias("collection_index"),
        pl.Series("meta", metas, frame.schema["meta"]),
    )
    for column, table in tables.items():
        position = pl.col(POSITION).replace_strict(
            numbers, range(len(numbers)), default=None, return_dtype=pl.UInt32
        )
        kept = table.with_columns(position).drop_nulls(POSITION)
        samples = with_annotations(samples, column, kept)
    return samples


def _names(paths: list[str]) -> list[str]:
    """The images by their paths from the folder that holds them all."""
    folder = os.path.commonpath([os.path.dirname(path) for path in paths]) if paths else ""  # noqa: PTH120
    return [os.path.relpath(path, folder) for path in paths]


def _metas(
    metas: list[dict[str, str] | None],
    names: list[str],
    source: np.ndarray,
    places: np.ndarray,
    size: int,
    done: list[_Tile],
) -> list[dict[str, str]]:
    rows = []
    for image, (left, top), tile_ in zip(source.tolist(), places.tolist(), done, strict=True):
        meta = metas[image]
        provenance = {
            "source": names[image], "left": left, "top": top, "size": size,
            "valid_fraction": round(tile_.valid_fraction, 6),
        }  # fmt: skip
        merged = (json.loads(meta["json"]) if meta else {}) | {"tile": provenance}
        rows.append({"json": json.dumps(merged, ensure_ascii=False, separators=(",", ":"))})
    return rows
