from pathlib import Path

import numpy as np
import pytest

from sightline.data import Sample
from sightline.data.images import image_size, read_bands, read_rgb, read_valid, store_image, write_image
from sightline.data.raster import Georeference, opened
from sightline.errors import SightlineError
from tests.needs import shared_data

rasterio = pytest.importorskip("rasterio", reason="needs rasterio, which is missing on this machine")


def write_tif(path: Path, pixels: np.ndarray, **profile: object) -> Path:
    """(bands, height, width) as a TIFF that rasterio writes."""
    count, height, width = pixels.shape
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        settings = {
            "driver": "GTiff",
            "count": count,
            "height": height,
            "width": width,
            "dtype": pixels.dtype,
        }
        with rasterio.open(path, "w", **(settings | profile)) as target:
            target.write(pixels)
    return path


@pytest.fixture(autouse=True)
def _quiet() -> None:
    import warnings

    warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)


def test_bands_come_in_their_own_type(tmp_path: Path) -> None:
    for dtype in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"):
        for count in (1, 2, 3, 4, 5):
            pixels = np.arange(count * 48).reshape(count, 6, 8).astype(dtype)
            path = write_tif(tmp_path / f"{dtype}{count}.tif", pixels)
            found = read_bands(path)
            assert (found.shape, found.dtype) == ((6, 8, count), np.dtype(dtype))
            assert (found == np.moveaxis(pixels, 0, 2)).all()
            assert image_size(path) == (6, 8)
            assert read_rgb(path).shape == (6, 8, 3)
            assert read_valid(path).all() or dtype == "uint8"


def test_near_infrared_is_neither_transparency_nor_black(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (4, 20, 30), dtype=np.uint8)
    pixels[3, :5] = 0  # water is black in near infrared
    path = write_tif(tmp_path / "naip.tif", pixels)
    with rasterio.open(path) as raster:
        assert raster.colorinterp[3].name == "alpha"  # GDAL's default for four bytes
    assert (read_rgb(path) == np.moveaxis(pixels[:3], 0, 2)).all()
    assert read_valid(path).all()
    assert read_valid(write_tif(tmp_path / "zero.tif", pixels, nodata=0)).all()
    assert (read_bands(path, [4, 1]) == np.moveaxis(pixels[[3, 0]], 0, 2)).all()


def test_true_transparency_is_not_valid(tmp_path: Path) -> None:
    pixels = np.full((4, 20, 30), 255, dtype=np.uint8)
    pixels[3, :5] = 0
    assert read_valid(write_tif(tmp_path / "a.tif", pixels))[:, 0].tolist() == [False] * 5 + [True] * 15


def test_sixteen_bits_and_floats_become_eight(tmp_path: Path) -> None:
    pixels = np.array([0, 257, 25700, 65535], dtype=np.uint16).reshape(1, 1, 4).repeat(3, axis=0)
    assert read_rgb(write_tif(tmp_path / "a.tif", pixels))[0, :, 2].tolist() == [0, 1, 100, 255]
    floats = np.array([-5, 0.6, 254.6, np.nan], dtype=np.float32).reshape(1, 1, 4).repeat(3, axis=0)
    assert read_rgb(write_tif(tmp_path / "b.tif", floats))[0, :, 0].tolist() == [0, 1, 255, 0]


def test_what_holds_no_data_is_not_valid(tmp_path: Path) -> None:
    floats = np.ones((2, 1, 5), dtype=np.float32)
    floats[0, 0, 1], floats[:, 0, 2], floats[1, 0, 3] = np.nan, -9999, np.inf
    for nodata in (None, -9999, np.nan):
        path = write_tif(tmp_path / "f.tif", floats, nodata=nodata)
        assert read_valid(path)[0].tolist() == [True, False, False, False, True]
    # In one band zero is a value; in all of them it is the nodata value.
    ints = np.array([[[0, 0, 5]], [[0, 7, 5]]], dtype=np.uint8)
    assert read_valid(write_tif(tmp_path / "i.tif", ints, nodata=0))[0].tolist() == [False, True, True]


def test_ycbcr_jpeg_in_a_tiff_reads_as_gdal_reads_it() -> None:
    path = shared_data("rasterio") / "cogeo.tif"
    with rasterio.open(path) as raster:
        expected = np.moveaxis(raster.read(), 0, 2)
    assert (read_rgb(path) == expected).all()
    assert Sample(file_path=str(path), height=1024, width=1024).read_valid().shape == (1024, 1024)


def test_the_collar_of_a_scene_is_not_valid() -> None:
    path = shared_data("rasterio") / "RGB.byte.tif"
    with rasterio.open(path) as raster:
        expected = (raster.read() != 0).any(axis=0)
    assert (read_valid(path) == expected).all()
    assert 0.3 < expected.mean() < 0.9


def test_geotiffs_are_written_whole_with_their_place(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 4000, (30, 40, 5)).astype(np.int16)
    transform = rasterio.Affine(0.3, 0.01, 500000.5, 0.02, -0.31, 4e6)
    place = Georeference(transform=transform, crs=rasterio.crs.CRS.from_epsg(32618), nodata=-1,
                         descriptions=("a", None, "c", "d", "e"))  # fmt: skip
    stored = store_image(tmp_path / "store", ".tif", pixels, place.of_window(3, 4).of_bands([5, 1, 2, 3, 4]))
    assert stored == store_image(
        tmp_path / "store", ".tif", pixels, place.of_window(3, 4).of_bands([5, 1, 2, 3, 4])
    )
    with opened(stored) as raster:
        assert (np.moveaxis(raster.read(), 0, 2) == pixels).all()
        found = Georeference.of(raster)
        for column, row in ((0, 0), (17, 29)):
            assert found.world(column, row) == pytest.approx(place.world(column + 3, row + 4), abs=1e-9)
        assert (raster.nodata, raster.descriptions, raster.crs.to_epsg()) == (
            -1,
            ("e", "a", None, "c", "d"),
            32618,
        )
    assert [path.name for path in (tmp_path / "store").iterdir()] == [stored.parent.name]


def test_control_points_move_with_the_window(tmp_path: Path) -> None:
    from rasterio.control import GroundControlPoint

    points = [GroundControlPoint(r, c, c * 2.0, r * 3.0, 0) for r, c in ((0, 0), (0, 9), (9, 0), (9, 9))]
    place = Georeference(gcps=points, gcps_crs=rasterio.crs.CRS.from_epsg(4326)).of_window(2, 5)
    write_image(tmp_path / "a.tif", np.zeros((4, 4, 1), np.uint8), place)
    with rasterio.open(tmp_path / "a.tif") as raster:
        found, crs = raster.gcps
    assert [(p.row, p.col, p.x, p.y) for p in found] == [(p.row - 5, p.col - 2, p.x, p.y) for p in points]
    assert crs.to_epsg() == 4326


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", np.zeros((4, 300, 300), np.uint16))
    with pytest.raises(SightlineError, match=r"a\.tif: band 5 was asked for; it has bands 1 to 4"):
        read_bands(path, [1, 5])
    with pytest.raises(SightlineError, match=r"no band was asked for"):
        read_bands(path, [])
    noise = np.random.default_rng(0).integers(0, 60000, (4, 300, 300)).astype(np.uint16)
    half = tmp_path / "half.tif"
    half.write_bytes(write_tif(path, noise).read_bytes()[: path.stat().st_size // 2])
    (tmp_path / "text.tif").write_text("no picture")
    for read in (read_rgb, read_bands, read_valid):
        for name, sentence in (
            ("half.tif", "cannot be read as an image"),
            ("text.tif", "cannot be read as an image"),
            ("none.tif", "image not found"),
        ):
            with pytest.raises(SightlineError, match=rf"{name}: {sentence}"):
                read(tmp_path / name)
    with pytest.raises(SightlineError, match=r"\.jpg images hold no 4 bands of uint16; choose tif"):
        write_image(tmp_path / "a.jpg", np.zeros((2, 2, 4), np.uint16))
