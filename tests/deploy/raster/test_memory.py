"""Memory is bounded by rows of tiles. Each measurement is a process of its own."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.deploy.raster.rasters import PLACE, UTM, noise, rasterio

PROCESS = """
    import re, sys
    from pathlib import Path
    import sightline.deploy.raster.gdal as gdal
    from sightline.deploy.raster import Postprocessing, RasterSettings, TileSettings, predict_raster

    gdal._CACHE = int(sys.argv[4])
    source, destination, tile = sys.argv[1], sys.argv[2], int(sys.argv[3])
    filters = Postprocessing(median=3, min_area=4) if tile < 1024 else Postprocessing()
    settings = RasterSettings(tiles=TileSettings(tile=tile), postprocessing=filters)
    predict_raster(source, destination, lambda images: images, classes=("a", "b", "c"), settings=settings)
    print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def peak_mib(folder: Path, width: int, height: int, tile: int, cache: int = 256) -> float:
    """The most memory for a sparse RGB raster of that size, of which GDAL's cache ``cache`` MB."""
    source = folder / f"{height}.tif"
    with rasterio.open(
        source, "w", driver="GTiff", width=width, height=height, count=3, dtype="uint8", crs=UTM,
        transform=PLACE, compress="deflate", tiled=True, sparse_ok=True, photometric="RGB",
    ) as target:  # fmt: skip
        for top in range(0, height - 64, height // 8):
            target.write(noise(64, width), window=((top, top + 64), (0, width)))
    arguments = [source, folder / f"{height}-out.tif", tile, cache]
    command = [sys.executable, "-c", textwrap.dedent(PROCESS), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    with rasterio.open(folder / f"{height}-out.tif") as raster:
        assert raster.shape == (height, width)
    return int(done.stdout) / 1024


def test_memory_does_not_grow_with_the_height(tmp_path: Path) -> None:
    # Of enough rows for the first to have filled what is filled once.
    low, high = (peak_mib(tmp_path, 256, height, 256, cache=4) for height in (11_000, 41_000))
    # The scores of 30,000 more rows are 88 MiB, their pixels and classes 29 MiB.
    assert high - low < 45


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_900_megapixels_pass_within_1_5_gib(tmp_path: Path) -> None:
    assert peak_mib(tmp_path, 30_000, 30_000, 1024) < 1536
