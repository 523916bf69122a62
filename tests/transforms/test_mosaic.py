from typing import Any

import pytest
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from sightline.data.loading import Loader, collate
from sightline.errors import SightlineError
from sightline.transforms.boxes import boxes_like
from sightline.transforms.mosaic import Mosaic

HEIGHT, WIDTH = 48, 64


class Squares(Dataset[Any]):
    """Image ``k`` is dark, with a square of brightness 100 + k (class k) in its middle."""

    file_paths = [f"{number}.png" for number in range(8)]

    def __init__(self, *, masks: bool = False, empty: bool = False) -> None:
        self.masks, self.empty = masks, empty
        self.epochs: list[int] = []

    def set_epoch(self, epoch: int) -> None:
        self.epochs.append(epoch)

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Any:
        image = torch.full((3, HEIGHT, WIDTH), 10, dtype=torch.uint8)
        image[:, 16:32, 24:40] = 100 + index
        boxes = torch.tensor([[24.0, 16, 40, 32]])[: not self.empty]
        target: dict[str, Any] = {
            "boxes": boxes_like(boxes, (HEIGHT, WIDTH)),
            "labels": torch.full((len(boxes),), index),
            "fitting": torch.tensor([float(index)]),
        }
        if self.masks:
            target["masks"] = tv_tensors.Mask((image[:1] > 50).to(torch.uint8))
        return tv_tensors.Image(image), target

    collate = staticmethod(collate)


def test_boxes_hold_the_objects_of_four_images() -> None:
    mosaic = Mosaic(Squares(masks=True), 1.0, scale=(0.6, 1.0))
    others = set()
    for seed in range(20):
        torch.manual_seed(seed)
        image, target = mosaic[3]
        assert image.shape == (3, HEIGHT, WIDTH)
        assert image.dtype == torch.uint8
        assert len(target["boxes"]) == len(target["labels"]) == len(target["masks"]) <= 4
        assert target["fitting"].tolist() == [3.0]
        for box, label, mask in zip(target["boxes"], target["labels"], target["masks"], strict=True):
            left, top, right, bottom = box.round().int().tolist()
            assert 0 <= left < right <= WIDTH
            assert 0 <= top < bottom <= HEIGHT
            middle = (top + bottom) // 2, (left + right) // 2
            assert int(image[0, middle[0], middle[1]]) == 100 + int(label)
            rows, columns = mask.nonzero().unbind(dim=1)
            around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box.tolist() == pytest.approx([float(one) for one in around], abs=1.6)
        others |= set(target["labels"].tolist())
    assert others == set(range(8))


def test_everything_follows_from_the_seed() -> None:
    mosaic = Mosaic(Squares(), 0.5)
    for seed in range(5):
        torch.manual_seed(seed)
        first = mosaic[2]
        torch.manual_seed(seed)
        second = mosaic[2]
        assert torch.equal(first[0], second[0])
        assert torch.equal(first[1]["boxes"], second[1]["boxes"])


def test_the_loader_makes_the_same_batches_with_any_number_of_workers() -> None:
    batches = []
    for workers in (0, 2):
        dataset = Squares()
        loader = Loader(Mosaic(dataset, 0.7), 4, shuffle=True, seed=3, workers=workers)
        batches.append([image for _ in range(2) for image, _ in loader])
    assert all(torch.equal(one, other) for one, other in zip(*batches, strict=True))
    assert not torch.equal(batches[0][0], batches[0][2])  # another epoch


def test_what_is_below_hears_of_epochs_and_names_its_files() -> None:
    dataset = Squares()
    mosaic = Mosaic(dataset, 1.0)
    for _ in Loader(mosaic, 8):
        pass
    assert set(dataset.epochs) == {0}
    assert mosaic.file_paths == Squares.file_paths
    assert len(mosaic) == 8


@pytest.mark.parametrize(("probability", "count"), [(0.0, 0), (1.0, 100), (0.3, 30)])
def test_the_share_of_items(probability: float, count: int) -> None:
    torch.manual_seed(0)
    mosaic = Mosaic(Squares(), probability)
    middle = [int(mosaic[0][0][0, 24, 32]) for _ in range(100)]
    whole = sum(value == 100 for value in middle)
    assert abs((100 - whole) - count) <= 12


def test_images_without_boxes() -> None:
    _, target = Mosaic(Squares(empty=True), 1.0)[0]
    assert target["boxes"].shape == (0, 4)
    assert target["labels"].shape == (0,)


@pytest.mark.parametrize("wrong", [{"probability": 1.5}, {"scale": [1.0, 0.5]}, {"visible": -0.1}])
def test_impossible_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(SightlineError, match=next(iter(wrong))):
        Mosaic(Squares(), **wrong)
