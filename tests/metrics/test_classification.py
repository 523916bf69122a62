"""Classification over batches, beside torchmetrics."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassConfusionMatrix,
    MulticlassF1Score,
    MultilabelAveragePrecision,
    MultilabelF1Score,
)

from sightline.errors import SightlineError
from sightline.metrics import ClassificationMetrics

NAMES = [f"class {number}" for number in range(7)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 7))
def test_equals_torchmetrics_whatever_the_batches(seed: int, count: int, size: int) -> None:
    torch.manual_seed(seed)
    scores, targets = torch.randn(count, 7), torch.randint(0, 7, (count,))
    metric = ClassificationMetrics(NAMES)
    for batch in zip(scores.split(size), targets.split(size), strict=True):
        metric.update(*batch)
    numbers = metric.compute()
    assert numbers["accuracy"] == pytest.approx(
        MulticlassAccuracy(7, average="micro")(scores, targets).item()
    )
    top5 = MulticlassAccuracy(7, top_k=5, average="micro")(scores, targets).item()
    assert numbers["accuracy_top5"] == pytest.approx(top5)
    assert numbers["f1"] == pytest.approx(MulticlassF1Score(7)(scores, targets).item(), abs=1e-6)
    assert torch.equal(metric.confusion, MulticlassConfusionMatrix(7)(scores, targets))


def test_one_batch_more_is_not_the_mean_of_means() -> None:
    metric = ClassificationMetrics(["a", "b"])
    metric.update(torch.tensor([[1.0, 0], [1, 0], [1, 0]]), torch.tensor([0, 0, 0]))
    metric.update(torch.tensor([[1.0, 0]]), torch.tensor([1]))
    assert metric.compute()["accuracy"] == pytest.approx(3 / 4)
    metric.reset()
    metric.update(torch.tensor([[1.0, 0]]), torch.tensor([1]))
    assert metric.compute()["accuracy"] == 0


def test_top_k_is_given_where_there_are_more_classes() -> None:
    metric = ClassificationMetrics(NAMES[:5], top_k=(1, 2, 5, 9))
    metric.update(torch.eye(5), torch.arange(5))
    assert {name for name in metric.compute() if name.startswith("accuracy")} == {"accuracy", "accuracy_top2"}


def test_equal_scores_are_no_hits() -> None:
    """A model that says the same of everything has the accuracy of always saying the first class."""
    metric = ClassificationMetrics(NAMES, top_k=(1, 3))
    metric.update(torch.zeros(7, 7), torch.arange(7))
    numbers = metric.compute()
    assert numbers["accuracy"] == pytest.approx(1 / 7)
    assert numbers["accuracy_top3"] == pytest.approx(3 / 7)
    metric.reset()
    metric.update(torch.full((7, 7), torch.nan), torch.arange(7))
    assert metric.compute()["accuracy_top3"] == 0


def test_half_precision_counts_as_many() -> None:
    metric = ClassificationMetrics(["a", "b"])
    for _ in range(5):
        metric.update(
            torch.tensor([[0.0, 1.0]] * 1000, dtype=torch.bfloat16), torch.ones(1000, dtype=torch.int32)
        )
    assert metric.compute()["accuracy"] == 1
    assert metric.confusion.tolist() == [[0, 0], [0, 5000]]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 7))
def test_several_labels_equal_torchmetrics(seed: int, count: int, size: int) -> None:
    torch.manual_seed(seed)
    scores, targets = torch.rand(count, 3), torch.randint(0, 2, (count, 3))
    targets[0] = 1  # torchmetrics gives classes that do not occur 0 or NaN by version
    metric = ClassificationMetrics(NAMES[:3], multi_label=True)
    for batch in zip(scores.split(size), targets.float().split(size), strict=True):
        metric.update(*batch)
    numbers = metric.compute()
    ap = MultilabelAveragePrecision(3, average="none")(scores, targets)
    assert [numbers[f"ap/{name}"] for name in NAMES[:3]] == pytest.approx(ap.tolist(), abs=1e-6)
    assert numbers["map"] == pytest.approx(ap.mean().item(), abs=1e-6)
    assert numbers["f1"] == pytest.approx(MultilabelF1Score(3)(scores, targets).item(), abs=1e-6)


@pytest.mark.parametrize("label", [-1, 3])
def test_targets_of_no_class_are_refused(label: int) -> None:
    metric = ClassificationMetrics(NAMES[:3], top_k=(1, 2))
    metric.update(torch.eye(3), torch.tensor([0, 1, label]))
    with pytest.raises(SightlineError, match="1 targets are none of the 3 classes"):
        metric.compute()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SightlineError, match="classes is empty"):
        ClassificationMetrics([])
    with pytest.raises(SightlineError, match=r"top_k is \[0\]"):
        ClassificationMetrics(NAMES, top_k=[0])
    with pytest.raises(SightlineError, match=r"expected \(batch, 7\) and \(batch\)"):
        ClassificationMetrics(NAMES).update(torch.zeros(2, 6), torch.zeros(2))
    with pytest.raises(SightlineError, match=r"expected \(batch, 7\) and \(batch, 7\)"):
        ClassificationMetrics(NAMES, multi_label=True).update(torch.zeros(2, 7), torch.zeros(2))


def test_the_confusion_is_there_once_computed() -> None:
    metric = ClassificationMetrics(["a", "b"])
    with pytest.raises(SightlineError, match="call compute"):
        _ = metric.confusion
    with pytest.raises(SightlineError, match="have no confusion matrix"):
        _ = ClassificationMetrics(["a", "b"], multi_label=True).confusion


def test_classes_without_images_have_no_numbers() -> None:
    metric = ClassificationMetrics(["a", "b", "c"])
    metric.update(torch.eye(3)[:1], torch.tensor([0]))
    numbers = metric.compute()
    assert numbers["precision"] == numbers["recall/a"] == 1
    assert "recall/b" not in numbers
    assert not any(math.isnan(value) for value in numbers.values())
