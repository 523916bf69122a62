from typing import Any

import pytest
import torch
from torch import nn

from sightline.models import segmenter
from sightline.models.segmentation.aerialformer import _BRANCHES, MultiDilatedBlock
from tests.models.sizes import images, small_segmenter


def reach(block: nn.Module, channels: int) -> int:
    """How many cells around it the middle one of the output depends on."""
    x = torch.rand(1, channels, 21, 21, requires_grad=True)
    block.eval()(x)[0, :, 10, 10].sum().backward()
    assert x.grad is not None
    seen = x.grad[0].abs().sum(0).nonzero()
    return int((seen - 10).abs().max())


@pytest.mark.parametrize(("stride", "expected"), [(32, 4), (8, 4), (4, 2), (2, 2)])
def test_blocks_see_further_where_cells_are_coarser(stride: int, expected: int) -> None:
    """One cell more than the widest branch, for the convolution that refines."""
    torch.manual_seed(0)
    assert reach(MultiDilatedBlock(9, 6, _BRANCHES[stride]), 9) == expected


@pytest.mark.parametrize("channels", [4, 6, 8])
def test_channels_are_split_in_three_whatever_their_number(channels: int) -> None:
    block = MultiDilatedBlock(channels, 5, _BRANCHES[32])
    assert block(torch.rand(1, channels, 8, 8)).shape == (1, 5, 8, 8)


def test_the_stem_keeps_half_the_resolution() -> None:
    model: Any = small_segmenter("aerialformer")
    features = model.stem(images())
    assert features.shape == (2, 6, 32, 32)
    assert model.decoder.blocks[-1].refine[0].out_channels == 6


def test_other_hierarchical_encoders_of_the_same_strides() -> None:
    model = segmenter("aerialformer", encoder="test_convnext", classes=2)
    assert model(images(channels=3)).shape == (2, 2, 64, 64)
