"""Any number of classes an image: average precision, and F1 of those that are sure enough; without torch."""

from collections.abc import Sequence

import numpy as np

from sightline.metrics.confusion import by_class, means, scores_of_counts

THRESHOLD = 0.5
"""The score from which on a class is predicted."""


def multi_label_numbers(scores: np.ndarray, truth: np.ndarray, classes: Sequence[str]) -> dict[str, float]:
    """Numbers by name, each 0..1.

    ``map`` is the mean of `average_precision` over the classes that occur; ``precision``, ``recall`` and
    ``f1`` are means over classes at a score of `THRESHOLD`; ``f1_micro`` is F1 of all labels together. Each
    but that also ``.../<class>``, average precision as ``ap/<class>``.

    Args:
        scores: (N, classes), 0..1.
        truth: bool (N, classes): which classes each image has.
        classes: their names.
    """
    found = scores >= THRESHOLD
    right, wrong, missed = (
        np.count_nonzero(both, axis=0).astype(np.float64)
        for both in (found & truth, found & ~truth, ~found & truth)
    )
    ap = {"ap": np.array([average_precision(*columns) for columns in zip(scores.T, truth.T, strict=True)])}
    at_threshold = scores_of_counts(right, wrong, missed)
    at_threshold.pop("iou")
    micro = scores_of_counts(*(counts.sum(keepdims=True) for counts in (right, wrong, missed)))
    return {
        "map": means(ap)["ap"],
        **means(at_threshold),
        "f1_micro": float(micro["f1"][0]),
        **by_class(ap | at_threshold, classes),
    }


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """The mean of precision at each true one, the surest first; NaN where none is true.

    Equal scores are taken together, as by ``sklearn.metrics.average_precision_score``; precision is not
    made monotonous, as COCO's is.

    Args:
        scores: (N,).
        truth: bool (N,).
    """
    total = np.count_nonzero(truth)
    if not total:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    sorted_scores, found = scores[order], np.cumsum(truth[order])
    last = np.append(sorted_scores[1:] != sorted_scores[:-1], True)  # of each run of equals
    precision = found[last] / (np.flatnonzero(last) + 1)
    return float((precision * np.diff(found[last], prepend=0)).sum() / total)
