"""Sightline's own detector: small, without anchors, on any backbone; it learns from scratch in minutes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.ops import clip_boxes_to_image

from sightline.data.box_selection import BoxSelection
from sightline.models.detection.backbones import Backbone
from sightline.models.detection.dense_head import DenseHead, places_of
from sightline.models.detection.detector import Detector, Targets
from sightline.models.detection.light_loss import LightLoss
from sightline.models.detection.pyramid import FeaturePyramid


class LightDetector(Detector):
    """A backbone, a feature pyramid and a dense head without anchors, exported to ONNX as it is.

    Each place of the levels at ``strides`` rates the classes and measures the distances to the edges of the
    object that it is in (FCOS, Tian et al. 2019, arXiv:1904.01355). Scores learn how well the box fits
    (`LightLoss`), so nothing else is needed to rank them.
    """

    pretrained_cfg = {"classifier": "head.classify"}
    """What depends on the classes, under the name by which `sightline.models.pretrained` asks."""

    def __init__(
        self,
        backbone: Backbone,
        classes: int,
        selection: BoxSelection,
        *,
        strides: Sequence[int],
        width: int,
        depth: int,
    ) -> None:
        """Put the parts together, with random weights.

        Args:
            backbone: gives features at the first of the ``strides``, perhaps at all.
            classes: how many there are.
            selection: which boxes are kept.
            strides: pixels from place to place of each level, each twice the one before it.
            width: channels of the pyramid and the head.
            depth: convolutions of each of the head's two towers.
        """
        super().__init__(selection)
        self.strides = tuple(strides)
        self.backbone = backbone.module
        self._channels_last = backbone.channels_last
        self.pyramid = FeaturePyramid(backbone.channels, width, len(strides) - len(backbone.channels))
        self.head = DenseHead(width, classes, len(strides), depth)
        self.loss = LightLoss()

    def forward(self, images: Tensor, targets: Targets | None = None) -> Any:
        """See `Detector`. Images may have any size."""
        features = self.backbone(images)
        if self._channels_last:
            features = [one.permute(0, 3, 1, 2) for one in features]
        levels = self.pyramid(features)
        logits, distances = self.head(levels)
        points, strides = places_of(levels, self.strides)
        edges = distances * strides
        boxes = torch.cat([points - edges[..., :2], points + edges[..., 2:]], dim=2)
        losses = None if targets is None else self.loss(logits, boxes, points, self.strides[0], targets)
        if targets is not None and self.training:
            return losses, None
        size = (images.shape[-2], images.shape[-1])
        raw = (logits.sigmoid(), clip_boxes_to_image(boxes, size))
        return raw if targets is None else (losses, raw)

    def loss_weight(self, targets: Targets) -> int:
        """The number of boxes, where an image without any counts as one."""
        return self.loss.weight(targets)
