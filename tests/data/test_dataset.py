import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from sightline.data import Dataset, DatasetInfo, Sample
from sightline.data.storage import Storing
from sightline.errors import SightlineError
from tests.data.factory import INFO, classification_dataset, samples, write_picture

COUNTS = {("train", "cat"): 30, ("train", "dog"): 10, ("test", "cat"): 8, ("test", "dog"): 2}


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    return classification_dataset(tmp_path / "pictures", COUNTS)


def test_importing_the_room_does_not_import_torch() -> None:
    code = "import sys, sightline.data; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_write_and_read(pets: Dataset, tmp_path: Path) -> None:
    written = pets.write(tmp_path / "set")
    read = Dataset.from_path(tmp_path / "set")
    assert read.info == pets.info
    assert list(read) == list(written)
    assert Counter(sample.split for sample in read) == {"train": 40, "test": 10}
    stored = Path(read[0].file_path or "")
    assert stored.is_absolute()
    assert stored.relative_to(tmp_path / "set").parts[0] == "data"
    assert stored.name.startswith(stored.parent.name)
    assert (read[0].read_image() == pets[0].read_image()).all()


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_samples_survive_the_disk(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = write_picture(folder / "ä b.PNG")
    dataset = Dataset.from_samples(data.draw(st.lists(samples(path), max_size=3)), INFO)
    written = dataset.write(folder / "set")
    assert list(Dataset.from_path(folder / "set")) == list(written)


def test_the_same_dataset_gives_the_same_bytes(pets: Dataset, tmp_path: Path) -> None:
    for name in ("one", "two"):
        pets.write(tmp_path / name)
    files = {path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()}
    assert len(files) == 3 + 50
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)


@pytest.mark.parametrize("how", ["symlink", "hardlink"])
def test_links_instead_of_copies(pets: Dataset, tmp_path: Path, how: Storing) -> None:
    written = pets.write(tmp_path / "set", how=how)
    before, after = Path(pets[0].file_path or ""), Path(written[0].file_path or "")
    assert before.samefile(after)
    assert after.is_symlink() == (how == "symlink")
    assert len(Dataset.from_path(tmp_path / "set")) == 50


def test_pictures_of_one_name_and_of_one_content(tmp_path: Path) -> None:
    paths = [
        write_picture(tmp_path / f"{number}" / "same.png", seed) for number, seed in enumerate([1, 2, 1])
    ]
    written = Dataset.from_samples(
        [Sample(file_path=str(path), height=12, width=16) for path in paths], INFO
    ).write(tmp_path / "set")
    stored = [sample.file_path for sample in written]
    assert stored[0] == stored[2] != stored[1]
    assert len(list((tmp_path / "set" / "data").rglob("*.png"))) == 2


def test_a_dataset_can_be_written_over_itself(pets: Dataset, tmp_path: Path) -> None:
    written = pets.write(tmp_path / "set")
    half = written.create_split_dataset("test")
    with pytest.raises(SightlineError, match="exists already"):
        half.write(tmp_path / "set")
    with pytest.raises(SightlineError, match="holds the images to be linked to"):
        half.write(tmp_path / "set", how="symlink", overwrite=True)
    half.write(tmp_path / "set", overwrite=True)
    assert len(Dataset.from_path(tmp_path / "set")) == 10
    assert len(list((tmp_path / "set" / "data").rglob("*.png"))) == 10


def test_what_cannot_be_written_is_one_sentence(pets: Dataset, tmp_path: Path) -> None:
    Path(pets[3].file_path or "").unlink()
    with pytest.raises(SightlineError, match=r"1 of 50 images are missing, the first is .*train-cat-3\.png"):
        pets.write(tmp_path / "set")
    bare = Dataset.from_samples([Sample(file_path=None, height=1, width=1)], INFO)
    with pytest.raises(SightlineError, match="sample 0 has no file_path"):
        bare.write(tmp_path / "set")
    with pytest.raises(SightlineError, match="how='move' is not one of copy"):
        bare.write(tmp_path / "set", how="move")  # type: ignore[arg-type]
    assert not (tmp_path / "set").exists()


def test_what_is_not_a_dataset_is_one_sentence(pets: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"nowhere: no such folder"):
        Dataset.from_path(tmp_path / "nowhere")
    with pytest.raises(SightlineError, match=r"not a dataset folder, it has no dataset_info\.json"):
        Dataset.from_path(tmp_path)
    written = pets.write(tmp_path / "set")
    Path(written[0].file_path or "").unlink()
    with pytest.raises(SightlineError, match="1 of 50 images are missing"):
        Dataset.from_path(tmp_path / "set")
    assert len(Dataset.from_path(tmp_path / "set", check_images=False)) == 50


@pytest.mark.parametrize("path", ["../secret.png", "/etc/passwd", "data/../../x.png", "C:\\x.png"])
def test_paths_that_leave_the_folder_are_refused(pets: Dataset, tmp_path: Path, path: str) -> None:
    pets.write(tmp_path / "set")
    file = tmp_path / "set" / "annotations.parquet"
    frame = pl.read_parquet(file)
    frame.with_columns(file_path=pl.lit(path)).write_parquet(file)
    with pytest.raises(SightlineError, match="leads out of the dataset folder"):
        Dataset.from_path(tmp_path / "set")


def test_splits(pets: Dataset) -> None:
    assert len(pets.create_split_dataset("test")) == 10
    assert len(pets.create_split_dataset(["train", "test"])) == 50
    assert pets.create_split_dataset("test")[0].sample_index == 40
    with pytest.raises(SightlineError, match="dataset 'pets' has no split 'validation'; it has train, test"):
        pets.create_split_dataset("validation")


def test_splits_by_ratio(pets: Dataset) -> None:
    again = pets.create_splits({"train": 0.5, "validation": 0.5}, seed=1)
    counts = Counter((s.split, (s.classifications or [])[0].class_name) for s in again)
    assert counts == {
        ("train", "cat"): 19,
        ("train", "dog"): 6,
        ("validation", "cat"): 19,
        ("validation", "dog"): 6,
    }
    assert pets[0].split == "train", "the dataset itself is as it was"


def test_indexing(pets: Dataset) -> None:
    assert len(pets) == 50
    assert pets[-1] == pets[49]
    for index in (50, -51):
        with pytest.raises(IndexError):
            pets[index]


def test_repr(pets: Dataset) -> None:
    assert repr(pets) == (
        "Dataset('pets' 1.0.0, 50 samples (train 40, test 10), "
        "tasks: image_classification (Classification, 2 classes))"
    )
    assert repr(Dataset.from_samples([], DatasetInfo(dataset_name="x"))) == (
        "Dataset('x' 1.0.0, 0 samples, tasks: none)"
    )


def test_a_frame_of_other_types_is_refused(pets: Dataset) -> None:
    with pytest.raises(SightlineError, match="height is Float64, expected Int64"):
        Dataset(pets.info, pets.samples.cast({"height": pl.Float64}))
    with pytest.raises(SightlineError, match="split is missing, expected String"):
        Dataset(pets.info, pets.samples.drop("split"))


def test_statistics(pets: Dataset) -> None:
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=100, file=nowhere)
        pets.print_stats(console)
    rows = [line.replace("│", " ").split() for line in console.export_text().splitlines()]
    assert ["train", "40", "80.0%"] in rows
    assert ["cat", "30", "8", "38"] in rows
    assert ["dog", "10", "2", "12"] in rows


def test_statistics_of_nothing() -> None:
    Dataset.from_samples([], INFO).print_stats(Console(quiet=True))


def test_no_terminal_no_bar(pets: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pets.write(tmp_path / "set")
    assert capfd.readouterr() == ("", "")
