"""Detection over batches, beside pycocotools and torchmetrics."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.detection import MeanAveragePrecision

from sightline.errors import SightlineError
from sightline.metrics import DetectionMetrics
from sightline.metrics.coco import BoxTable
from tests.metrics.coco_reference import CLASSES, box_tables, coco_numbers

Image = dict[str, Any]


def by_image(table: BoxTable, images: list[int]) -> list[Image]:
    """The rows of a table as a model and a dataset have them: a dictionary of tensors for each image."""
    result = []
    for image in images:
        rows = table.images == image
        columns: Image = {
            "boxes": torch.tensor(table.boxes[rows], dtype=torch.float32),
            "labels": torch.tensor(table.labels[rows]),
        }
        if table.scores is not None:
            columns["scores"] = torch.tensor(table.scores[rows], dtype=torch.float32)
        if table.crowds is not None:
            columns["iscrowd"] = torch.tensor(table.crowds[rows])
        result.append(columns)
    return result


def in_float32(table: BoxTable) -> BoxTable:
    scores = None if table.scores is None else table.scores.astype(np.float32)
    return BoxTable(table.images, table.boxes.astype(np.float32), table.labels, scores, table.crowds)


def image(
    *boxes: tuple[float, float, float, float], labels: list[int], scores: list[float] | None = None
) -> Image:
    given = {"boxes": torch.tensor(boxes).reshape(-1, 4), "labels": torch.tensor(labels, dtype=torch.long)}
    return given if scores is None else given | {"scores": torch.tensor(scores)}


@settings(max_examples=15, deadline=None)
@given(box_tables(), st.integers(1, 4))
def test_equals_pycocotools_whatever_the_batches(tables: tuple[BoxTable, BoxTable], size: int) -> None:
    truth, predicted = map(in_float32, tables)
    images = sorted({*truth.images.tolist(), *predicted.images.tolist(), 1000})  # one without anything
    metric = DetectionMetrics(CLASSES)
    for start in range(0, len(images), size):
        part = images[start : start + size]
        metric.update(by_image(predicted, part), by_image(truth, part))
    numbers = metric.compute()
    for name, expected in coco_numbers(truth, predicted, CLASSES).items():
        if expected == -1:
            assert np.isnan(numbers.get(name, np.nan))
        else:
            assert numbers[name] == pytest.approx(expected, abs=1e-6), name


def test_equals_torchmetrics() -> None:
    torch.manual_seed(0)
    predictions, targets = [], []
    for number in range(8):
        corners = torch.rand(6, 2) * 100
        boxes = torch.cat([corners, corners + torch.rand(6, 2) * 100], dim=1)
        labels = torch.randint(0, 3, (6,))
        targets.append({"boxes": boxes, "labels": labels})
        moved = boxes + torch.randn(6, 4) * 4
        kept = number != 3
        predictions.append(
            {"boxes": moved[: kept * 6], "labels": labels[: kept * 6], "scores": torch.rand(kept * 6)}
        )
    # Its own thresholds are in float32, where a recall of 3/5 does not reach 0.6.
    reference = MeanAveragePrecision(
        iou_thresholds=np.linspace(0.5, 0.95, 10).tolist(), rec_thresholds=np.linspace(0, 1, 101).tolist()
    )
    reference.update(predictions, targets)
    expected = reference.compute()
    metric = DetectionMetrics(CLASSES)
    metric.update(predictions, targets)
    numbers = metric.compute()
    names = {"map": "map", "ap50": "map_50", "ap75": "map_75", "ap_medium": "map_medium", "ar_10": "mar_10"}
    for ours, theirs in names.items():
        assert numbers[ours] == pytest.approx(expected[theirs].item(), abs=1e-6)


def test_crowds_and_areas_are_those_given() -> None:
    """An object of 20x20 pixels whose own area is said to be large counts as large."""
    target = image((0, 0, 20, 20), (50, 50, 150, 150), labels=[0, 0])
    target |= {"iscrowd": torch.tensor([0, 1]), "area": torch.tensor([10_000.0, 10_000.0])}
    found = image((0, 0, 20, 20), (60, 60, 70, 70), labels=[0, 0], scores=[0.5, 0.9])
    metric = DetectionMetrics(["cat"])
    metric.update([found], [target])
    numbers = metric.compute()
    assert numbers["map"] == numbers["ap_large"] == pytest.approx(1)
    assert "ap_small" not in numbers


def test_crowds_and_areas_may_be_given_for_some_images_only() -> None:
    found = image((0, 0, 20, 20), labels=[0], scores=[0.5])
    target = image((0, 0, 20, 20), labels=[0])
    metric = DetectionMetrics(["cat"])
    metric.update([found] * 2, [target | {"area": torch.tensor([5000])}, target])
    numbers = metric.compute()
    assert numbers["ap_small"] == numbers["ap_medium"] == pytest.approx(1)
    metric.update([found], [target | {"iscrowd": torch.tensor([True])}])
    assert metric.compute()["map"] == pytest.approx(1)


def test_images_without_boxes() -> None:
    empty = image(labels=[])
    metric = DetectionMetrics(["cat"])
    metric.update([empty | {"scores": torch.zeros(0)}], [empty])
    assert np.isnan(metric.compute()["map"])
    metric.update([image((0, 0, 5, 5), labels=[0], scores=[0.0])], [image((0, 0, 5, 5), labels=[0])])
    metric.update([], [])
    assert metric.compute()["map"] == pytest.approx(1)


def test_half_precision_boxes() -> None:
    found = image((0, 0, 8, 8), labels=[0], scores=[0.5])
    metric = DetectionMetrics(["cat"])
    metric.update([{**found, "boxes": found["boxes"].bfloat16()}], [image((0, 0, 8, 8), labels=[0])])
    assert metric.compute()["map"] == pytest.approx(1)


def test_curves_are_of_what_was_computed() -> None:
    metric = DetectionMetrics(["cat", "dog"])
    with pytest.raises(SightlineError, match="call compute"):
        metric.curves()
    found = image((0, 0, 10, 10), (30, 30, 40, 40), labels=[1, 1], scores=[0.9, 0.8])
    metric.update([found], [image((0, 0, 10, 10), labels=[1])])
    metric.compute()
    curves = metric.curves()
    assert list(curves) == ["dog"]
    assert curves["dog"].precision.tolist() == pytest.approx([1, 0.5])
    assert curves["dog"].recall.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (
            {"scores": torch.zeros(3)},
            r"'scores' in the predictions of an image is of shape \(3,\) for 2 labels",
        ),
        ({"boxes": torch.zeros(2, 5)}, r"'boxes' .* of shape \(2, 5\) for 2 labels; give \(N, 4\)"),
    ],
)
def test_columns_that_do_not_fit_are_refused(wrong: dict[str, Tensor], what: str) -> None:
    found = image((0, 0, 5, 5), (0, 0, 6, 6), labels=[0, 0], scores=[0.5, 0.6])
    with pytest.raises(SightlineError, match=what):
        DetectionMetrics(["cat"]).update([found | wrong], [image((0, 0, 5, 5), labels=[0])])


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SightlineError, match="classes is empty"):
        DetectionMetrics([])
    with pytest.raises(SightlineError, match="predictions of 0 images and targets of 1"):
        DetectionMetrics(["cat"]).update([], [image(labels=[])])
    metric = DetectionMetrics(["cat"])
    metric.update([image((0, 0, 5, 5), labels=[1], scores=[0.5])], [image(labels=[])])
    with pytest.raises(SightlineError, match="label 1 of row 0"):
        metric.compute()
