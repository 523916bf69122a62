"""What all losses keep to."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from sightline.errors import SightlineError
from sightline.losses import CrossEntropy, Dice, Focal, PixelLoss, valid_pixels
from tests.losses.pixels import IGNORED, LOSSES, batches, gradient

all_losses = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
few = settings(max_examples=12, deadline=None)


@all_losses
@few
@given(batch=batches())
def test_is_finite_with_finite_gradients(loss: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    value, slope = gradient(loss, *batch)
    assert value.shape == ()
    assert value >= 0
    assert value.isfinite()
    assert slope.isfinite().all()


@all_losses
@few
@given(batch=batches(), high=st.sampled_from([20.0, 200.0, 1e4]))
def test_is_finite_on_extreme_logits(loss: nn.Module, batch: tuple[Tensor, Tensor], high: float) -> None:
    logits, target = batch
    value, slope = gradient(loss, logits.sign() * high, target)
    assert value.isfinite()
    assert slope.isfinite().all()


@all_losses
@pytest.mark.parametrize("classes", [1, 3])
def test_a_batch_of_ignored_pixels_alone_has_loss_0(loss: nn.Module, classes: int) -> None:
    """And is connected: a backward pass through it works and changes nothing."""
    value, slope = gradient(loss, torch.randn(2, classes, 4, 5), torch.full((2, 4, 5), IGNORED))
    assert value == 0
    assert (slope == 0).all()


@all_losses
@few
@given(batch=batches())
def test_ignored_pixels_do_not_count_whatever_they_hold(
    loss: nn.Module, batch: tuple[Tensor, Tensor]
) -> None:
    """A black collar is not trained as background, and not even NaN gets out of it."""
    logits, target = batch
    value, slope = gradient(loss, logits, target)
    changed = logits.masked_fill((target == IGNORED)[:, None], torch.nan)
    other_value, other_slope = gradient(loss, changed, target)
    assert torch.equal(value, other_value)
    assert torch.equal(slope, other_slope)
    assert (slope.movedim(1, -1)[target == IGNORED] == 0).all()


@all_losses
@few
@given(batch=batches(ignored=False))
def test_ignored_pixels_might_as_well_not_be_there(loss: nn.Module, batch: tuple[Tensor, Tensor]) -> None:
    logits, target = batch
    wider = nn.functional.pad(logits, (2, 1, 0, 3), value=5.0)
    padded = nn.functional.pad(target, (2, 1, 0, 3), value=IGNORED)
    torch.testing.assert_close(loss(wider, padded), loss(logits, target))


@all_losses
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("classes", [1, 4])
def test_computes_in_float32_under_autocast(loss: nn.Module, dtype: torch.dtype, classes: int) -> None:
    """Sums over many pixels would overflow float16, and be off by a percent in bfloat16."""
    torch.manual_seed(0)
    logits = (torch.randn(2, classes, 40, 40) * 30).to(dtype)
    target = torch.randint(0, max(2, classes), (2, 40, 40))
    with torch.autocast("cpu", dtype):
        value, slope = gradient(loss, logits, target)
    expected, expected_slope = gradient(loss, logits.float(), target)
    assert value.dtype == torch.float32
    assert torch.equal(value, expected)
    assert slope.dtype == dtype
    assert torch.equal(slope, expected_slope.to(dtype))


@all_losses
@pytest.mark.parametrize("classes", [1, 3])
def test_gradients_are_those_of_finite_differences(loss: nn.Module, classes: int) -> None:
    torch.manual_seed(1)
    logits = torch.randn(2, classes, 3, 3, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 2, (2, 3, 3))
    target[0, 0] = IGNORED
    assert torch.autograd.gradcheck(lambda leaf: loss(leaf, target), (logits,))


@all_losses
@pytest.mark.parametrize("classes", [1, 3])
def test_right_is_better_than_wrong(loss: nn.Module, classes: int) -> None:
    target = torch.arange(24).reshape(2, 3, 4) % max(2, classes)
    right = torch.where(target == 1, 6.0, -6.0)[:, None]
    if classes > 1:
        right = nn.functional.one_hot(target, classes).movedim(-1, 1) * 12.0
    assert loss(right, target) < 0.9
    assert loss(right, target) < loss(torch.zeros_like(right), target) < loss(-right, target)


@all_losses
def test_accepts_uint8_masks(loss: nn.Module) -> None:
    torch.manual_seed(2)
    logits, target = torch.randn(1, 3, 4, 4), torch.randint(0, 3, (1, 4, 4))
    target[0, 0] = IGNORED
    assert torch.equal(loss(logits, target.to(torch.uint8)), loss(logits, target))


@pytest.mark.parametrize("make", [CrossEntropy, Focal, Dice])
def test_another_label_can_be_ignored(make: type[PixelLoss]) -> None:
    torch.manual_seed(3)
    logits, target = torch.randn(1, 3, 4, 4), torch.randint(0, 3, (1, 4, 4))
    target[0, :2] = IGNORED
    expected = make()(logits, target)
    assert torch.equal(make(ignore_index=-100)(logits, target.masked_fill(target == IGNORED, -100)), expected)


@pytest.mark.parametrize("loss", [CrossEntropy(0.1, [1.0, 5.0, 0.5]), Focal(2.0, [1.0, 5.0, 0.5])])
def test_parts_by_their_pixels_give_the_whole(loss: PixelLoss) -> None:
    """So accumulated batches and ranks of unequal size have the gradient of one large batch."""
    torch.manual_seed(4)
    logits, target = torch.randn(4, 3, 5, 5), torch.randint(0, 3, (4, 5, 5))
    target[0, :4], target[2] = IGNORED, IGNORED
    parts = list(zip(logits.split([1, 1, 2]), target.split([1, 1, 2]), strict=True))
    shares = [valid_pixels(part) for _, part in parts]
    total = sum(loss(*part) * share for part, share in zip(parts, shares, strict=True)) / sum(shares)
    torch.testing.assert_close(total, loss(logits, target))


def test_valid_pixels_are_counted() -> None:
    target = torch.tensor([[[0, 255], [255, 1]], [[2, 2], [255, 0]]], dtype=torch.uint8)
    assert valid_pixels(target) == 5
    assert valid_pixels(target, ignore_index=0) == 6


@pytest.mark.parametrize(
    ("logits", "target"),
    [
        ((2, 3, 4, 4), (2, 4, 5)),
        ((2, 3, 4, 4), (2, 1, 4, 4)),
        ((2, 4, 4), (2, 4, 4)),
        ((1, 3, 4, 4), (2, 4, 4)),
    ],
)
def test_other_shapes_are_refused(logits: tuple[int, ...], target: tuple[int, ...]) -> None:
    with pytest.raises(SightlineError, match=r"Focal: got logits of shape .*expected \(B, C, H, W\)"):
        Focal()(torch.zeros(logits), torch.zeros(target, dtype=torch.int64))


def test_targets_of_floats_are_refused() -> None:
    with pytest.raises(SightlineError, match=r"a torch.float32 target"):
        Dice()(torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, 2))


@pytest.mark.parametrize(("classes", "label"), [(1, 2), (3, 3), (3, -1)])
def test_labels_that_no_class_has_are_refused(classes: int, label: int) -> None:
    with pytest.raises(SightlineError, match=f"1 target pixels, such as {label}, are neither"):
        Dice()(torch.zeros(1, classes, 1, 2), torch.tensor([[[0, label]]]))


@pytest.mark.parametrize("weights", [[1.0, -1.0], [float("nan"), 1.0]])
def test_weights_that_cannot_be_are_refused(weights: list[float]) -> None:
    with pytest.raises(SightlineError, match=r"class_weights are .*from 0 up"):
        CrossEntropy(class_weights=weights)


@pytest.mark.parametrize("classes", [1, 3])
def test_weights_are_one_for_each_class(classes: int) -> None:
    loss = Focal(class_weights=[1.0] * 4)
    with pytest.raises(SightlineError, match=f"4 class_weights for {max(2, classes)} classes"):
        loss(torch.zeros(1, classes, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64))
