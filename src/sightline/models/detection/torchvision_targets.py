"""Targets as torchvision's detectors take them."""

from torch import Tensor

from sightline.models.detection.detector import Targets


def for_torchvision(targets: Targets, *, first_label: int) -> list[dict[str, Tensor]]:
    """Targets whose labels begin at ``first_label``, without boxes of no size, which would be infinitely far
    from any anchor on the logarithmic scale on which sizes are learned."""
    wanted = []
    for target in targets:
        boxes = target["boxes"].float()
        some = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
        wanted.append({"boxes": boxes[some], "labels": target["labels"][some] + first_label})
    return wanted
