from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data import Classification, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.data.loading import ShiftFlip, TorchDataset, pixels
from sightline.errors import SightlineError
from tests.data.factory import classification_dataset, write_picture

SIZES = [(4, 6), (4, 6), (5, 5), (4, 6), (1, 1), (5, 5)]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Pictures of several sizes."""
    folder = tmp_path_factory.mktemp("mixed")
    samples = [
        Sample(
            file_path=str(write_picture(folder / f"{number}.png", number, size)),
            height=size[0],
            width=size[1],
            classifications=[Classification(class_name="a")],
        )
        for number, size in enumerate(SIZES)
    ]
    task = TaskInfo.from_class_names(Classification, ["a"])
    return Dataset.from_samples(samples, DatasetInfo(dataset_name="mixed", tasks=[task]))


@pytest.fixture(scope="module")
def stored(mixed: Dataset, tmp_path_factory: pytest.TempPathFactory) -> list[TorchDataset]:
    pack = mixed.pack(tmp_path_factory.mktemp("packs") / "pack")
    return [TorchDataset(mixed, storage=storage) for storage in ("files", "ram", pack, str(pack.folder))]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, len(SIZES) - 1), min_size=1, max_size=5))
def test_the_same_pixels_come_from_everywhere(
    mixed: Dataset, stored: list[TorchDataset], indices: list[int]
) -> None:
    for items in stored:
        for index, (image, _) in zip(indices, items.__getitems__(indices), strict=True):
            assert (image.permute(1, 2, 0).numpy() == mixed[index].read_image()).all()


def test_what_is_taken_out_may_be_changed(stored: list[TorchDataset]) -> None:
    for items in stored:
        for index in (0, 2):
            image, _ = items[index]
            before = image.clone()
            image.zero_()
            assert (items[index][0] == before).all()


def test_batches_of_several_sizes_cannot_be_changed_at_once(mixed: Dataset) -> None:
    with pytest.raises(SightlineError, match="ShiftFlip works on images of one size; pack them with size="):
        TorchDataset(mixed, ShiftFlip(1)).__getitems__([0, 2])


def test_images_that_do_not_fit_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = classification_dataset(tmp_path, {("train", "dog"): 10})
    monkeypatch.setattr(pixels, "available_memory", lambda: 10 * 12 * 16 * 3)
    with pytest.raises(
        SightlineError, match=r"the 10 images take up 5\.6 KB decoded, but of memory 5\.6 KB are free"
    ):
        TorchDataset(dataset, storage="ram")


def test_ram_is_read_once(tmp_path: Path) -> None:
    dataset = classification_dataset(tmp_path, {("train", "dog"): 3})
    items = TorchDataset(dataset, storage="ram")
    expected = np.stack([sample.read_image() for sample in dataset])
    for sample in dataset:
        Path(sample.file_path or "").unlink()
    assert (np.stack([image.permute(1, 2, 0).numpy() for image, _ in items]) == expected).all()
