"""`small_unet`: a light U-Net that learns in minutes on a CPU."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from sightline.models.layers import ConvNorm, Residual
from sightline.models.segmentation.padding import Segmenter


def small_unet(*, classes: int, channels: int = 3, width: int = 16, depth: int = 4) -> nn.Module:
    """A U-Net (arXiv:1505.04597) of residual blocks whose finest level has half the image's resolution.

    At full resolution a convolution of few channels is mostly waiting for memory. So the first one halves the
    image, the logits are doubled bilinearly, and finer features are added to coarser ones, not laid beside
    them, which would double the work of the block that follows.

    Args:
        classes: how many logits a pixel has.
        channels: bands of the images.
        width: channels of the finest level; each level below has twice as many, up to eight times.
        depth: levels below the finest one. The coarsest sees one cell for ``2 ** (depth + 1)`` pixels.
    """
    return SmallUnet(classes, channels, width, depth)


class SmallUnet(Segmenter):
    """See `small_unet`."""

    def __init__(self, classes: int, channels: int, width: int, depth: int) -> None:
        super().__init__()
        self.multiple = 2 ** (depth + 1)
        widths = [width * min(2**level, 8) for level in range(depth + 1)]
        self.encoder = nn.ModuleList(Level(*pair) for pair in pairwise([channels, *widths]))
        self.decoder = nn.ModuleList(Joint(*pair) for pair in pairwise(reversed(widths)))
        self.head = nn.Conv2d(width, classes, 1)

    def logits(self, images: Tensor) -> Tensor:
        """See `Segmenter`."""
        features = [images]
        for level in self.encoder:
            features.append(level(features[-1]))
        joined = features.pop()
        for joint in self.decoder:
            joined = joint(joined, features.pop())
        return F.interpolate(self.head(joined), scale_factor=2.0, mode="bilinear", align_corners=False)


class Level(nn.Module):
    """Half the resolution, then a residual block."""

    def __init__(self, finer: int, coarser: int) -> None:
        super().__init__()
        self.halve = ConvNorm(finer, coarser, stride=2)
        self.block = Residual(coarser)

    def forward(self, finer: Tensor) -> Tensor:
        """Features (B, coarser, H / 2, W / 2)."""
        return self.block(self.halve(finer))


class Joint(nn.Module):
    """Coarser features, doubled in resolution and added to finer ones; then a residual block."""

    def __init__(self, coarser: int, finer: int) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(coarser, finer, 1, bias=False)
        self.norm = nn.BatchNorm2d(finer)
        self.block = Residual(finer)

    def forward(self, coarser: Tensor, finer: Tensor) -> Tensor:
        """Features of the shape of ``finer``."""
        doubled = F.interpolate(self.narrow(coarser), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.block(F.relu(self.norm(doubled + finer)))
