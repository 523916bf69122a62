"""`DetectionMetrics`: COCO's average precision of boxes, over an epoch and all ranks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.errors import SightlineError
from sightline.metrics.across_ranks import joined
from sightline.metrics.coco import (
    BoxTable,
    PrecisionRecallCurve,
    evaluate_detections,
    precision_recall_curves,
)

_TRUE_COLUMNS = 7  # box, label, crowd, area
_PREDICTED_COLUMNS = 6  # box, score, label


class DetectionMetrics:
    """The numbers of `sightline.metrics.coco.evaluate_detections`.

    All boxes are kept until `compute`, as float32. They are kept flat, and the numbers of them in each image
    apart, so that ranks can put theirs together.

    Args:
        classes: their names, by label from 0.

    Raises:
        SightlineError: no classes.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        if not classes:
            raise SightlineError("DetectionMetrics: classes is empty; name the classes.")
        self.classes = list(classes)
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self._tables: tuple[BoxTable, BoxTable] | None = None
        self._predicted: list[Tensor] = []
        self._true: list[Tensor] = []
        self._images: list[Tensor] = []  # each image's number of true and predicted boxes

    def update(self, predictions: Sequence[Mapping[str, Any]], targets: Sequence[Mapping[str, Any]]) -> None:
        """Add a batch; on a GPU without waiting for it.

        Args:
            predictions: for each image ``boxes`` (N, 4), left, top, right, bottom in pixels, ``scores`` (N,)
                and ``labels`` (N,).
            targets: for each image ``boxes`` (M, 4) and ``labels`` (M,); also, where there are, ``iscrowd``
                (M,), true for a box around many objects, and ``area`` (M,), pixels of each object.

        Raises:
            SightlineError: not as many predictions as targets, or columns of unequal length.
        """
        if len(predictions) != len(targets):
            raise SightlineError(
                f"DetectionMetrics: got predictions of {len(predictions)} images and targets of "
                f"{len(targets)}; give both for each image."
            )
        if not predictions:
            return
        found = [_column("predictions", predictions, name) for name in ("boxes", "scores", "labels")]
        expected = [_column("targets", targets, name) for name in ("boxes", "labels")]
        expected += [
            _column("targets", targets, "iscrowd", 0.0),
            _column("targets", targets, "area", torch.nan),
        ]
        counts = [len(item["labels"]) for pair in zip(targets, predictions, strict=True) for item in pair]
        self._predicted.append(_flat(found))
        self._true.append(_flat(expected))
        self._images.append(torch.tensor(counts, dtype=torch.float32))

    def compute(self) -> dict[str, float]:
        """The numbers by name, over all batches and ranks; see the class.

        Raises:
            SightlineError: a label that is none of the classes, or numbers that are not finite.
        """
        counts = _whole(self._images).reshape(-1, 2).astype(int)
        true = _whole(self._true).reshape(-1, _TRUE_COLUMNS)
        predicted = _whole(self._predicted).reshape(-1, _PREDICTED_COLUMNS)
        self._tables = (
            BoxTable(
                images=_images(counts[:, 0]),
                boxes=true[:, :4],
                labels=true[:, 4],
                crowds=true[:, 5],
                areas=true[:, 6],
            ),
            BoxTable(
                images=_images(counts[:, 1]),
                boxes=predicted[:, :4],
                scores=predicted[:, 4],
                labels=predicted[:, 5],
            ),
        )
        return evaluate_detections(*self._tables, self.classes)

    def curves(self, overlap: float = 0.5) -> dict[str, PrecisionRecallCurve]:
        """Precision against recall of each class that has objects, of what `compute` has seen.

        Args:
            overlap: intersection over union from which on a prediction is right, 0..1.

        Raises:
            SightlineError: `compute` was not called yet.
        """
        if self._tables is None:
            raise SightlineError("DetectionMetrics: call compute() before asking for curves.")
        return precision_recall_curves(*self._tables, self.classes, overlap)


def _column(what: str, items: Sequence[Mapping[str, Any]], name: str, default: float | None = None) -> Tensor:
    """One column of all images' boxes, (N, 4) or (N, 1); ``default`` where an image does not have it."""
    width = 4 if name == "boxes" else 1
    parts = []
    for item in items:
        labels = item["labels"]
        count = len(labels)
        if default is None or name in item:
            part = item[name]
        else:
            part = torch.full((count,), default, device=labels.device)
        if part.numel() != count * width or part.shape[:1] != (count,):
            raise SightlineError(
                f"DetectionMetrics: '{name}' in the {what} of an image is of shape {tuple(part.shape)} for "
                f"{count} labels; give {'(N, 4)' if width == 4 else '(N,)'}."
            )
        parts.append(part.reshape(count, width))
    return torch.cat(parts)


def _flat(columns: Sequence[Tensor]) -> Tensor:
    """A row per box of all columns, one after the other."""
    return torch.cat([column.float() for column in columns], dim=1).flatten()


def _whole(parts: list[Tensor]) -> np.ndarray:
    return joined(parts).double().numpy()


def _images(counts: np.ndarray) -> np.ndarray:
    """The number of the image of each box."""
    return np.repeat(np.arange(len(counts)), counts)
