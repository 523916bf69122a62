"""What `LightDetector` minimises."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou_loss

from sightline.models.detection.assignment import assign, boxes_of
from sightline.models.detection.detector import Targets

_BOX_WEIGHT = 2.0  # of the boxes' loss beside that of the classes


class LightLoss(nn.Module):
    """``class``: quality focal loss (GFL, Li et al. 2020, arXiv:2006.04388), in which a score is to be what
    `assign` says, and 0 elsewhere. ``box``: 1 - GIoU (Rezatofighi et al. 2019, arXiv:1902.09630), the mean
    over a box's places, weighed by their quality.

    Both are sums over all boxes and images, divided by `weight`: a mean over boxes, in which the background
    of an image without boxes counts as much as a box. It is finite, and has a gradient, for any targets.
    """

    def forward(
        self, logits: Tensor, boxes: Tensor, points: Tensor, finest: int, targets: Targets
    ) -> dict[str, Tensor]:
        """The losses by name, scalars.

        Args:
            logits: of the classes, float32 (B, N, C).
            boxes: left, top, right, bottom in pixels, float32 (B, N, 4).
            points: the centres (x, y) of the places, (N, 2).
            finest: the smallest distance of neighbouring places.
            targets: what is in the images.
        """
        classes = logits.shape[2]
        truth = boxes_of(targets)
        places, quality = assign(logits.detach().sigmoid(), boxes.detach(), points, finest, truth)
        wanted = torch.zeros_like(logits).flatten()
        outputs = places * classes + truth.labels[:, None]
        wanted.scatter_reduce_(0, outputs.flatten(), quality.flatten(), "amax")
        wanted = wanted.view_as(logits)
        distance = (logits.sigmoid() - wanted).square()
        classed = distance * F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")

        found = boxes.flatten(0, 1)[places]
        missed = generalized_box_iou_loss(found, truth.boxes[:, None].expand_as(found))
        shares = quality / quality.sum(dim=1, keepdim=True).clamp(min=torch.finfo(quality.dtype).tiny)
        weight = self.weight(targets)
        return {
            "class": classed.sum() / weight,
            "box": _BOX_WEIGHT * (missed * shares).sum() / weight,
        }

    @staticmethod
    def weight(targets: Targets) -> int:
        """The number of boxes, where an image without any counts as one."""
        return sum(max(1, len(target["boxes"])) for target in targets)
