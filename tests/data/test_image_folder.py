import zipfile
from collections import Counter
from pathlib import Path

import pytest

from sightline.data import Dataset
from sightline.errors import SightlineError
from tests.data.factory import image_folder
from tests.needs import shared_data


def _keys(dataset: Dataset) -> Counter[tuple[str, str | None]]:
    return Counter((s.split, (s.classifications or [])[0].class_name) for s in dataset)


def test_splits_and_classes(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "pets", {"train/dog": 3, "train/cat": 2, "val/dog": 1, "test/bird": 1})
    dataset = Dataset.from_image_folder(root)
    assert dataset.info.dataset_name == "pets"
    assert dataset.info.task().class_names == ["bird", "cat", "dog"]
    assert _keys(dataset) == {
        ("train", "dog"): 3, ("train", "cat"): 2, ("validation", "dog"): 1, ("test", "bird"): 1,
    }  # fmt: skip
    sample = dataset[0]
    assert (sample.height, sample.width) == sample.read_image().shape[:2]


def test_classes_without_splits(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "pets", {"dog": 6, "cat": 4, "empty": 0})
    assert _keys(Dataset.from_image_folder(root)) == {("UNDEFINED", "dog"): 6, ("UNDEFINED", "cat"): 4}
    split = Dataset.from_image_folder(root, split_ratios={"train": 0.5, "test": 0.5}, seed=3)
    assert _keys(split) == {("train", "dog"): 3, ("test", "dog"): 3, ("train", "cat"): 2, ("test", "cat"): 2}
    assert split.info.task().class_names == ["cat", "dog", "empty"]
    again = Dataset.from_image_folder(root, split_ratios={"train": 0.5, "test": 0.5}, seed=3)
    assert again.samples.equals(split.samples)


def test_a_class_may_have_the_name_of_a_split(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "x", {"valid": 2, "invalid": 1})
    assert _keys(Dataset.from_image_folder(root)) == {("UNDEFINED", "valid"): 2, ("UNDEFINED", "invalid"): 1}


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "x", {"cat": 1, "cat/more": 1, ".cache": 1})
    (root / "cat" / "notes.txt").write_text("x")
    (root / "cat" / "._0.png").write_text("x")
    assert _keys(Dataset.from_image_folder(root)) == {("UNDEFINED", "cat"): 2}


def test_wrong_folders_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match="no such folder"):
        Dataset.from_image_folder(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SightlineError, match="holds no images in"):
        Dataset.from_image_folder(tmp_path / "empty")
    mixed = image_folder(tmp_path / "mixed", {"train/cat": 1, "dog": 1})
    with pytest.raises(SightlineError, match="holds the split 'train' beside 'dog'"):
        Dataset.from_image_folder(mixed)
    whole = image_folder(tmp_path / "whole", {"train/cat": 1})
    with pytest.raises(SightlineError, match=r"has splits of its own \('train'\)"):
        Dataset.from_image_folder(whole, split_ratios={"train": 1.0})
    (whole / "train" / "cat" / "broken.jpg").write_text("no picture")
    with pytest.raises(SightlineError, match=r"broken\.jpg: cannot be read as an image"):
        Dataset.from_image_folder(whole)


def test_cifar10(tmp_path: Path) -> None:
    with zipfile.ZipFile(shared_data("cifar10") / "cifar10-6k.zip") as archive:
        pictures = [name for name in archive.namelist() if name.endswith(".jpg")]
        archive.extractall(tmp_path, sorted(pictures)[::10])
    dataset = Dataset.from_image_folder(tmp_path / "cifar10", name="cifar10-6k")
    assert (len(pictures), len(dataset)) == (6000, 600)
    assert len(dataset.info.task().class_names or ()) == 10
    assert set(_keys(dataset).values()) == {50, 10}
    written = dataset.write(tmp_path / "set")
    assert written.create_split_dataset("test")[0].read_image().shape == (32, 32, 3)
    sample = _keys(written.create_sample_dataset(200))
    assert len(sample) == 20
    assert sum(sample.values()) == 200
