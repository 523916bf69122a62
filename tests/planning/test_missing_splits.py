"""Splits are made where a dataset lacks them, and leak nothing."""

from pathlib import Path

import polars as pl
import pytest

from sightline.data import Dataset
from sightline.errors import SightlineError
from sightline.planning.missing_splits import with_splits
from tests.data.factory import classification_dataset


def counts(dataset: Dataset) -> dict[str, int]:
    return dict(dataset.samples["split"].value_counts().iter_rows())


def of_recordings(dataset: Dataset, length: int) -> Dataset:
    """The samples as frames of recordings of ``length`` frames each."""
    recording = (pl.int_range(pl.len()) // length).cast(pl.String).alias("collection_id")
    return dataset.replace(samples=dataset.samples.with_columns(recording))


@pytest.fixture
def unassigned(tmp_path: Path) -> Dataset:
    return classification_dataset(tmp_path, {("UNDEFINED", "cat"): 10, ("UNDEFINED", "dog"): 10})


def test_splits_that_are_there_stay(tmp_path: Path) -> None:
    dataset = classification_dataset(
        tmp_path, {("train", "cat"): 4, ("validation", "cat"): 2, ("test", "cat"): 1}
    )
    splits = with_splits(dataset)
    assert not splits.changed
    assert splits.dataset is dataset


def test_validation_is_taken_from_training(tmp_path: Path) -> None:
    dataset = classification_dataset(
        tmp_path, {("train", "cat"): 10, ("train", "dog"): 10, ("test", "cat"): 3}
    )
    splits = with_splits(dataset)
    assert counts(splits.dataset) == {"train": 16, "validation": 4, "test": 3}
    validation = splits.dataset.create_split_dataset("validation")
    assert {one.classifications[0].class_name for one in validation} == {"cat", "dog"}
    assert "20% of training" in splits.reason


def test_all_three_are_made_where_there_are_none(unassigned: Dataset) -> None:
    splits = with_splits(unassigned)
    assert counts(splits.dataset) == {"train": 12, "validation": 4, "test": 4}
    again = with_splits(unassigned)
    assert again.dataset.samples["split"].to_list() == splits.dataset.samples["split"].to_list()


def test_recordings_are_not_divided(unassigned: Dataset) -> None:
    splits = with_splits(of_recordings(unassigned, 4))
    by_recording = splits.dataset.samples.group_by("collection_id").agg(pl.col("split").n_unique())
    assert by_recording["split"].to_list() == [1] * 5
    assert set(counts(splits.dataset)) == {"train", "validation", "test"}
    assert "whole recordings" in splits.reason


def test_frames_of_one_recording_are_warned_about(unassigned: Dataset) -> None:
    assert "validation flatters" in with_splits(of_recordings(unassigned, 20)).reason


def test_the_same_image_twice_stays_in_one_split(unassigned: Dataset, tmp_path: Path) -> None:
    first = unassigned.samples["file_path"][0]
    copies = [tmp_path / f"copy-{number}.png" for number in range(6)]
    for copy in copies:
        copy.write_bytes(Path(first).read_bytes())
    paths = [str(copy) for copy in copies] + unassigned.samples["file_path"].to_list()[6:]
    same = unassigned.replace(samples=unassigned.samples.with_columns(pl.Series("file_path", paths)))
    splits = with_splits(same)
    assert splits.dataset.samples["split"][:6].n_unique() == 1
    splits.dataset.write_split_manifest(tmp_path / "splits.json")


def test_nothing_to_train_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"no samples to train on \(split 'train'\)"):
        with_splits(classification_dataset(tmp_path, {("test", "cat"): 2}))
