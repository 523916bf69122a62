"""What is right and wrong about boxes."""

from collections.abc import Sequence

import numpy as np

from sightline.metrics.coco import (
    BoxTable,
    PrecisionRecallCurve,
    evaluate_detections,
    precision_recall_curves,
)
from sightline.reports.charts import precision_recall_chart
from sightline.reports.findings import Findings, Table, fraction

OVERLAP = 0.5
"""Intersection over union from which on a predicted box is a hit."""


def judge_boxes(count: int, true: BoxTable, predicted: BoxTable, names: Sequence[str]) -> Findings:
    """Findings on ``count`` images, which the tables know by their positions.

    Where a single answer is needed (found or not), predictions count from the confidence on at which F1 of
    their class is highest.
    """
    assert predicted.scores is not None
    curves = precision_recall_curves(true, predicted, names, OVERLAP)
    thresholds = {
        name: threshold for name, curve in curves.items() if (threshold := curve.best_threshold()) is not None
    }
    least = np.array([thresholds.get(name, 1.0) for name in names])
    objects = np.bincount(true.labels, minlength=len(names))
    numbers = evaluate_detections(true, predicted, names)
    hits, said, there = _hits_by_image(count, true, predicted, least)

    def caption(position: int) -> str:
        found = f"{hits[position]} of {there[position]} found"
        false = said[position] - hits[position]
        return f"{found}, {false} false" if false else found

    return Findings(
        numbers=numbers | _together(hits, said, there),
        headline=("ap50", "map", "precision", "recall", "f1"),
        tables=[_by_class(names, objects, curves, thresholds, numbers)],
        charts=[precision_recall_chart(curves, objects, names, OVERLAP)],
        quality=np.divide(2 * hits, said + there, out=np.full(count, np.nan), where=said + there > 0),
        caption=caption,
        kept=lambda name, confidence: confidence >= thresholds.get(name, 1.0),
        ranking=f"F1 within the image, of boxes that overlap by {OVERLAP:g} or more",
    )


def _together(hits: np.ndarray, said: np.ndarray, there: np.ndarray) -> dict[str, float]:
    """Precision, recall and F1 of all objects of all classes, NaN of nothing."""

    def share(part: int, whole: int) -> float:
        return float(part / whole) if whole else float("nan")

    found, predicted, objects = int(hits.sum()), int(said.sum()), int(there.sum())
    return {
        "precision": share(found, predicted),
        "recall": share(found, objects),
        "f1": share(2 * found, predicted + objects),
    }


def _by_class(
    names: Sequence[str],
    objects: np.ndarray,
    curves: dict[str, PrecisionRecallCurve],
    thresholds: dict[str, float],
    numbers: dict[str, float],
) -> Table:
    rows = []
    for label, name in enumerate(names):
        cells: list[int | float | None] = [
            int(objects[label]),
            numbers.get(f"ap50/{name}"),
            numbers.get(f"ap/{name}"),
        ]
        if name in thresholds:
            curve = curves[name]
            place = int(np.argmax(curve.f1))
            cells += [fraction(part[place]) for part in (curve.precision, curve.recall, curve.f1)]
            cells.append(thresholds[name])
        else:
            cells += [None] * 4
        rows.append((name, cells))
    columns = ("class", "objects", "AP50", "AP", "precision", "recall", "F1", "from confidence")
    return Table(
        "By class",
        columns,
        rows,
        "AP50 counts boxes that overlap by half or more, AP is the mean over overlaps of 0.5 to 0.95. "
        "Precision, recall and F1 are those of boxes from the stated confidence on, at which F1 is highest.",
    )


def _hits_by_image(
    count: int, true: BoxTable, predicted: BoxTable, least: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each image its hits, its predictions that are sure enough, and its objects; int (count,)."""
    assert predicted.scores is not None
    kept = predicted.scores >= least[predicted.labels]
    said = np.bincount(predicted.images[kept], minlength=count)
    there = np.bincount(true.images, minlength=count)
    hits = np.zeros(count, dtype=np.int64)
    order = np.flatnonzero(kept)[np.argsort(-predicted.scores[kept], kind="stable")]
    predicted_of, true_of = _by_image(predicted.images, order), _by_image(true.images, np.arange(len(true)))
    for image, rows in predicted_of.items():
        if image in true_of:
            there_rows = true_of[image]
            overlaps = _overlaps(predicted.boxes[rows], true.boxes[there_rows])
            overlaps[predicted.labels[rows][:, None] != true.labels[there_rows]] = 0
            hits[image] = _greedily(overlaps)
    return hits, said, there


def _by_image(images: np.ndarray, rows: np.ndarray) -> dict[int, np.ndarray]:
    """Which of ``rows`` are of which image, in the order given."""
    chosen = images[rows]
    order = np.argsort(chosen, kind="stable")
    found, starts = np.unique(chosen[order], return_index=True)
    return dict(zip(found.tolist(), np.split(rows[order], starts[1:]), strict=True)) if len(rows) else {}


def _greedily(overlaps: np.ndarray) -> int:
    """How many predictions (rows, the surest first) find an object that none before them has taken."""
    hits = 0
    for row in overlaps:
        best = int(np.argmax(row))
        if row[best] >= OVERLAP:
            hits += 1
            overlaps[:, best] = 0
    return hits


def _overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each of N boxes with each of M, (N, M)."""
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum(boxes[:, None, 2:], others[:, 2:])
    shared = (high - low).clip(0).prod(axis=2)
    areas, other_areas = ((each[:, 2:] - each[:, :2]).prod(axis=1) for each in (boxes, others))
    whole = areas[:, None] + other_areas - shared
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)
