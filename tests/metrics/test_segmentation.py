"""Segmentation over batches, beside torchmetrics."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import MulticlassF1Score, MulticlassJaccardIndex

from sightline.errors import SightlineError
from sightline.metrics import SegmentationMetrics

NAMES = ["land", "water", "cloud"]
IGNORED = 255


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.sampled_from([0.0, 0.4, 1.0]))
def test_equals_torchmetrics_whatever_the_batches(seed: int, size: int, ignored: float) -> None:
    torch.manual_seed(seed)
    predicted, targets = torch.randint(0, 3, (6, 5, 4)), torch.randint(0, 3, (6, 5, 4), dtype=torch.uint8)
    targets[torch.rand(targets.shape) < ignored] = IGNORED
    metric = SegmentationMetrics(NAMES)
    for batch in zip(predicted.split(size), targets.split(size), strict=True):
        metric.update(*batch)
    numbers = metric.compute()
    if not (targets != IGNORED).any():
        assert numbers["mean_iou"] != numbers["mean_iou"]  # NaN
        return
    iou = MulticlassJaccardIndex(3, ignore_index=IGNORED)(predicted, targets.long())
    assert numbers["mean_iou"] == pytest.approx(iou.item(), abs=1e-6)
    dice = MulticlassF1Score(3, ignore_index=IGNORED)(predicted, targets.long())
    assert numbers["mean_dice"] == pytest.approx(dice.item(), abs=1e-6)


def test_one_batch_more_is_not_the_mean_of_means() -> None:
    """A water pixel in the second image, where there is one, weighs no more than one in the first."""
    metric = SegmentationMetrics(NAMES[:2])
    metric.update(torch.ones(1, 3, 3, dtype=torch.long), torch.ones(1, 3, 3, dtype=torch.long))
    target = torch.zeros(1, 3, 3, dtype=torch.long)
    target[0, 0, 0] = 1
    metric.update(torch.zeros(1, 3, 3, dtype=torch.long), target)
    assert metric.compute()["iou"] == pytest.approx(9 / 10)


def test_ignored_pixels_count_nowhere_and_no_class_is_a_miss() -> None:
    metric = SegmentationMetrics(NAMES)
    predicted = torch.tensor([[[0, 1, 255, 2]]])
    metric.update(predicted, torch.tensor([[[0, IGNORED, 1, 2]]]))
    assert metric.compute()["accuracy"] == pytest.approx(2 / 3)
    assert metric.confusion.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]


def test_another_label_can_be_ignored() -> None:
    metric = SegmentationMetrics(NAMES, ignore_index=-1)
    metric.update(torch.tensor([[[0, 1]]]), torch.tensor([[[0, -1]]]))
    assert metric.compute()["accuracy"] == 1


def test_targets_that_cannot_be_are_refused() -> None:
    metric = SegmentationMetrics(NAMES)
    metric.update(torch.tensor([[[0, 1]]]), torch.tensor([[[0, 3]]]))
    with pytest.raises(SightlineError, match="1 target pixels are neither a label of 3 classes nor"):
        metric.compute()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SightlineError, match="classes is empty"):
        SegmentationMetrics([])
    with pytest.raises(SightlineError, match="ignore_index 1 is the label of class 'water'"):
        SegmentationMetrics(NAMES, ignore_index=1)
    target = torch.zeros(1, 2, 2, dtype=torch.long)
    with pytest.raises(SightlineError, match=r"got torch.float32 predictions of shape \(1, 3, 2, 2\)"):
        SegmentationMetrics(NAMES).update(torch.zeros(1, 3, 2, 2), target)
    with pytest.raises(SightlineError, match="give the label of each pixel"):
        SegmentationMetrics(NAMES).update(torch.zeros(1, 2, 2), target)
    with pytest.raises(SightlineError, match="call compute"):
        _ = SegmentationMetrics(NAMES).confusion
