"""From a confusion matrix to numbers, without torch.

Conventions where something is divided by nothing: a class that neither occurs nor is predicted has no
numbers and counts in no mean; one that occurs but is never predicted has precision 0, and one that is
predicted but never occurs has recall 0. scikit-learn and torchmetrics take means over the same classes.
"""

from collections.abc import Mapping, Sequence

import numpy as np


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts, int64 (classes, classes + 1): rows are the true classes, columns the predicted ones.

    The last column counts what was predicted as no class (any value outside of ``0..classes - 1``). What is
    no class in ``truth`` is left out. Both are integers of one shape.
    """
    truth, predicted = truth.reshape(-1), predicted.reshape(-1)
    known = (truth >= 0) & (truth < classes)
    rows, columns = truth[known].astype(np.int64), predicted[known].astype(np.int64)
    columns = np.where((columns >= 0) & (columns < classes), columns, classes)
    counts = np.bincount(rows * (classes + 1) + columns, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1)


def class_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """``precision``, ``recall``, ``f1`` and ``iou`` of each class, float64 (classes,) of 0..1, or NaN.

    Args:
        confusion: (classes, classes), or with a further column for what was predicted as no class.
    """
    classes = len(confusion)
    counts = confusion.astype(np.float64)
    right = np.diagonal(counts)
    predicted, occurring = counts[:, :classes].sum(axis=0), counts.sum(axis=1)
    return scores_of_counts(right, predicted - right, occurring - right)


def scores_of_counts(right: np.ndarray, wrong: np.ndarray, missed: np.ndarray) -> dict[str, np.ndarray]:
    """As `class_scores`, from true positives, false positives and false negatives, each (classes,)."""
    known = right + wrong + missed > 0

    def share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
        result = np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
        return np.where(known, result, np.nan)

    return {
        "precision": share(right, right + wrong),
        "recall": share(right, right + missed),
        "f1": share(2 * right, 2 * right + wrong + missed),
        "iou": share(right, right + wrong + missed),
    }


def accuracy_of(confusion: np.ndarray) -> float:
    """The share of what is predicted right, 0..1; NaN of nothing."""
    total = confusion.sum()
    return float(np.diagonal(confusion).sum() / total) if total else float("nan")


def classification_numbers(confusion: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Numbers by name: ``accuracy``; ``precision``, ``recall`` and ``f1``, means over classes, and of each
    class as ``precision/<class>``."""
    scores = class_scores(confusion)
    chosen = {name: scores[name] for name in ("precision", "recall", "f1")}
    return {"accuracy": accuracy_of(confusion), **means(chosen), **by_class(chosen, classes)}


def segmentation_numbers(confusion: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Numbers by name, of pixels.

    ``mean_iou``, ``mean_dice``, ``mean_precision``, ``mean_recall``, ``accuracy``; each ``iou/<class>``,
    ``dice/<class>``, ``precision/<class>``, ``recall/<class>``; of two classes also ``iou``, ``dice``,
    ``precision`` and ``recall`` of the second one, the foreground. Dice is F1 by another name.
    """
    scores = class_scores(confusion)
    chosen = {
        "iou": scores["iou"],
        "dice": scores["f1"],
        "precision": scores["precision"],
        "recall": scores["recall"],
    }
    numbers = {f"mean_{name}": mean for name, mean in means(chosen).items()}
    numbers["accuracy"] = accuracy_of(confusion)
    if len(classes) == 2:
        numbers |= {name: float(values[1]) for name, values in chosen.items()}
    return numbers | by_class(chosen, classes)


def means(scores: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Of each measure its mean over the classes that have it; NaN where none has."""
    return {
        name: float("nan") if np.isnan(values).all() else float(np.nanmean(values))
        for name, values in scores.items()
    }


def by_class(scores: Mapping[str, np.ndarray], classes: Sequence[str]) -> dict[str, float]:
    """Each measure of each class that has it, by names such as ``recall/cat``."""
    return {
        f"{name}/{class_name}": float(value)
        for name, values in scores.items()
        for class_name, value in zip(classes, values, strict=True)
        if not np.isnan(value)
    }
