"""COCO's numbers, beside pycocotools."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

from sightline.errors import SightlineError
from sightline.metrics.coco import BoxTable, evaluate_detections
from tests.metrics.coco_reference import CLASSES, box_tables, coco_numbers

NO_BOXES = BoxTable(images=np.zeros(0), boxes=np.zeros((0, 4)), labels=np.zeros(0), scores=np.zeros(0))


def table(rows: list[tuple[int, tuple[float, float, float, float], int]], scores: list[float]) -> BoxTable:
    images, boxes, labels = zip(*rows, strict=True)
    return BoxTable(np.array(images), np.array(boxes), np.array(labels), np.array(scores))


def assert_same(ours: dict[str, float], reference: dict[str, float]) -> None:
    for name, expected in reference.items():
        if expected == -1:
            assert math.isnan(ours.get(name, math.nan)), name
        else:
            assert ours[name] == pytest.approx(expected, abs=1e-9), name
    assert set(ours) <= set(reference)


@settings(max_examples=40, deadline=None)
@given(box_tables())
def test_equals_pycocotools(tables: tuple[BoxTable, BoxTable]) -> None:
    assert_same(evaluate_detections(*tables, CLASSES), coco_numbers(*tables, CLASSES))


def test_many_boxes_at_once_and_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(0)
    count = 500
    corners, sides = numbers.random((count, 2)) * 200, numbers.random((count, 2)) * 150
    images, labels = numbers.integers(0, 40, count), numbers.integers(0, 3, count)
    truth = BoxTable(images, np.hstack([corners, corners + sides]), labels)
    moved = truth.boxes + numbers.normal(0, 6, (count, 4))
    predicted = BoxTable(images, moved, labels, numbers.random(count))
    ours = evaluate_detections(truth, predicted, CLASSES)
    assert_same(ours, coco_numbers(truth, predicted, CLASSES))
    monkeypatch.setattr("sightline.metrics.coco.matching._PAIRS_AT_ONCE", 50)
    assert evaluate_detections(truth, predicted, CLASSES) == ours


def test_the_order_of_rows_does_not_matter_where_scores_differ() -> None:
    numbers = np.random.default_rng(1)
    count = 300
    corners = numbers.integers(0, 30, (count, 2))
    boxes = np.hstack([corners, corners + numbers.random((count, 2)) * 20 + 1])
    images, labels = numbers.integers(0, 10, count), numbers.integers(0, 3, count)
    order = numbers.permutation(count)
    truth = BoxTable(images, boxes, labels)
    predicted = BoxTable(images, boxes + numbers.normal(0, 1, (count, 4)), labels, numbers.random(count))
    shuffled = BoxTable(images[order], predicted.boxes[order], labels[order], predicted.scores[order])  # type: ignore[index]
    assert evaluate_detections(truth, shuffled, CLASSES) == evaluate_detections(truth, predicted, CLASSES)


def test_perfect_predictions_score_1() -> None:
    """Ids that count from 0 lose the first object of all in pycocotools, as an id of 0 is "no match"."""
    rows = [(0, (0.0, 0.0, 50.0, 40.0), 0), (0, (60.0, 0.0, 90.0, 40.0), 1), (1, (5.0, 5.0, 9.0, 9.0), 2)]
    boxes = table(rows, [0.9, 0.8, 0.7])
    numbers = evaluate_detections(boxes, boxes, CLASSES)
    assert all(value == pytest.approx(1, abs=1e-12) for value in numbers.values())
    assert {"ap/cat", "ap50/dog", "ap_small", "ap_medium"} <= set(numbers)
    assert "ap_large" not in numbers


def test_a_score_of_0_is_the_least_sure() -> None:
    truth = table([(0, (0, 0, 10, 10), 0)], [1.0])
    wrong_first = table([(0, (50, 50, 60, 60), 0), (0, (0, 0, 10, 10), 0)], [0.5, 0.0])
    right_first = table([(0, (50, 50, 60, 60), 0), (0, (0, 0, 10, 10), 0)], [0.0, 0.5])
    assert evaluate_detections(truth, wrong_first, ["cat"])["map"] == pytest.approx(0.5)
    assert evaluate_detections(truth, right_first, ["cat"])["map"] == pytest.approx(1)


def test_the_first_class_is_one_like_the_others() -> None:
    """A class of label 0 is not taken for a background."""
    truth = table([(0, (0, 0, 10, 10), 0), (0, (20, 20, 40, 40), 1)], [1.0, 1.0])
    predicted = table([(0, (0, 0, 10, 10), 0), (0, (20, 20, 40, 40), 0)], [0.9, 0.8])
    numbers = evaluate_detections(truth, predicted, ["cat", "dog"])
    assert numbers["ap/cat"] == pytest.approx(1)
    assert numbers["ap/dog"] == 0


def test_no_predictions() -> None:
    truth = table([(3, (0, 0, 10, 10), 1)], [1.0])
    numbers = evaluate_detections(truth, NO_BOXES, CLASSES)
    assert numbers["map"] == numbers["ar_100"] == numbers["ap/dog"] == 0
    assert "ap/cat" not in numbers


def test_no_objects() -> None:
    """Without any there is no precision; where some images have none, what is found there counts as wrong."""
    predicted = table([(0, (0, 0, 10, 10), 0), (1, (0, 0, 10, 10), 0)], [0.9, 0.8])
    assert math.isnan(evaluate_detections(NO_BOXES, predicted, CLASSES)["map"])
    assert math.isnan(evaluate_detections(NO_BOXES, NO_BOXES, CLASSES)["ap50"])
    truth = table([(1, (0, 0, 10, 10), 0)], [1.0])
    assert evaluate_detections(truth, predicted, CLASSES)["map"] == pytest.approx(0.5)


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_that_are_no_class_are_refused(label: int) -> None:
    boxes = table([(0, (0, 0, 10, 10), label)], [1.0])
    with pytest.raises(SightlineError, match=f"predictions: label {label} of row 0 .*count from 0"):
        evaluate_detections(NO_BOXES, boxes, CLASSES)
    with pytest.raises(SightlineError, match=f"ground truth: label {label}"):
        evaluate_detections(boxes, NO_BOXES, CLASSES)


def test_predictions_need_scores() -> None:
    boxes = BoxTable(np.array([0]), np.array([[0, 0, 1, 1]]), np.array([0]))
    with pytest.raises(SightlineError, match="have no scores"):
        evaluate_detections(boxes, boxes, CLASSES)
