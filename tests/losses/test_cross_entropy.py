"""Cross-entropy, beside torch and segmentation-models-pytorch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segmentation_models_pytorch.losses import SoftCrossEntropyLoss
from torch import Tensor
from torch.nn import functional as F

from sightline.errors import SightlineError
from sightline.losses import CrossEntropy, valid_pixels
from tests.losses.pixels import IGNORED, batches

few = settings(max_examples=30, deadline=None)


@few
@given(batches(2), st.sampled_from([0.0, 0.2]))
def test_equals_torch(batch: tuple[Tensor, Tensor], smoothing: float) -> None:
    logits, target = batch
    expected = F.cross_entropy(logits, target, ignore_index=IGNORED, label_smoothing=smoothing)
    if (target != IGNORED).any():  # of nothing torch's mean is NaN
        torch.testing.assert_close(CrossEntropy(smoothing)(logits, target), expected)


@few
@given(batches(1, 1))
def test_one_logit_equals_binary_cross_entropy(batch: tuple[Tensor, Tensor]) -> None:
    logits, target = batch
    kept = target != IGNORED
    if kept.any():
        expected = F.binary_cross_entropy_with_logits(logits[:, 0][kept], target[kept].float())
        torch.testing.assert_close(CrossEntropy()(logits, target), expected)


def test_smoothing_of_one_logit_is_that_of_two_classes() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(2, 1, 4, 4), torch.randint(0, 2, (2, 4, 4))
    expected = F.binary_cross_entropy_with_logits(logits[:, 0], target * 0.8 + 0.1)
    torch.testing.assert_close(CrossEntropy(0.2)(logits, target), expected)


@few
@given(batches(2))
def test_smoothing_equals_segmentation_models_pytorch(batch: tuple[Tensor, Tensor]) -> None:
    """Its mean is over all pixels, ignored ones with a loss of 0 among them; the sum is the same."""
    logits, target = batch
    expected = SoftCrossEntropyLoss("sum", 0.1, ignore_index=IGNORED)(logits, target)
    ours = CrossEntropy(label_smoothing=0.1)(logits, target) * valid_pixels(target)
    torch.testing.assert_close(ours, expected)


@few
@given(batches(3, 3), st.sampled_from([0.0, 0.2]))
def test_weights_are_those_of_torch_but_for_the_divisor(
    batch: tuple[Tensor, Tensor], smoothing: float
) -> None:
    logits, target = batch
    weights = torch.tensor([0.5, 3.0, 1.0])
    expected = F.cross_entropy(
        logits, target, weights, ignore_index=IGNORED, reduction="sum", label_smoothing=smoothing
    )
    ours = CrossEntropy(smoothing, weights.tolist())(logits, target) * valid_pixels(target)
    torch.testing.assert_close(ours, expected)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_smoothing_outside_of_its_range_is_refused(smoothing: float) -> None:
    with pytest.raises(SightlineError, match="label_smoothing is"):
        CrossEntropy(smoothing)
