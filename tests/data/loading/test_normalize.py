from typing import Any

import pytest
import torch
from torchvision.transforms import v2

from sightline.data.loading import Normalize
from sightline.errors import SightlineError

MEAN, STD = (0.1, 0.5, 0.9), (0.2, 0.25, 1.5)


@pytest.mark.parametrize("shape", [(4, 3, 5, 6), (3, 5, 6), (1, 3, 1, 1), (2, 3, 1, 9)])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_it_equals_torchvision(shape: tuple[int, ...], memory_format: torch.memory_format) -> None:
    images = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    expected = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])(images)
    if len(shape) == 4:
        images = images.contiguous(memory_format=memory_format)
    before = images.clone()
    normalised = Normalize(MEAN, STD)(images)
    torch.testing.assert_close(normalised, expected, rtol=0, atol=2e-6)
    assert normalised.is_contiguous(memory_format=memory_format) or len(shape) == 3
    assert torch.equal(images, before)


def test_floats_are_refused() -> None:
    with pytest.raises(SightlineError, match=r"images are torch\.float32 and not uint8; leave ToDtype out"):
        Normalize(MEAN, STD)(torch.zeros(1, 3, 2, 2))
    with pytest.raises(SightlineError, match="give a number per channel"):
        Normalize(MEAN, (0.5, 0.5, 0))
    with pytest.raises(
        SightlineError, match=r"of shape \(2, 1, 4, 4\), but mean and std are for 3 channels; give"
    ):
        Normalize(MEAN, STD)(torch.zeros(2, 1, 4, 4, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("mean", "std"),
    [
        ((), ()),
        ((0.5,), ()),
        ((0.5,), (-1,)),
        ((0.5,), (float("nan"),)),
        ((float("inf"),), (1,)),
        ("a", "b"),
        (1, 1),
    ],
)
def test_numbers_that_cannot_be_are_refused(mean: Any, std: Any) -> None:
    with pytest.raises(SightlineError, match="give a number per channel, and std above 0"):
        Normalize(mean, std)


def test_nothing_of_it_is_saved_with_a_model() -> None:
    assert not Normalize(MEAN, STD).state_dict()
