import math
from pathlib import Path

import numpy as np

from sightline.data.raster import Georeference
from sightline.deploy.raster.vrt import Band, Piece, VirtualRaster
from tests.deploy.raster.rasters import PLACE, UTM, noise, rasterio, write_raster


def test_names_and_tags_may_hold_any_character(tmp_path: Path) -> None:
    pixels = noise(4, 5)
    path = write_raster(tmp_path / "<a> & 'b' \"ä\".tif", pixels)
    pieces = [Piece(str(path), 2, (0, 0, 5, 4), (0, 0, 5, 4))]
    band = Band(pieces, "uint8", nodata=3, description="<water> & ice", scale=1 / 254)
    place = Georeference(transform=PLACE, crs=rasterio.crs.CRS.from_string(UTM))
    text = VirtualRaster(5, 4, [band], place, tags={"CLASS_0": "a < b & c"}).text()
    with rasterio.open(text) as raster:
        np.testing.assert_array_equal(raster.read(1), pixels[1])
        assert raster.descriptions == ("<water> & ice",)
        assert raster.tags()["CLASS_0"] == "a < b & c"
        assert (raster.crs, raster.transform, raster.nodata) == (UTM, PLACE, 3)
        assert raster.scales == (1 / 254,)


def test_numbers_keep_their_last_bit(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "in.tif", noise(2, 2, dtype="float32"))
    place = Georeference(transform=rasterio.Affine(0.1, 1e-17, math.pi, 1e-7, -1 / 3, 1e15 / 7))
    band = Band([Piece(str(path), 1, (0, 0, 2, 2), (0, 0, 2, 2))], "float32", nodata=math.nan)
    with rasterio.open(VirtualRaster(2, 2, [band], place).text()) as raster:
        assert raster.transform == place.transform
        assert math.isnan(raster.nodata)


def test_later_pieces_count_where_they_have_data(tmp_path: Path) -> None:
    first = write_raster(tmp_path / "first.tif", np.full((1, 2, 3), 7, np.uint8))
    second = write_raster(tmp_path / "second.tif", np.array([[[0, 8, 9], [8, 0, 9]]], np.uint8))
    pieces = [Piece(str(path), 1, (0, 0, 3, 2), (0, 0, 3, 2), nodata=0) for path in (first, second)]
    text = VirtualRaster(3, 2, [Band(pieces, "uint8", nodata=0)], Georeference(transform=PLACE)).text()
    with rasterio.open(text) as raster:
        assert raster.read(1).tolist() == [[7, 8, 9], [8, 7, 9]]
