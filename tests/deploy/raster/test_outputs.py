from pathlib import Path

import numpy as np
import pytest

from sightline.data.predictions import NO_CLASS
from sightline.deploy.raster import (
    ClassRaster,
    Polygons,
    RasterSettings,
    ScoreRaster,
    TileSettings,
    predict_raster,
)
from sightline.errors import SightlineError
from tests.deploy.raster.rasters import (
    CLASSES,
    PLACE,
    UTM,
    identity,
    noise,
    rasterio,
    read_raster,
    write_raster,
)

TILES = RasterSettings(tiles=TileSettings(tile=256))


def is_cloud_optimized(path: Path) -> None:
    """As offsets in the file: directories first, then pictures from the smallest on."""
    with rasterio.open(path) as raster:
        assert raster.driver == "GTiff"
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.profile["tiled"]
        size = max(raster.shape)
        overviews = raster.overviews(1)
        assert overviews == [2**level for level in range(1, 20) if size / 2 ** (level - 1) > 512]
        directory = int(raster.get_tag_item("IFD_OFFSET", "TIFF", bidx=1))
        first = int(raster.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
        for level in range(len(overviews)):
            smaller = int(raster.get_tag_item("IFD_OFFSET", "TIFF", bidx=1, ovr=level))
            before = int(raster.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1, ovr=level))
            assert directory < smaller < before < first
            directory, first = smaller, before


@pytest.mark.parametrize("compression", ["deflate", "zstd"])
@pytest.mark.parametrize("overviews", ["nearest", "mode"])
def test_a_class_map_is_a_cloud_optimized_geotiff(tmp_path: Path, compression: str, overviews: str) -> None:
    pixels = noise(700, 1300)
    source = write_raster(tmp_path / "in.tif", pixels)
    out = ClassRaster(path=tmp_path / "out.tif", compression=compression, overviews=overviews)
    predict_raster(source, out, identity, classes=CLASSES, settings=TILES)
    is_cloud_optimized(out.path)
    with rasterio.open(out.path) as raster:
        assert raster.profile["compress"] == compression
        assert (raster.crs, raster.transform) == (UTM, PLACE)
        assert (raster.count, raster.dtypes[0], raster.nodata) == (1, "uint8", NO_CLASS)
        assert [raster.tags()[f"CLASS_{number}"] for number in range(3)] == list(CLASSES)
        np.testing.assert_array_equal(raster.read(1), pixels.argmax(axis=0))


def test_reduced_pictures_may_show_the_most_frequent_class(tmp_path: Path) -> None:
    pixels = np.ones((3, 600, 600), np.uint8)
    pixels[1] = 2
    pixels[2, ::2, ::2] = 3  # the upper left of every four pixels
    source = write_raster(tmp_path / "in.tif", pixels)
    for way, expected in (("nearest", 2), ("mode", 1)):
        out = ClassRaster(path=tmp_path / f"{way}.tif", overviews=way)
        predict_raster(source, out, identity, classes=CLASSES)
        with rasterio.open(out.path, overview_level=0) as reduced:
            assert (reduced.read(1) == expected).all() or way == "nearest"
    with rasterio.open(tmp_path / "mode.tif", overview_level=0) as reduced:
        assert (reduced.read(1) == 1).all()
    none = ClassRaster(path=tmp_path / "none.tif", overviews="none")
    predict_raster(source, none, identity, classes=CLASSES)
    with rasterio.open(none.path) as raster:
        assert raster.overviews(1) == []


def test_scores_as_bytes_and_as_floats(tmp_path: Path) -> None:
    pixels = noise(60, 700, dtype="float32") / 50
    pixels[:, :10] = np.nan
    source = write_raster(tmp_path / "in.tif", pixels)
    logits = np.where(np.isfinite(pixels), pixels, 0)
    expected = np.exp(logits - logits.max(axis=0))
    expected /= expected.sum(axis=0)
    for dtype in ("float32", "uint8"):
        out = ScoreRaster(path=tmp_path / f"{dtype}.tif", dtype=dtype)
        predict_raster(source, [tmp_path / "classes.tif", out], identity, classes=CLASSES, settings=TILES)
        is_cloud_optimized(out.path)
        with rasterio.open(out.path) as raster:
            assert raster.descriptions == CLASSES
            assert raster.dtypes == (dtype,) * 3
            scores = raster.read(masked=True).astype(np.float64) * raster.scales[0]
            assert scores.mask[:, :10].all()
            assert not scores.mask[:, 10:].any()
            error = np.abs(scores[:, 10:] - expected[:, 10:]).max()
            assert error <= (1e-6 if dtype == "float32" else 0.5 / 254 + 1e-6)
    assert np.isnan(read_raster(tmp_path / "float32.tif")[:, :10]).all()
    assert (read_raster(tmp_path / "uint8.tif")[:, :10] == NO_CLASS).all()


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("activation", ["softmax", "sigmoid", "none"])
def test_two_classes_by_one_channel_or_two(tmp_path: Path, channels: int, activation: str) -> None:
    source = write_raster(tmp_path / "in.tif", noise(40, 50, bands=1))

    def model(images: np.ndarray) -> np.ndarray:
        second = images / np.float32(250) if activation == "none" else (images - np.float32(125)) / 50
        first = 1 - second if activation == "none" else np.zeros_like(second)
        return second if channels == 1 else np.concatenate([first, second], axis=1)

    outputs = [tmp_path / "classes.tif", ScoreRaster(path=tmp_path / "scores.tif", dtype="float32")]
    chosen = RasterSettings(activation=activation)
    predict_raster(source, outputs, model, classes=["no", "yes"], settings=chosen)
    pixels = read_raster(source)[0]
    np.testing.assert_array_equal(read_raster(tmp_path / "classes.tif")[0], pixels > 125)
    first, second = read_raster(tmp_path / "scores.tif")
    likely = pixels / 250 if activation == "none" else 1 / (1 + np.exp(-(pixels - 125.0) / 50))
    np.testing.assert_allclose(second, likely, atol=1e-6)
    if activation != "sigmoid" or channels == 1:
        np.testing.assert_allclose(first, 1 - likely, atol=1e-6)


def test_control_points_are_kept(tmp_path: Path) -> None:
    points = [
        rasterio.control.GroundControlPoint(row, column, 7 + column / 100, 50 - row / 100)
        for row, column in ((0, 0), (0, 50), (40, 0), (40, 50))
    ]
    source = write_raster(tmp_path / "in.tif", noise(40, 50), transform=None, crs="EPSG:4326", gcps=points)
    predict_raster(source, tmp_path / "out.tif", identity, classes=CLASSES)
    with rasterio.open(tmp_path / "out.tif") as raster:
        found, crs = raster.gcps
        assert crs == "EPSG:4326"
        assert [(p.row, p.col, p.x, p.y) for p in found] == [(p.row, p.col, p.x, p.y) for p in points]
    with pytest.raises(SightlineError, match="given by control points, which polygons cannot have"):
        predict_raster(source, tmp_path / "out.gpkg", identity, classes=CLASSES)
    assert not (tmp_path / "out.gpkg").exists()


def test_degrees_keep_their_order(tmp_path: Path) -> None:
    place = rasterio.Affine(0.01, 0, 7, 0, -0.01, 50)
    source = write_raster(tmp_path / "in.tif", noise(40, 50), transform=place, crs="EPSG:4326")
    predict_raster(source, tmp_path / "out.tif", identity, classes=CLASSES)
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert (raster.crs, raster.transform) == ("EPSG:4326", place)
        assert raster.bounds == pytest.approx((7, 49.6, 7.5, 50))


def test_destinations_that_cannot_be(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "in.tif", noise(10, 10))
    for wrong, message in (
        (tmp_path / "out.png", r"out\.png: must end in \.tif or \.tiff, or for polygons \.geojson or \.gpkg"),
        (Polygons(path=tmp_path / "out.shp"), r"out\.shp: must end in \.geojson or \.gpkg"),
        ([], "no destination"),
        ([tmp_path / "a.tif", tmp_path / "a.tif"], "destination of two outputs"),
        (source, "is the source as well"),
        (
            [ScoreRaster(path=tmp_path / "a.tif"), ScoreRaster(path=tmp_path / "b.tif", dtype="float32")],
            "not as both",
        ),
    ):
        with pytest.raises(SightlineError, match=message):
            predict_raster(source, wrong, identity, classes=CLASSES)
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]
