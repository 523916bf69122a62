"""The contenders of `map.py`: each function prepares, and returns what is measured, which gives numbers.

Run by `map.py` in a process of its own, with either's Python:

    python benchmarks/map_contenders.py CONTENDER FILE

FILE holds the boxes. It prints seconds, the peak memory in GiB, and COCO's numbers by our names.
"""

import contextlib
import io
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 640  # pixels
CLASSES = [f"class {number}" for number in range(10)]
BATCH = 32
COCO_NAMES = (
    "map", "ap50", "ap75", "ap_small", "ap_medium", "ap_large",
    "ar_1", "ar_10", "ar_100", "ar_small", "ar_medium", "ar_large",
)  # fmt: skip

Boxes = dict[str, np.ndarray]
Prepared = Callable[[], dict[str, float]]


def make_boxes(file: Path, images: int) -> None:
    """Five objects an image and as many predictions: near them, of them in another class, and anywhere.

    Boxes are left, top, right, bottom in pixels, of numbers that float32 has too.
    """
    numbers = np.random.default_rng(0)
    count = images * 5
    sides = np.exp(numbers.uniform(np.log(8), np.log(300), (count, 2)))
    corners = numbers.random((count, 2)) * (SIDE - sides)
    true = np.hstack([corners, corners + sides])
    found = true + numbers.normal(0, 0.08, (count, 4)) * np.tile(sides, 2)
    anywhere = numbers.random(count) < 0.2
    found[anywhere] = true[numbers.permutation(count)[anywhere]]
    found = np.hstack([np.minimum(found[:, :2], found[:, 2:] - 1), found[:, 2:]]).clip(0, SIDE)
    true, found = (boxes.astype(np.float32).astype(np.float64) for boxes in (true, found))
    labels = numbers.integers(0, len(CLASSES), count)
    other = numbers.random(count) < 0.1
    np.savez(
        file,
        images=np.repeat(np.arange(images), 5),
        true=true,
        labels=labels,
        found=found,
        found_labels=np.where(other, numbers.integers(0, len(CLASSES), count), labels),
        # None is 0, which hafnia takes for 1.
        scores=((numbers.permutation(count) + 1) / count).astype(np.float32),
    )


# --- ours ----------------------------------------------------------------------------------------------


def our_dataset(data: Boxes) -> Prepared:
    """Ground truth and predictions as two tasks of a dataset."""
    import polars as pl

    from sightline.data import Bbox, Dataset, DatasetInfo, TaskInfo
    from sightline.metrics import evaluate_dataset

    def table(task: str, boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray | None) -> pl.DataFrame:
        corners, extents = boxes[:, :2] / SIDE, (boxes[:, 2:] - boxes[:, :2]) / SIDE
        return pl.DataFrame(
            {
                "position": data["images"].astype(np.uint32),
                "task_name": np.repeat(task, len(labels)),
                "class_idx": labels,
                "top_left_x": corners[:, 0],
                "top_left_y": corners[:, 1],
                "width": extents[:, 0],
                "height": extents[:, 1],
                "confidence": np.full(len(labels), np.nan) if scores is None else scores.astype(np.float64),
                "ground_truth": np.full(len(labels), scores is None),
            }
        ).with_columns(pl.col("confidence").fill_nan(None))

    tasks = [TaskInfo.from_class_names(Bbox, CLASSES, name) for name in ("objects", "predictions")]
    count = int(data["images"][-1]) + 1
    samples = pl.DataFrame({"file_path": [f"/{number}.jpg" for number in range(count)]})
    samples = samples.with_columns(height=pl.lit(SIDE), width=pl.lit(SIDE))
    boxes = [
        table("objects", data["true"], data["labels"], None),
        table("predictions", data["found"], data["found_labels"], data["scores"]),
    ]
    info = DatasetInfo(dataset_name="benchmark", tasks=tasks)
    dataset = Dataset.from_tables(
        info, samples, bboxes=pl.concat(boxes).sort("position", maintain_order=True)
    )
    return lambda: evaluate_dataset(dataset)


def our_arrays(data: Boxes) -> Prepared:
    from sightline.metrics.coco import BoxTable, evaluate_detections

    def evaluate() -> dict[str, float]:
        true = BoxTable(data["images"], data["true"], data["labels"])
        found = BoxTable(data["images"], data["found"], data["found_labels"], data["scores"])
        return evaluate_detections(true, found, CLASSES)

    return evaluate


def our_metric(data: Boxes) -> Prepared:
    from sightline.metrics import DetectionMetrics

    batches = tensors(data)

    def evaluate() -> dict[str, float]:
        metric = DetectionMetrics(CLASSES)
        for found, true in batches:
            metric.update(found, true)
        return metric.compute()

    return evaluate


def tensors(data: Boxes) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """Predictions and targets by batches of images, as a model and a loader give them."""
    import torch

    def by_image(**columns: np.ndarray) -> list[dict[str, Any]]:
        return [
            {name: torch.as_tensor(column[row : row + 5]) for name, column in columns.items()}
            for row in range(0, len(data["images"]), 5)
        ]

    true = by_image(boxes=data["true"].astype(np.float32), labels=data["labels"])
    found = by_image(
        boxes=data["found"].astype(np.float32), labels=data["found_labels"], scores=data["scores"]
    )
    starts = range(0, len(true), BATCH)
    return [(found[start : start + BATCH], true[start : start + BATCH]) for start in starts]


# --- peers ---------------------------------------------------------------------------------------------


def hafnia(data: Boxes) -> Prepared:
    from hafnia.dataset.hafnia_dataset import HafniaDataset  # pyright: ignore
    from hafnia.dataset.hafnia_dataset_types import DatasetInfo, Sample, TaskInfo  # pyright: ignore
    from hafnia.dataset.primitives import Bbox  # pyright: ignore

    def box(numbers: list[float], label: int, **more: Any) -> Any:
        left, top, right, bottom = (number / SIDE for number in numbers)
        return Bbox(
            top_left_x=left, top_left_y=top, width=right - left, height=bottom - top,
            class_idx=label, class_name=CLASSES[label], **more,
        )  # fmt: skip

    def sample(row: int) -> Any:
        rows = slice(row, row + 5)
        true = zip(data["true"][rows].tolist(), data["labels"][rows].tolist(), strict=True)
        found = zip(
            data["found"][rows].tolist(),
            data["found_labels"][rows].tolist(),
            data["scores"][rows].tolist(),
            strict=True,
        )
        boxes = [box(numbers, label, task_name="objects") for numbers, label in true]
        boxes += [
            box(numbers, label, task_name="predictions", confidence=score, ground_truth=False)
            for numbers, label, score in found
        ]
        return Sample(file_path=f"/{row}.jpg", height=SIDE, width=SIDE, split="test", bboxes=boxes)

    tasks = [TaskInfo.from_class_names(Bbox, CLASSES, name) for name in ("objects", "predictions")]
    info = DatasetInfo(dataset_name="benchmark", tasks=tasks)
    dataset = HafniaDataset.from_samples_list([sample(row) for row in range(0, len(data["images"]), 5)], info)

    def evaluate() -> dict[str, float]:
        with contextlib.redirect_stdout(io.StringIO()):
            metrics = dataset.calculate_mean_average_precision("predictions", "objects")
        return dict(zip(COCO_NAMES, metrics.as_dict().values(), strict=True))

    return evaluate


def coco_tools(coco: type, evaluation: type) -> Callable[[Boxes], Prepared]:
    """pycocotools, or what has its interface: from lists of dictionaries, as they come out of its files."""

    def prepared(data: Boxes) -> Prepared:
        def rows(boxes: np.ndarray, labels: np.ndarray) -> list[dict[str, Any]]:
            columns = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).tolist()
            triples = zip(data["images"].tolist(), columns, labels.tolist(), strict=True)
            return [
                {"image_id": image + 1, "bbox": box, "category_id": label + 1}
                for image, box, label in triples
            ]

        true, found = rows(data["true"], data["labels"]), rows(data["found"], data["found_labels"])
        for number, row in enumerate(true, start=1):
            row |= {"id": number, "area": row["bbox"][2] * row["bbox"][3], "iscrowd": 0}
        for row, score in zip(found, data["scores"].tolist(), strict=True):
            row["score"] = score
        images = [{"id": number + 1, "height": SIDE, "width": SIDE} for number in range(len(true) // 5)]
        categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, start=1)]
        whole = {"images": images, "annotations": true, "categories": categories, "info": {}}

        def evaluate() -> dict[str, float]:
            with contextlib.redirect_stdout(io.StringIO()):
                truth = coco()
                truth.dataset = whole
                truth.createIndex()
                run = evaluation(truth, truth.loadRes(found), "bbox")
                run.evaluate()
                run.accumulate()
                run.summarize()
            return dict(zip(COCO_NAMES, np.asarray(run.stats).tolist(), strict=False))

        return evaluate

    return prepared


def pycocotools(data: Boxes) -> Prepared:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    return coco_tools(COCO, COCOeval)(data)


def faster_coco_eval(data: Boxes) -> Prepared:
    from faster_coco_eval import COCO, COCOeval_faster

    return coco_tools(COCO, COCOeval_faster)(data)


def torchmetrics(data: Boxes) -> Prepared:
    """With the quicker of its backends, and COCO's thresholds in float64 rather than its own rounded ones."""
    from torchmetrics.detection import MeanAveragePrecision

    batches = tensors(data)
    iou, recall = np.linspace(0.5, 0.95, 10).tolist(), np.linspace(0, 1, 101).tolist()
    names = {
        "map": "map", "ap50": "map_50", "ap75": "map_75", "ap_small": "map_small", "ap_medium": "map_medium",
        "ap_large": "map_large", "ar_1": "mar_1", "ar_10": "mar_10", "ar_100": "mar_100",
        "ar_small": "mar_small", "ar_medium": "mar_medium", "ar_large": "mar_large",
    }  # fmt: skip

    def evaluate() -> dict[str, float]:
        metric = MeanAveragePrecision(iou_thresholds=iou, rec_thresholds=recall, backend="faster_coco_eval")
        for found, true in batches:
            metric.update(found, true)
        result = metric.compute()
        return {ours: float(result[theirs]) for ours, theirs in names.items()}

    return evaluate


CONTENDERS: dict[str, Callable[[Boxes], Prepared]] = {
    "our_dataset": our_dataset,
    "our_arrays": our_arrays,
    "our_metric": our_metric,
    "hafnia": hafnia,
    "pycocotools": pycocotools,
    "faster_coco_eval": faster_coco_eval,
    "torchmetrics": torchmetrics,
}


def main() -> None:
    name, file = sys.argv[1:]
    with np.load(file) as arrays:
        evaluate = CONTENDERS[name](dict(arrays))
    started = time.perf_counter()
    numbers = evaluate()
    seconds = time.perf_counter() - started
    gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print("\n" + json.dumps([seconds, gib, {name: numbers[name] for name in COCO_NAMES}]), flush=True)


if __name__ == "__main__":
    main()
