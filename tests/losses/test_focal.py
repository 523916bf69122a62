"""Focal loss, beside torchvision and segmentation-models-pytorch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segmentation_models_pytorch.losses import FocalLoss
from segmentation_models_pytorch.losses._functional import softmax_focal_loss_with_logits
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from sightline.errors import SightlineError
from sightline.losses import CrossEntropy, Focal
from tests.losses.pixels import IGNORED, batches, gradient

few = settings(max_examples=30, deadline=None)
gammas = st.sampled_from([0.5, 1.0, 2.0, 3.0])


@few
@given(batches(1, 1), gammas, st.sampled_from([0.25, 0.7]))
def test_one_logit_equals_torchvision(batch: tuple[Tensor, Tensor], gamma: float, alpha: float) -> None:
    logits, target = batch
    kept = target != IGNORED
    if kept.any():  # torchvision ignores nothing
        expected = sigmoid_focal_loss(logits[:, 0][kept], target[kept].float(), alpha, gamma, "mean")
        ours = Focal(gamma, class_weights=[1 - alpha, alpha])(logits, target)
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)


@few
@given(batches(1, 1), gammas)
def test_one_logit_equals_segmentation_models_pytorch(batch: tuple[Tensor, Tensor], gamma: float) -> None:
    logits, target = batch
    if (target != IGNORED).any():  # of nothing its mean is NaN
        expected = FocalLoss("binary", gamma=gamma, ignore_index=IGNORED)(logits, target)
        torch.testing.assert_close(Focal(gamma)(logits, target), expected, rtol=1e-4, atol=1e-6)


@few
@given(batches(2), gammas)
def test_several_logits_equal_a_softmax(batch: tuple[Tensor, Tensor], gamma: float) -> None:
    """`FocalLoss("multiclass")` of segmentation-models-pytorch is another loss: a sigmoid for each class."""
    logits, target = batch
    kept = target != IGNORED
    if kept.any():
        chosen = logits.movedim(1, -1)[kept]
        expected = softmax_focal_loss_with_logits(chosen, target[kept], gamma)
        torch.testing.assert_close(Focal(gamma)(logits, target), expected, rtol=1e-4, atol=1e-6)


@few
@given(batches())
def test_gamma_0_is_cross_entropy(batch: tuple[Tensor, Tensor]) -> None:
    torch.testing.assert_close(Focal(0.0)(*batch), CrossEntropy()(*batch))


def test_gradients_are_finite_where_the_power_has_none() -> None:
    """``(1 - p) ** 0.5`` has an infinite slope at p = 1, and 0 times that is NaN."""
    logits = torch.full((1, 1, 1, 1), 100.0)
    target = torch.ones(1, 1, 1, dtype=torch.int64)
    reference = logits.clone().requires_grad_()
    FocalLoss("binary", gamma=0.5)(reference, target).backward()
    assert reference.grad is not None
    assert reference.grad.isnan().all()
    assert gradient(Focal(0.5), logits, target)[1].isfinite().all()


def test_what_is_almost_sure_still_counts() -> None:
    """1 - p is 2e-9 here, which a difference of float32 rounds to 0."""
    target = torch.zeros(1, 1, 1, dtype=torch.int64)
    logits = torch.tensor([20.0, 0.0]).reshape(1, 2, 1, 1)
    _, slope = gradient(Focal(gamma=1.0), logits, target)
    _, exact = gradient(Focal(gamma=1.0), logits.double(), target)
    assert exact[0, 0, 0, 0] < 0
    torch.testing.assert_close(slope.double(), exact, rtol=1e-4, atol=0)


def test_a_negative_gamma_is_refused() -> None:
    with pytest.raises(SightlineError, match="gamma is -1"):
        Focal(gamma=-1.0)
