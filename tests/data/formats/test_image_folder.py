import logging
import os
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

import pytest
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data import Classification, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.data.formats.image_folder import is_image_folder
from sightline.errors import SightlineError
from tests.data.factory import HEIGHT, INFO, WIDTH, classification_dataset, image_folder, write_picture
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
    (whole / "train" / "cat" / "broken.jpg").write_bytes((whole / "train/cat/0.png").read_bytes()[:20])
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


def _of_classes(folder: Path, *samples: list[str], classes: list[str]) -> Dataset:
    """A sample of each list of classes."""
    task = TaskInfo.from_class_names(Classification, classes)
    return Dataset.from_samples(
        [
            Sample(
                file_path=str(write_picture(folder / f"{number}.png", number)),
                height=HEIGHT,
                width=WIDTH,
                classifications=[Classification(class_name=name) for name in names],
            )
            for number, names in enumerate(samples)
        ],
        DatasetInfo(dataset_name="of-classes", tasks=[task]),
    )


def test_cifar10_survives_the_round_trip(tmp_path: Path) -> None:
    with zipfile.ZipFile(shared_data("cifar10") / "cifar10-6k.zip") as archive:
        archive.extractall(tmp_path)
    dataset = Dataset.from_image_folder(tmp_path / "cifar10")
    dataset.to_image_folder(tmp_path / "out", how="hardlink")
    again = Dataset.from_image_folder(tmp_path / "out")
    assert again.info.tasks == dataset.info.tasks
    places = ["file_path", "dataset_name"]
    assert again.samples.drop(places).equals(dataset.samples.drop(places))
    for before, after in zip(dataset.samples["file_path"], again.samples["file_path"], strict=True):
        assert Path(before).read_bytes() == Path(after).read_bytes()
        assert before.removeprefix(str(tmp_path / "cifar10")) == after.removeprefix(str(tmp_path / "out"))


@pytest.mark.parametrize("how", ["copy", "symlink", "hardlink"])
def test_torchvision_opens_what_is_written(tmp_path: Path, how: str) -> None:
    counts = {("train", "cat"): 2, ("train", "dog"): 1, ("test", "cat"): 1, ("test", "dog"): 3}
    dataset = classification_dataset(tmp_path / "in", counts)
    dataset.to_image_folder(tmp_path / "out", how=how)  # pyright: ignore[reportArgumentType]
    for split in ("train", "test"):
        opened = torchvision.datasets.ImageFolder(tmp_path / "out" / split)
        assert opened.classes == ["cat", "dog"]
        wanted = [s for s in dataset if s.split == split]
        assert len(opened) == len(wanted)
        for (image, target), sample in zip(opened, wanted, strict=True):
            assert (sample.read_image() == image).all()
            assert [target] == [c.class_idx for c in sample.classifications or ()]


def test_files_of_one_name_do_not_collapse(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "in", {"cat/left": 2, "cat/right": 2, "dog": 2})
    dataset = Dataset.from_image_folder(root)
    dataset.to_image_folder(tmp_path / "out")
    again = Dataset.from_image_folder(tmp_path / "out")
    assert _keys(again) == {("UNDEFINED", "cat"): 4, ("UNDEFINED", "dog"): 2}
    assert {path.name for path in (tmp_path / "out" / "dog").iterdir()} == {"0.png", "1.png"}

    def pictures(dataset: Dataset) -> set[bytes]:
        return {Path(path).read_bytes() for path in dataset.samples["file_path"]}

    assert pictures(again) == pictures(dataset)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8"), min_size=1, max_size=12), min_size=1, max_size=4, unique=True
    )
)
def test_any_class_name_comes_back_in_its_place(classes: list[str]) -> None:
    classes = [*classes, ".", "..", "a/b", "%2F", "%252F", "50%", ".hidden", "train", "vehicle.car"]
    classes = list(dict.fromkeys(classes))
    with tempfile.TemporaryDirectory() as folder:
        dataset = _of_classes(Path(folder) / "in", *([name] for name in classes), classes=classes)
        dataset.to_image_folder(Path(folder) / "out")
        again = Dataset.from_image_folder(Path(folder) / "out")
        assert again.info.task().class_names == classes
        assert Counter(_keys(again).values()) == {1: len(classes)}


def test_a_class_without_images_in_a_split_keeps_its_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = classification_dataset(
        tmp_path / "in", {("train", "a"): 1, ("train", "b"): 1, ("test", "b"): 1}
    )
    with caplog.at_level(logging.WARNING, "sightline.data"):
        dataset.to_image_folder(tmp_path / "out")
    (record,) = caplog.records
    assert "1 of 4 class folders are empty" in record.message
    assert "test/a" in record.message
    assert torchvision.datasets.ImageFolder(tmp_path / "out" / "test", allow_empty=True).targets == [1]
    assert Dataset.from_image_folder(tmp_path / "out").info.task().class_names == ["a", "b"]


def test_what_does_not_fit_an_image_folder_is_one_sentence(tmp_path: Path) -> None:
    none = _of_classes(tmp_path / "in", ["a"], [], ["a", "b"], ["b"], classes=["a", "b"])
    target = tmp_path / "out"
    with pytest.raises(
        SightlineError, match=r"2 of 4 samples are not of exactly one class .* sample 1 .*none"
    ):
        none.to_image_folder(target)
    with pytest.raises(SightlineError, match="cannot name a folder"):
        _of_classes(tmp_path / "in", ["x" * 256], classes=["x" * 256]).to_image_folder(target)
    with pytest.raises(SightlineError, match="is of Bbox; an image folder holds"):
        Dataset.from_samples([], INFO).to_image_folder(target, task="object_detection")
    dataset = _of_classes(tmp_path / "in", ["a"], classes=["a"])
    unfit = dataset.replace(
        samples=dataset.samples.with_columns(file_path=dataset.samples["file_path"] + ".raw")
    )
    with pytest.raises(SightlineError, match="is not named as an image"):
        unfit.to_image_folder(target)
    Path(dataset.samples["file_path"][0]).unlink()
    with pytest.raises(SightlineError, match="1 of 1 images are missing"):
        dataset.to_image_folder(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_only_an_image_folder_is_overwritten(tmp_path: Path) -> None:
    dataset = _of_classes(tmp_path / "in", ["a"], ["b"], classes=["b", "a"])
    with pytest.raises(SightlineError, match="exists already"):
        dataset.to_image_folder(tmp_path / "in")
    with pytest.raises(SightlineError, match=r"has no classes\.txt"):
        dataset.to_image_folder(tmp_path / "in", overwrite=True)
    dataset.to_image_folder(tmp_path / "out")
    again = Dataset.from_image_folder(tmp_path / "out")
    with pytest.raises(SightlineError, match="copy or hardlink them"):
        again.to_image_folder(tmp_path / "out", how="symlink", overwrite=True)
    again[:1].to_image_folder(tmp_path / "out", overwrite=True)
    assert len(Dataset.from_image_folder(tmp_path / "out")) == 1


def test_a_file_name_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    root = image_folder(tmp_path / "x", {"cat": 1})
    os.rename(root / "cat" / "0.png", os.fsencode(root / "cat") + b"/\xff.png")  # noqa: PTH104
    with pytest.raises(SightlineError, match=r"udcff\.png': the name is not UTF-8"):
        Dataset.from_image_folder(root)


def test_recognition(tmp_path: Path) -> None:
    assert is_image_folder(image_folder(tmp_path / "a", {"train/cat": 1, "test/cat": 1}))
    assert is_image_folder(image_folder(tmp_path / "b", {"cat": 1, "dog": 0}))
    assert not is_image_folder(tmp_path / "nowhere")
    yolo = image_folder(tmp_path / "c", {"images": 1})
    (yolo / "labels").mkdir()
    (yolo / "labels" / "0.txt").write_text("0 .5 .5 1 1")
    assert not is_image_folder(yolo)
