"""From the many boxes that a detector rates to those that it means, without torch."""

from typing import Annotated

import numpy as np
from pydantic import Field

from sightline.config import Config
from sightline.data.predictions import Detections


class BoxSelection(Config):
    """Which of a detector's boxes are kept: sure enough, not twice, and not too many.

    Boxes of one class that overlap are reduced to the one of the highest score, greedily from the highest
    down (non-maximum suppression); boxes of different classes never suppress each other. Of boxes with equal
    scores the one that comes first counts as higher.
    """

    score_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Boxes are kept whose score is above this."""
    nms_threshold: Annotated[float, Field(gt=0, le=1)] | None = 0.6
    """Intersection over union above which two boxes of one class are taken to be the same object; null where
    the model says each object once."""
    max_detections: Annotated[int, Field(ge=1)] = 100
    """Boxes that an image has at most."""
    max_candidates: Annotated[int, Field(ge=1)] = 1000
    """Boxes of an image, by score, that are compared with each other."""

    def select(self, scores: np.ndarray, boxes: np.ndarray) -> Detections:
        """What is kept of one image, surest first.

        Args:
            scores: of N boxes for C classes, 0..1, (N, C).
            boxes: left, top, right, bottom, (N, 4), or (N, C, 4) where each class has its own.
        """
        places, labels = np.nonzero(scores > np.float32(self.score_threshold))
        found = scores[places, labels]
        order = np.argsort(-found, kind="stable")[: self.max_candidates]
        places, labels, found = places[order], labels[order], found[order]
        chosen = (boxes[places] if boxes.ndim == 2 else boxes[places, labels]).astype(np.float32)
        if self.nms_threshold is not None:
            kept = not_suppressed(chosen, labels, self.nms_threshold)
            chosen, found, labels = chosen[kept], found[kept], labels[kept]
        most = self.max_detections
        return Detections(chosen[:most], found[:most].astype(np.float32), labels[:most].astype(np.int64))


def not_suppressed(boxes: np.ndarray, labels: np.ndarray, threshold: float) -> np.ndarray:
    """Which of ``boxes`` (N, 4), highest score first, greedy non-maximum suppression keeps, bool (N,).

    A box is kept unless one that is kept before it suppresses it. Assuming all to be kept and applying
    this to all at once, again and again, is right for one more box each time, and ends when nothing
    changes: after as many rounds as the longest chain of boxes that suppress each other, which is short
    (Cluster-NMS, Zheng et al. 2020, arXiv:2005.03572).
    """
    left, top, right, bottom = boxes.T
    areas = (right - left) * (bottom - top)
    width = (np.minimum(right[:, None], right) - np.maximum(left[:, None], left)).clip(0)
    height = (np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)).clip(0)
    shared = width * height
    # Of the first to the second in order; a product, as 0/0 of two empty boxes would be no number.
    suppresses = shared > np.float32(threshold) * (areas[:, None] + areas - shared)
    suppresses = np.triu(suppresses & (labels[:, None] == labels), 1)
    kept = np.ones(len(boxes), dtype=bool)
    while True:
        still = ~suppresses[kept].any(axis=0)
        if (still == kept).all():
            return kept
        kept = still
