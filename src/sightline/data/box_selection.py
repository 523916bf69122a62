"""From the many boxes that a detector rates to those that it means, without torch."""

from typing import Annotated

import numpy as np
from pydantic import Field

from sightline.config import Config
from sightline.data.predictions import Detections

_AT_ONCE = 256  # boxes that are compared with each other


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
        most = self.max_detections
        if self.nms_threshold is not None:
            kept = not_suppressed(chosen, labels, self.nms_threshold, most)
            chosen, found, labels = chosen[kept], found[kept], labels[kept]
        return Detections(chosen[:most], found[:most].astype(np.float32), labels[:most].astype(np.int64))


def not_suppressed(boxes: np.ndarray, labels: np.ndarray, threshold: float, most: int) -> np.ndarray:
    """Which of ``boxes`` (N, 4), highest score first, greedy non-maximum suppression keeps: indices.

    It ends where ``most`` are kept. Boxes are taken some hundred at a time, so that what is compared stays in
    the processor's cache: those that a box kept before suppresses go first, then they are compared with each
    other.
    """
    kept = np.zeros(0, dtype=np.int64)
    for start in range(0, len(boxes), _AT_ONCE):
        block = np.arange(start, min(start + _AT_ONCE, len(boxes)))
        if len(kept):
            hidden = _suppresses(boxes[kept], labels[kept], boxes[block], labels[block], threshold)
            block = block[~hidden.any(axis=0)]
        among = _suppresses(boxes[block], labels[block], boxes[block], labels[block], threshold)
        kept = np.concatenate([kept, block[_kept(np.triu(among, 1))]])
        if len(kept) >= most:
            break
    return kept[:most]


def _kept(suppresses: np.ndarray) -> np.ndarray:
    """Which boxes are kept, bool (N,); ``suppresses[i, j]``: box i would suppress box j, of a lower score.

    A box is kept unless one that is kept before it suppresses it. Assuming all to be kept and applying
    this to all at once, again and again, is right for one more box each time, and ends when nothing
    changes: after as many rounds as the longest chain of boxes that suppress each other, which is short
    (Cluster-NMS, Zheng et al. 2020, arXiv:2005.03572).
    """
    kept = np.ones(len(suppresses), dtype=bool)
    while True:
        still = np.logical_not(suppresses[kept].any(axis=0))
        if np.array_equal(still, kept):
            return kept
        kept = still


def _suppresses(
    ones: np.ndarray, labels: np.ndarray, others: np.ndarray, other_labels: np.ndarray, threshold: float
) -> np.ndarray:
    """Which of ``ones`` (N, 4) overlap too much with which ``others`` (M, 4) of their class: bool (N, M)."""
    left, top, right, bottom = ones.T[..., None]
    other_left, other_top, other_right, other_bottom = others.T
    areas = (right - left) * (bottom - top)
    other_areas = (other_right - other_left) * (other_bottom - other_top)
    width = (np.minimum(right, other_right) - np.maximum(left, other_left)).clip(0)
    height = (np.minimum(bottom, other_bottom) - np.maximum(top, other_top)).clip(0)
    shared = width * height
    # A product, as 0/0 of two empty boxes would be no number.
    too_much = shared > np.float32(threshold) * (areas + other_areas - shared)
    return too_much & (labels[:, None] == other_labels)
