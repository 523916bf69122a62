from pathlib import Path

import numpy as np
import pytest

from sightline.data.predictions import NO_CLASS
from sightline.deploy.raster import RasterSettings, TileSettings, predict_raster
from sightline.deploy.raster.reading import opened_raster
from sightline.deploy.raster.sentinel import BANDS_10M, BANDS_20M
from sightline.deploy.raster.sources import locate
from sightline.errors import SightlineError
from tests.deploy.raster.rasters import CLASSES, UTM, identity, rasterio, read_raster
from tests.needs import needs

SIDE = 120


def product(folder: Path, level: str = "2A") -> dict[str, np.ndarray]:
    """A small product in ESA's layout, lossless; and the pixels of each band."""
    with rasterio.Env() as environment:
        needs("GDAL's JP2OpenJPEG driver", "JP2OpenJPEG" in environment.drivers())
    data = folder / "GRANULE" / f"L{level}_T32TNT_A000001" / "IMG_DATA"
    generator = np.random.default_rng(0)
    bands = {}
    for name in (*BANDS_10M, *BANDS_20M):
        metres = 10 if name in BANDS_10M else 20
        side = SIDE * 10 // metres
        pixels = generator.integers(1, 4000, (side, side), dtype=np.uint16)
        pixels[: side // 4] = 0
        bands[name] = pixels
        resolutions = [metres] if level == "1C" or metres == 20 else [metres, 20]
        for resolution in resolutions:
            reduced = pixels[:: resolution // metres, :: resolution // metres]
            path = data / (
                f"T32TNT_20200601T101559_{name}.jp2"
                if level == "1C"
                else f"R{resolution}m/T32TNT_20200601T101559_{name}_{resolution}m.jp2"
            )
            path.parent.mkdir(parents=True, exist_ok=True)
            with rasterio.open(
                path, "w", driver="JP2OpenJPEG", height=reduced.shape[0], width=reduced.shape[1], count=1,
                dtype="uint16", QUALITY="100", REVERSIBLE="YES", crs=UTM,
                transform=rasterio.Affine(resolution, 0, 600_000, 0, -resolution, 5_000_000),
            ) as target:  # fmt: skip
                target.write(reduced, 1)
    return bands


@pytest.mark.parametrize("level", ["1C", "2A"])
def test_bands_of_10_m_as_they_are_and_of_20_m_interpolated(tmp_path: Path, level: str) -> None:
    folder = tmp_path / f"S2A_MSIL{level}_20200601.SAFE"
    bands = product(folder, level)
    with opened_raster(locate(folder)) as reader:
        assert (reader.info.width, reader.info.height) == (SIDE, SIDE)
        assert reader.info.place.descriptions == (*BANDS_10M, *BANDS_20M)
        pixels, valid = reader.rows(0, SIDE, 0)
    for number, name in enumerate(BANDS_10M):
        np.testing.assert_array_equal(pixels[number], bands[name])
    for number, name in enumerate(BANDS_20M, len(BANDS_10M)):
        fine, coarse = pixels[number, SIDE // 2 :].astype(float), bands[name][SIDE // 4 :].astype(float)
        # Linear interpolation: 9/16 of the pixel it lies in, 3/16 of two neighbours, 1/16 of the one between.
        expected = (9 * coarse[5, 5] + 3 * coarse[5, 6] + 3 * coarse[6, 5] + coarse[6, 6]) / 16
        assert abs(fine[11, 11] - expected) <= 1
    np.testing.assert_array_equal(~valid, (pixels == 0).all(axis=0))
    assert (~valid[: SIDE // 4 - 1]).all()


def test_interpolation_does_not_depend_on_where_rows_begin(tmp_path: Path) -> None:
    folder = tmp_path / "S2A_MSIL2A_20200601.SAFE"
    product(folder)
    with opened_raster(locate(folder), ["B05", "B8A"]) as reader:
        whole, _ = reader.rows(0, SIDE, 0)
        for start, stop in ((0, 7), (7, 50), (50, 51), (51, SIDE)):
            np.testing.assert_array_equal(reader.rows(start, stop, 0)[0], whole[:, start:stop])


def test_a_product_is_predicted_by_the_names_of_its_bands(tmp_path: Path) -> None:
    folder = tmp_path / "S2A_MSIL2A_20200601.SAFE"
    bands = product(folder)
    chosen = RasterSettings(bands=["B04", "B03", "B02"], tiles=TileSettings(tile=64))
    predict_raster(folder, tmp_path / "out.tif", identity, classes=CLASSES, settings=chosen)
    rgb = np.stack([bands[name] for name in ("B04", "B03", "B02")])
    classes = read_raster(tmp_path / "out.tif")[0]
    np.testing.assert_array_equal(classes[SIDE // 4 :], rgb.argmax(axis=0)[SIDE // 4 :])
    assert (classes[: SIDE // 4 - 1] == NO_CLASS).all()
    with rasterio.open(tmp_path / "out.tif") as raster:
        assert raster.transform == rasterio.Affine(10, 0, 600_000, 0, -10, 5_000_000)


def test_incomplete_products_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "S2A_MSIL2A_20200601.SAFE"
    product(folder)
    next(folder.rglob("*_B11_20m.jp2")).unlink()
    with pytest.raises(SightlineError, match="no file of band B11"):
        locate(folder)
    (folder / "GRANULE" / "another").mkdir()
    with pytest.raises(SightlineError, match="2 granules"):
        locate(folder)
