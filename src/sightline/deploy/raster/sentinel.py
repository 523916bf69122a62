"""Sentinel-2 products: a folder of JPEG 2000 files, one a band, as one raster of 10 m pixels."""

import re
from pathlib import Path

from sightline.data.raster import Georeference
from sightline.deploy.raster.gdal import gdal, one_sentence
from sightline.deploy.raster.vrt import Band, Piece, VirtualRaster
from sightline.errors import SightlineError

BANDS_10M = ("B02", "B03", "B04", "B08")
BANDS_20M = ("B05", "B06", "B07", "B8A", "B11", "B12")

_BAND_FILE = re.compile(r".*_(B\w\w)(?:_(10|20|60)m)?\.jp2", re.IGNORECASE)


def is_safe(path: Path) -> bool:
    """Whether this is the folder of a Sentinel product as ESA delivers it (``….SAFE``)."""
    return path.is_dir() and (path / "GRANULE").is_dir()


def safe_raster(folder: Path) -> tuple[VirtualRaster, list[Path]]:
    """Blue, green, red and near infrared at 10 m (B02, B03, B04, B08), then B05, B06, B07, B8A, B11 and B12
    of 20 m, interpolated linearly to 10 m; and the files it is made of.

    Values are the product's own numbers (uint16), 0 is nodata. Level 1C and 2A; at 2A the files of each
    band's own resolution are taken.

    Raises:
        SightlineError: there is not exactly one granule, a file is missing, or one cannot be read.
    """
    granules = sorted(path for path in (folder / "GRANULE").iterdir() if path.is_dir())
    if len(granules) != 1:
        raise SightlineError(f"{folder}: has {len(granules)} granules; give a product of one (since 2016).")
    files = _band_files(granules[0])
    missing = [name for name in BANDS_10M + BANDS_20M if name not in files]
    if missing:
        raise SightlineError(f"{folder}: has no file of band {missing[0]} below GRANULE; is it complete?")
    sizes, places = {}, []
    with gdal() as rasterio:
        for name in BANDS_10M + BANDS_20M:
            file = str(files[name])
            with one_sentence(file, "cannot be read as a raster"), rasterio.open(file) as raster:
                sizes[name] = (raster.width, raster.height)
                places.append(Georeference.of(raster))
    width, height = sizes[BANDS_10M[0]]
    bands = [
        Band(
            [
                Piece(
                    str(files[name]), 1, (0, 0, *sizes[name]), (0, 0, width, height), nodata=0,
                    resampling="bilinear" if name in BANDS_20M else "nearest",
                )
            ],
            "uint16",
            nodata=0,
            description=name,
        )
        for name in BANDS_10M + BANDS_20M
    ]  # fmt: skip
    used = [files[name] for name in BANDS_10M + BANDS_20M]
    return VirtualRaster(width, height, bands, places[0]), used


def _band_files(granule: Path) -> dict[str, Path]:
    """The file of each band at its own resolution."""
    files = {}
    for path in sorted((granule / "IMG_DATA").rglob("*.jp2")):
        if found := _BAND_FILE.fullmatch(path.name):
            name, metres = found[1].upper(), found[2]
            own = "10" if name in BANDS_10M else "20"
            if metres in (None, own):
                files[name] = path
    return files
