"""The Lovasz losses, beside segmentation-models-pytorch."""

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from segmentation_models_pytorch.losses import LovaszLoss
from torch import Tensor

from sightline.losses import Lovasz
from tests.losses.pixels import IGNORED, batches, gradient

few = settings(max_examples=30, deadline=None)


@few
@given(batches(1, 1))
def test_one_logit_equals_segmentation_models_pytorch(batch: tuple[Tensor, Tensor]) -> None:
    value, slope = gradient(Lovasz(), *batch)
    expected, expected_slope = gradient(LovaszLoss("binary", ignore_index=IGNORED), *batch)
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-3, atol=1e-5)


@few
@given(batches(2))
def test_several_logits_equal_segmentation_models_pytorch(batch: tuple[Tensor, Tensor]) -> None:
    logits, target = batch
    if (target == IGNORED).all():  # it gives a tensor of no numbers
        return
    value, slope = gradient(Lovasz(), logits, target)
    expected, expected_slope = gradient(LovaszLoss("multiclass", ignore_index=IGNORED), logits, target)
    torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-3, atol=1e-5)


def test_is_the_jaccard_loss_where_the_model_is_sure() -> None:
    """An extension agrees with what it extends on whole pixels: in every way to be right or wrong."""
    target = torch.tensor([[[1, 1, 0, 0, 0]]])
    for count in range(6):
        for wrong in combinations(range(5), count):
            guess = target.clone()
            guess[..., list(wrong)] = 1 - guess[..., list(wrong)]
            logits = torch.stack([1 - guess, guess], dim=1) * 100.0
            losses = []
            for label in (0, 1):
                shared = ((guess == label) & (target == label)).sum()
                losses.append(1 - shared / ((guess == label) | (target == label)).sum())
            assert Lovasz()(logits, target).item() == pytest.approx(float(sum(losses)) / 2, abs=1e-6)


def test_gradients_of_many_pixels_are_exact() -> None:
    """A pixel's step is a difference of two indices that are almost alike: off by percents in float32."""
    torch.manual_seed(0)
    logits = torch.randn(1, 1, 400, 400)
    target = (torch.rand(1, 400, 400) < 0.9).long()
    _, exact = gradient(Lovasz(), logits.double(), target)
    off = []
    for loss in (Lovasz(), LovaszLoss("binary")):
        _, slope = gradient(loss, logits, target)
        off.append(((slope - exact)[exact != 0] / exact[exact != 0]).abs().max().item())
    assert off[0] < 1e-4
    assert off[1] > 1e-2
