"""What is right and wrong about the classes of pixels."""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from sightline.metrics.confusion import class_scores, confusion_matrix, segmentation_numbers
from sightline.reports.charts import png
from sightline.reports.findings import Chart, Findings, Table, fraction
from sightline.runs.confusion_matrix import draw_confusion_matrix

_MEASURES = ("iou", "f1", "precision", "recall")


def judge_pixels(maps: Iterator[tuple[np.ndarray, np.ndarray]], names: Sequence[str]) -> Findings:
    """Findings on images, from the true and the predicted map of each, integers (height, width).

    What is no label in a true map does not count; in a predicted one it is wrong.
    """
    counts = [confusion_matrix(true, predicted, len(names)) for true, predicted in maps]
    whole = np.sum(counts, axis=0) if counts else np.zeros((len(names), len(names) + 1), dtype=np.int64)
    quality = np.array([_mean_iou(one) for one in counts])
    right = np.array([np.trace(one) / max(1, one.sum()) for one in counts])

    def caption(position: int) -> str:
        return f"IoU {quality[position]:.2f}, {right[position]:.0%} of pixels right"

    two = ("iou", "dice", "precision", "recall")
    many = ("mean_iou", "mean_dice", "accuracy", "mean_precision", "mean_recall")
    return Findings(
        numbers=segmentation_numbers(whole, names),
        headline=(*two, "mean_iou") if len(names) == 2 else many,
        tables=[_by_class(whole, names)],
        charts=[_confusion_chart(whole[:, : len(names)], names)],
        quality=quality,
        caption=caption,
        kept=lambda _name, _confidence: True,
        ranking="the mean IoU of the classes that the image has, truly or as predicted",
    )


def _mean_iou(confusion: np.ndarray) -> float:
    """Of the classes that occur or are predicted; NaN where no pixel counts."""
    iou = class_scores(confusion)["iou"]
    return float("nan") if np.isnan(iou).all() else float(np.nanmean(iou))


def _by_class(confusion: np.ndarray, names: Sequence[str]) -> Table:
    scores = class_scores(confusion)
    shares = confusion.sum(axis=1) / max(1, confusion.sum())
    rows = [
        (name, (float(shares[number]), *(fraction(scores[one][number]) for one in _MEASURES)))
        for number, name in enumerate(names)
    ]
    return Table("By class", ("class", "share of pixels", "IoU", "Dice", "precision", "recall"), rows)


def _confusion_chart(confusion: np.ndarray, names: Sequence[str]) -> Chart:
    pixels = draw_confusion_matrix(confusion, names, "Pixels")
    return Chart("confusion", "Confusion matrix", png(Image.fromarray(pixels)), "Rows are the true classes.")
