"""Rows of a raster with what is valid in them, and tiles cut from these."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sightline.data.raster import Georeference, checked_bands, has_mask, read_validity
from sightline.deploy.raster.gdal import gdal, one_sentence, row_window
from sightline.deploy.raster.sources import Location
from sightline.deploy.raster.tiling import Axis
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

Border = Literal["repeat", "fill"]

_TYPES = frozenset({"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"})


@dataclass(frozen=True)
class RasterInfo:
    """What is known of a raster before its pixels: size in pixels, bands to be read (from 1), their type."""

    name: str
    width: int
    height: int
    bands: tuple[int, ...]
    dtype: np.dtype
    place: Georeference

    @property
    def has_place(self) -> bool:
        """Whether it says where on Earth it is."""
        place = self.place
        return place.transform is not None or bool(place.gcps) or place.rpcs is not None


class RasterReader:
    """An open raster, for one thread."""

    def __init__(self, location: Location, raster: "DatasetReader", info: RasterInfo) -> None:
        self.info = info
        self._location, self._raster = location, raster
        self._masked = has_mask(raster)

    def rows(self, start: int, stop: int, fill: float) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (bands, rows, width) with ``fill`` where there is no data, and where there is: bool (rows,
        width).

        What counts as data is said at `sightline.data.raster.read_validity`: the same as in training.

        Raises:
            SightlineError: the file is damaged there.
        """
        window = (0, start, self.info.width, stop - start)
        with one_sentence(
            self.info.name, f"rows {start} to {stop - 1} cannot be read; is the file complete?"
        ):
            rows = row_window(start, stop, self.info.width)
            pixels = self._raster.read(list(self.info.bands), window=rows, out_dtype=self.info.dtype)
            valid = read_validity(self._raster, np.moveaxis(pixels, 0, 2), window, masked=self._masked)
        if not valid.all():
            np.copyto(pixels, np.asarray(fill, self.info.dtype), where=~valid)
        return pixels, valid


@contextmanager
def opened_raster(
    location: Location, bands: Sequence[int | str] | None = None, channels: int | None = None
) -> Iterator[RasterReader]:
    """The raster, open for reading by this thread.

    ``bands`` are numbers from 1 or names, in the order that the model takes them; None for all but an alpha
    band. ``channels`` is how many the model takes.

    Raises:
        SightlineError: it is no raster, its values are of a type that is no number, or it has not these
            bands.
    """
    with gdal(location.remote) as rasterio:
        with one_sentence(location.name, "cannot be read as a raster"):
            raster = rasterio.open(location.gdal_name)
        with raster:
            if not raster.count:
                raise SightlineError(f"{location.name}: has no bands; give one of its subdatasets.")
            chosen = _chosen_bands(location.name, raster, bands)
            if channels is not None and len(chosen) != channels:
                which = "has" if bands is None else "is to give"
                raise SightlineError(
                    f"{location.name}: {which} {len(chosen)} bands, and the model takes {channels}; name "
                    f"those to be used, such as bands={list(range(1, channels + 1))}."
                )
            types = [raster.dtypes[band - 1] for band in chosen]
            if unknown := next((dtype for dtype in types if dtype not in _TYPES), None):
                raise SightlineError(
                    f"{location.name}: has values of type {unknown}; convert it to real numbers."
                )
            dtype = np.result_type(*types)
            place = Georeference.of(raster)
            info = RasterInfo(location.name, raster.width, raster.height, tuple(chosen), dtype, place)
            yield RasterReader(location, raster, info)


def _chosen_bands(name: str, raster: "DatasetReader", bands: Sequence[int | str] | None) -> list[int]:
    if bands is None:
        from rasterio.enums import ColorInterp, MaskFlags

        transparent = MaskFlags.alpha in raster.mask_flag_enums[0] and has_mask(raster)
        return [
            band
            for band, colour in enumerate(raster.colorinterp, 1)
            if not (transparent and colour == ColorInterp.alpha)
        ]
    numbers = []
    for band in bands:
        if isinstance(band, str):
            if band not in raster.descriptions:
                named = [description for description in raster.descriptions if description]
                known = f"its bands are named {', '.join(named)}" if named else "its bands have no names"
                raise SightlineError(f"{name}: has no band '{band}'; {known}.")
            band = raster.descriptions.index(band) + 1
        numbers.append(band)
    return checked_bands(name, raster.count, numbers)


@dataclass(frozen=True)
class Step:
    """A tile in reading order: its row and column among the tiles, and where its pixels are in the batch,
    None where it holds no data that counts. ``valid`` (bool, rows x width), with the last tile of a row, is
    where there is data in the rows that are settled with it.
    """

    row: int
    column: int
    slot: int | None
    valid: np.ndarray | None = None


@dataclass(frozen=True)
class Batch:
    """Some steps in reading order and the tiles that a model has to look at: (tiles, bands, height,
    width)."""

    steps: list[Step]
    images: np.ndarray


def read_batches(
    reader: RasterReader,
    rows: Axis,
    columns: Axis,
    batch_size: int,
    fill: float,
    border: Border,
    first_row: int = 0,
) -> Iterator[Batch]:
    """All tiles from a row of tiles on. Each row of pixels is read once."""
    beyond = {"mode": "edge"} if border == "repeat" else {"constant_values": fill}
    steps: list[Step] = []
    images: list[np.ndarray] = []
    for row, pixels, valid in _tile_rows(reader, rows, fill, first_row):
        top = rows.starts[row]
        for column, left in enumerate(columns.starts):
            counts = valid[
                rows.lows[row] - top : rows.highs[row] - top, columns.lows[column] : columns.highs[column]
            ]
            slot = len(images) if counts.any() else None
            if slot is not None:
                images.append(_tile(pixels, left, (rows.size, columns.size), beyond))
            last = column + 1 == len(columns)
            settled = valid[rows.lows[row] - top : rows.settled(row) - top].copy() if last else None
            steps.append(Step(row, column, slot, settled))
            # A batch spans rows of tiles; of those without data not more than one waits for it.
            if len(images) == batch_size or (last and sum(step.valid is not None for step in steps) > 1):
                yield Batch(steps, _stacked(images))
                steps, images = [], []
    if steps:
        yield Batch(steps, _stacked(images))


def _tile_rows(
    reader: RasterReader, rows: Axis, fill: float, first_row: int
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Of each row of tiles its number, its pixels, and where they are valid."""
    pixels, valid, top, bottom = None, None, 0, 0
    for row in range(first_row, len(rows)):
        start, stop = rows.starts[row], min(rows.starts[row] + rows.size, rows.length)
        new_pixels, new_valid = reader.rows(max(start, bottom), stop, fill)
        if pixels is not None and valid is not None and start < bottom:
            new_pixels = np.concatenate([pixels[:, start - top :], new_pixels], axis=1)
            new_valid = np.concatenate([valid[start - top :], new_valid])
        pixels, valid, top, bottom = new_pixels, new_valid, start, stop
        yield row, pixels, valid


def _stacked(images: list[np.ndarray]) -> np.ndarray:
    return np.stack(images) if images else np.zeros((0, 0, 0, 0))


def _tile(pixels: np.ndarray, left: int, size: tuple[int, int], beyond: dict[str, Any]) -> np.ndarray:
    """A tile that begins at ``left``; ``beyond`` says how `numpy.pad` fills it up."""
    part = pixels[:, :, left : left + size[1]]
    below, right = (wanted - there for wanted, there in zip(size, part.shape[1:], strict=True))
    return np.pad(part, ((0, 0), (0, below), (0, right)), **beyond) if below or right else part
