"""A raster of full-width strips, each a small file: what is there is whole, and can be read while more is
made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sightline.data.raster import Georeference
from sightline.deploy.raster.gdal import gdal, row_window
from sightline.deploy.raster.vrt import Band, Piece, VirtualRaster
from sightline.files import written_whole

_BLOCK = 512

ReadRows = Callable[[int, int], np.ndarray]
"""The rows from a start to a stop: (bands, rows, width)."""


class Strips:
    """The strips called ``name`` in ``folder``, of a raster of ``bands`` bands of ``dtype``."""

    def __init__(self, folder: Path, name: str, size: tuple[int, int], bands: int, dtype: str) -> None:
        self.height, self.width = size
        self.bands, self.dtype = bands, dtype
        self._folder, self._name = folder, name

    def write(self, start: int, values: np.ndarray) -> None:
        """Keep rows from ``start`` on, (bands, rows, width).

        They are compressed in memory and written by Python, which, unlike GDAL, never overlooks a full disk.
        """
        from rasterio.io import MemoryFile

        bands, rows, width = values.shape
        path = self._folder / f"{self._name}-{start:09d}-{start + rows:09d}.tif"
        with gdal(), MemoryFile() as memory:
            with memory.open(
                driver="GTiff", height=rows, width=width, count=bands, dtype=self.dtype, compress="zstd",
                zstd_level=1, interleave="band", tiled=True, blockxsize=_BLOCK, blockysize=_BLOCK,
                bigtiff="if_safer",
            ) as target:  # fmt: skip
                target.write(values)
            with written_whole(path) as temporary:
                temporary.write_bytes(memory.getbuffer())

    @contextmanager
    def reading(self) -> Iterator[ReadRows]:
        """A function that reads rows, for this thread."""
        with gdal() as rasterio, rasterio.open(self.as_raster(Georeference()).text()) as raster:

            def read(start: int, stop: int) -> np.ndarray:
                return raster.read(window=row_window(start, stop, self.width))

            yield read

    def as_raster(
        self,
        place: Georeference,
        *,
        nodata: float | None = None,
        names: tuple[str, ...] = (),
        scale: float = 1,
        tags: dict[str, str] | None = None,
    ) -> VirtualRaster:
        """All strips as one raster; ``names`` of its bands, ``scale`` that takes its values to what they
        mean."""
        places = [(path, *self._span(path)) for path in sorted(self._folder.glob(f"{self._name}-*.tif"))]
        bands = []
        for band in range(1, self.bands + 1):
            pieces = [
                Piece(str(path), band, (0, 0, self.width, stop - start), (0, start, self.width, stop - start))
                for path, start, stop in places
            ]
            bands.append(Band(pieces, self.dtype, nodata, names[band - 1] if names else None, scale))
        return VirtualRaster(self.width, self.height, bands, place, tags=tags or {})

    def remove(self) -> None:
        """Delete the files."""
        for path in self._folder.glob(f"{self._name}-*.tif"):
            path.unlink()

    def _span(self, path: Path) -> tuple[int, int]:
        _, start, stop = path.stem.rsplit("-", 2)
        return int(start), int(stop)
