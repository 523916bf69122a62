from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors
from torchvision.transforms import v2

from sightline.config import component
from sightline.data.loading import IGNORE_INDEX
from sightline.errors import SightlineError
from sightline.transforms.boxes import RandomZoom, Window, boxes_like, cut

HEIGHT, WIDTH = 40, 60


def _item(boxes: list[list[float]]) -> tuple[tv_tensors.Image, dict[str, Any]]:
    """An image that is bright within its boxes, of whole pixels, with a mask for each and one for all."""
    image = torch.zeros(3, HEIGHT, WIDTH, dtype=torch.uint8)
    masks = torch.zeros(len(boxes), HEIGHT, WIDTH, dtype=torch.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        image[:, int(top) : int(bottom), int(left) : int(right)] = 200
        mask[int(top) : int(bottom), int(left) : int(right)] = 1
    target = {
        "boxes": boxes_like(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4), (HEIGHT, WIDTH)),
        "labels": torch.arange(len(boxes)),
        "masks": tv_tensors.Mask(masks),
        "mask": tv_tensors.Mask(masks.amax(dim=0) if len(boxes) else masks.new_zeros(HEIGHT, WIDTH)),
        "sample_index": 7,
    }
    return tv_tensors.Image(image), target


def test_a_window_is_enlarged_with_what_is_in_it() -> None:
    image, target = _item([[10, 10, 30, 20], [50, 30, 60, 40]])
    pixels, found = cut(image, target, Window(5, 5, 20, 30), (HEIGHT, WIDTH), 0.3)
    assert pixels.shape == (3, HEIGHT, WIDTH)
    assert pixels.dtype == torch.uint8
    assert found["boxes"].tolist() == [[10, 10, 50, 30]]
    assert (found["boxes"].format, found["boxes"].canvas_size) == (
        tv_tensors.BoundingBoxFormat.XYXY,
        (HEIGHT, WIDTH),
    )
    assert found["labels"].tolist() == [0]
    assert found["masks"].shape == (1, HEIGHT, WIDTH)
    assert (found["masks"][0, 10:30, 10:50] == 1).all()
    assert int(found["masks"].sum()) == 20 * 40
    assert int(pixels[0, 20, 30]) == 200
    assert found["sample_index"] == 7


def test_what_is_outside_is_black_and_of_no_class() -> None:
    image, target = _item([[0, 0, 60, 40]])
    pixels, found = cut(image, target, Window(-20, -30, 80, 120), (HEIGHT, WIDTH), 0.3)
    assert found["boxes"].tolist() == [[15, 10, 45, 30]]
    assert (pixels[:, :9] == 0).all()
    assert int(pixels[0, 20, 30]) == 200
    assert (found["mask"][:10] == IGNORE_INDEX).all()
    assert (found["mask"][10:30, 15:45] == 1).all()
    assert (found["masks"][0, :10] == 0).all()


@pytest.mark.parametrize(("visible", "kept"), [(0.0, 1), (0.25, 1), (0.26, 0), (1.0, 0)])
def test_a_box_stays_when_enough_of_it_is_visible(visible: float, kept: int) -> None:
    image, target = _item([[10, 10, 30, 20]])
    _, found = cut(image, target, Window(15, 20, 20, 30), (HEIGHT, WIDTH), visible)  # a quarter of it
    assert len(found["boxes"]) == len(found["labels"]) == len(found["masks"]) == kept


def test_boxes_that_are_only_touched_or_too_small_to_see_go() -> None:
    image, target = _item([[0, 0, 10, 10], [20, 20, 21, 40]])
    _, found = cut(image, target, Window(10, 10, 60, 120), (HEIGHT, WIDTH), 0.0)
    assert found["boxes"].shape == (0, 4)
    assert found["masks"].shape == (0, HEIGHT, WIDTH)


def test_targets_of_several_tasks() -> None:
    image, target = _item([[10, 10, 30, 20], [50, 30, 60, 40]])
    _, found = cut(image, {"cells": target, "file_path": "a"}, Window(5, 5, 20, 30), (HEIGHT, WIDTH), 0.3)
    assert found["cells"]["labels"].tolist() == [0]
    assert found["file_path"] == "a"


def test_an_image_without_boxes() -> None:
    image, target = _item([])
    _, found = RandomZoom()(image, target)
    assert found["boxes"].shape == (0, 4)
    assert found["masks"].shape == (0, HEIGHT, WIDTH)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31))
def test_boxes_stay_around_their_objects(seed: int) -> None:
    torch.manual_seed(seed)
    image, target = _item([[8, 8, 24, 32]])
    pixels, found = RandomZoom(scale=(0.5, 3.0), stretch=1.5, visible=0.2)(image, target)
    bright = (pixels[0] > 100).nonzero().float()
    if not len(found["boxes"]):
        return
    first, last = bright.amin(dim=0).flip(0), bright.amax(dim=0).flip(0) + 1
    assert found["boxes"][0].tolist() == pytest.approx([*first.tolist(), *last.tolist()], abs=1.6)
    assert found["boxes"].min() >= 0
    assert (found["boxes"][:, 2:] <= torch.tensor([WIDTH, HEIGHT])).all()


def test_growth_is_within_the_scale_and_follows_from_the_seed() -> None:
    image, target = _item([[20, 10, 40, 30]])
    zoom = RandomZoom(scale=(0.5, 0.8), stretch=1.0)
    sizes = []
    for seed in range(30):
        torch.manual_seed(seed)
        pixels, found = zoom(image, target)
        torch.manual_seed(seed)
        again, _ = zoom(image, target)
        assert torch.equal(pixels, again)
        sizes.append(found["boxes"][0, 2] - found["boxes"][0, 0])  # all of it is always visible
    growth = torch.stack(sizes) / 20
    assert 0.48 < growth.min() < 0.56
    assert 0.72 < growth.max() < 0.82


def test_never() -> None:
    image, target = _item([[20, 10, 40, 30]])
    assert RandomZoom(p=0.0)(image, target) == (image, target)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_another_size(p: float) -> None:
    image, target = _item([[20, 10, 40, 30]])
    pixels, found = RandomZoom(scale=(1.0, 1.0), stretch=1.0, p=p, size=[20, 90])(image, target)
    assert pixels.shape == (3, 20, 90)
    assert found["boxes"].tolist() == [[30, 5, 60, 15]]
    assert found["boxes"].canvas_size == (20, 90)


def test_it_stands_among_torchvisions_and_in_yaml() -> None:
    image, target = _item([[20, 10, 40, 30]])
    pixels, found = v2.Compose([RandomZoom(), v2.RandomHorizontalFlip(1.0)])(image, target)
    assert isinstance(pixels, tv_tensors.Image)
    assert isinstance(found["boxes"], tv_tensors.BoundingBoxes)
    assert component(RandomZoom, scale=[0.5, 1.5]).class_path == "sightline.transforms.RandomZoom"


@pytest.mark.parametrize(
    "wrong",
    [
        {"scale": [2.0, 1.0]},
        {"scale": [0, 1]},
        {"scale": [1]},
        {"stretch": 0.5},
        {"visible": 2},
        {"p": -1},
        {"size": [3]},
    ],
)
def test_impossible_settings(wrong: dict[str, Any]) -> None:
    with pytest.raises(SightlineError, match=next(iter(wrong))):
        RandomZoom(**wrong)
