from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.transforms import v2

from sightline.data import Bbox, Dataset, Sample
from sightline.data.loading import Loader, Normalize, ShiftFlip, TorchDataset
from sightline.errors import SightlineError
from tests.data.factory import HEIGHT, INFO, WIDTH, classification_dataset, write_picture

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
AUGMENTED = v2.Compose([v2.RandomCrop(8), v2.RandomHorizontalFlip(), v2.ColorJitter(0.3)])


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return classification_dataset(tmp_path / "images", {("train", "dog"): 11, ("train", "cat"): 10})


def _seen(batches: Iterable[Any]) -> list[tuple[torch.Tensor, list[int]]]:
    return [(images.clone(), targets["label"].tolist()) for images, targets in batches]


def _same(one: list[tuple[torch.Tensor, list[int]]], other: list[tuple[torch.Tensor, list[int]]]) -> bool:
    return [labels for _, labels in one] == [labels for _, labels in other] and all(
        torch.equal(images, others) for (images, _), (others, _) in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("transforms", [AUGMENTED, ShiftFlip(3), None], ids=["items", "batch", "none"])
def test_batches_are_the_same_with_any_number_of_workers_and_any_storage(
    dataset: Dataset, tmp_path: Path, transforms: Any
) -> None:
    pack = dataset.pack(tmp_path / "pack")
    seen = []
    for workers, storage in ((0, "files"), (1, "ram"), (2, pack)):
        items = TorchDataset(dataset, transforms, storage=storage)
        loader = Loader(items, 4, shuffle=True, seed=1, workers=workers)
        seen.append(_seen(loader) + _seen(loader))  # the second epoch by workers that run already
    assert len(seen[0]) == 10
    assert _same(seen[0], seen[1])
    assert _same(seen[0], seen[2])
    first, second = seen[0][:5], seen[0][5:]
    assert not _same(first, second)


@pytest.mark.parametrize("workers", [0, 2])
def test_resumed_in_the_middle_is_as_uninterrupted(dataset: Dataset, workers: int) -> None:
    def loader() -> Loader:
        return Loader(TorchDataset(dataset, AUGMENTED), 4, shuffle=True, workers=workers)

    whole = loader()
    expected = _seen(whole) + _seen(whole)
    interrupted = loader()
    seen = _seen(interrupted)
    state = {}
    for number, batch in enumerate(interrupted):
        seen += _seen([batch])
        if number == 1:
            state = interrupted.state_dict()
            break
    resumed = loader()
    resumed.load_state_dict(state)
    assert state["batches"] == 2
    assert resumed.state_dict() == state
    assert _same(seen + _seen(resumed), expected)
    after = resumed.state_dict()
    assert (after["epoch"], after["batches"]) == (2, 0)


def test_two_ranks_augment_as_one_does(dataset: Dataset) -> None:
    alone = _seen(Loader(TorchDataset(dataset, AUGMENTED), 4, shuffle=True))
    ranks = [
        _seen(Loader(TorchDataset(dataset, AUGMENTED), 2, shuffle=True, rank=rank, world_size=2))
        for rank in range(2)
    ]
    for (images, _), (first, _), (second, _) in zip(alone, *ranks, strict=True):
        assert torch.equal(images[0::2], first)
        assert torch.equal(images[1::2], second)


def test_images_arrive_normalised_and_in_the_order_asked_for(dataset: Dataset) -> None:
    items = TorchDataset(dataset)
    normalize = Normalize((0.5,) * 3, (0.25,) * 3)
    for channels_last in (True, False, None):
        loader = Loader(items, 7, normalize=normalize, channels_last=channels_last)
        images, targets = next(iter(loader))
        assert (images.dtype, tuple(images.shape)) == (torch.float32, (7, 3, HEIGHT, WIDTH))
        assert images.is_contiguous() is (channels_last is False)
        assert torch.equal(images, normalize(torch.stack([items[index][0] for index in range(7)])))
        assert targets["label"].tolist() == [1] * 7
        assert len(loader) == len(list(loader)) == 3


@pytest.mark.parametrize("workers", [0, 2])
def test_boxes_arrive_as_lists(tmp_path: Path, workers: int) -> None:
    box = Bbox(top_left_x=0, top_left_y=0, width=0.25, height=0.5, class_name="cat")
    samples = [
        Sample(
            file_path=str(write_picture(tmp_path / f"{count}.png", count)),
            height=HEIGHT,
            width=WIDTH,
            bboxes=[box] * count,
        )
        for count in (2, 0, 1)
    ]
    dataset = TorchDataset(Dataset.from_samples(samples, INFO), v2.RandomHorizontalFlip(1.0), Bbox)
    _, targets = next(iter(Loader(dataset, 3, workers=workers)))
    assert [boxes.tolist() for boxes in targets["boxes"]] == [[[12, 0, 16, 6]] * 2, [], [[12, 0, 16, 6]]]
    assert [labels.tolist() for labels in targets["labels"]] == [[0, 0], [], [0]]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_is_one_sentence(dataset: Dataset, workers: int) -> None:
    path = Path(dataset[5].file_path or "")
    path.write_bytes(b"no image")
    with pytest.raises(SightlineError) as caught:
        list(Loader(TorchDataset(dataset), 4, workers=workers))
    assert str(caught.value).startswith(f"{path}: cannot be read as an image")
    assert "\n" not in str(caught.value)


def test_the_global_generators_are_left_alone(dataset: Dataset) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    list(Loader(TorchDataset(dataset, AUGMENTED), 4, shuffle=True))
    assert torch.rand(1) == expected
