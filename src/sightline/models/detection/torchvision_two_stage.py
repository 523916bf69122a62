"""torchvision's detector that first proposes boxes and then looks at each of them: Faster R-CNN."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import clip_boxes_to_image

from sightline.data.box_selection import BoxSelection
from sightline.models.detection.detector import Detector, Raw, Targets
from sightline.models.detection.torchvision_targets import for_torchvision

Sizes = list[tuple[int, int]]


class FasterRcnnDetector(Detector):
    """Faster R-CNN (Ren et al. 2015, arXiv:1506.01497) without torchvision's resizing and selecting.

    Its output 0 is the background. Each class has boxes of its own: of `Raw`,
    boxes are (B, N, C, 4), and images with fewer proposals than N have scores of 0. In training mode it has
    to be given targets; its losses are means over boxes that it samples, and none in eval mode.
    """

    pretrained_cfg = {"classifier": "network.roi_heads.box_predictor"}
    """What depends on the classes, under the name by which `sightline.models.pretrained` asks."""

    def __init__(self, network: FasterRCNN, selection: BoxSelection) -> None:
        super().__init__(selection)
        self.network: Any = network

    def forward(self, images: Tensor, targets: Targets | None = None) -> Any:
        """See `Detector`."""
        features = self.network.backbone(images)
        sizes = [(images.shape[-2], images.shape[-1])] * len(images)
        listed = ImageList(images, sizes)
        if self.training:
            assert targets is not None, "in training mode Faster R-CNN is called with targets"
            wanted = for_torchvision(targets, first_label=1)
            proposals, losses = self.network.rpn(listed, features, wanted)
            _, more = self.network.roi_heads(features, proposals, sizes, wanted)
            return losses | more, None
        proposals, _ = self.network.rpn(listed, features)
        raw = self._rated(features, proposals, sizes)
        return raw if targets is None else (None, raw)

    def _rated(self, features: Mapping[str, Tensor], proposals: list[Tensor], sizes: Sizes) -> Raw:
        heads = self.network.roi_heads
        logits, regression = heads.box_predictor(
            heads.box_head(heads.box_roi_pool(features, proposals, sizes))
        )
        boxes = clip_boxes_to_image(heads.box_coder.decode(regression, proposals)[:, 1:], sizes[0])
        scores = logits.softmax(dim=-1)[:, 1:]
        counts = [len(one) for one in proposals]
        padded = (pad_sequence(list(one.float().split(counts)), batch_first=True) for one in (scores, boxes))
        scores, boxes = padded
        return scores, boxes
