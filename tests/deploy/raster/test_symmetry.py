from pathlib import Path

import numpy as np

from sightline.deploy.raster import RasterSettings, TileSettings, predict_raster
from sightline.deploy.raster.symmetry import symmetric
from tests.deploy.raster.rasters import CLASSES, identity, local_model, noise, read_raster, write_raster


def test_all_eight_views_are_seen_and_turned_back() -> None:
    images = noise(5, 8, bands=3)[None].repeat(2, axis=0)
    seen = []

    def model(views: np.ndarray) -> np.ndarray:
        assert views.flags.c_contiguous
        seen.append(views[0])
        return views

    np.testing.assert_array_equal(symmetric(model)(images), images)
    assert len({(view.shape, view.tobytes()) for view in seen}) == 8


def test_the_result_is_the_mean_of_the_views() -> None:
    images = noise(6, 6)[None]
    model = local_model(2)
    views = []
    for mirrored in (False, True):
        for turns in range(4):
            view = np.rot90(images[..., ::-1] if mirrored else images, turns, (2, 3))
            back = np.rot90(model(view), -turns, (2, 3))
            views.append(back[..., ::-1] if mirrored else back)
    np.testing.assert_allclose(symmetric(model)(images), np.mean(views, axis=0), rtol=1e-6)


def test_a_turned_raster_gives_a_turned_result(tmp_path: Path) -> None:
    pixels = noise(60, 90)
    results = []
    for turns in range(4):
        source = write_raster(tmp_path / f"{turns}.tif", np.rot90(pixels, turns, (1, 2)))
        settings = RasterSettings(symmetric=True, tiles=TileSettings(tile=128, multiple=1))
        predict_raster(source, tmp_path / "out.tif", local_model(3), classes=CLASSES, settings=settings)
        results.append(np.rot90(read_raster(tmp_path / "out.tif")[0], -turns))
    # The mean of eight numbers depends on their order in its last bit only.
    assert all((result == results[0]).mean() > 0.999 for result in results)


def test_a_symmetric_model_stays_exact(tmp_path: Path) -> None:
    pixels = noise(100, 140)
    source = write_raster(tmp_path / "in.tif", pixels)
    settings = RasterSettings(symmetric=True, tiles=TileSettings(tile=32, multiple=4))
    predict_raster(source, tmp_path / "out.tif", identity, classes=CLASSES, settings=settings)
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], pixels.argmax(axis=0))
