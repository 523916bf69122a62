"""Dice, Jaccard and Tversky, beside segmentation-models-pytorch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from segmentation_models_pytorch.losses import DiceLoss, JaccardLoss, TverskyLoss
from torch import Tensor, nn

from sightline.errors import SightlineError
from sightline.losses import Dice, Jaccard, PixelLoss, Tversky
from tests.losses.pixels import IGNORED, batches

few = settings(max_examples=30, deadline=None)
smooths = st.sampled_from([0.0, 1.0])


def pairs(mode: str, smooth: float, weights: list[float] | None = None) -> list[tuple[PixelLoss, nn.Module]]:
    given = {"smooth": smooth, "class_weights": weights}
    theirs = given | {"mode": mode, "ignore_index": IGNORED}
    return [
        (Dice(**given), DiceLoss(**theirs)),
        (Jaccard(**given), JaccardLoss(**theirs)),
        (Tversky(0.3, 0.7, **given), TverskyLoss(alpha=0.3, beta=0.7, **theirs)),
    ]


@few
@given(batches(1, 1), smooths)
def test_one_logit_equals_segmentation_models_pytorch(batch: tuple[Tensor, Tensor], smooth: float) -> None:
    for ours, theirs in pairs("binary", smooth):
        torch.testing.assert_close(ours(*batch), theirs(*batch), rtol=1e-4, atol=1e-5)


@few
@given(batches(2), smooths)
def test_several_logits_equal_segmentation_models_pytorch(
    batch: tuple[Tensor, Tensor], smooth: float
) -> None:
    """Its mean is over all classes, those that the batch does not have among them with 0, so that the same
    error costs less in a dataset of more classes; ours is over the others."""
    logits, target = batch
    present = len(target[target != IGNORED].unique())
    for ours, theirs in pairs("multiclass", smooth):
        expected = theirs(logits, target) * logits.shape[1] / max(1, present)
        torch.testing.assert_close(ours(logits, target), expected, rtol=1e-4, atol=1e-5)


def test_class_weights_equal_segmentation_models_pytorch() -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(2, 3, 5, 5), torch.randint(0, 3, (2, 5, 5))
    target[0, 0] = IGNORED
    for ours, theirs in pairs("multiclass", 0.0, [1.0, 4.0, 0.5]):
        torch.testing.assert_close(ours(logits, target), theirs(logits, target))


def test_dice_by_hand() -> None:
    """Probabilities 0.5 of the foreground everywhere, which is one of two pixels: TP 0.5, FP 0.5, FN 0.5."""
    loss = Dice()(torch.zeros(1, 1, 1, 3), torch.tensor([[[1, 0, IGNORED]]]))
    assert loss.item() == pytest.approx(0.5)
    assert Jaccard()(torch.zeros(1, 1, 1, 2), torch.tensor([[[1, 0]]])).item() == pytest.approx(2 / 3)


def test_a_batch_without_foreground_has_loss_0() -> None:
    assert Dice()(torch.randn(2, 1, 3, 3), torch.zeros(2, 3, 3, dtype=torch.int64)) == 0


def test_class_weights_of_one_logit_are_refused() -> None:
    with pytest.raises(SightlineError, match="Dice: class_weights do nothing with one logit"):
        Dice(class_weights=[1.0, 2.0])(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64))


@pytest.mark.parametrize("name", ["alpha", "beta", "smooth"])
def test_negative_numbers_are_refused(name: str) -> None:
    with pytest.raises(SightlineError, match=f"Tversky: {name} is -0.5"):
        Tversky(**{name: -0.5})
