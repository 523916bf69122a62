import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data.predictions import NO_CLASS, ClassMap, ClassScores, Detections, Prediction
from sightline.deploy.files.records import above, prediction_of, result_of

CLASSES = ["a", "b b", "ç"]
scores = st.floats(0, 1, width=32)


def _back(prediction: Prediction, height: int = 6, width: int = 5) -> Prediction:
    record = {"file": "x", "height": height, "width": width, **result_of(prediction, CLASSES)}
    return prediction_of(msgspec.json.decode(msgspec.json.encode(record)), CLASSES)


@settings(deadline=None)
@given(st.lists(scores, min_size=3, max_size=3))
def test_class_scores_come_back_to_the_bit(values: list[float]) -> None:
    back = _back(ClassScores(np.array(values, dtype=np.float32)))
    assert isinstance(back, ClassScores)
    assert (back.scores == np.array(values, dtype=np.float32)).all()


@settings(deadline=None)
@given(
    st.lists(st.tuples(*[st.floats(0, 1000, width=32)] * 4, scores, st.integers(0, 2)), max_size=5),
    st.booleans(),
)
def test_detections_come_back_to_the_bit(objects: list, tracked: bool) -> None:
    columns = np.array(objects, dtype=np.float32).reshape(-1, 6)
    tracks = np.arange(1, len(objects) + 1) if tracked and objects else None
    found = Detections(columns[:, :4], columns[:, 4], columns[:, 5].astype(np.int64), tracks)
    back = _back(found)
    assert isinstance(back, Detections)
    for name in ("boxes", "scores", "labels"):
        assert (getattr(back, name) == getattr(found, name)).all()
    assert (back.tracks is None) == (tracks is None)
    assert tracks is None or (back.tracks == tracks).all()


@settings(deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2, NO_CLASS]), min_size=30, max_size=30))
def test_class_maps_come_back(cells: list[int]) -> None:
    classes = np.array(cells, dtype=np.uint8).reshape(6, 5)
    means = np.linspace(0, 1, 30, dtype=np.float32).reshape(6, 5)
    back = _back(ClassMap(classes, means))
    assert isinstance(back, ClassMap)
    assert (back.classes == classes).all()
    assert back.scores is not None
    for label in set(cells) - {NO_CLASS}:
        assert np.isclose(back.scores[classes == label].mean(), means[classes == label].mean())


def test_a_threshold_leaves_out_objects_and_pixels() -> None:
    boxes = np.zeros((2, 4), dtype=np.float32)
    found = Detections(boxes, np.array([0.9, 0.4]), np.array([0, 1]), np.array([7, 8]))
    kept = above(found, 0.5)
    assert isinstance(kept, Detections)
    assert kept.tracks is not None
    assert (kept.labels.tolist(), kept.tracks.tolist()) == ([0], [7])
    mapped = above(ClassMap(np.array([[0, 1]], dtype=np.uint8), np.array([[0.9, 0.4]])), 0.5)
    assert isinstance(mapped, ClassMap)
    assert mapped.classes.tolist() == [[0, NO_CLASS]]
