import pickle
from pathlib import Path

import pytest
import torch

from sightline.data.loading import TorchDataset, collate
from sightline.errors import SightlineError
from tests.data.factory import HEIGHT, WIDTH, classification_dataset


def _item(boxes: int, height: int = 2) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    return torch.full((3, height, 4), boxes, dtype=torch.uint8), {
        "boxes": torch.full((boxes, 4), float(boxes)),
        "mask": torch.full((height, 4), boxes),
    }


def test_boxes_stay_lists_and_travel_as_one_tensor() -> None:
    images, targets = collate([_item(2), _item(0), _item(1)])
    assert images[:, 0, 0, 0].tolist() == [2, 0, 1]
    assert targets["mask"].shape == (3, 2, 4)
    arrived = pickle.loads(pickle.dumps(targets))["boxes"]
    assert [boxes.tolist() for boxes in arrived] == [boxes.tolist() for boxes in targets["boxes"]]
    assert type(arrived) is list
    assert arrived[0].untyped_storage().data_ptr() == arrived[2].untyped_storage().data_ptr()


def test_sizes_that_differ_are_refused() -> None:
    with pytest.raises(SightlineError, match="images of the shapes"):
        collate([_item(1), _item(1, height=3)])


def test_images_keep_the_order_of_their_bytes(tmp_path: Path) -> None:
    items = TorchDataset(classification_dataset(tmp_path, {("train", "dog"): 3}))
    at_once, _ = collate(items.__getitems__([0, 1, 2]))
    one_by_one, _ = collate([items[0], items[1], items[2]])
    assert torch.equal(at_once, one_by_one)
    for images in (at_once, one_by_one):
        assert images.shape == (3, 3, HEIGHT, WIDTH)
        assert type(images) is torch.Tensor
        assert images.is_contiguous(memory_format=torch.channels_last)
    planes = torch.zeros(3, 5, 6)
    assert collate([(planes, {}), (planes, {})])[0].is_contiguous()
