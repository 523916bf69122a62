import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data import box_selection
from sightline.data.box_selection import BoxSelection, not_suppressed
from sightline.errors import SightlineError

BOXES = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 70]], dtype=np.float32)
_ROWS = st.lists(st.tuples(*[st.integers(0, 12)] * 4, st.integers(0, 1)), max_size=25)
"""Left, top, width, height and class of boxes."""


def _greedy(boxes: np.ndarray, labels: np.ndarray, threshold: float) -> list[int]:
    """Non-maximum suppression as it is usually told, in exact arithmetic for whole pixels."""
    kept: list[int] = []
    for number, (left, top, right, bottom) in enumerate(boxes.tolist()):
        for other in kept:
            left_2, top_2, right_2, bottom_2 = boxes[other].tolist()
            shared = max(0, min(right, right_2) - max(left, left_2)) * max(
                0, min(bottom, bottom_2) - max(top, top_2)
            )
            union = (right - left) * (bottom - top) + (right_2 - left_2) * (bottom_2 - top_2) - shared
            if labels[number] == labels[other] and shared > threshold * union:
                break
        else:
            kept.append(number)
    return kept


@settings(max_examples=100, deadline=None)
@given(_ROWS, st.sampled_from([0.25, 0.5]), st.integers(1, 30), st.sampled_from([1, 3, 256]))
def test_suppression_is_greedy(
    rows: list[tuple[int, ...]], threshold: float, most: int, at_once: int
) -> None:
    table = np.array(rows, dtype=np.float32).reshape(-1, 5)
    boxes = np.concatenate([table[:, :2], table[:, :2] + table[:, 2:4]], axis=1)
    labels = table[:, 4].astype(np.int64)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(box_selection, "_AT_ONCE", at_once)
        found = not_suppressed(boxes, labels, threshold, most)
    assert found.tolist() == _greedy(boxes, labels, threshold)[:most]


def test_sure_boxes_first_and_each_object_once() -> None:
    scores = np.array([[0.5, 0.1], [0.6, 0.0], [0.0, 0.7], [0.3, 0.0]], dtype=np.float32)
    found = BoxSelection(score_threshold=0.2, nms_threshold=0.5).select(scores, BOXES)
    assert found.labels.tolist() == [1, 0, 0]
    assert found.scores.tolist() == pytest.approx([0.7, 0.6, 0.3])
    assert found.boxes.tolist() == BOXES[[2, 1, 3]].tolist()
    assert (found.boxes.dtype, found.scores.dtype, found.labels.dtype) == (np.float32, np.float32, np.int64)


def test_scores_have_to_be_above_the_threshold() -> None:
    scores = np.array([[0.5], [0.25], [0.75], [0.5]], dtype=np.float32)
    found = BoxSelection(score_threshold=0.5, nms_threshold=None).select(scores, BOXES)
    assert found.scores.tolist() == [0.75]


def test_without_suppression_the_first_of_equals_comes_first() -> None:
    scores = np.full((4, 1), 0.5, dtype=np.float32)
    found = BoxSelection(nms_threshold=None, max_detections=3).select(scores, BOXES)
    assert found.boxes.tolist() == BOXES[:3].tolist()


def test_candidates_are_the_best_ones() -> None:
    scores = np.array([[0.5], [0.6], [0.7], [0.4]], dtype=np.float32)
    found = BoxSelection(max_candidates=2).select(scores, BOXES)
    assert found.scores.tolist() == pytest.approx([0.7])  # the other candidate shows the same


def test_classes_may_have_boxes_of_their_own() -> None:
    scores = np.array([[0.9, 0.8]], dtype=np.float32)
    boxes = np.array([[[0, 0, 4, 4], [5, 5, 9, 9]]], dtype=np.float32)
    found = BoxSelection().select(scores, boxes)
    assert found.boxes.tolist() == boxes[0].tolist()
    assert found.labels.tolist() == [0, 1]


def test_nothing_found() -> None:
    found = BoxSelection().select(np.zeros((4, 2), dtype=np.float32), BOXES)
    assert (found.boxes.shape, found.scores.shape, found.labels.shape) == ((0, 4), (0,), (0,))
    assert BoxSelection().select(np.zeros((0, 2), dtype=np.float32), BOXES[:0]).boxes.shape == (0, 4)


@pytest.mark.parametrize(
    "wrong", [{"score_threshold": 1.0}, {"nms_threshold": 0.0}, {"max_detections": 0}, {"max_candidates": 0}]
)
def test_impossible_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(SightlineError, match=next(iter(wrong))):
        BoxSelection(**wrong)
