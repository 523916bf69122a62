from pathlib import Path

import numpy as np
import pytest

from sightline.deploy.raster.reading import opened_raster
from sightline.deploy.raster.sources import locate
from sightline.errors import SightlineError
from tests.deploy.raster.rasters import noise, rasterio, write_raster


def read(path: Path, bands: list[int | str] | None = None, fill: float = 0) -> tuple[np.ndarray, np.ndarray]:
    with opened_raster(locate(path), bands) as reader:
        return reader.rows(0, reader.info.height, fill)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("bands", [[1], [3, 1, 2], [4, 4]])
def test_bands_come_in_their_type_and_in_the_order_asked_for(
    tmp_path: Path, dtype: str, bands: list[int | str]
) -> None:
    pixels = noise(9, 11, bands=4, dtype=dtype)
    path = write_raster(tmp_path / "in.tif", pixels, photometric="minisblack")
    found, valid = read(path, bands)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, pixels[[int(band) - 1 for band in bands]])
    assert valid.all()


def test_bands_may_be_named(tmp_path: Path) -> None:
    pixels = noise(5, 6)
    path = write_raster(tmp_path / "in.tif", pixels)
    with rasterio.open(path, "r+") as raster:
        raster.descriptions = ("red", "green", "nir")
    found, _ = read(path, ["nir", 1])
    np.testing.assert_array_equal(found, pixels[[2, 0]])
    with pytest.raises(SightlineError, match="no band 'blue'; its bands are named red, green, nir"):
        read(path, ["blue"])


def test_bands_that_are_not_there_are_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "in.tif", noise(5, 6))
    with pytest.raises(SightlineError, match=r"in\.tif: band 4 was asked for; it has bands 1 to 3"):
        read(path, [1, 4])
    with (
        pytest.raises(SightlineError, match=r"in\.tif: has 3 bands, and the model takes 4"),
        opened_raster(locate(path), channels=4),
    ):
        pass
    with (
        pytest.raises(SightlineError, match="is to give 2 bands, and the model takes 3"),
        opened_raster(locate(path), [1, 2], channels=3),
    ):
        pass


@pytest.mark.parametrize("nodata", [0, 17, 255])
def test_nodata_values(tmp_path: Path, nodata: int) -> None:
    pixels = noise(20, 30)
    pixels[:, :5] = nodata
    pixels[0, 5:8] = nodata  # in one band only: data
    found, valid = read(write_raster(tmp_path / "in.tif", pixels, nodata=nodata), fill=3)
    np.testing.assert_array_equal(valid, (pixels != nodata).any(axis=0))
    assert (found[:, ~valid] == 3).all()
    np.testing.assert_array_equal(found[:, valid], pixels[:, valid])


@pytest.mark.parametrize("missing", [np.nan, np.inf, -9999])
@pytest.mark.parametrize("declared", [True, False])
def test_floats_without_a_value(tmp_path: Path, missing: float, declared: bool) -> None:
    pixels = noise(20, 30, dtype="float32")
    pixels[1, 3:9, 4:20] = missing  # of one band: no data at all
    nodata = missing if declared else None
    found, valid = read(write_raster(tmp_path / "in.tif", pixels, nodata=nodata), fill=-1)
    expected = np.ones((20, 30), bool)
    expected[3:9, 4:20] = False
    np.testing.assert_array_equal(valid, expected)
    assert np.isfinite(found).all()
    assert (found[:, ~valid] == -1).all()


def test_masks_of_a_dataset_and_alpha_bands(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random((20, 30)) < 0.5
    pixels = noise(20, 30)
    _, valid = read(write_raster(tmp_path / "mask.tif", pixels, mask=mask))
    np.testing.assert_array_equal(valid, mask)
    with_alpha = np.concatenate([pixels, mask[None] * np.uint8(255)])
    path = write_raster(tmp_path / "alpha.tif", with_alpha, photometric="RGB", alpha="YES")
    found, valid = read(path)
    assert len(found) == 3
    np.testing.assert_array_equal(valid, mask)


def test_near_infrared_is_no_alpha_band(tmp_path: Path) -> None:
    pixels = noise(20, 30, bands=4)
    pixels[3, :5] = 0  # black in near infrared
    path = write_raster(tmp_path / "naip.tif", pixels)
    with rasterio.open(path) as raster:
        assert raster.colorinterp[3].name == "alpha"  # what GDAL takes four bytes for
    found, valid = read(path)
    assert valid.all()
    np.testing.assert_array_equal(found, pixels)
