"""Precision against recall."""

import numpy as np
import pytest
from hypothesis import given, settings

from sightline.metrics.coco import BoxTable, evaluate_detections, precision_recall_curves
from sightline.metrics.coco.scoring import RECALLS
from tests.metrics.coco_reference import CLASSES, box_tables


def boxes(*lefts: float) -> np.ndarray:
    return np.array([[left, 0, left + 10, 10] for left in lefts])


def test_a_point_per_score() -> None:
    """Right, wrong, right; of two equally sure ones, which only come together, one is right."""
    truth = BoxTable(np.zeros(4), boxes(0, 20, 40, 60), np.zeros(4))
    predicted = BoxTable(
        np.zeros(5), boxes(0, 100, 20, 40, 200), np.zeros(5), scores=np.array([0.9, 0.8, 0.7, 0.5, 0.5])
    )
    curve = precision_recall_curves(truth, predicted, ["cat"])["cat"]
    assert curve.scores.tolist() == [0.9, 0.8, 0.7, 0.5]
    assert curve.recall == pytest.approx([1 / 4, 1 / 4, 2 / 4, 3 / 4])
    assert curve.precision == pytest.approx([1, 1 / 2, 2 / 3, 3 / 5])
    assert curve.f1 == pytest.approx([2 / 5, 1 / 3, 4 / 7, 2 / 3])
    assert curve.best_threshold() == 0.5


def test_classes_without_objects_have_none_and_without_predictions_an_empty_one() -> None:
    truth = BoxTable(np.zeros(1), boxes(0), np.ones(1))
    predicted = BoxTable(np.zeros(1), boxes(0), np.zeros(1), scores=np.ones(1))
    curves = precision_recall_curves(truth, predicted, ["cat", "dog"])
    assert list(curves) == ["dog"]
    assert len(curves["dog"].recall) == 0
    assert curves["dog"].best_threshold() is None


def test_overlap_says_what_is_right() -> None:
    truth = BoxTable(np.zeros(1), boxes(0), np.zeros(1))
    predicted = BoxTable(np.zeros(1), boxes(2), np.zeros(1), scores=np.ones(1))  # 8 of 12 overlap
    assert precision_recall_curves(truth, predicted, ["cat"], 0.6)["cat"].recall.tolist() == [1]
    assert precision_recall_curves(truth, predicted, ["cat"], 0.7)["cat"].recall.tolist() == [0]


@settings(max_examples=25, deadline=None)
@given(box_tables())
def test_curves_are_consistent_with_average_precision(tables: tuple[BoxTable, BoxTable]) -> None:
    """Without equal scores, AP50 can be read off the points."""
    truth, predicted = tables
    assert predicted.scores is not None
    scores = np.random.default_rng(0).permutation(len(predicted)) / max(1, len(predicted))
    predicted = BoxTable(predicted.images, predicted.boxes, predicted.labels, scores)
    numbers = evaluate_detections(truth, predicted, CLASSES)
    curves = precision_recall_curves(truth, predicted, CLASSES)
    assert {f"ap50/{name}" for name in curves} == {name for name in numbers if name.startswith("ap50/")}
    for name, curve in curves.items():
        assert (np.diff(curve.recall) >= 0).all()
        assert (np.diff(curve.scores) < 0).all()
        best = [curve.precision[curve.recall >= recall].max(initial=0) for recall in RECALLS]
        assert np.mean(best) == pytest.approx(numbers[f"ap50/{name}"])
