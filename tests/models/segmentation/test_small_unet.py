import pytest
import torch
from torch.nn import functional as F

from sightline.models import segmenter
from tests.models.sizes import images


@pytest.mark.parametrize("depth", [1, 3, 5])
def test_depth_decides_the_multiple(depth: int) -> None:
    model = segmenter("small_unet", classes=2, width=4, depth=depth)
    assert model.multiple == 2 ** (depth + 1)
    assert model(images(24, 40, channels=3)).shape == (2, 2, 24, 40)


def test_it_learns_to_find_bright_squares() -> None:
    torch.manual_seed(0)
    target = torch.zeros(4, 32, 32, dtype=torch.long)
    for number in range(4):
        target[number, 4 + 4 * number : 16 + 4 * number, 8:20] = 1
    pictures = torch.rand(4, 1, 32, 32) + target[:, None]
    model = segmenter("small_unet", classes=2, channels=1, width=4, depth=3)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        F.cross_entropy(model(pictures), target).backward()
        optimizer.step()
    found = model.eval()(pictures).argmax(1)
    assert (found & target).sum() / (found | target).sum() > 0.9
