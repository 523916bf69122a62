"""COCO's average precision of boxes, from flat columns, without torch.

The measure is that of the COCO detection challenge (Lin et al. 2014, https://arxiv.org/abs/1405.0312, and
https://cocodataset.org/#detection-eval), with the numbers of pycocotools to the last digits: greedy matching
by score, crowds, areas, 101 points of recall, at most 100 objects of a class in an image. No Python object
per box or image exists on the way.

* `tables`: `BoxTable`, boxes of many images as columns;
* `matching`: which predicted box stands for which true one;
* `scoring`: average precision and recall, `evaluate_detections`;
* `curves`: precision against recall, `precision_recall_curves`.
"""

from sightline.metrics.coco.curves import PrecisionRecallCurve, precision_recall_curves
from sightline.metrics.coco.scoring import evaluate_detections
from sightline.metrics.coco.tables import BoxTable

__all__ = ["BoxTable", "PrecisionRecallCurve", "evaluate_detections", "precision_recall_curves"]
