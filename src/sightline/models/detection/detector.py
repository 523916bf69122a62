"""What all detectors have in common."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sightline.data.box_selection import BoxSelection
from sightline.models.detection.selection import Detected, select_boxes

Raw = tuple[Tensor, Tensor]
"""What a detector says of a batch before boxes are selected: ``scores`` 0..1, (B, N, C), by class, and
``boxes`` left, top, right, bottom in pixels of the model's input, cut off at its borders, (B, N, 4), or
(B, N, C, 4) where each class has its own."""

Targets = Sequence[dict[str, Tensor]]
"""For each image ``boxes`` float32 (N, 4), left, top, right, bottom in pixels of the model's input, and
``labels`` int64 (N,), from 0; N may be 0."""


class Detector(nn.Module):
    """Finds objects in images (B, channels, height, width), float32 and normalised.

    Called with images alone it gives `Raw`, nothing but tensors, which `detections` or, without torch,
    `sightline.data.box_selection.BoxSelection` turns into objects. Called with images and `Targets` it
    gives ``(losses, raw)``: in training the losses by name (their sum is what is minimised) and None; in
    eval mode raw, and the losses or None where the model has them in training only.
    """

    selection: BoxSelection
    """Which boxes are kept."""

    def __init__(self, selection: BoxSelection) -> None:
        super().__init__()
        self.selection = selection

    def forward(self, images: Tensor, targets: Targets | None = None) -> Any:
        """See the class."""
        raise NotImplementedError

    def detections(self, raw: Raw) -> list[Detected]:
        """The objects in each image; see `Detected`."""
        return select_boxes(self.selection, *raw)

    def loss_weight(self, targets: Targets) -> int:
        """What the losses are a mean over, for `sightline.tasks.Task.loss_weight`: the number of images."""
        return len(targets)
