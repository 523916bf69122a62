"""What goes wrong elsewhere in tiled prediction, each as it was found."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.data.predictions import NO_CLASS
from sightline.deploy.raster import (
    Postprocessing,
    RasterSettings,
    ScoreRaster,
    TileSettings,
    predict_raster,
    predict_rasters,
)
from sightline.errors import SightlineError
from tests.deploy.raster.rasters import (
    CLASSES,
    identity,
    local_model,
    noise,
    rasterio,
    read_raster,
    whole_image,
    write_raster,
)
from tests.needs import shared_data

TILES = TileSettings(tile=64, overlap=0.25, multiple=1)


def predicted(source: Path, model: Any = identity, **settings: Any) -> np.ndarray:
    out = source.with_name(f"{source.stem}_out.tif")
    settings.setdefault("tiles", TILES)
    predict_raster(source, out, model, classes=CLASSES, settings=RasterSettings(**settings))
    return read_raster(out)[0]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_batches_with_black_borders_lose_no_tile(tmp_path: Path, batch_size: int) -> None:
    pixels = noise(200, 300)
    pixels[:, :90] = 0
    pixels[:, :, :130] = 0
    pixels[:, 150:180, 200:250] = 0
    source = write_raster(tmp_path / "in.tif", pixels)  # black, but not declared to be nodata
    expected = whole_image(identity, pixels, np.ones((200, 300), bool), TILES)
    np.testing.assert_array_equal(predicted(source, batch_size=batch_size), expected)
    source = write_raster(tmp_path / "declared.tif", pixels, nodata=0)
    expected = whole_image(identity, pixels, (pixels != 0).any(axis=0), TILES)
    np.testing.assert_array_equal(predicted(source, batch_size=batch_size), expected)


def test_constant_tiles_count_like_others(tmp_path: Path) -> None:
    """A constant part of the image beside another: the scores stay a mean, with weights that add up to 1."""
    pixels = noise(150, 200)
    pixels[:, 40:120, 30:150] = 77
    source = write_raster(tmp_path / "in.tif", pixels)
    ones = ScoreRaster(path=tmp_path / "out.tif", dtype="float32")

    def sure(images: np.ndarray) -> np.ndarray:
        return np.ones_like(images, dtype=np.float32)

    predict_raster(
        source, ones, sure, classes=CLASSES, settings=RasterSettings(tiles=TILES, activation="none")
    )
    assert (read_raster(tmp_path / "out.tif") == 1).all()


def test_jpeg_in_ycbcr_is_read_and_its_profile_is_not_copied(tmp_path: Path) -> None:
    source = shared_data("rasterio") / "cogeo.tif"
    with rasterio.open(source) as raster:
        assert raster.profile["photometric"] == "ycbcr"
        pixels, valid, place = raster.read(), raster.dataset_mask() != 0, raster.transform
    out = tmp_path / "out.tif"
    predict_raster(
        source, out, identity, classes=CLASSES, settings=RasterSettings(tiles=TileSettings(tile=128))
    )
    expected = whole_image(identity, pixels, valid, TileSettings(tile=128))
    with rasterio.open(out) as raster:
        assert raster.profile["compress"] == "deflate"
        assert raster.count == 1
        assert raster.transform == place
        np.testing.assert_array_equal(raster.read(1), expected)


def test_a_raster_with_a_black_collar_keeps_it_as_nodata(tmp_path: Path) -> None:
    source = shared_data("rasterio") / "RGB.byte.tif"
    with rasterio.open(source) as raster:
        pixels, crs, place = raster.read(), raster.crs, raster.transform
    valid = (pixels != 0).any(axis=0)
    assert 0.1 < valid.mean() < 0.9
    model = local_model(TILES.margin_pixels)
    result = predict_raster(
        source,
        tmp_path / "out.tif",
        model,
        classes=CLASSES,
        settings=RasterSettings(tiles=TILES, batch_size=5),
    )
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert (raster.crs, raster.transform, raster.nodata) == (crs, place, NO_CLASS)
        np.testing.assert_array_equal(raster.read(1), whole_image(model, pixels, valid, TILES))
    assert result.empty_tiles > 0


def test_nothing_passes_from_one_raster_to_the_next(tmp_path: Path) -> None:
    byte = write_raster(tmp_path / "byte.tif", noise(70, 90, 1))
    word = write_raster(tmp_path / "word.tif", noise(70, 90, 2, dtype="uint16") * 200)
    real = write_raster(tmp_path / "real.tif", noise(70, 90, 3, dtype="float32") / 250)
    types = []

    def model(images: np.ndarray) -> np.ndarray:
        types.append(images.dtype.name)
        return images.astype(np.float32)

    for order in ([byte, word, real], [real, word, byte]):
        results = predict_rasters(order, tmp_path / "out", model, classes=CLASSES)
        assert not results.failures
        for path in order:
            pixels = read_raster(path)
            expected = whole_image(identity, pixels, np.ones((70, 90), bool), TILES)
            np.testing.assert_array_equal(read_raster(tmp_path / "out" / path.name)[0], expected)
    assert types == ["uint8", "uint16", "float32", "float32", "uint16", "uint8"]


@pytest.mark.parametrize("declared", [-9999.0, None])
def test_minus_9999_in_floats_does_not_reach_the_model(tmp_path: Path, declared: float | None) -> None:
    pixels = noise(150, 170, dtype="float32") / 250
    valid = np.ones((150, 170), bool)
    valid[:50] = valid[:, 100:130] = False
    pixels[:, ~valid] = -9999
    source = write_raster(tmp_path / "in.tif", pixels, nodata=declared)
    least = []

    def model(images: np.ndarray) -> np.ndarray:
        least.append(images.min())
        return local_model(TILES.margin_pixels)((images * 250).round())

    expected = whole_image(lambda images: model(images), pixels, valid, TILES)
    np.testing.assert_array_equal(predicted(source, model), expected)
    assert min(least) == 0


def test_nodata_is_no_class(tmp_path: Path) -> None:
    pixels = noise(60, 80)
    pixels[:, :20] = 0
    pixels[0, 30:40] = 255  # the first class
    source = write_raster(tmp_path / "in.tif", pixels, nodata=0)
    classes = predicted(source)
    assert (classes[:20] == NO_CLASS).all()
    assert (classes[30:40] == 0).all()
    with rasterio.open(tmp_path / "in_out.tif") as raster:
        assert raster.nodata == NO_CLASS
        np.testing.assert_array_equal(raster.dataset_mask() == 0, classes == NO_CLASS)


def test_a_pixel_does_not_depend_on_what_is_elsewhere_in_its_tile(tmp_path: Path) -> None:
    pixels = noise(100, 100)
    other = pixels.copy()
    other[:, :50] = np.random.default_rng(1).integers(0, 256, (3, 50, 100))
    first = predicted(write_raster(tmp_path / "first.tif", pixels))
    second = predicted(write_raster(tmp_path / "second.tif", other))
    np.testing.assert_array_equal(first[50:], second[50:])


def test_filters_are_those_of_the_whole_image(tmp_path: Path) -> None:
    pixels = noise(600, 90)
    source = write_raster(tmp_path / "in.tif", pixels)
    filters = Postprocessing(median=7, opening=3, closing=5, min_area=9)
    before = predicted(source)
    after = predicted(source, postprocessing=filters.model_copy(update={"min_area": 0}))
    np.testing.assert_array_equal(after, filters.filtered(before))


def test_what_cannot_be_done_is_an_error(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "in.tif", noise(20, 20).astype("complex64"))
    with pytest.raises(SightlineError, match="values of type complex64"):
        predicted(source)
    results = predict_rasters([source], tmp_path / "out", identity, classes=CLASSES)
    with pytest.raises(SightlineError, match="1 of 1 rasters failed"):
        results.check()
    assert not list((tmp_path / "out").glob("*"))
