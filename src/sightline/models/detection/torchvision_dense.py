"""torchvision's detectors that rate a fixed set of boxes: RetinaNet, FCOS and SSDlite."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD
from torchvision.ops import box_iou, clip_boxes_to_image

from sightline.data.box_selection import BoxSelection
from sightline.models.detection.detector import Detector, Targets
from sightline.models.detection.torchvision_targets import for_torchvision


class TorchvisionDense(Detector):
    """A detector of torchvision without its own resizing, normalising and selecting.

    ``network`` is the detector as torchvision built it. Subclasses say how it learns and what it says.
    """

    pretrained_cfg = {"classifier": "network.head.classification_head"}
    """What depends on the classes, under the name by which `sightline.models.pretrained` asks."""

    first_label = 0
    """What the network calls the first class."""

    def __init__(self, network: RetinaNet | FCOS | SSD, selection: BoxSelection) -> None:
        super().__init__(selection)
        self.network: Any = network

    def forward(self, images: Tensor, targets: Targets | None = None) -> Any:
        """See `Detector`."""
        size = (images.shape[-2], images.shape[-1])
        features = list(self.network.backbone(images).values())
        said = self.network.head(features)
        # Every image of a batch has the same anchors, so they are made for one.
        anchors = self.network.anchor_generator(ImageList(images, [size]), features)[0]
        losses = None
        if targets is not None:
            wanted = for_torchvision(targets, first_label=self.first_label)
            losses = self._losses(said, anchors, [one.shape[-2] * one.shape[-1] for one in features], wanted)
        if targets is not None and self.training:
            return losses, None
        boxes = clip_boxes_to_image(self._boxes(said["bbox_regression"], anchors), size)
        raw = (self._scores(said).float(), boxes.float())
        return raw if targets is None else (losses, raw)

    def _losses(
        self, said: Mapping[str, Tensor], anchors: Tensor, places: list[int], targets: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """The losses by name, from what the head says, the anchors (N, 4) and the places of each level."""
        raise NotImplementedError

    def _scores(self, said: Mapping[str, Tensor]) -> Tensor:
        """Scores 0..1 (B, N, C) from what the head says."""
        raise NotImplementedError

    def _boxes(self, regression: Tensor, anchors: Tensor) -> Tensor:
        """Boxes (B, N, 4) from the head's numbers and the anchors (N, 4)."""
        many = anchors.repeat(len(regression), 1)
        return self.network.box_coder.decode_single(regression.flatten(0, 1), many).view_as(regression)


class RetinaNetDetector(TorchvisionDense):
    """RetinaNet (Lin et al. 2017, arXiv:1708.02002).

    torchvision says that its classes begin at 1, but there is no output for a background: output ``k`` is
    what label ``k`` learns, so labels from 0 need no shift.
    """

    def _losses(
        self, said: Mapping[str, Tensor], anchors: Tensor, places: list[int], targets: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        del places
        return self.network.compute_loss(targets, said, [anchors] * len(targets))

    def _scores(self, said: Mapping[str, Tensor]) -> Tensor:
        return said["cls_logits"].sigmoid()


class FcosDetector(TorchvisionDense):
    """FCOS (Tian et al. 2019, arXiv:1904.01355), whose outputs count labels as `RetinaNetDetector`'s do."""

    def _losses(
        self, said: Mapping[str, Tensor], anchors: Tensor, places: list[int], targets: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        return self.network.compute_loss(targets, said, [anchors] * len(targets), places)

    def _scores(self, said: Mapping[str, Tensor]) -> Tensor:
        return (said["cls_logits"].sigmoid() * said["bbox_ctrness"].sigmoid()).sqrt()

    def _boxes(self, regression: Tensor, anchors: Tensor) -> Tensor:
        return self.network.box_coder.decode(regression, anchors.expand(len(regression), -1, -1))


class SsdDetector(TorchvisionDense):
    """SSD (Liu et al. 2015, arXiv:1512.02325), whose output 0 is the background."""

    first_label = 1

    def _losses(
        self, said: Mapping[str, Tensor], anchors: Tensor, places: list[int], targets: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        del places
        matched = [self._matched(one["boxes"], anchors) for one in targets]
        return self.network.compute_loss(targets, said, [anchors] * len(targets), matched)

    def _matched(self, boxes: Tensor, anchors: Tensor) -> Tensor:
        """The number of each anchor's box, or -1, (N,)."""
        if not len(boxes):
            return torch.full((len(anchors),), -1, device=anchors.device)
        return self.network.proposal_matcher(box_iou(boxes, anchors))

    def _scores(self, said: Mapping[str, Tensor]) -> Tensor:
        return said["cls_logits"].softmax(dim=-1)[..., 1:]
