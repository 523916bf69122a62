"""Datasets that are not ours, read by a `Loader`."""

import random
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, Dataset, Subset, TensorDataset, default_collate
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from sightline.data.loading import Loader, Normalize, TorchDataset
from sightline.errors import SightlineError
from tests.data.factory import classification_dataset

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
COUNT = 11


class Noisy(Dataset[tuple[float, ...]]):
    """Items that draw from all that there is."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, index: int) -> tuple[float, ...]:
        return index, torch.rand(1).item(), float(np.random.rand()), random.random()


class AtOnce(Noisy):
    def __getitems__(self, indices: list[int]) -> list[tuple[float, ...]]:
        offset = random.random()
        return [(index, offset + place, random.random()) for place, index in enumerate(indices)]


class Broken(Dataset[int]):
    """Some items raise."""

    def __init__(self, *broken: int, count: int = 8) -> None:
        self.broken = broken
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> int:
        if index in self.broken:
            raise ValueError(f"no label\n  for {index}.")
        return index


class BrokenAtOnce(Broken):
    def __getitems__(self, indices: list[int]) -> list[int]:
        return [self[index] for index in indices]


class Pair(NamedTuple):
    image: torch.Tensor
    name: str


def _epochs(loader: Loader, count: int = 2) -> list[list[Any]]:
    """Each batch as a table of what its items drew."""
    return [[torch.stack(batch).T.tolist() for batch in loader] for _ in range(count)]


@pytest.mark.parametrize(
    "make",
    [Noisy, AtOnce, lambda: Subset(Noisy(), range(10)), lambda: ConcatDataset([AtOnce(), Noisy()])],
    ids=["items", "at once", "subset", "concat"],
)
def test_what_items_draw_is_the_same_with_any_number_of_workers(make: Any) -> None:
    seen = [_epochs(Loader(make(), 4, shuffle=True, seed=3, workers=workers)) for workers in (0, 1, 2)]
    assert seen[0] == seen[1] == seen[2]
    drawn = [{item[0]: item[1:] for batch in epoch for item in batch} for epoch in seen[0]]
    common = drawn[0].keys() & drawn[1].keys()
    assert len(common) >= 4
    assert all(drawn[0][index] != drawn[1][index] for index in common)
    assert len({tuple(values) for values in drawn[0].values()}) == len(drawn[0])
    assert seen[0] != _epochs(Loader(make(), 4, shuffle=True, seed=4))


@pytest.mark.parametrize("workers", [0, 2])
def test_what_items_draw_is_the_same_after_a_resume_and_on_two_ranks(workers: int) -> None:
    whole = _epochs(Loader(Noisy(), 4, shuffle=True))
    interrupted = Loader(Noisy(), 4, shuffle=True, workers=workers)
    next(iter(interrupted))
    resumed = Loader(Noisy(), 4, shuffle=True, seed=9, workers=workers)
    resumed.load_state_dict(interrupted.state_dict())
    assert _epochs(resumed) == [whole[0][1:], whole[1]]
    ranks = [_epochs(Loader(Noisy(), 2, shuffle=True, rank=rank, world_size=2)) for rank in range(2)]
    assert [batch[::2] for batch in whole[0]] == ranks[0][0]
    assert [batch[1::2] for batch in whole[0]] == ranks[1][0]


def test_a_subset_of_items_that_are_read_one_by_one_has_them_seeded_one_by_one() -> None:
    alone = {item[0]: item for batch in _epochs(Loader(Noisy(), 4), 1)[0] for item in batch}
    [batches] = _epochs(Loader(Subset(Noisy(), range(COUNT)), 3), 1)
    assert {item[0]: item for batch in batches for item in batch} == alone


def _draws() -> tuple[float, ...]:
    return torch.rand(1).item(), float(np.random.rand()), random.random()


def test_the_generators_are_left_alone_or_left_to_the_dataset() -> None:
    def seeded() -> None:
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)

    seeded()
    expected = _draws()
    for dataset in (Noisy(), Broken(3)):
        seeded()
        list(Loader(dataset, 4, max_errors=1))
        assert _draws() == expected
    seeded()
    first = next(iter(Loader(Noisy(), 1, seed_items=False)))
    assert [float(value) for value in first[1:]] == pytest.approx(list(expected))


def test_tensors_come_as_default_collate_makes_them() -> None:
    dataset = TensorDataset(torch.arange(20).reshape(10, 2), torch.arange(10) / 10)
    for workers in (0, 1):
        batches = list(Loader(dataset, 4, workers=workers))
        expected = [default_collate([dataset[i] for i in some]) for some in (range(4), range(4, 8), (8, 9))]
        assert repr(batches) == repr(expected)
    assert [len(batch) for batch in Loader(dataset, 4, collate=len_of_items)] == [4, 4, 2]


def len_of_items(items: list[Any]) -> list[Any]:
    return items


def test_the_collate_is_the_one_given_or_the_datasets_or_torchs(tmp_path: Path) -> None:
    class Own(Broken):
        def collate(self, items: list[int]) -> dict[str, Any]:
            return {"total": sum(items)}

    assert [batch["total"] for batch in Loader(Own(), 4)] == [6, 22]
    assert [batch["total"] for batch in Loader(Subset(Own(), [1, 2, 3]), 2)] == [3, 3]
    assert list(Loader(Own(), 4, collate=tuple)) == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert [batch.tolist() for batch in Loader(Broken(), 4)] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    ours = TorchDataset(classification_dataset(tmp_path, {("train", "dog"): 4}))
    images, targets = next(iter(Loader(Subset(ours, [2, 0]), 2, workers=1)))
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images[0], ours[2][0])
    assert targets["label"].tolist() == [0, 0]


def test_an_epoch_reaches_our_dataset_below_anothers(tmp_path: Path) -> None:
    ours = TorchDataset(classification_dataset(tmp_path, {("train", "dog"): 3}), v2.RandomCrop(6))

    class Wrapper(Dataset[Any]):
        def __init__(self) -> None:
            self.dataset = ours

        def __len__(self) -> int:
            return len(self.dataset)

        def __getitem__(self, index: int) -> Any:
            return self.dataset[index]

    loader = Loader(Wrapper(), 3, workers=1)
    epochs = [[images for images, _ in loader] for _ in range(2)]
    assert not torch.equal(epochs[0][0], epochs[1][0])


def test_a_dataset_in_a_worker_hears_of_the_epoch() -> None:
    class Epochs(Broken):
        epoch = -1

        def set_epoch(self, epoch: int) -> None:
            self.epoch = epoch

        def __getitem__(self, index: int) -> int:
            return self.epoch

    loader = Loader(Epochs(), 4, workers=2)
    assert [[batch.tolist() for batch in loader] for _ in range(2)] == [[[0] * 4] * 2, [[1] * 4] * 2]


def test_images_of_torchvision_by_name(tmp_path: Path) -> None:
    for number in range(4):
        path = tmp_path / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 5, 3), number * 60, np.uint8)).save(path)
    dataset = ImageFolder(str(tmp_path), v2.Compose([v2.PILToTensor(), v2.RandomHorizontalFlip()]))
    normalize = Normalize((0.0,) * 3, (1.0,) * 3)
    images, labels = next(iter(Loader(dataset, 4, normalize=normalize, channels_last=True)))
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert (images[:, 0, 0, 0] * 255).round().tolist() == [0, 120, 60, 180]
    assert labels.tolist() == [0, 0, 1, 1]
    (tmp_path / "b" / "1.png").write_bytes(b"no image")
    for workers in (0, 1):
        with pytest.raises(
            SightlineError, match=r"item 2 of ImageFolder \(.*1\.png\) cannot be read: Unid|item 2"
        ):
            list(Loader(dataset, 4, workers=workers))


@pytest.mark.parametrize("workers", [0, 1])
def test_named_tuples_arrive_as_such_with_their_images_normalised(workers: int) -> None:
    class Named(Broken):
        def __getitem__(self, index: int) -> Any:
            return Pair(torch.full((3, 2, 2), 51, dtype=torch.uint8), str(index))

    batch = next(iter(Loader(Named(), 2, workers=workers, normalize=Normalize((0,) * 3, (1,) * 3))))
    assert type(batch) is Pair
    torch.testing.assert_close(batch.image, torch.full((2, 3, 2, 2), 0.2))
    assert list(batch.name) == ["0", "1"]


def test_normalize_needs_images_but_channels_last_does_not() -> None:
    dataset = TensorDataset(torch.zeros(4, 3), torch.zeros(4, 3, 2, 2))
    first, second = next(iter(Loader(dataset, 4, channels_last=True)))
    assert first.shape == (4, 3)
    assert second.is_contiguous()
    with pytest.raises(SightlineError, match=r"normalize is for .* but it is torch\.float32 \(4, 3\)"):
        next(iter(Loader(dataset, 4, normalize=Normalize((0.5,), (0.5,)))))


# What cannot be read.


@pytest.mark.parametrize("make", [Broken, BrokenAtOnce])
@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_says_what_and_where(make: Any, workers: int) -> None:
    with pytest.raises(SightlineError) as caught:
        list(Loader(make(5, 6), 4, workers=workers))
    line = Broken.__getitem__.__code__.co_firstlineno + 2
    assert str(caught.value) == (
        f"item 5 of {make.__name__} cannot be read: ValueError: no label for 5 ({__file__}:{line} in "
        "__getitem__)."
    )
    assert isinstance(caught.value.__cause__, None.__class__ if workers else ValueError)


@pytest.mark.parametrize("make", [Broken, BrokenAtOnce])
@pytest.mark.parametrize("workers", [0, 2])
def test_items_within_the_budget_are_left_out(
    make: Any, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    loader = Loader(make(1, 4, 5, 6, 7, 8, count=11), 4, workers=workers, max_errors=6)
    for _ in range(2):  # the same items again are no more errors
        assert [batch.tolist() for batch in loader] == [[0, 2, 3], [9, 10]]
        assert [error.index for error in loader.errors] == [1, 4, 5, 6, 7, 8]
    assert loader.errors[0].file is None
    assert loader.errors[0].message.startswith(f"item 1 of {make.__name__} cannot be read: ValueError: no")
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 6
    assert warnings[1].startswith("Left out (2 of at most 6): item 4 of")
    assert loader.state_dict()["epoch"] == 2


@pytest.mark.parametrize("workers", [0, 1])
def test_one_more_than_the_budget_sums_up(workers: int) -> None:
    loader = Loader(Broken(1, 4, 5, 6), 2, workers=workers, max_errors=3)
    seen = []
    with pytest.raises(SightlineError) as caught:
        seen.extend(batch.tolist() for batch in loader)
    assert seen == [[0], [2, 3]]
    sentence = str(caught.value)
    assert sentence.startswith("4 items cannot be read, which is more than max_errors=3: item 1 of Broken")
    assert sentence.count("cannot be read: ValueError") == 3
    assert "\n" not in sentence


def test_the_budget_goes_on_after_a_resume() -> None:
    first = Loader(Broken(1, 4, 5), 2, max_errors=2)
    next(iter(first))
    state = first.state_dict()
    assert [error["index"] for error in state["errors"]] == [1]
    resumed = Loader(Broken(1, 4, 5), 2, max_errors=2)
    resumed.load_state_dict(state)
    assert resumed.errors == first.errors
    assert resumed.state_dict() == state
    with pytest.raises(SightlineError, match=r"^3 items cannot be read"):
        list(resumed)


@pytest.mark.parametrize("errors", [None, 3, [3], [{"index": 1}]])
def test_a_state_without_its_errors_is_refused(errors: Any) -> None:
    loader = Loader(Broken(), 2)
    with pytest.raises(SightlineError, match="has no list of 'errors'"):
        loader.load_state_dict(loader.state_dict() | {"errors": errors})


def test_the_file_of_an_image_is_named(tmp_path: Path) -> None:
    dataset = classification_dataset(tmp_path, {("train", "dog"): 5})
    path = Path(dataset[2].file_path or "")
    path.write_bytes(b"no image")
    for workers in (0, 1):
        loader = Loader(TorchDataset(dataset), 3, workers=workers, max_errors=1)
        assert [len(images) for images, _ in loader] == [2, 2]
        [error] = loader.errors
        assert (error.index, error.file) == (2, str(path))
        assert error.message.startswith(f"{path}: cannot be read as an image")


def test_other_ranks_are_not_left_waiting() -> None:
    with pytest.raises(
        SightlineError, match="nothing is left of a batch of rank 1, for which the other ranks"
    ):
        list(Loader(Broken(1), 1, max_errors=5, rank=1, world_size=2))


@pytest.mark.parametrize("workers", [0, 1])
def test_items_that_do_not_go_together(workers: int) -> None:
    class Growing(Broken):
        def __getitem__(self, index: int) -> Any:
            return torch.zeros(index)

    with pytest.raises(SightlineError) as caught:
        list(Loader(Growing(), 4, workers=workers))
    assert str(caught.value).startswith(
        "items 0, 1, 2, ... of Growing cannot be put into one batch: RuntimeError"
    )
    assert str(caught.value).endswith("; give items that are alike, or another collate.")


def test_a_batch_that_cannot_be_sent_is_no_wait_without_end() -> None:
    with pytest.raises(SightlineError, match=r"items 0, 1 of Broken cannot be sent by a worker: .*[Pp]ickle"):
        list(Loader(Broken(count=2), 2, workers=1, collate=lambda items: lambda: items))


def test_memory_that_ran_out_is_no_fault_of_an_item() -> None:
    class Large(Broken):
        def __getitem__(self, index: int) -> Any:
            raise MemoryError

    for workers in (0, 1):
        with pytest.raises(
            SightlineError, match=r"memory ran out while a batch was read \(.* free now\); take"
        ):
            list(Loader(Large(), 4, workers=workers, max_errors=100))


def test_what_is_no_dataset_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match="generator is not a map-style dataset"):
        Loader((number for number in range(3)), 2)
    with pytest.raises(SightlineError, match=r"gives samples; load TorchDataset\(dataset\)"):
        Loader(classification_dataset(tmp_path, {("train", "dog"): 2}), 2)
    with pytest.raises(SightlineError, match="workers -1: give a whole number from 0 on"):
        Loader(Broken(), 2, workers=-1)
    with pytest.raises(SightlineError, match="max_errors -1: give"):
        Loader(Broken(), 2, max_errors=-1)
