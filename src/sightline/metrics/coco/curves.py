"""Precision against recall, as more and more predictions are kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.metrics.coco.matching import find_candidates
from sightline.metrics.coco.scoring import AREAS, outcomes_by_class
from sightline.metrics.coco.tables import BoxTable, check_tables


@dataclass(frozen=True, eq=False)
class PrecisionRecallCurve:
    """One class's, a point per prediction that counts, the surest first; all arrays (N,) of 0..1.

    Point n is of the predictions whose score is ``scores[n]`` or more.
    """

    recall: np.ndarray
    precision: np.ndarray
    scores: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """(N,): the harmonic mean of precision and recall."""
        total = self.precision + self.recall
        return np.divide(2 * self.precision * self.recall, total, out=np.zeros(len(total)), where=total > 0)

    def best_threshold(self) -> float | None:
        """The score from which on keeping predictions gives the highest F1; None without predictions."""
        return float(self.scores[np.argmax(self.f1)]) if len(self.scores) else None


def precision_recall_curves(
    truth: BoxTable, predicted: BoxTable, classes: Sequence[str], overlap: float = 0.5
) -> dict[str, PrecisionRecallCurve]:
    """The curve of each class that has objects, where a prediction is right from ``overlap`` on.

    Raises:
        SightlineError: as `evaluate_detections`.
    """
    check_tables(truth, predicted, classes)
    candidates = find_candidates(truth, predicted, len(classes), overlap)
    curves = {}
    for label, outcomes in outcomes_by_class(candidates, np.array([overlap]), AREAS[""], len(classes)):
        (recall,), (precision,) = outcomes.recall_and_precision()
        # Equally sure predictions are kept together or not at all: the last of them has the point.
        last = np.diff(outcomes.scores, append=-np.inf) < 0
        curves[classes[label]] = PrecisionRecallCurve(recall[last], precision[last], outcomes.scores[last])
    return curves
