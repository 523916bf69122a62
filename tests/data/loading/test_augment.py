import numpy as np
import torch
from torchvision.transforms.v2 import functional as F

from sightline.data.loading import BatchTransform, ShiftFlip

IMAGES = torch.randint(0, 256, (400, 5, 7, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
IMAGES = IMAGES.permute(0, 3, 1, 2)
SEEDS = np.random.default_rng(0).integers(0, 2**64, 400, dtype=np.uint64)


def _possible(image: torch.Tensor, shift: int) -> list[torch.Tensor]:
    padded = F.pad(image, [shift])
    crops = [F.crop(padded, top, left, 5, 7) for top in range(2 * shift + 1) for left in range(2 * shift + 1)]
    return [*crops, *map(F.horizontal_flip, crops)]


def test_images_become_what_crop_and_flip_can_make_of_them_each_as_often() -> None:
    assert isinstance(ShiftFlip(1), BatchTransform)
    changed = ShiftFlip(1).transform_batch(IMAGES, SEEDS)
    found = [
        [torch.equal(one, possible) for possible in _possible(image, 1)].index(True)
        for image, one in zip(IMAGES, changed, strict=True)
    ]
    counts = np.bincount(found, minlength=18)
    assert counts.min() > 8  # of 22 on average, so less than 1 in 1,000 for a right one
    assert counts.max() < 40


def test_an_image_is_changed_alike_in_any_batch() -> None:
    together = ShiftFlip(2).transform_batch(IMAGES, SEEDS)
    for number in (0, 17, 399):
        alone = ShiftFlip(2).transform_batch(IMAGES[number : number + 1], SEEDS[number : number + 1])
        assert torch.equal(alone[0], together[number])


def test_never_and_always() -> None:
    assert torch.equal(ShiftFlip(0, flip=0).transform_batch(IMAGES, SEEDS), IMAGES)
    assert torch.equal(ShiftFlip(0, flip=1).transform_batch(IMAGES, SEEDS), F.horizontal_flip(IMAGES))
