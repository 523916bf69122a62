import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.data.predictions import NO_CLASS
from sightline.deploy.raster import Postprocessing, Progress, RasterSettings, TileSettings, predict_raster
from sightline.errors import SightlineError
from tests.deploy.raster.rasters import CLASSES, identity, noise, read_raster, write_raster
from tests.needs import shared_data

TILES = TileSettings(tile=64, overlap=0.25, multiple=1)


def predict(source: Any, folder: Path, model: Any = identity, **more: Any) -> Any:
    return predict_raster(source, folder / "out.tif", model, classes=CLASSES, **more)


def test_what_is_no_raster(tmp_path: Path) -> None:
    (tmp_path / "notes.tif").write_text("These are notes.")
    with pytest.raises(SightlineError, match=r"notes\.tif: cannot be read as a raster \(.*not recognized"):
        predict(tmp_path / "notes.tif", tmp_path)
    (tmp_path / "empty.tif").write_bytes(b"")
    with pytest.raises(SightlineError, match=r"empty\.tif: cannot be read as a raster"):
        predict(tmp_path / "empty.tif", tmp_path)
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize("compress", ["deflate", None])
def test_a_file_that_is_cut_off(tmp_path: Path, compress: str | None) -> None:
    source = write_raster(tmp_path / "in.tif", noise(400, 300), compress=compress, blockysize=16)
    content = source.read_bytes()
    source.write_bytes(content[: len(content) // 2])
    settings = RasterSettings(tiles=TILES)
    with pytest.raises(SightlineError, match=r"in\.tif: .*cannot be read"):
        predict(source, tmp_path, settings=settings, resume_key="model")
    assert not (tmp_path / "out.tif").exists()
    source.write_bytes(content)
    predict(source, tmp_path, settings=settings, resume_key="model")
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], read_raster(source).argmax(axis=0))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cogeo.tif", r"rows 0 to \d+ cannot be read; is the file complete\?"),
        ("RGB.byte.tif", "cannot be read as a raster"),  # its directory is at its end
    ],
)
def test_a_real_file_that_is_cut_off(tmp_path: Path, name: str, message: str) -> None:
    content = (shared_data("rasterio") / name).read_bytes()
    (tmp_path / "cut.tif").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(SightlineError, match=rf"cut\.tif: {message}"):
        predict(tmp_path / "cut.tif", tmp_path)


def test_a_picture_without_a_place_is_predicted_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = noise(30, 40)
    source = write_raster(tmp_path / "in.tif", pixels, crs=None, transform=None)
    with caplog.at_level(logging.WARNING, "sightline.deploy"):
        predict(source, tmp_path)
    assert [record.getMessage() for record in caplog.records] == [
        f"{source}: has no place on Earth, so the result has none either."
    ]
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], pixels.argmax(axis=0))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda images: images[:, :2], r"shape \(1, 2, 32, 64\) for tiles of shape \(1, 3, 32, 64\)"),
        (lambda images: images[:, :, ::2, ::2], r"must give \(1, 3, 32, 64\)"),
        (lambda images: images * np.float32("nan"), "NaN or infinity"),
        (lambda images: images + np.float32("inf"), "NaN or infinity"),
        (lambda _: 7, r"shape \(\)"),
    ],
)
def test_a_model_that_gives_something_else(tmp_path: Path, model: Any, message: str) -> None:
    source = write_raster(tmp_path / "in.tif", noise(30, 40))
    with pytest.raises(SightlineError, match=message):
        predict(source, tmp_path, model)
    assert not (tmp_path / "out.tif").exists()


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "in.tif", noise(30, 40))
    with pytest.raises(SightlineError, match=r"in\.tif: 'fill' -1.0 is no uint8"):
        predict(source, tmp_path, settings=RasterSettings(fill=-1))
    with pytest.raises(SightlineError, match="holds 2 to 255 classes, not 256"):
        predict_raster(source, tmp_path / "out.tif", identity, classes=[str(n) for n in range(256)])
    settings = RasterSettings(postprocessing=Postprocessing(opening=3, background=3))
    with pytest.raises(SightlineError, match=r"postprocessing\.background: there is no class 3 among 3"):
        predict(source, tmp_path, settings=settings)


def test_255_classes_and_nodata(tmp_path: Path) -> None:
    pixels = np.arange(256, dtype=np.uint8)[None, None].repeat(2, axis=1)
    source = write_raster(tmp_path / "in.tif", pixels, nodata=255)

    def model(images: np.ndarray) -> np.ndarray:
        return np.eye(256, dtype=np.float32)[images[:, 0]].transpose(0, 3, 1, 2)[:, :255]

    names = [f"class {number}" for number in range(255)]
    predict_raster(source, tmp_path / "out.tif", model, classes=names)
    assert (read_raster(tmp_path / "out.tif")[0] == pixels[0]).all()  # 255 in both: no data


def test_tiles_without_data_are_not_shown_to_the_model(tmp_path: Path) -> None:
    pixels = noise(400, 400)
    pixels[:, 100:] = 0
    pixels[:, -1, -1] = 9
    source = write_raster(tmp_path / "in.tif", pixels, nodata=0)
    seen = []

    def model(images: np.ndarray) -> np.ndarray:
        seen.extend(images.reshape(len(images), -1).max(axis=1))
        return images

    for batch_size in (1, 3, 50):
        seen.clear()
        result = predict(source, tmp_path, model, settings=RasterSettings(tiles=TILES, batch_size=batch_size))
        assert len(seen) == result.tiles
        assert (result.tiles, result.empty_tiles) == (17, 47)
        assert min(seen) > 0
    classes = read_raster(tmp_path / "out.tif")[0]
    assert (classes == NO_CLASS).sum() == 300 * 400 - 1


def test_a_raster_without_any_data(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "in.tif", np.zeros((3, 200, 200), np.uint8), nodata=0)

    def model(images: np.ndarray) -> np.ndarray:
        raise AssertionError

    result = predict(source, tmp_path, model, settings=RasterSettings(tiles=TILES))
    assert result.tiles == 0
    assert (read_raster(tmp_path / "out.tif") == NO_CLASS).all()


def test_progress_counts_every_pixel_once(tmp_path: Path) -> None:
    pixels = noise(150, 170)
    pixels[:, :60, :60] = 0
    source = write_raster(tmp_path / "in.tif", pixels, nodata=0)
    states: list[Progress] = []
    settings = RasterSettings(tiles=TILES, batch_size=2)
    result = predict(source, tmp_path, settings=settings, progress=states.append)
    done = [state.pixels for state in states]
    assert done == sorted(done)
    assert done[-1] == states[0].total == 150 * 170
    assert all(state.seconds > 0 and state.megapixels_per_second > 0 for state in states)
    assert result.megapixels_per_second == pytest.approx(150 * 170 / 1e6 / result.seconds)


def test_fixed_sizes_and_multiples_are_kept_to(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "in.tif", noise(100, 333))
    for tiles, allowed in (
        (TileSettings(tile=128, fixed_size=True), {(128, 128)}),
        (TileSettings(tile=128, multiple=32), {(128, 128), (128, 96), (128, 160)}),
        (TileSettings(tile=4096, multiple=8), {(104, 336)}),
    ):
        shapes = set()

        def model(images: np.ndarray, shapes: set = shapes) -> np.ndarray:
            shapes.add(images.shape[2:])
            return images

        predict(source, tmp_path, model, settings=RasterSettings(tiles=tiles))
        assert shapes <= allowed
        np.testing.assert_array_equal(
            read_raster(tmp_path / "out.tif")[0], read_raster(source).argmax(axis=0)
        )
