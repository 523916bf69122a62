from pathlib import Path

import numpy as np
import pytest

from sightline.deploy.raster import predict_rasters
from sightline.errors import SightlineError
from tests.deploy.raster.rasters import CLASSES, identity, noise, read_raster, write_raster


def test_a_bad_file_stops_no_other_and_is_told_in_the_end(tmp_path: Path) -> None:
    sources = [write_raster(tmp_path / f"{number}.tif", noise(40, 50, seed=number)) for number in range(4)]
    sources[1].write_text("no raster")
    out = tmp_path / "out"
    results = predict_rasters(sources, out, identity, classes=CLASSES)
    assert list(results.failures) == [str(sources[1])]
    assert {path.name for path in out.iterdir()} == {"0.tif", "2.tif", "3.tif"}
    for source in (sources[0], sources[3]):
        np.testing.assert_array_equal(read_raster(out / source.name)[0], read_raster(source).argmax(axis=0))
    with pytest.raises(
        SightlineError, match=r"1 of 4 rasters failed; the first: .*1\.tif: cannot be read"
    ) as error:
        results.check()
    assert error.value.exit_code != 0


def test_whatever_the_model_raises_at_one_raster(tmp_path: Path) -> None:
    sources = [write_raster(tmp_path / f"{bands}.tif", noise(20, 20, bands=bands)) for bands in (3, 1)]

    def model(images: np.ndarray) -> np.ndarray:
        if images.shape[1] != 3:
            raise RuntimeError("Got invalid dimensions")
        return images

    results = predict_rasters(sources, tmp_path / "out", model, classes=CLASSES)
    assert list(results.results) == [str(sources[0])]
    assert results.failures[str(sources[1])].endswith("1.tif: RuntimeError: Got invalid dimensions")
    results = predict_rasters(sources, tmp_path / "out", model, classes=CLASSES, channels=3)
    assert "has 1 bands, and the model takes 3" in results.failures[str(sources[1])]


def test_an_interruption_is_no_bad_file(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "in.tif", noise(20, 20))

    def model(images: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_rasters([source], tmp_path / "out", model, classes=CLASSES)


def test_what_is_there_may_be_skipped(tmp_path: Path) -> None:
    sources = [write_raster(tmp_path / f"{number}.tif", noise(20, 20)) for number in range(3)]
    predict_rasters(sources[:2], tmp_path / "out", identity, classes=CLASSES)
    shown: list[str] = []
    results = predict_rasters(
        sources, tmp_path / "out", identity, classes=CLASSES, skip_existing=True,
        progress=lambda source, _: shown.append(source),
    )  # fmt: skip
    assert results.skipped == tuple(map(str, sources[:2]))
    assert set(shown) == {str(sources[2])} == set(results.results)
    results.check()


def test_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_raster(tmp_path / folder / "in.tif", noise(20, 20))
    sources = [tmp_path / "a" / "in.tif", tmp_path / "b" / "in.tif"]
    with pytest.raises(SightlineError, match="has the same name as"):
        predict_rasters(sources, tmp_path / "out", identity, classes=CLASSES)
    with pytest.raises(SightlineError, match="suffix: must be one of"):
        predict_rasters(sources[:1], tmp_path / "out", identity, classes=CLASSES, suffix=".png")


def test_polygons_of_several(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "in.tif", noise(20, 20))
    predict_rasters([source], tmp_path / "out", identity, classes=CLASSES, suffix=".gpkg").check()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["in.gpkg"]
