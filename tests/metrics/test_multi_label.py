"""Several labels an image, beside scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from sightline.metrics.multi_label import average_precision, multi_label_numbers

NAMES = ["a", "b", "c"]


@st.composite
def scored(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores, often equal, and truth, for which some classes may not occur."""
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, levels = draw(st.integers(1, 30)), draw(st.sampled_from([2, 5, 10_000]))
    truth = numbers.random((count, 3)) < numbers.choice([0.0, 0.3, 0.9], 3)
    return numbers.integers(0, levels + 1, (count, 3)) / levels, truth


@settings(max_examples=25, deadline=None)
@given(scored())
def test_equals_scikit_learn(pair: tuple[np.ndarray, np.ndarray]) -> None:
    scores, truth = pair
    numbers = multi_label_numbers(scores, truth, NAMES)
    found = scores >= 0.5
    ap = {
        name: sklearn.average_precision_score(truth[:, label], scores[:, label])
        for label, name in enumerate(NAMES)
        if truth[:, label].any()
    }
    assert {name: numbers[f"ap/{name}"] for name in ap} == pytest.approx(ap)
    assert len([name for name in numbers if name.startswith("ap/")]) == len(ap)
    if ap:
        assert numbers["map"] == pytest.approx(np.mean(list(ap.values())))
    known = (truth | found).any(axis=0)
    if known.any():
        f1 = sklearn.f1_score(truth, found, average=None, zero_division=0)
        assert numbers["f1"] == pytest.approx(f1[known].mean())
        micro = sklearn.f1_score(truth, found, average="micro", zero_division=0)
        assert numbers["f1_micro"] == pytest.approx(micro)
        recall = sklearn.recall_score(truth, found, average=None, zero_division=0)
        assert numbers["recall"] == pytest.approx(recall[known].mean())


def test_average_precision_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.0])
    assert average_precision(scores, np.array([True, False, True, False])) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(scores, np.array([False, False, False, True])) == pytest.approx(1 / 4)
    assert math.isnan(average_precision(scores, np.zeros(4, dtype=bool)))


def test_equal_scores_do_not_depend_on_their_order() -> None:
    assert average_precision(np.full(4, 0.5), np.array([True, False, False, False])) == 0.25
    assert average_precision(np.full(4, 0.5), np.array([False, False, False, True])) == 0.25
