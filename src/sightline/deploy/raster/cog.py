"""Cloud Optimized GeoTIFFs: in blocks, with reduced pictures, and laid out so that parts are read over a
network."""

from pathlib import Path
from typing import Any

import numpy as np

from sightline.deploy.raster.gdal import gdal, row_window
from sightline.deploy.raster.outputs import Compression
from sightline.deploy.raster.vrt import VirtualRaster
from sightline.errors import SightlineError

_ROWS = 512  # that are compared at a time
_LEVELS = {
    "deflate": 1,
    "zstd": 1,
}  # class maps hardly get smaller at higher ones, which take ten times as long


def write_cog(raster: VirtualRaster, path: Path, compression: Compression, overviews: str, name: str) -> None:
    """Write the raster at ``path``, in place, as a BigTIFF where it may exceed 4 GB, and compare what is
    there with what was to be written: GDAL does not always notice that a disk is full.

    ``overviews`` is how reduced pictures are made: a resampling of GDAL, or ``none``. ``name`` is what
    messages call the file.

    Raises:
        SightlineError: it could not be written completely.
    """
    # Reduced pictures go through a temporary file first; compressing it as well would take most of the time.
    with gdal(COG_TMP_COMPRESSION="NONE") as rasterio:
        from rasterio.shutil import copy

        made_by = {"overviews": "NONE"} if overviews == "none" else {"overview_resampling": overviews}
        try:
            with rasterio.open(raster.text()) as source:
                copy(
                    source, path, driver="COG", compress=compression, level=_LEVELS[compression],
                    bigtiff="IF_SAFER", num_threads="ALL_CPUS", statistics="NO", **made_by,
                )  # fmt: skip
                complete = _alike(rasterio, source, path)
        except Exception as error:  # GDAL's errors have no public class in common
            raise SightlineError(_incomplete(name, error)) from error
    if not complete:
        raise SightlineError(_incomplete(name))


def _alike(rasterio: Any, source: Any, path: Path) -> bool:
    """Whether the file at ``path`` has the pixels of ``source``."""
    with rasterio.open(path, num_threads="ALL_CPUS") as written:
        height, width = written.shape
        for start in range(0, height, _ROWS):
            window = row_window(start, min(start + _ROWS, height), width)
            pixels = source.read(window=window)
            floating = pixels.dtype.kind == "f"
            if not np.array_equal(pixels, written.read(window=window), equal_nan=floating):
                return False
    return True


def _incomplete(name: str, error: Exception | None = None) -> str:
    reason = f" ({' '.join(str(error).split())})" if error is not None else ""
    return f"{name}: could not be written completely{reason}; free some space on the disk and start again."
