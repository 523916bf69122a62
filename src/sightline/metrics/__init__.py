"""How good predictions are: classification, detection and semantic segmentation.

`ClassificationMetrics`, `DetectionMetrics` and `SegmentationMetrics` are for training and validation: as
torchmetrics, they have ``update``, ``compute`` and ``reset``, and they add up counts or keep predictions over
the whole epoch and over all ranks, so no number is a mean of means. What they compute comes from modules that
do without torch: `sightline.metrics.coco`, `sightline.metrics.confusion` and
`sightline.metrics.multi_label`, which `evaluate_dataset` uses to compare predictions that are kept in a
`Dataset` with its ground truth.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sightline.metrics.classification import ClassificationMetrics
    from sightline.metrics.datasets import evaluate_dataset
    from sightline.metrics.detection import DetectionMetrics
    from sightline.metrics.segmentation import SegmentationMetrics

_HOME = {
    "ClassificationMetrics": "sightline.metrics.classification",
    "DetectionMetrics": "sightline.metrics.detection",
    "SegmentationMetrics": "sightline.metrics.segmentation",
    "evaluate_dataset": "sightline.metrics.datasets",
}

__all__ = ["ClassificationMetrics", "DetectionMetrics", "SegmentationMetrics", "evaluate_dataset"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sightline.metrics' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
