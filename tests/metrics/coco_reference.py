"""pycocotools, called on the same tables; and tables to call it on."""

import contextlib
import io

import numpy as np
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sightline.metrics.coco import BoxTable

CLASSES = ["cat", "dog", "bird"]


def coco_evaluation(truth: BoxTable, predicted: BoxTable, classes: int) -> COCOeval:
    """After `accumulate` and `summarize`."""
    images = sorted({*truth.images.tolist(), *predicted.images.tolist()})
    areas = truth.sizes.prod(axis=1)
    if truth.areas is not None:
        areas = np.where(np.isnan(truth.areas), areas, truth.areas)
    crowds = np.zeros(len(truth), dtype=bool) if truth.crowds is None else truth.crowds
    annotations = [
        {
            "id": row + 1,
            "image_id": int(truth.images[row]),
            "category_id": int(truth.labels[row]) + 1,
            "bbox": [*truth.boxes[row, :2].tolist(), *truth.sizes[row].tolist()],
            "area": float(areas[row]),
            "iscrowd": int(crowds[row]),
        }
        for row in range(len(truth))
    ]
    assert predicted.scores is not None
    results = [
        {
            "image_id": int(predicted.images[row]),
            "category_id": int(predicted.labels[row]) + 1,
            "bbox": [*predicted.boxes[row, :2].tolist(), *predicted.sizes[row].tolist()],
            "score": float(predicted.scores[row]),
        }
        for row in range(len(predicted))
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        true = COCO()
        true.dataset = {
            "images": [{"id": image} for image in images],
            "categories": [{"id": label + 1, "name": str(label)} for label in range(classes)],
            "annotations": annotations,
            "info": {},
        }
        true.createIndex()
        if results:
            found = true.loadRes(results)
        else:  # loadRes asks what the first result is
            found = COCO()
            found.dataset = {**true.dataset, "annotations": []}
            found.createIndex()
        evaluation = COCOeval(true, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def coco_numbers(truth: BoxTable, predicted: BoxTable, classes: list[str]) -> dict[str, float]:
    """The numbers under our names, -1 where there is no object."""
    evaluation = coco_evaluation(truth, predicted, len(classes))
    names = ["map", "ap50", "ap75", "ap_small", "ap_medium", "ap_large"]
    names += ["ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large"]
    numbers = dict(zip(names, evaluation.stats.tolist(), strict=True))
    precision = evaluation.eval["precision"]
    for label, name in enumerate(classes):
        numbers[f"ap/{name}"] = float(precision[:, :, label, 0, 2].mean())
        numbers[f"ap50/{name}"] = float(precision[0, :, label, 0, 2].mean())
    return numbers


@st.composite
def box_tables(draw: st.DrawFn) -> tuple[BoxTable, BoxTable]:
    """Ground truth and predictions with what is awkward: images and classes without boxes, crowds, equal
    boxes, scores and overlaps, more boxes than count, areas that are not those of the boxes, size 0."""
    numbers = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = draw(st.integers(1, 6))
    count, predicted_count = draw(st.integers(0, 30)), draw(st.integers(0, 40))
    step = draw(st.sampled_from([1.0, 13.0, 0.37]))  # coarse ones overlap by the same again and again
    levels = draw(st.sampled_from([2, 5, 1000]))
    classes = draw(st.integers(1, len(CLASSES)))
    if draw(st.integers(0, 9)) == 0:
        predicted_count += 130

    def boxes(rows: int) -> np.ndarray:
        corners = numbers.integers(0, 8, (rows, 2))
        return np.hstack([corners, corners + numbers.integers(0, 10, (rows, 2))]) * step

    truth = BoxTable(
        images=numbers.integers(0, images, count) * 7 - 3,
        boxes=boxes(count),
        labels=numbers.integers(0, classes, count),
        crowds=numbers.random(count) < draw(st.sampled_from([0.0, 0.3])),
        areas=np.where(numbers.random(count) < 0.3, numbers.random(count) * 12_000, np.nan),
    )
    found = boxes(predicted_count)
    images_found = numbers.integers(0, images, predicted_count) * 7 - 3
    if count and draw(st.booleans()):  # predictions near objects, some of them exact
        like = numbers.integers(0, count, predicted_count)
        jitter = numbers.integers(-1, 2, (predicted_count, 4)) * (numbers.random((predicted_count, 1)) < 0.6)
        found, images_found = truth.boxes[like] + jitter * step, truth.images[like]
        found[:, 2:] = np.maximum(found[:, :2], found[:, 2:])
    predicted = BoxTable(
        images=images_found,
        boxes=found,
        labels=numbers.integers(0, classes, predicted_count),
        scores=numbers.integers(0, levels, predicted_count) / levels,
    )
    return truth, predicted
