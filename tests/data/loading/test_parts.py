from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import ConcatDataset, Dataset, StackDataset, Subset
from torchvision.datasets import ImageFolder

from sightline.data.loading import TorchDataset
from sightline.data.loading.parts import file_of, leaves, tell_epoch
from tests.data.factory import classification_dataset


class Told(Dataset[int]):
    """Numbers that hear of epochs."""

    def __init__(self, count: int = 4) -> None:
        self.count = count
        self.epoch = -1

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        return index

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


class Wrapper(Dataset[Any]):
    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)


def test_what_is_below() -> None:
    one, two, wrapper = Told(), Told(), Wrapper(Told())
    assert list(leaves(ConcatDataset([Subset(one, [0]), two]))) == [one, two]
    assert list(leaves(wrapper)) == [wrapper]


def test_an_epoch_reaches_all() -> None:
    told = [Told() for _ in range(4)]
    stack = StackDataset(a=told[2], b=Wrapper(told[3]))
    tell_epoch(ConcatDataset([Subset(told[0], [0]), told[1], Subset(stack, [0])]), 7)
    assert [each.epoch for each in told] == [7] * 4
    itself = Wrapper(None)
    itself.dataset = itself
    tell_epoch(itself, 1)


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    for name in ("a/1.png", "a/2.png", "b/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.zeros((2, 2, 3), np.uint8)).save(tmp_path / name)
    return ImageFolder(str(tmp_path))


def test_files_where_the_dataset_says(folder: ImageFolder, tmp_path: Path) -> None:
    ours = TorchDataset(classification_dataset(tmp_path / "ours", {("train", "dog"): 2}))
    together = ConcatDataset([Told(), Subset(folder, [2, 0]), ours])
    names = [Path(file).name if (file := file_of(together, index)) else None for index in range(8)]
    assert names == [None] * 4 + ["3.png", "1.png"] + [Path(path).name for path in ours.file_paths]
