from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data import Dataset, DatasetInfo, Sample
from sightline.data.raster import rasterio_available
from sightline.errors import SightlineError
from tests.needs import needs, shared_data


def _dataset(folder: Path, *images: np.ndarray) -> Dataset:
    samples = []
    for number, pixels in enumerate(images):
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        samples.append(Sample(file_path=str(path), height=pixels.shape[0], width=pixels.shape[1]))
    return Dataset.from_samples(samples, DatasetInfo(dataset_name="channels"))


@pytest.mark.parametrize(("dtype", "largest"), [(np.uint8, 255), (np.uint16, 65535)])
def test_they_are_those_of_all_pixels_at_once(tmp_path: Path, dtype: type, largest: int) -> None:
    generator = np.random.default_rng(0)
    shapes = [(20, 30), (7, 5), (1, 1)]
    if dtype is np.uint8:
        shapes = [(*shape, 3) for shape in shapes]
    images = [generator.integers(0, largest // 3, shape).astype(dtype) for shape in shapes]
    found = _dataset(tmp_path, *images).channel_statistics()
    bands = 3 if dtype is np.uint8 else 1
    every = np.concatenate([image.reshape(-1, bands) for image in images]) / largest
    assert found.mean == pytest.approx(every.mean(axis=0))
    assert found.std == pytest.approx(every.std(axis=0))
    assert found.minimum == pytest.approx(every.min(axis=0))
    assert found.maximum == pytest.approx(every.max(axis=0))
    assert found.valid_pixels == (636,) * bands
    assert found.images == 3


def test_pixels_without_data_do_not_count(tmp_path: Path) -> None:
    pixels = np.full((4, 4, 4), 100, np.uint8)
    pixels[:2] = 7
    pixels[..., 3] = 255
    pixels[:2, :, 3] = 0  # transparent
    found = _dataset(tmp_path, pixels).channel_statistics(bands=[1, 2, 3])
    assert found.mean == pytest.approx((100 / 255,) * 3)
    assert found.std == (0.0,) * 3
    assert found.valid_pixels == (8,) * 3


def test_nodata_of_a_raster_does_not_count() -> None:
    needs("rasterio", rasterio_available())
    path = shared_data("rasterio") / "RGB.byte.tif"
    sample = Sample(file_path=str(path), height=718, width=791)
    found = Dataset.from_samples([sample], DatasetInfo(dataset_name="collar")).channel_statistics()
    pixels, valid = sample.read_bands(), sample.read_valid()
    assert 0 < found.valid_pixels[0] == valid.sum() < valid.size
    assert found.mean == pytest.approx(pixels[valid].mean(axis=0) / 255)


def test_a_draw_of_samples_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    dataset = _dataset(tmp_path, *(np.full((2, 2), level, np.uint8) for level in range(0, 250, 10)))
    found = {dataset.channel_statistics(max_samples=3, seed=seed).mean for seed in (1, 1, 2)}
    assert len(found) == 2
    assert dataset.channel_statistics(max_samples=3).images == 3


def test_what_cannot_be_measured_is_one_sentence(tmp_path: Path) -> None:
    grey, colour = np.zeros((3, 3), np.uint8), np.zeros((3, 3, 3), np.uint8)
    with pytest.raises(SightlineError, match=r"1\.png: has 3 bands of uint8, but .*0\.png has 1 of uint8"):
        _dataset(tmp_path, grey, colour).channel_statistics()
    with pytest.raises(SightlineError, match="has no samples"):
        _dataset(tmp_path).channel_statistics()
    with pytest.raises(SightlineError, match="max_samples is 0"):
        _dataset(tmp_path, grey).channel_statistics(max_samples=0)
    with pytest.raises(SightlineError, match="a band without any pixel that holds data"):
        _dataset(tmp_path, np.zeros((3, 3, 4), np.uint8)).channel_statistics()
