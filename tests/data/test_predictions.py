from pathlib import Path

import numpy as np
import pytest

from sightline.data import Dataset, DatasetInfo, Sample, TaskInfo
from sightline.data.annotation_tables import annotation_table
from sightline.data.predictions import NO_CLASS, ClassMap, ClassScores, Detections, with_predictions
from sightline.data.primitives import Bbox, Classification, Segmentation
from sightline.errors import SightlineError

NAMES = ["cat", "dog", "cow"]


def a_dataset(**annotations: list) -> Dataset:
    info = DatasetInfo(
        dataset_name="pets",
        tasks=[
            TaskInfo.from_class_names(Bbox, NAMES, "objects"),
            TaskInfo.from_class_names(Classification, NAMES, "kind"),
        ],
    )
    box = Bbox(top_left_x=0, top_left_y=0, width=0.5, height=0.5, class_name="dog", task_name="objects")
    return Dataset.from_samples(
        [
            Sample(file_path="/a.png", height=10, width=20, bboxes=[box]),
            Sample(file_path="/b.png", height=10, width=20, bboxes=None),
        ],
        info,
    )


def detections(*rows: tuple) -> Detections:
    numbers = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return Detections(numbers[:, :4], numbers[:, 4], numbers[:, 5].astype(np.int64))


def test_boxes_are_kept_beside_the_ground_truth(tmp_path: Path) -> None:
    dataset = a_dataset()
    found = with_predictions(dataset, [detections((2, 1, 12, 6, 0.0, 2)), detections()], NAMES, "model")
    boxes = found[0].bboxes
    assert boxes is not None
    truth, predicted = boxes
    assert (truth.task_name, truth.ground_truth) == ("objects", True)
    assert (predicted.task_name, predicted.ground_truth, predicted.class_name) == ("model", False, "cow")
    assert predicted.confidence == 0.0
    assert predicted.to_pixels(20, 10) == pytest.approx((2, 1, 12, 6))
    assert found[1].bboxes == []
    assert [task.name for task in found.info.tasks] == ["objects", "kind", "model"]
    assert not len(found.check("none"))
    again = with_predictions(found, [detections(), detections((0, 0, 1, 1, 0.5, 0))], NAMES, "model")
    assert [len(sample.bboxes or []) for sample in again] == [1, 1]


def test_scores_become_the_likeliest_class_or_all_that_reach_a_threshold() -> None:
    scores = [ClassScores(np.array([0.2, 0.7, 0.6], np.float32)), ClassScores(np.zeros(3, np.float32))]
    likeliest = with_predictions(a_dataset(), scores, NAMES)
    assert [[one.class_name for one in sample.classifications or []] for sample in likeliest] == [
        ["dog"],
        ["cat"],
    ]
    several = with_predictions(a_dataset(), scores, NAMES, threshold=0.5)
    assert [[one.class_name for one in sample.classifications or []] for sample in several] == [
        ["dog", "cow"],
        [],
    ]


def test_maps_become_a_mask_for_each_class() -> None:
    classes = np.full((10, 20), NO_CLASS, dtype=np.uint8)
    classes[2:4, 3:9] = 1
    classes[8:, :] = 2
    found = with_predictions(
        a_dataset(), [ClassMap(classes), ClassMap(np.full((10, 20), NO_CLASS, np.uint8))], NAMES
    )
    masks = found[0].bitmasks
    assert masks is not None
    assert all(isinstance(mask, Segmentation) for mask in masks)
    assert [mask.class_name for mask in masks] == ["dog", "cow"]
    np.testing.assert_array_equal(masks[0].to_mask(10, 20), classes == 1)
    assert found[1].bitmasks == []
    table = annotation_table(found.samples, "bitmasks")
    assert not table["ground_truth"].any()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SightlineError, match="1 predictions for 2 samples"):
        with_predictions(a_dataset(), [detections()], NAMES)
    with pytest.raises(SightlineError, match="'objects' holds the ground truth"):
        with_predictions(a_dataset(), [detections(), detections()], NAMES, "objects")
