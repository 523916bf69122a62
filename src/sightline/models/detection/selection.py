"""From the many boxes that a detector rates to those that it means, on the device of the model."""

import torch
from torch import Tensor

from sightline.data.box_selection import BoxSelection

Detected = dict[str, Tensor]
"""One image's objects, surest first: ``boxes`` float32 (N, 4) left, top, right, bottom in pixels; ``scores``
float32 (N,), 0..1; ``labels`` int64 (N,), from 0."""


@torch.no_grad()
def select_boxes(selection: BoxSelection, scores: Tensor, boxes: Tensor) -> list[Detected]:
    """What `BoxSelection.select` gives, number for number, for each image of a batch.

    Args:
        selection: which boxes are kept.
        scores: of N boxes for C classes, 0..1, (B, N, C).
        boxes: left, top, right, bottom, (B, N, 4), or (B, N, C, 4) where each class has its own.
    """
    return [_select(selection, *image) for image in zip(scores.float(), boxes.float(), strict=True)]


def _select(selection: BoxSelection, scores: Tensor, boxes: Tensor) -> Detected:
    places, labels = torch.nonzero(scores > selection.score_threshold, as_tuple=True)
    # A stable order, so that equal scores fall alike wherever it is computed.
    found, order = scores[places, labels].sort(descending=True, stable=True)
    found, order = found[: selection.max_candidates], order[: selection.max_candidates]
    places, labels = places[order], labels[order]
    chosen = boxes[places] if boxes.ndim == 2 else boxes[places, labels]
    if selection.nms_threshold is not None:
        kept = _not_suppressed(chosen, labels, selection.nms_threshold)
        chosen, found, labels = chosen[kept], found[kept], labels[kept]
    most = selection.max_detections
    return {"boxes": chosen[:most], "scores": found[:most], "labels": labels[:most]}


def _not_suppressed(boxes: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """See `sightline.data.box_selection.not_suppressed`."""
    left, top, right, bottom = boxes.T
    areas = (right - left) * (bottom - top)
    width = (torch.minimum(right[:, None], right) - torch.maximum(left[:, None], left)).clamp(min=0)
    height = (torch.minimum(bottom[:, None], bottom) - torch.maximum(top[:, None], top)).clamp(min=0)
    shared = width * height
    suppresses = shared > threshold * (areas[:, None] + areas - shared)
    suppresses = (suppresses & (labels[:, None] == labels)).triu(1)
    kept = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
    while True:
        still = ~(suppresses & kept[:, None]).any(dim=0)
        if torch.equal(still, kept):
            return kept
        kept = still
