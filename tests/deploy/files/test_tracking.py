import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data.predictions import Detections
from sightline.deploy.files.tracking import Tracker, TrackerConfig, box_overlaps


def _found(*boxes: tuple[float, float, float, int]) -> Detections:
    """Boxes of 20 x 20 pixels at left, top, with score and label."""
    corners = np.array([[left, top, left + 20, top + 20] for left, top, _, _ in boxes], dtype=np.float32)
    return Detections(
        corners.reshape(-1, 4),
        np.array([score for _, _, score, _ in boxes], dtype=np.float32),
        np.array([label for _, _, _, label in boxes], dtype=np.int64),
    )


def _tracks(found: Detections) -> list[int]:
    assert found.tracks is not None
    return found.tracks.tolist()


def test_two_objects_keep_their_numbers_where_their_ways_cross() -> None:
    tracker = Tracker()
    for step in range(12):
        right, down = (10 * step, 50, 0.9, 0), (55, 10 * step - 5, 0.9, 0)
        order = [right, down] if step % 2 else [down, right]
        found = tracker.follow(_found(*order))
        wanted = [2, 1] if step % 2 else [1, 2]
        assert _tracks(found) == wanted, step


def test_classes_are_never_mixed_up() -> None:
    tracker = Tracker()
    assert _tracks(tracker.follow(_found((0, 0, 0.9, 0)))) == [1]
    assert _tracks(tracker.follow(_found((0, 0, 0.9, 1)))) == [2]
    assert _tracks(tracker.follow(_found((0, 0, 0.9, 0)))) == [1]


def test_unsure_boxes_carry_on_a_track_but_begin_none() -> None:
    tracker = Tracker()
    assert _tracks(tracker.follow(_found((0, 0, 0.3, 0)))) == []
    assert _tracks(tracker.follow(_found((0, 0, 0.9, 0)))) == [1]
    assert _tracks(tracker.follow(_found((2, 0, 0.3, 0), (200, 0, 0.3, 0)))) == [1]
    assert _tracks(tracker.follow(_found((4, 0, 0.05, 0)))) == []


def test_an_object_out_of_sight_is_found_where_it_would_be() -> None:
    tracker = Tracker(TrackerConfig(patience=3))
    for step in range(5):
        tracker.follow(_found((10 * step, 0, 0.9, 0)))
    for _ in range(3):
        assert _tracks(tracker.follow(_found())) == []
    assert _tracks(tracker.follow(_found((80, 0, 0.9, 0)))) == [1]
    for _ in range(4):
        tracker.follow(_found())
    assert _tracks(tracker.follow(_found((120, 0, 0.9, 0)))) == [2]


boxes = st.lists(
    st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(0, 1, width=32), st.integers(0, 2)), max_size=6
)


@settings(deadline=None)
@given(st.lists(boxes, max_size=8))
def test_a_number_is_of_one_object_a_frame_and_of_one_class(frames: list) -> None:
    tracker, label_of = Tracker(), dict[int, int]()
    for frame in frames:
        found = tracker.follow(_found(*frame))
        tracks = _tracks(found)
        assert len(set(tracks)) == len(tracks)
        assert (found.scores >= TrackerConfig().least).all()
        for track, label in zip(tracks, found.labels.tolist(), strict=True):
            assert label_of.setdefault(track, label) == label


def test_overlaps() -> None:
    ones = np.array([[0, 0, 10, 10], [5, 5, 5, 5]], dtype=np.float64)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [5, 5, 5, 5]], dtype=np.float64)
    assert box_overlaps(ones, others) == pytest.approx(np.array([[1, 1 / 3, 0, 0], [0, 0, 0, 0]]))
