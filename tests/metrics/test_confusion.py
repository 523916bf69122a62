"""From confusion to numbers, beside scikit-learn."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from sightline.metrics.confusion import (
    classification_numbers,
    confusion_matrix,
    segmentation_numbers,
)

NAMES = ["a", "b", "c", "d"]


@st.composite
def labels(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(1, 40))
    truth = numbers.integers(0, draw(st.integers(1, 4)), count)
    predicted = numbers.integers(0, draw(st.integers(1, 4)), count)
    return truth, np.where(numbers.random(count) < 0.5, truth, predicted)


@settings(max_examples=25, deadline=None)
@given(labels())
def test_classification_equals_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = pair
    confusion = confusion_matrix(truth, predicted, 4)
    assert np.array_equal(confusion[:, :4], sklearn.confusion_matrix(truth, predicted, labels=range(4)))
    numbers = classification_numbers(confusion[:, :4], NAMES)
    assert numbers["accuracy"] == pytest.approx(sklearn.accuracy_score(truth, predicted))
    known = np.union1d(truth, predicted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        per_class = sklearn.precision_recall_fscore_support(truth, predicted, labels=known, zero_division=0)
    for name, values in zip(("precision", "recall", "f1"), per_class, strict=False):
        assert numbers[name] == pytest.approx(np.mean(values))
        found = {key: number for key, number in numbers.items() if key.startswith(f"{name}/")}
        expected = {f"{name}/{NAMES[label]}": value for label, value in zip(known, values, strict=True)}
        assert found == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(labels())
def test_segmentation_equals_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, predicted = pair
    numbers = segmentation_numbers(confusion_matrix(truth, predicted, 4), NAMES)
    known = np.union1d(truth, predicted)
    jaccard = sklearn.jaccard_score(truth, predicted, labels=known, average=None, zero_division=0)
    dice = sklearn.f1_score(truth, predicted, labels=known, average=None, zero_division=0)
    assert numbers["mean_iou"] == pytest.approx(np.mean(jaccard))
    assert numbers["mean_dice"] == pytest.approx(np.mean(dice))
    for place, label in enumerate(known):
        assert numbers[f"iou/{NAMES[label]}"] == pytest.approx(jaccard[place])
        assert numbers[f"dice/{NAMES[label]}"] == pytest.approx(dice[place])
    assert len([name for name in numbers if name.startswith("iou/")]) == len(known)


def test_two_classes_have_the_numbers_of_the_foreground() -> None:
    truth, predicted = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 0])
    numbers = segmentation_numbers(confusion_matrix(truth, predicted, 2), ["land", "water"])
    assert numbers["iou"] == numbers["iou/water"] == pytest.approx(2 / 4)
    assert numbers["dice"] == numbers["precision"] == numbers["recall"] == pytest.approx(2 / 3)
    assert numbers["accuracy"] == pytest.approx(4 / 6)


def test_what_is_predicted_as_no_class_is_missed_and_nothing_else() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 255, 1, -1])
    confusion = confusion_matrix(truth, predicted, 2)
    assert confusion.tolist() == [[1, 0, 1], [0, 1, 1]]
    numbers = segmentation_numbers(confusion, ["land", "water"])
    assert numbers["mean_precision"] == 1
    assert numbers["mean_recall"] == numbers["mean_iou"] == numbers["accuracy"] == pytest.approx(0.5)


def test_truth_of_no_class_does_not_count() -> None:
    truth, predicted = np.array([0, 255, -1, 2]), np.array([0, 0, 1, 1])
    assert confusion_matrix(truth, predicted, 2).tolist() == [[1, 0, 0], [0, 0, 0]]


def test_nothing_has_no_numbers() -> None:
    numbers = classification_numbers(np.zeros((2, 2), dtype=int), ["a", "b"])
    assert set(numbers) == {"accuracy", "precision", "recall", "f1"}
    assert all(math.isnan(value) for value in numbers.values())
