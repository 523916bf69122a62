"""Plain vision transformers, such as DINOv2 and DINOv3, with a light head for segmentation."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sightline.models.image_sizes import any_size
from sightline.models.segmentation.padding import Segmenter


def vit_segmenter(
    *, encoder: str, classes: int, channels: int = 3, taps: int = 4, width: int = 128, **encoder_options: Any
) -> nn.Module:
    """A ViT of timm, and a head that joins several of its blocks and doubles the resolution twice.

    DINOv2 (arXiv:2304.07193) and DINOv3 (arXiv:2508.10104) are such ViTs; their features tell parts of images
    apart without being trained for it, so little is learned on top, and the encoder can stay frozen
    (``trainer.freeze: ["encoder.*"]``).

    Args:
        encoder: a ViT of timm by name.
        classes: how many logits a pixel has.
        channels: bands of the images.
        taps: blocks whose outputs the head sees, evenly spaced, the last among them.
        width: channels inside the head.
        encoder_options: of timm's constructor, such as ``depth``, ``drop_path_rate`` or ``img_size``. Without
            ``img_size``, images have any size.
    """
    import timm

    settled = {"in_chans": channels, "num_classes": 0, "pretrained": False}
    vit = timm.create_model(encoder, **settled, **any_size(encoder, encoder_options), **encoder_options)
    blocks = getattr(vit, "blocks", None)
    if blocks is None or not hasattr(vit, "forward_intermediates"):
        raise ValueError(f"'{encoder}' is no plain vision transformer")
    if not 1 <= taps <= len(blocks):
        raise ValueError(f"taps is {taps}, but the encoder has {len(blocks)} blocks")
    indices = [len(blocks) * (number + 1) // taps - 1 for number in range(taps)]
    return VitSegmenter(vit, indices, classes, width)


class VitSegmenter(Segmenter):
    """See `vit_segmenter`."""

    def __init__(self, vit: Any, indices: list[int], classes: int, width: int) -> None:
        super().__init__()
        patch_height, patch_width = vit.patch_embed.patch_size
        assert patch_height == patch_width
        self.multiple = patch_height
        self.encoder = vit
        self._indices = indices
        self.join = nn.Sequential(
            nn.Conv2d(len(indices) * vit.embed_dim, width, 1, bias=False), nn.BatchNorm2d(width), nn.GELU()
        )
        self.upsampling = nn.Sequential(_doubling(width, width // 2), _doubling(width // 2, width // 4))
        self.head = nn.Conv2d(width // 4, classes, 1)

    def logits(self, images: Tensor) -> Tensor:
        """See `Segmenter`."""
        taps = self.encoder.forward_intermediates(
            images, indices=self._indices, norm=True, intermediates_only=True
        )
        coarse = self.head(self.upsampling(self.join(torch.cat(taps, 1))))
        return F.interpolate(coarse, size=images.shape[-2:], mode="bilinear", align_corners=False)


def _doubling(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 2, stride=2),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.GELU(),
    )
