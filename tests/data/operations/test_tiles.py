import json
import logging
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from sightline.data import Bbox, Classification, Dataset, DatasetInfo, Sample, Segmentation, TaskInfo
from sightline.data.images import read_bands, read_valid
from sightline.data.raster import Georeference, opened
from sightline.errors import SightlineError
from tests.data.factory import write_picture
from tests.data.films import number_in, write_video
from tests.needs import shared_data

INFO = DatasetInfo(dataset_name="large", tasks=[TaskInfo.from_class_names(Bbox, ["car"])])


def _boxed(folder: Path, size: tuple[int, int] = (50, 70), suffix: str = ".png") -> Dataset:
    path = write_picture(folder / f"scene{suffix}", size=size)
    box = Bbox.from_pixels(left=3, top=4, width=10, height=10, image_width=size[1], image_height=size[0],
                           class_name="car")  # fmt: skip
    return Dataset.from_samples(
        [Sample(file_path=str(path), height=size[0], width=size[1], split="test", bboxes=[box])], INFO
    )


def _labels(sample: Sample) -> np.ndarray:
    labels = np.full((sample.height, sample.width), 255, dtype=np.uint8)
    for mask in sample.bitmasks or []:
        labels[mask.to_mask(sample.height, sample.width)] = mask.class_idx
    return labels


@pytest.mark.parametrize("edge", ["pad", "shift", "drop"])
def test_naip_chips_keep_their_place_on_earth(tmp_path: Path, edge: str) -> None:
    root = shared_data("naip-water")
    dataset = Dataset.from_mask_folder(root, classes={"0": "land", "1": "water"}, ignore=2)[:2]
    chips = dataset.tile(tmp_path, size=256, stride=200, edge=edge)  # type: ignore
    assert len(chips) == {"pad": 40, "shift": 40, "drop": 24}[edge]
    whole = {str(Path(s.file_path or "").relative_to(root)): (s, _labels(s), s.read_bands()) for s in dataset}
    names = {name.rpartition("/")[2]: name for name in whole}
    for chip in chips:
        place = (chip.meta or {})["tile"]
        source, labels, pixels = whole[names[place["source"].rpartition("/")[2]]]
        rows = slice(place["top"], min(place["top"] + 256, source.height))
        columns = slice(place["left"], min(place["left"] + 256, source.width))
        height, width = rows.stop - rows.start, columns.stop - columns.start
        found = chip.read_bands()
        assert (found[:height, :width] == pixels[rows, columns]).all()
        assert not found[height:].any()
        assert not found[:, width:].any()
        with opened(source.file_path or "") as a, opened(chip.file_path or "") as b:
            assert (a.crs, a.nodata, a.count) == (b.crs, b.nodata, b.count)
            before, after = Georeference.of(a), Georeference.of(b)
        for column, row in ((0, 0), (200, 100)):
            assert after.world(column, row) == before.world(column + place["left"], row + place["top"])
        expected = np.full((256, 256), 255)
        valid = source.read_valid()[rows, columns]
        expected[:height, :width] = np.where(valid, labels[rows, columns], 255)
        assert (_labels(chip) == expected).all()
        assert chip.read_valid().mean() == pytest.approx(place["valid_fraction"], abs=1e-6)
    assert chips.samples["collection_id"].n_unique() == 2
    assert chips.samples["split"].to_list() == [
        s for s in dataset.samples["split"] for _ in range(len(chips) // 2)
    ]


@pytest.mark.parametrize("name", ["RGB.byte.tif", "cogeo.tif"])
def test_chips_of_odd_rasters(tmp_path: Path, name: str) -> None:
    path = shared_data("rasterio") / name
    with opened(path) as raster:
        size, place = raster.shape, Georeference.of(raster)
    dataset = Dataset.from_samples([Sample(file_path=str(path), height=size[0], width=size[1])], INFO)
    chips = dataset.tile(tmp_path, size=300, bands=[3, 1], min_valid_fraction=0.3)
    pixels, valid = read_bands(path, [3, 1]), read_valid(path)
    assert 0 < len(chips) < 16
    for chip in chips:
        at = (chip.meta or {})["tile"]
        rows, columns = slice(at["top"], at["top"] + 300), slice(at["left"], at["left"] + 300)
        expected = pixels[rows, columns]
        height, width = expected.shape[:2]
        assert (chip.read_bands()[:height, :width] == expected).all()
        found = chip.read_valid()
        assert (found[:height, :width] == valid[rows, columns]).mean() > (
            0.99 if name == "RGB.byte.tif" else 1 - 1e-9
        )
        assert not found[height:].any()
        assert found.mean() >= 0.3
        with opened(chip.file_path or "") as raster:
            assert raster.count == 2
            corner = Georeference.of(raster).world(0, 0)
        assert corner == pytest.approx(place.world(at["left"], at["top"]), rel=1e-12)


def test_plain_images(tmp_path: Path) -> None:
    dataset = _boxed(tmp_path)
    tiles = dataset.tile(tmp_path / "tiles", size=32)
    assert len(tiles) == 6
    assert [len(sample.bboxes or []) for sample in tiles] == [1, 0, 0, 0, 0, 0]
    first, last = tiles[0], tiles[5]
    assert first.bboxes is not None
    assert first.bboxes[0].to_pixels(32, 32) == pytest.approx((3, 4, 13, 14))
    source = dataset[0].read_image()
    assert (last.read_image()[:18, :6] == source[32:, 64:]).all()
    assert not last.read_image()[18:].any()
    assert (last.split, last.collection_id, last.collection_index) == ("test", "scene.png", 5)
    assert len(dataset.tile(tmp_path / "t", size=32, drop_empty=True)) == 1
    assert len(dataset.tile(tmp_path / "t", size=32, min_valid_fraction=0.5)) == 4
    jpegs = dataset.tile(tmp_path / "j", size=32, image_format="jpg")
    assert {Path(path).suffix for path in jpegs.samples["file_path"]} == {".jpg"}
    assert dataset.samples.equals(_boxed(tmp_path).samples)


def test_the_same_call_gives_the_same_dataset(tmp_path: Path) -> None:
    dataset = _boxed(tmp_path)
    first, again = dataset.tile(tmp_path / "a", size=20), dataset.tile(tmp_path / "a", size=20)
    assert first.samples.equals(again.samples)
    assert sorted(path.suffix for path in (tmp_path / "a").rglob("*") if path.is_file()) == [".png"] * 12


def test_a_collection_stays_together(tmp_path: Path) -> None:
    dataset = _boxed(tmp_path)
    samples = [*_boxed(tmp_path / "b"), *dataset]
    samples[0].collection_id, samples[0].collection_index, samples[0].meta = "film", 7, {"a": 1}
    tiles = Dataset.from_samples(samples, INFO).tile(tmp_path / "tiles", size=40)
    assert tiles.samples["collection_id"].to_list() == ["film"] * 4 + ["scene.png"] * 4
    assert tiles[3].collection_index == 7
    assert (tiles[3].meta or {})["a"] == 1
    assert json.dumps(tiles[7].meta).count("scene.png") == 1
    assert tiles.samples["sample_index"].to_list() == list(range(8))


def test_unannotated_stays_unannotated(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", size=(20, 20))
    sample = Sample(
        file_path=str(path), height=20, width=20, classifications=[Classification(class_name="x")]
    )
    info = INFO.model_copy(update={"tasks": [*INFO.tasks, TaskInfo(primitive=Classification)]})
    tile = Dataset.from_samples([sample], info).tile(tmp_path / "t", size=10)[3]
    assert tile.bboxes is None
    assert [c.class_name for c in tile.classifications or []] == ["x"]


def test_video_frames(tmp_path: Path) -> None:
    film = write_video(tmp_path / "a.mp4", 5)
    tiles = Dataset.from_videos(film).tile(tmp_path / "t", size=64)
    assert [number_in(sample.read_image()[:48]) for sample in tiles] == list(range(5))


def test_nothing_is_lost_silently(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sightline.data"):
        assert len(_boxed(tmp_path).tile(tmp_path / "t", size=60, edge="drop")) == 0
    assert "1 images smaller than a tile left out" in caplog.text
    assert "1 bboxes are not seen enough in any tile" in caplog.text


def test_wrong_arguments_are_one_sentence(tmp_path: Path) -> None:
    dataset = _boxed(tmp_path)
    for arguments, sentence in (
        ({"size": 0}, "size is 0"),
        ({"stride": 0}, "stride is 0"),
        ({"min_visible": 1.5}, "min_visible is 1.5"),
        ({"min_valid_fraction": -1}, "min_valid_fraction is -1"),
        ({"bands": [4]}, r"scene\.png: band 4 was asked for"),
    ):
        with pytest.raises(SightlineError, match=sentence):
            dataset.tile(tmp_path / "t", **arguments)  # type: ignore
    wrong = dataset.replace(samples=dataset.samples.with_columns(height=pl.lit(51, pl.Int64)))
    with pytest.raises(SightlineError, match=r"scene\.png: is 50 x 70 pixels, but the dataset says 51 x 70"):
        wrong.tile(tmp_path / "t", size=20)
    Path(dataset[0].file_path or "").unlink()
    with pytest.raises(SightlineError, match="1 of 1 images are missing"):
        dataset.tile(tmp_path / "t", size=20)
    assert not [path for path in (tmp_path / "t").rglob("*") if path.is_file()]


def test_padding_belongs_to_no_class(tmp_path: Path) -> None:
    Image.fromarray(np.full((10, 10, 3), 9, np.uint8)).save(tmp_path / "a.png")
    everything = Segmentation.from_mask(np.ones((10, 10), dtype=bool), class_name="land")
    info = DatasetInfo(dataset_name="a", tasks=[TaskInfo.from_class_names(Segmentation, ["land"])])
    sample = Sample(file_path=str(tmp_path / "a.png"), height=10, width=10, bitmasks=[everything])
    tile = Dataset.from_samples([sample], info).tile(tmp_path / "t", size=16)[0]
    assert (_labels(tile) == 0).sum() == 100
    assert (_labels(tile)[:10, :10] == 0).all()
