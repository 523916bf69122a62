"""torchvision's detectors by name, for any number of classes and bands."""

import inspect
from functools import cache
from typing import Any

from torchvision import models
from torchvision.models.detection import FCOS, FasterRCNN, RetinaNet
from torchvision.models.detection.ssd import SSD

from sightline.data.box_selection import BoxSelection
from sightline.models.constructing import constructed
from sightline.models.detection.detector import Detector
from sightline.models.detection.options import check_options
from sightline.models.detection.torchvision_dense import FcosDetector, RetinaNetDetector, SsdDetector
from sightline.models.detection.torchvision_two_stage import FasterRcnnDetector
from sightline.models.layers import replace_first_convolution

_DECIDED = {"self", "backbone", "kwargs", "num_classes", "progress", "weights", "weights_backbone"}
_WITHOUT_EFFECT = {  # of what comes before and after the network, and of layers that are pretrained
    *("min_size", "max_size", "image_mean", "image_std", "size", "topk_candidates"),
    *("score_thresh", "nms_thresh", "detections_per_img"),
    *("box_score_thresh", "box_nms_thresh", "box_detections_per_img", "trainable_backbone_layers"),
}
_WITH_BACKGROUND = ("fasterrcnn", "ssd")  # which have an output for it beside those of the classes


@cache
def torchvision_names() -> tuple[str, ...]:
    """The detectors of torchvision that give boxes and nothing more."""
    every = models.list_models(module=models.detection)
    return tuple(name for name in every if not name.startswith(("maskrcnn", "keypointrcnn")))


def torchvision_detector(name: str, classes: int, channels: int, options: dict[str, Any]) -> Detector:
    """A detector of torchvision with random weights, its first convolution made for ``channels`` bands.

    Raises:
        SightlineError: an option is refused.
    """
    what = f"torchvision/{name}"
    check_options(what, options, _options_of(name))
    network: Any = constructed(
        what,
        models.get_model,
        options,
        name=name,
        weights=None,
        weights_backbone=None,
        num_classes=classes + name.startswith(_WITH_BACKGROUND),
    )
    if channels != 3:
        replace_first_convolution(network, channels)
    if isinstance(network, FasterRCNN):
        heads: Any = network.roi_heads
        return FasterRcnnDetector(network, BoxSelection(nms_threshold=heads.nms_thresh))
    assert isinstance(network, RetinaNet | FCOS | SSD)
    kind = {RetinaNet: RetinaNetDetector, FCOS: FcosDetector, SSD: SsdDetector}[type(network)]
    return kind(network, BoxSelection(nms_threshold=network.nms_thresh))


def _options_of(name: str) -> set[str]:
    """What the function that builds a detector takes, and what it hands on to the class."""
    builder = inspect.signature(models.get_model_builder(name))
    handed_on = inspect.signature(builder.return_annotation.__init__)
    return {*builder.parameters, *handed_on.parameters} - _DECIDED - _WITHOUT_EFFECT
