import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from sightline.data import Bbox, Dataset, DatasetInfo, Sample, storage
from sightline.data.content_names import digest_in, image_name
from sightline.data.storage import Storing
from sightline.errors import SightlineError
from sightline.files import sha256_file
from tests.data.factory import HEIGHT, INFO, WIDTH, classification_dataset, write_picture


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    return classification_dataset(tmp_path / "pictures", {("train", "cat"): 4, ("test", "dog"): 2})


def _paths(dataset: Dataset) -> list[Path]:
    return [Path(path) for path in dataset.samples["file_path"]]


@pytest.mark.parametrize("how", ["copy", "symlink", "hardlink"])
def test_images_are_named_by_content_and_stored_as_asked(pets: Dataset, tmp_path: Path, how: Storing) -> None:
    written = pets.write(tmp_path / "set", how=how)
    for source, stored in zip(_paths(pets), _paths(written), strict=True):
        assert digest_in(stored.as_posix()) == sha256_file(source)[:32]
        assert stored.is_symlink() == (how == "symlink")
        assert stored.samefile(source) == (how != "copy")
        assert stored.read_bytes() == source.read_bytes()


def test_the_same_content_is_stored_once_and_names_may_be_the_same(tmp_path: Path) -> None:
    first = write_picture(tmp_path / "left" / "a.png", 1)
    second = write_picture(tmp_path / "right" / "a.png", 2)
    third = Path(shutil.copy(first, tmp_path / "b.PNG"))
    samples = [Sample(file_path=str(path), height=12, width=16) for path in (first, second, third, first)]
    written = Dataset.from_samples(samples, DatasetInfo(dataset_name="x")).write(tmp_path / "set")
    paths = _paths(written)
    assert len({*paths}) == 2
    assert paths[0] == paths[2] == paths[3]
    assert [path.read_bytes() for path in paths[:2]] == [first.read_bytes(), second.read_bytes()]


def test_large_files_are_not_read_into_memory(
    pets: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pets.write(tmp_path / "whole")
    monkeypatch.setattr(storage, "_SMALL", 10)
    pieces = pets.write(tmp_path / "pieces")
    assert [path.relative_to(tmp_path / "whole") for path in _paths(whole)] == [
        path.relative_to(tmp_path / "pieces") for path in _paths(pieces)
    ]
    assert [path.read_bytes() for path in _paths(whole)] == [path.read_bytes() for path in _paths(pieces)]


def test_a_dataset_written_over_itself_keeps_its_image_files(pets: Dataset, tmp_path: Path) -> None:
    """Corrected annotations must not cost a copy of all images."""
    written = pets.write(tmp_path / "set")
    files = {path: path.stat().st_ino for path in _paths(written)}
    changed = written.replace(samples=written.samples.with_columns(split=pl.lit("test"))[:4])
    again = changed.write(tmp_path / "set", overwrite=True)
    assert {path: path.stat().st_ino for path in _paths(again)} == dict(list(files.items())[:4])
    assert all(path.stat().st_nlink == 1 for path in _paths(again))
    assert len(list((tmp_path / "set" / "data").rglob("*.png"))) == 4
    assert (Dataset.from_path(tmp_path / "set").samples["split"] == "test").all()


@pytest.mark.parametrize("before", ["symlink", "hardlink"])
def test_a_copy_over_links_is_a_copy(pets: Dataset, tmp_path: Path, before: Storing) -> None:
    linked = pets.write(tmp_path / "set", how=before)
    copied = linked.write(tmp_path / "set", overwrite=True)
    for source, path in zip(_paths(pets), _paths(copied), strict=True):
        assert not path.is_symlink()
        assert not path.samefile(source)


def test_links_to_what_is_about_to_go_are_refused(pets: Dataset, tmp_path: Path) -> None:
    written = pets.write(tmp_path / "set")
    with pytest.raises(SightlineError, match="holds the images to be linked to"):
        written.write(tmp_path / "set", how="symlink", overwrite=True)


def test_an_image_that_cannot_be_read_leaves_nothing(pets: Dataset, tmp_path: Path) -> None:
    path = _paths(pets)[2]
    path.unlink()
    path.mkdir()
    with pytest.raises(SightlineError, match=rf"{path}: cannot be stored as a copy \(Is a directory\)"):
        pets.write(tmp_path / "set")
    assert not (tmp_path / "set").exists()
    assert not list(tmp_path.glob(".set*"))


def test_missing_images_are_counted_before_anything_is_written(pets: Dataset, tmp_path: Path) -> None:
    _paths(pets)[1].unlink()
    with pytest.raises(SightlineError, match=rf"1 of 6 images are missing, the first is {_paths(pets)[1]}"):
        pets.write(tmp_path / "set")
    with pytest.raises(SightlineError, match="sample 0 has no file_path"):
        pets.replace(samples=pets.samples.with_columns(file_path=pl.lit(None, pl.String))).write(
            tmp_path / "x"
        )


def test_paths_that_leave_the_folder_are_refused(pets: Dataset, tmp_path: Path) -> None:
    pets.write(tmp_path / "set")
    for path in ("../x.png", "/etc/passwd", "a/../../x", "C:/x.png", "..\\x"):
        lines = f'{{"height":1,"width":1,"file_path":"{path}"}}'.replace("\\", "\\\\")
        (tmp_path / "set" / "annotations.parquet").unlink(missing_ok=True)
        (tmp_path / "set" / "annotations.jsonl").write_text(lines)
        with pytest.raises(SightlineError, match="leads out of the dataset folder"):
            Dataset.from_path(tmp_path / "set", check_images=False)


def test_names_that_say_their_content_and_names_that_do_not() -> None:
    digest = "ab" + "0" * 62
    name = image_name(digest, ".JPG")
    assert name == f"data/ab/ab{'0' * 30}.jpg"
    assert digest_in(name) == digest_in(f"s3://bucket/set/{name}") == digest[:32]
    assert digest_in(image_name(digest, "")) == digest[:32]
    others = [
        f"data/ab{'0' * 30}.jpg",  # another writer's, by another hash
        f"data/cd/ab{'0' * 30}.jpg",
        f"mydata/ab/ab{'0' * 30}.jpg",
        f"data/ab/ab{'0' * 62}.jpg",
        f"data/ab/ab{'0' * 30}.jpg/x.png",
        "x.png",
    ]
    assert [path for path in others if digest_in(path)] == []


def test_file_modes_follow_the_users_mask(pets: Dataset, tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        written = pets.write(tmp_path / "set")
    finally:
        os.umask(old)
    assert {oct(path.stat().st_mode & 0o777) for path in _paths(written)} == {"0o640"}


@pytest.mark.parametrize("value", ["NaN", "7.5", "Infinity", "-640"])
def test_boxes_that_cannot_be_are_refused_with_their_sample(tmp_path: Path, value: str) -> None:
    picture = write_picture(tmp_path / "a.png")
    boxes = [Bbox(top_left_x=0.25, top_left_y=0.25, width=0.5, height=0.5, class_name="cat")]
    sample = Sample(file_path=str(picture), height=HEIGHT, width=WIDTH, bboxes=boxes)
    Dataset.from_samples([sample], INFO).write(tmp_path / "dataset")
    (tmp_path / "dataset" / "annotations.parquet").unlink()
    rows = tmp_path / "dataset" / "annotations.jsonl"
    rows.write_text(rows.read_text().replace('"width":0.5', f'"width":{value}'))
    with pytest.raises(SightlineError, match=r"sample 0 \(data/.*\) has a box with width"):
        Dataset.from_path(tmp_path / "dataset")


def test_an_empty_image_is_not_stored(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    sample = Sample(file_path=str(tmp_path / "empty.png"), height=HEIGHT, width=WIDTH)
    with pytest.raises(SightlineError, match=r"empty\.png: is empty"):
        Dataset.from_samples([sample], INFO).write(tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()


def test_images_that_are_named_by_their_content_are_linked_unread(tmp_path: Path) -> None:
    written = classification_dataset(tmp_path / "images", {("train", "cat"): 2}).write(tmp_path / "first")
    named = Path(written.samples["file_path"][0])
    named.write_bytes(named.read_bytes() + b" ")  # another hash, which nobody sees
    linked = written.write(tmp_path / "second", how="symlink")
    stored = Path(linked.samples["file_path"][0])
    assert stored == tmp_path / "second" / "data" / named.parent.name / named.name
    assert stored.resolve() == named
