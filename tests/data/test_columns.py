import datetime
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from sightline.data import (
    Bbox,
    Bitmask,
    Classification,
    Dataset,
    DatasetInfo,
    Point,
    Polygon,
    Sample,
    TaskInfo,
)
from sightline.errors import SightlineError
from tests.data.factory import INFO


def _sample(**fields: Any) -> Sample:
    return Sample(**({"file_path": "a.png", "height": 10, "width": 20} | fields))


def _box(**fields: Any) -> Bbox:
    box = {"top_left_x": 0.1, "top_left_y": 0.1, "width": 0.1, "height": 0.1, "class_name": "cat"}
    return Bbox(**(box | fields))


def test_name_and_index_complete_each_other() -> None:
    boxes = [_box(class_name="cat"), _box(class_name=None, class_idx=1), _box(class_name=None)]
    (sample,) = Dataset.from_samples([_sample(bboxes=boxes)], INFO)
    assert sample.bboxes is not None
    assert [(box.class_name, box.class_idx) for box in sample.bboxes] == [
        ("cat", 0),
        ("Ärger", 1),
        (None, None),
    ]
    assert boxes[0].class_idx is None, "the caller's objects are left alone"


def test_numpy_scalars_count_as_the_numbers_they_are() -> None:
    box = _box(width=np.float32(0.5), class_idx=np.int64(0), meta={"n": np.int32(3)})
    (sample,) = Dataset.from_samples([_sample(height=np.int64(10), bboxes=[box])], INFO)
    assert sample.bboxes is not None
    assert (sample.height, sample.bboxes[0].width, sample.bboxes[0].meta) == (10, 0.5, {"n": 3})


def test_samples_are_numbered_unless_all_have_a_number() -> None:
    own = Dataset.from_samples([_sample(sample_index=7), _sample(sample_index=3)], INFO)
    assert own.samples["sample_index"].to_list() == [7, 3]
    for indices in ([None, 3], [3, 3]):
        samples = [_sample(sample_index=index) for index in indices]
        assert Dataset.from_samples(samples, INFO).samples["sample_index"].to_list() == [0, 1]


def test_a_generator_longer_than_a_chunk() -> None:
    def generate() -> Iterator[Sample]:
        for number in range(10_050):
            yield _sample(file_path=f"{number}.png", bboxes=[_box()] * (number % 3) if number % 5 else None)

    dataset = Dataset.from_samples(generate(), INFO)
    assert len(dataset) == 10_050
    for position in (0, 1, 9_999, 10_000, 10_049):
        boxes = dataset[position].bboxes
        assert dataset[position].file_path == f"{position}.png"
        assert (None if boxes is None else len(boxes)) == (position % 3 if position % 5 else None)


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (_sample(height="10"), r"sample 1 \(a.png\): height is '10', expected a whole number"),
        (_sample(height=0), "height is 0, expected pixels from 1 up"),
        (_sample(width=None), "width is None"),
        (_sample(split="holdout"), "split is 'holdout', expected one of train, validation, test, UNDEFINED"),
        (_sample(tags="sample"), "tags is 'sample', expected a list of text"),
        (_sample(tags=None), "tags is missing"),
        (_sample(file_path=3), r"file_path is 3, expected text"),
        (_sample(meta=[1]), r"meta is \[1\], expected a dict"),
        (_sample(meta={"a": float("nan")}), "meta cannot be written as JSON"),
        (_sample(meta={"a": datetime.date(2026, 1, 1)}), "meta cannot be written as JSON"),
        (_sample(bboxes=[_box(width=100)]), "bboxes: top_left_x=0.1, .*width=100.0.* are not within 0..1"),
        (_sample(bboxes=[_box(width=-0.1)]), "are not within 0..1"),
        (_sample(bboxes=[_box(width=float("nan"))]), "are not within 0..1"),
        (_sample(bboxes=[_box(width=None)]), "bboxes: .*width=None"),
        (_sample(bboxes=[_box(width="x")]), "bboxes: width is 'x', expected a number"),
        (_sample(bboxes=[_box(confidence=2.0)]), "confidence is 2.0, expected 0..1, or None"),
        (
            _sample(bboxes=[_box(class_name="dgo")]),
            "class_name 'dgo' is not a class of task 'object_detection'",
        ),
        (_sample(bboxes=[_box(class_idx=2)]), "class_name 'cat' is class 0 .* but class_idx says 2"),
        (_sample(bboxes=[_box(class_name=None, class_idx=9)]), "class_idx 9 is not within the 4 classes"),
        (_sample(bboxes=[_box(task_name="cars")]), "task_name 'cars' is not a task of the dataset's info"),
        (_sample(bboxes=[Classification(class_name="cat")]), "bboxes holds a Classification, expected Bbox"),
        (_sample(polygons=[Polygon(points=[Point(1, 900)], class_name="cat")]), "points are not within 0..1"),
        (
            _sample(polygons=[Polygon(points=[(1, 0, 0)], class_name="cat")]),  # type: ignore[list-item]
            r"points must be \(x, y\) pairs",
        ),
        (
            _sample(bboxes=[_box(bboxes=[_box(bboxes=[_box()])])]),
            "carries bboxes at level 2 of nesting",
        ),
        ({"file_path": "a.png"}, "sample 1 is of type dict; give Sample objects"),
    ],
)
def test_a_wrong_value_is_one_sentence_that_names_sample_and_field(sample: Any, sentence: str) -> None:
    with pytest.raises(SightlineError, match=sentence) as caught:
        Dataset.from_samples([_sample(), sample], INFO)
    assert "sample 1" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_task_without_classes_takes_any() -> None:
    info = DatasetInfo(dataset_name="x", tasks=[TaskInfo(primitive=Bbox)])
    (sample,) = Dataset.from_samples([_sample(bboxes=[_box(class_name="anything")])], info)
    assert sample.bboxes is not None
    assert sample.bboxes[0].class_idx is None


def test_masks_as_attributes_of_boxes() -> None:
    mask = Bitmask.from_mask(np.eye(10, 20), class_name="any")
    (sample,) = Dataset.from_samples([_sample(bboxes=[_box(bitmasks=[mask])])], INFO)
    assert sample.bboxes is not None
    assert sample.bboxes[0].bitmasks == [mask]
