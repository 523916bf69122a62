"""What is made of a raster: a class map, scores of the classes, or polygons."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from sightline.config import Config
from sightline.deploy.raster.deciding import ScoreType
from sightline.errors import SightlineError

Compression = Literal["deflate", "zstd"]
Overviews = Literal["nearest", "mode", "none"]

RASTER_SUFFIXES = (".tif", ".tiff")
POLYGON_SUFFIXES = (".geojson", ".gpkg")


class ClassRaster(Config):
    """A Cloud Optimized GeoTIFF of class numbers: one band of uint8, 255 (its nodata value) where the source
    has no data. The names of the classes are in its tags ``CLASS_0``, ``CLASS_1``, ..."""

    path: Path
    compression: Compression = "deflate"
    overviews: Overviews = "nearest"
    """How reduced pictures are made; ``mode`` takes the most frequent class, and more time."""


class ScoreRaster(Config):
    """A Cloud Optimized GeoTIFF with the score of each class, 0..1, in a band named for it.

    As uint8 a score of 1 is 254 (the band's scale says so), and 255 the nodata value; as float32 that is NaN.
    """

    path: Path
    dtype: ScoreType = "uint8"
    compression: Compression = "deflate"
    overviews: bool = True


class Polygons(Config):
    """The outlines of connected parts, as GeoJSON (RFC 7946: degrees of WGS 84) or GeoPackage (in the
    source's coordinate system), by the file's suffix.

    Each has the attributes ``class`` (its number), ``name``, ``pixels`` (its area before smoothing) and,
    where the coordinate system is in metres or feet, ``area_m2``. Memory grows with the number of corners.
    """

    path: Path
    smooth: int = Field(default=0, ge=0, le=8)
    """0: outlines follow the edges of pixels. 1: they go through the middles of these edges. Each round more
    draws every point to its neighbours on the line, and shrinks what is only some pixels large. Neighbouring
    parts keep one line between them, without gaps or overlaps."""
    min_area: int = Field(default=0, ge=0)
    """Parts of fewer pixels are left out."""
    leave_out: tuple[int, ...] = ()
    """Numbers of classes without outlines, such as a background."""


Output = ClassRaster | ScoreRaster | Polygons


def output_for(destination: Path | str | Output) -> Output:
    """The output that a path stands for: a class map, or polygons by the suffix ``.geojson`` or ``.gpkg``.

    Raises:
        SightlineError: the suffix is of neither.
    """
    if isinstance(destination, str | Path):
        path = Path(destination)
        kind = Polygons if path.suffix.lower() in POLYGON_SUFFIXES else ClassRaster
        destination = kind(path=path)
    suffixes = POLYGON_SUFFIXES if isinstance(destination, Polygons) else RASTER_SUFFIXES
    if destination.path.suffix.lower() not in suffixes:
        raise SightlineError(
            f"{destination.path}: must end in {' or '.join(suffixes)}"
            + (
                "."
                if isinstance(destination, Polygons)
                else f", or for polygons {' or '.join(POLYGON_SUFFIXES)}."
            )
        )
    return destination
