"""Several rasters of one grid as one, without copying a pixel."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sightline.data.raster import Georeference, has_mask
from sightline.deploy.raster.gdal import gdal, one_sentence
from sightline.deploy.raster.vrt import Band, Piece, VirtualRaster
from sightline.errors import SightlineError

_CLOSE = 0.01  # pixels that the grids of two rasters may differ by


@dataclass(frozen=True)
class _Part:
    name: str
    file: str
    width: int
    height: int
    dtypes: tuple[str, ...]
    place: Georeference
    masked: bool


def mosaic(files: Sequence[tuple[str, str]], remote: bool = False) -> VirtualRaster:
    """The rasters, given by name and GDAL's name, as one; where they overlap, the last that has data counts.

    Raises:
        SightlineError: one cannot be opened, or differs from the first in its coordinate system, resolution,
            grid, bands, their types or nodata value.
    """
    with gdal(remote) as rasterio:
        parts = [_part(rasterio, name, file) for name, file in files]
    first = parts[0]
    offsets = [_offset(first, part) for part in parts]
    left, top = min(x for x, _ in offsets), min(y for _, y in offsets)
    right = max(x + part.width for (x, _), part in zip(offsets, parts, strict=True))
    bottom = max(y + part.height for (_, y), part in zip(offsets, parts, strict=True))
    places = [(x - left, y - top) for x, y in offsets]
    nodata = first.place.nodata
    bands = [
        Band(
            [_piece(part, band, at, nodata) for part, at in zip(parts, places, strict=True)],
            dtype,
            nodata,
            first.place.descriptions[band - 1],
        )
        for band, dtype in enumerate(first.dtypes, 1)
    ]
    mask = None
    if nodata is None:  # then only a mask tells what lies between the rasters from what is black in them
        masks = [
            replace(_piece(part, 1, at, 0), band="mask,1") for part, at in zip(parts, places, strict=True)
        ]
        mask = Band(masks, "uint8")
    return VirtualRaster(right - left, bottom - top, bands, first.place.of_window(left, top), mask)


def _part(rasterio: Any, name: str, file: str) -> _Part:
    with one_sentence(name, "cannot be read as a raster"), rasterio.open(file) as raster:
        place = Georeference.of(raster)
        return _Part(name, file, raster.width, raster.height, raster.dtypes, place, has_mask(raster))


def _piece(part: _Part, band: int, at: tuple[int, int], nodata: float | None) -> Piece:
    whole = (0, 0, part.width, part.height)
    return Piece(
        part.file, band, whole, (*at, part.width, part.height), nodata, part.masked and nodata is None
    )


def _offset(first: _Part, part: _Part) -> tuple[int, int]:
    """The first pixel of ``part`` in pixels of ``first``."""
    if first.place.transform is None or part.place.transform is None:
        raise SightlineError(f"{part.name}: has no place on Earth, so it cannot be part of a mosaic.")
    for what, one, other in (
        ("coordinate system", first.place.crs, part.place.crs),
        ("bands and types", first.dtypes, part.dtypes),
        ("nodata value", str(first.place.nodata), str(part.place.nodata)),
        ("resolution", *(_resolution(first, one) for one in (first, part))),
    ):
        if one != other:
            raise SightlineError(
                f"{part.name}: cannot be part of a mosaic with {first.name}, as its {what} is another; "
                "bring both to one grid first (gdalwarp)."
            )
    x, y = part.place.pixels_from(first.place, 0, 0)
    if max(abs(x - round(x)), abs(y - round(y))) > _CLOSE:
        raise SightlineError(
            f"{part.name}: its pixels lie {x % 1:.2f}, {y % 1:.2f} beside those of {first.name}; bring "
            "both to one grid first (gdalwarp)."
        )
    return -round(x), -round(y)


def _resolution(first: _Part, part: _Part) -> tuple[float, ...]:
    """Steps from pixel to pixel, rounded so that they add up to less than `_CLOSE` over the raster."""
    assert first.place.transform is not None
    assert part.place.transform is not None
    a, b, _, d, e, _ = part.place.transform[:6]
    unit = _CLOSE * max(abs(v) for v in first.place.transform[:2]) / max(part.width, part.height, first.width)
    return tuple(round(value / unit) for value in (a, b, d, e))
