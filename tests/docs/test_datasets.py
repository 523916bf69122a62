"""The guide to datasets does as it says."""

from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

from sightline.data import Bbox, Dataset, DatasetInfo, Sample, TaskInfo
from tests.data.factory import image_folder, write_picture
from tests.docs.guides import run_guide
from tests.needs import needs


@pytest.fixture
def prepared(tmp_path: Path):
    """The folders that the guide to datasets begins with."""
    image_folder(tmp_path / "photos", {"cat": 12, "dog": 8})
    _street(tmp_path)
    _frames(tmp_path / "frames")
    _aerial(tmp_path / "aerial")
    with chdir(tmp_path):
        yield tmp_path


def test_datasets(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("rasterio", "torch"):
        needs(part, _has(part))
    assert run_guide("datasets.md", prepared, monkeypatch) == {"python": 11}
    assert (prepared / "sheet.png").is_file()
    assert len(Dataset.from_path("street-public")) == 12


def _street(folder: Path) -> None:
    classes = ["car", "van", "person"]
    samples = [
        Sample(
            file_path=str(write_picture(folder / "street-images" / f"{number}.png", number, (48, 64))),
            height=48,
            width=64,
            split="train" if number < 9 else "test",
            bboxes=[
                Bbox(top_left_x=0.25 * n, top_left_y=0.25, width=0.2, height=0.5, class_name=name)
                for n, name in enumerate(classes)
            ],
        )
        for number in range(12)
    ]
    info = DatasetInfo(dataset_name="street", tasks=[TaskInfo.from_class_names(Bbox, classes)])
    Dataset.from_samples(samples, info).to_voc(folder / "street")


def _frames(folder: Path) -> None:
    import json

    for video in range(4):
        for frame in range(3):
            write_picture(folder / f"video-{video}" / f"{frame:03}.png", 10 * video + frame, (48, 64))
        label = {"exist": [1, 0, 1], "gt_rect": [[4, 4, 10, 10], [], [5, 5, 10, 10]]}
        (folder / f"video-{video}" / "label.json").write_text(json.dumps(label))


def _aerial(folder: Path) -> None:
    import rasterio
    from rasterio.transform import from_origin

    generator = np.random.default_rng(0)
    for part in ("x", "y"):
        (folder / "train" / part).mkdir(parents=True)
    place = {"crs": "EPSG:32614", "transform": from_origin(500_000, 5_200_000, 1, 1)}
    shape = {"driver": "GTiff", "height": 100, "width": 150, "dtype": "uint8"}
    with rasterio.open(folder / "train" / "x" / "field.tif", "w", count=4, **shape, **place) as image:
        image.write(generator.integers(1, 255, (4, 100, 150), dtype=np.uint8))
    with rasterio.open(folder / "train" / "y" / "field_label.tif", "w", count=1, **shape, **place) as labels:
        labels.write(generator.integers(0, 3, (1, 100, 150), dtype=np.uint8))


def _has(module: str) -> bool:
    from importlib.util import find_spec

    return find_spec(module) is not None
