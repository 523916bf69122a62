"""Who finds what, beside the choices of pycocotools box by box."""

import numpy as np
from hypothesis import given, settings

from sightline.metrics.coco import BoxTable
from sightline.metrics.coco.matching import MOST_DETECTIONS, find_candidates, match
from sightline.metrics.coco.scoring import THRESHOLDS
from tests.metrics.coco_reference import CLASSES, box_tables, coco_evaluation


@settings(max_examples=25, deadline=None)
@given(box_tables())
def test_matches_the_same_boxes_as_pycocotools(tables: tuple[BoxTable, BoxTable]) -> None:
    truth, predicted = tables
    candidates = find_candidates(truth, predicted, len(CLASSES), THRESHOLDS[0])
    matched, on_left_out = match(candidates, THRESHOLDS, candidates.crowds)
    per_group = [
        one for one in coco_evaluation(*tables, len(CLASSES)).evalImgs if one and one["aRng"][1] == 1e10
    ]
    per_group = [one for one in per_group if one["aRng"][0] == 0]
    per_group.sort(key=lambda one: (one["image_id"], one["category_id"]))
    found = [one["dtMatches"] > 0 for one in per_group]
    expected = np.concatenate(found, axis=1) if found else np.zeros((len(THRESHOLDS), 0), dtype=bool)
    assert np.array_equal(matched, expected.T)
    assert not (on_left_out & ~matched).any()


def test_only_the_surest_of_an_image_count() -> None:
    count = MOST_DETECTIONS + 20
    scores = np.random.default_rng(0).permutation(count) / count
    boxes = np.tile([0.0, 0, 10, 10], (count, 1))
    predicted = BoxTable(np.zeros(count), boxes, np.zeros(count), scores)
    kept = find_candidates(predicted, predicted, 1, 0.5)
    assert kept.scores.tolist() == sorted(scores.tolist(), reverse=True)[:MOST_DETECTIONS]
    assert kept.ranks.tolist() == list(range(MOST_DETECTIONS))


def test_a_crowd_is_found_any_number_of_times() -> None:
    truth = BoxTable(np.zeros(1), np.array([[0, 0, 100, 100]]), np.zeros(1), crowds=np.array([True]))
    boxes = np.array([[0, 0, 10, 10], [20, 20, 30, 30], [95, 0, 105, 10], [99, 0, 109, 10]])
    predicted = BoxTable(np.zeros(4), boxes, np.zeros(4), scores=np.array([0.9, 0.8, 0.7, 0.6]))
    candidates = find_candidates(truth, predicted, 1, 0.5)
    # Overlap with a crowd is the share of the predicted box that is within it.
    assert candidates.overlaps.tolist() == [1, 1, 0.5]
    matched, on_left_out = match(candidates, np.array([0.5]), candidates.crowds)
    assert matched[:, 0].tolist() == on_left_out[:, 0].tolist() == [True, True, True, False]
