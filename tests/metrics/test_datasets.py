"""Predictions in a dataset, compared with its ground truth."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sightline.data import Dataset, DatasetInfo, TaskInfo
from sightline.data.formats.coco import read_coco_results
from sightline.data.predictions import NO_CLASS, ClassMap, ClassScores, Detections, with_predictions
from sightline.data.primitives import Bbox, Bitmask, Classification, Segmentation
from sightline.errors import SightlineError
from sightline.metrics import evaluate_dataset
from sightline.metrics.confusion import confusion_matrix, segmentation_numbers
from tests.data.factory import write_picture

HEIGHT, WIDTH, NAMES = 40, 60, ["cat", "dog"]


def dataset_of(count: int, primitive: type, **tables: pl.DataFrame) -> Dataset:
    samples = pl.DataFrame({"file_path": [f"/{number}.png" for number in range(count)]})
    samples = samples.with_columns(height=pl.lit(HEIGHT), width=pl.lit(WIDTH))
    info = DatasetInfo(dataset_name="pets", tasks=[TaskInfo.from_class_names(primitive, NAMES, "truth")])
    return Dataset.from_tables(info, samples, **tables)


def boxes_dataset() -> Dataset:
    table = pl.DataFrame(
        {
            "position": pl.Series([0, 0, 1], dtype=pl.UInt32),
            "class_name": ["cat", "dog", "dog"],
            "top_left_x": [0.0, 0.5, 0.2],
            "top_left_y": [0.0, 0.5, 0.2],
            "width": [0.5, 0.25, 0.1],
            "height": [0.5, 0.25, 0.1],
        }
    )
    return dataset_of(3, Bbox, bboxes=table)


def detections(*rows: tuple[float, ...]) -> Detections:
    numbers = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return Detections(numbers[:, :4], numbers[:, 4], numbers[:, 5].astype(np.int64))


def test_boxes_equal_pycocotools_on_the_files(tmp_path: Path) -> None:
    """From COCO's own files, with crowds, areas of their own, and boxes at the limits of the sizes."""
    numbers = np.random.default_rng(0)
    images, annotations, results = [], [], []
    for image in range(6):
        write_picture(tmp_path / "images" / f"{image}.png", image, (240, 320))
        images.append({"id": image + 1, "file_name": f"{image}.png", "height": 240, "width": 320})
        for _ in range(8):
            x, y = numbers.integers(0, 100, 2).tolist()
            w, h = numbers.choice([8, 16, 32, 64, 96, 120], 2).tolist()
            annotation = {
                "id": len(annotations) + 1,
                "image_id": image + 1,
                "category_id": int(numbers.integers(1, 3)),
                "bbox": [x, y, w, h],
                "area": w * h if numbers.random() < 0.7 else round(w * h / 3, 2),
                "iscrowd": int(numbers.random() < 0.2),
            }
            annotations.append(annotation)
            box = [x + int(numbers.integers(-2, 3)), y, w, h + int(numbers.integers(0, 5))]
            result = {"image_id": image + 1, "category_id": annotation["category_id"], "bbox": box}
            results.append(result | {"score": round(float(numbers.random()), 3)})
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    truth, found = tmp_path / "truth.json", tmp_path / "found.json"
    whole = {"images": images, "annotations": annotations, "categories": categories, "info": {}}
    truth.write_text(json.dumps(whole))
    found.write_text(json.dumps(results))
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(truth))
        run = COCOeval(coco, coco.loadRes(str(found)), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    dataset = read_coco_results(Dataset.from_coco(truth, images=tmp_path / "images"), found, "model")
    ours = evaluate_dataset(dataset, "model")
    names = ["map", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "ar_1", "ar_10", "ar_100"]
    assert [ours[name] for name in names] == pytest.approx(run.stats[:9].tolist(), abs=1e-9)


def test_a_confidence_of_0_is_0() -> None:
    dataset = boxes_dataset()
    right, wrong = (0, 0, 30, 20), (30, 20, 45, 30)
    sure = with_predictions(
        dataset, [detections((*right, 0.5, 0), (*wrong, 0.0, 0)), *[detections()] * 2], NAMES
    )
    unsure = with_predictions(
        dataset, [detections((*right, 0.0, 0), (*wrong, 0.5, 0)), *[detections()] * 2], NAMES
    )
    assert evaluate_dataset(sure)["ap/cat"] == pytest.approx(1)
    assert evaluate_dataset(unsure)["ap/cat"] == pytest.approx(0.5)


def test_classes_are_told_by_name() -> None:
    """Also where the model has them in another order."""
    other_order = ["dog", "cat"]
    found = [
        detections((0, 0, 30, 20, 0.9, 1), (30, 20, 45, 30, 0.8, 0)),
        detections((12, 8, 18, 12, 0.7, 0)),
    ]
    dataset = with_predictions(boxes_dataset(), [*found, detections()], other_order)
    assert evaluate_dataset(dataset)["map"] == pytest.approx(1)


def test_classes_that_the_truth_does_not_have_are_refused() -> None:
    cow = [detections(), detections((0, 0, 9, 9, 0.5, 2)), detections()]
    dataset = with_predictions(boxes_dataset(), cow, [*NAMES, "cow"])
    with pytest.raises(SightlineError, match=r"/1.png: class 'cow' of task 'predictions' is not a class"):
        evaluate_dataset(dataset)


def test_samples_that_were_not_annotated_do_not_count() -> None:
    found = [
        detections((0, 0, 30, 20, 0.9, 0), (30, 20, 45, 30, 0.8, 1)),
        detections((12, 8, 18, 12, 0.7, 1)),
    ]
    dataset = with_predictions(boxes_dataset(), [*found, detections((0, 0, 9, 9, 1.0, 0))], NAMES)
    assert evaluate_dataset(dataset)["ap/cat"] == pytest.approx(0.5)
    last = pl.int_range(pl.len()) == 2
    samples = dataset.samples.with_columns(pl.when(~last).then("bboxes"))
    assert evaluate_dataset(dataset.replace(samples=samples))["ap/cat"] == pytest.approx(1)


def test_one_class_an_image() -> None:
    table = pl.DataFrame(
        {"position": pl.Series(range(4), dtype=pl.UInt32), "class_name": ["cat", "cat", "dog", "dog"]}
    )
    dataset = dataset_of(4, Classification, classifications=table)
    scores = [ClassScores(np.array(row, np.float32)) for row in ([1, 0], [0.4, 0.6], [0, 1], [0.3, 0.7])]
    numbers = evaluate_dataset(with_predictions(dataset, scores, NAMES, "model"), "model", "truth")
    assert numbers["accuracy"] == pytest.approx(3 / 4)
    assert numbers["recall/cat"] == pytest.approx(1 / 2)
    several = with_predictions(dataset, scores, NAMES, "model", threshold=0.65)
    with pytest.raises(SightlineError, match=r"/1.png: has 0 classes of task 'model', expected one \(1 such"):
        evaluate_dataset(several, "model")


def test_masks_are_compared_pixel_by_pixel() -> None:
    numbers = np.random.default_rng(0)
    maps = numbers.choice([0, 1, NO_CLASS], (2, 3, HEIGHT, WIDTH)).astype(np.uint8)
    dataset = dataset_of(3, Segmentation)
    for name, classes in zip(("masks", "model"), maps, strict=True):
        dataset = with_predictions(dataset, [ClassMap(one) for one in classes], NAMES, name)
    expected = segmentation_numbers(confusion_matrix(maps[0], maps[1], 2), NAMES)
    assert evaluate_dataset(dataset, "model", "masks") == pytest.approx(expected)


def test_tasks_that_cannot_be_compared_are_refused() -> None:
    dataset = boxes_dataset()
    with pytest.raises(SightlineError, match="no task named 'predictions'"):
        evaluate_dataset(dataset)
    with pytest.raises(SightlineError, match="there must be one to compare with, there are: none"):
        evaluate_dataset(dataset, "truth")
    with_scores = with_predictions(dataset, [ClassScores(np.ones(2, np.float32))] * 3, NAMES)
    with pytest.raises(SightlineError, match="'predictions' is of Classification and 'truth' of Bbox"):
        evaluate_dataset(with_scores, truth="truth")
    info = dataset.info.model_copy(
        update={"tasks": [TaskInfo.from_class_names(Bitmask, NAMES, name) for name in ("truth", "model")]}
    )
    with pytest.raises(SightlineError, match="task 'model' is of Bitmask"):
        evaluate_dataset(dataset.replace(info=info), "model")


def test_boxes_without_confidence_are_refused() -> None:
    dataset = boxes_dataset()
    tasks = [*dataset.info.tasks, TaskInfo.from_class_names(Bbox, NAMES, "none")]
    info = dataset.info.model_copy(update={"tasks": tasks})
    with pytest.raises(SightlineError, match=r"/0.png: 3 boxes of task 'truth' have no confidence"):
        evaluate_dataset(dataset.replace(info=info), "truth", "none")


def test_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; import sightline.metrics; "
        "import sightline.metrics.coco, sightline.metrics.multi_label; sightline.metrics.evaluate_dataset"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
