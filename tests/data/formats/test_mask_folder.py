import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.data import Dataset, Sample
from sightline.data.formats.mask_folder import is_mask_folder
from sightline.data.images import read_bands
from sightline.data.raster import Georeference, opened
from sightline.errors import SightlineError
from tests.data.factory import write_picture
from tests.needs import shared_data

LAND_AND_WATER = {"0": "land", "1": "water"}


def _pair(
    folder: Path, name: str = "a", labels: np.ndarray | None = None, label: str = "a_label.png"
) -> Path:
    if labels is None:
        labels = np.array([[0, 0, 1], [2, 2, 1]], dtype=np.uint8)
    write_picture(folder / "x" / f"{name}.png", size=labels.shape[:2])
    (folder / "y").mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(folder / "y" / label)
    return folder


def _labels(sample: Sample) -> np.ndarray:
    labels = np.full((sample.height, sample.width), 255)
    for mask in sample.bitmasks or []:
        labels[mask.to_mask(sample.height, sample.width)] = mask.class_idx
    return labels


def test_naip_comes_back_pixel_by_pixel(tmp_path: Path) -> None:
    root = shared_data("naip-water")
    assert is_mask_folder(root)
    dataset = Dataset.from_mask_folder(root, classes=LAND_AND_WATER, ignore=2)
    assert dataset.samples["split"].sort().to_list() == ["test", *["train"] * 5, "validation"]
    assert dataset.info.task().class_names == ["land", "water"]
    dataset.to_mask_folder(tmp_path / "out", ignore=2)
    for source in sorted(root.rglob("*.tif")):
        written = tmp_path / "out" / source.relative_to(root)
        with opened(source) as a, opened(written) as b:
            assert (a.read() == b.read()).all(), source
            assert (a.transform, a.crs) == (b.transform, b.crs)
            assert Georeference.of(b).nodata == (2 if "_label" in source.name else 0)
    again = Dataset.from_mask_folder(tmp_path / "out", name="naip-water")
    assert again.samples.drop("file_path").equals(dataset.samples.drop("file_path"))
    assert again.info.tasks == dataset.info.tasks


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(-3, 300), min_size=12, max_size=12),
    st.sets(st.integers(-3, 300), max_size=2),
)
def test_any_numbers_come_back(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], ignore: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("masks")
    labels = np.array(values, dtype=np.int16).reshape(3, 4)
    write_picture(folder / "in" / "x" / "a.tif", size=labels.shape)
    (folder / "in" / "y").mkdir()
    Image.fromarray(labels.astype(np.int32)).save(folder / "in" / "y" / "a.tif")
    dataset = Dataset.from_mask_folder(folder / "in", ignore=sorted(ignore))
    assert dataset.info.task().class_names == [str(n) for n in sorted(set(values) - ignore)]
    dataset.to_mask_folder(folder / "out", ignore=999)
    written = read_bands(folder / "out" / "y" / "a_label.tif")[..., 0]
    assert (written == np.where(np.isin(labels, sorted(ignore)), 999, labels)).all()


def test_layouts_and_names(tmp_path: Path) -> None:
    plain = Dataset.from_mask_folder(_pair(tmp_path / "plain", label="a.png"), split="test")
    assert plain.samples["split"].to_list() == ["test"]
    assert _labels(plain[0]).tolist() == [[0, 0, 1], [2, 2, 1]]
    folder = _pair(tmp_path / "other" / "val", label="a_mask.png")
    (folder / "x").rename(folder / "images")
    (folder / "y").rename(folder / "masks")
    other = Dataset.from_mask_folder(
        folder.parent,
        images="images",
        labels="masks",
        suffix="_mask",
        classes={"1": "b", "0": "a"},
        ignore=[2],
    )
    assert other.samples["split"].to_list() == ["validation"]
    assert _labels(other[0]).tolist() == [[0, 0, 1], [255, 255, 1]]
    assert other.info.task().class_names == ["a", "b"]


def test_palette_images_count_by_their_colours(tmp_path: Path) -> None:
    folder = _pair(tmp_path / "a")
    picture = Image.fromarray(np.array([[0, 0, 1], [2, 2, 1]], dtype=np.uint8), "P")
    picture.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    picture.save(folder / "y" / "a_label.png")
    assert _labels(Dataset.from_mask_folder(folder)[0]).tolist() == [[0, 0, 1], [2, 2, 1]]


def test_images_and_labels_belong_together_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    for number, name in enumerate(("b", "a", "a_label")):
        _pair(folder, name, np.full((4, 4), number, np.uint8), f"{name}_label.png")
    dataset = Dataset.from_mask_folder(folder)
    found = {Path(s.file_path or "").stem: [m.class_name for m in s.bitmasks or []] for s in dataset}
    assert found == {"b": ["0"], "a": ["1"], "a_label": ["2"]}
    (folder / "y" / "a_label_label.png").unlink()
    with pytest.raises(
        SightlineError, match=r"1 of 3 images have no label map in y/, the first is a_label\.png"
    ):
        Dataset.from_mask_folder(folder)
    (folder / "x" / "a_label.png").unlink()
    (folder / "x" / "b.png").unlink()
    with pytest.raises(
        SightlineError, match=r"1 of 2 label maps have no image in x/, the first is b_label\.png"
    ):
        Dataset.from_mask_folder(folder)


def test_files_of_one_name_do_not_collapse(tmp_path: Path) -> None:
    first, second = _pair(tmp_path / "one"), _pair(tmp_path / "two", labels=np.ones((2, 3), np.uint8))
    datasets = [
        Dataset.from_mask_folder(folder, classes=LAND_AND_WATER | {"2": "ice"}) for folder in (first, second)
    ]
    samples = [sample for dataset in datasets for sample in dataset]
    both = Dataset.from_samples(samples, datasets[0].info)
    both.to_mask_folder(tmp_path / "out")
    again = Dataset.from_mask_folder(tmp_path / "out")
    assert sorted(_labels(s).sum() for s in again) == sorted(_labels(s).sum() for s in both)
    assert len(list((tmp_path / "out" / "x").iterdir())) == 2


def test_unannotated_samples_are_ignored_everywhere(tmp_path: Path) -> None:
    dataset = Dataset.from_mask_folder(_pair(tmp_path / "a"))
    bare = dataset[0]
    bare.bitmasks = None
    Dataset.from_samples([bare], dataset.info).to_mask_folder(tmp_path / "out")
    assert (read_bands(tmp_path / "out" / "y" / "a_label.png") == 255).all()
    assert Dataset.from_mask_folder(tmp_path / "out")[0].bitmasks == []


def test_a_label_map_of_elsewhere_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = shared_data("naip-water")
    for name in ("x/naip_20090818.tif", "y/naip_20090818_label.tif"):
        (tmp_path / name).parent.mkdir()
        shutil.copyfile(root / "train" / name, tmp_path / name)
    with caplog.at_level(logging.WARNING, "sightline.data"):
        Dataset.from_mask_folder(tmp_path)
        assert "elsewhere on Earth" not in caplog.text
        import rasterio

        (tmp_path / "y" / "naip_20090818_label.tif").chmod(0o644)
        with rasterio.open(tmp_path / "y" / "naip_20090818_label.tif", "r+") as raster:
            a, b, c, d, e, f = raster.transform[:6]
            raster.transform = rasterio.Affine(a, b, c + 2 * a, d, e, f)
        Dataset.from_mask_folder(tmp_path)
    assert "1 label maps lie elsewhere on Earth than their image" in caplog.text


def test_malformed_folders_are_refused_by_name(tmp_path: Path) -> None:
    def refused(folder: Path, sentence: str, **options: object) -> None:
        with pytest.raises(SightlineError, match=sentence):
            Dataset.from_mask_folder(folder, **options)  # type: ignore

    folder = _pair(tmp_path / "a")
    refused(folder, r"a_label\.png: number 2 is neither a class nor ignored", classes=LAND_AND_WATER)
    refused(folder, "'x' stands there twice", classes={"0": "x", "1": "x"})
    refused(folder, "a key is no number", classes={"zero": "x"})
    (folder / "classes.json").write_text('{"classes": ')
    refused(folder, r"classes\.json: expected")
    (folder / "classes.json").write_bytes(b"\xff\xfe")
    refused(folder, r"classes\.json: expected")
    refused(
        _pair(tmp_path / "size", labels=np.zeros((9, 9), np.uint8)).parent / "none",
        r"expected x/ or <split>/x/",
    )
    wrong = _pair(tmp_path / "wrong")
    write_picture(wrong / "x" / "a.png", size=(7, 7))
    refused(wrong, r"a_label\.png: is 2 x 3 pixels, but its image a\.png has 7 x 7")
    coloured = _pair(tmp_path / "coloured")
    write_picture(coloured / "y" / "a_label.png", size=(2, 3))
    refused(coloured, r"a_label\.png: has 3 bands")
    broken = _pair(tmp_path / "broken")
    (broken / "y" / "a_label.png").write_bytes((broken / "y" / "a_label.png").read_bytes()[:45])
    refused(broken, r"a_label\.png: cannot be read as an image")
    twice = _pair(tmp_path / "twice")
    write_picture(twice / "x" / "a.jpg", size=(2, 3))
    refused(twice, r"a\.png: has the name of a\.jpg")
    refused(_pair(tmp_path / "split" / "holiday").parent, "'holiday' is no split")
    halves = _pair(tmp_path / "halves", labels=np.array([[0.5, 1]], dtype=np.float32), label="a_label.tif")
    refused(halves, r"a_label\.tif: holds 0\.5; numbers of classes are whole")
    (tmp_path / "empty" / "x").mkdir(parents=True)
    refused(tmp_path / "empty", "no such folder")
    (tmp_path / "empty" / "y").mkdir()
    refused(tmp_path / "empty", "holds no images")


def test_writing_is_whole_or_not_at_all(tmp_path: Path) -> None:
    dataset = Dataset.from_mask_folder(_pair(tmp_path / "a"), classes=LAND_AND_WATER | {"2": "ice"})
    with pytest.raises(SightlineError, match="class 'water' has the number 1, as ignore has"):
        dataset.to_mask_folder(tmp_path / "out", ignore=1)
    with pytest.raises(SightlineError, match="class 'ice' of task 'semantic_segmentation' has no number"):
        dataset.to_mask_folder(tmp_path / "out", classes=LAND_AND_WATER)
    (tmp_path / "a" / "x" / "a.png").unlink()
    with pytest.raises(SightlineError, match="1 of 1 images are missing"):
        dataset.to_mask_folder(tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]
    write_picture(tmp_path / "a" / "x" / "a.png", size=(2, 3))
    dataset.to_mask_folder(tmp_path / "out", classes={"7": "land", "300": "water", "9": "ice"}, ignore=0)
    assert read_bands(tmp_path / "out" / "y" / "a_label.png")[..., 0].tolist() == [[7, 7, 300], [9, 9, 300]]
    assert json.loads((tmp_path / "out" / "classes.json").read_text())["ignore"] == [0]
    with pytest.raises(SightlineError, match="exists already"):
        dataset.to_mask_folder(tmp_path / "out")
    dataset.to_mask_folder(tmp_path / "out", overwrite=True)
    assert read_bands(tmp_path / "out" / "y" / "a_label.png")[..., 0].tolist() == [[0, 0, 1], [2, 2, 1]]
