"""AerialFormer: a Swin encoder, a convolutional stem for fine detail, and a decoder of dilated convolutions.

Hanyu et al., "AerialFormer: Multi-resolution Transformer for Aerial Image Segmentation", arXiv:2306.06842.
Aerial images have objects of a few pixels beside fields of thousands: the stem keeps half the resolution,
which a transformer of 4 x 4 patches loses, and each decoder block sees surroundings of three sizes at once.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sightline.models.image_sizes import any_size
from sightline.models.segmentation.padding import Segmenter

_STRIDES = [4, 8, 16, 32]

# Kernel size and dilation of the three branches, by the stride of the level. Far from the image's resolution
# they see 3, 5 and 7 cells across; near it, where cells are pixels, their neighbours only.
_WIDE = ((3, 1), (3, 2), (3, 3))
_NEAR = ((3, 1), (3, 1), (3, 1))
_NEAREST = ((1, 1), (3, 1), (3, 1))
_BRANCHES = {32: _WIDE, 16: _WIDE, 8: _WIDE, 4: _NEAR, 2: _NEAREST}


def aerialformer(
    *, encoder: str = "swin_tiny_patch4_window7_224", classes: int, channels: int = 3, **encoder_options: Any
) -> nn.Module:
    """AerialFormer on a hierarchical transformer of timm; the paper's sizes T, S and B are Swin's.

    Args:
        encoder: a model of timm whose features have strides 4, 8, 16 and 32: any Swin, or a ConvNeXt.
        classes: how many logits a pixel has.
        channels: bands of the images.
        encoder_options: of timm's constructor, such as ``embed_dim``, ``depths`` or ``drop_path_rate``.
    """
    import timm

    settled: dict[str, Any] = {"in_chans": channels, "pretrained": False, "features_only": True}
    settled |= any_size(encoder, encoder_options)
    features: Any = timm.create_model(encoder, **settled, **encoder_options)
    if (strides := features.feature_info.reduction()) != _STRIDES:
        raise ValueError(f"its features have strides {strides}, not {_STRIDES}")
    return AerialFormer(features, channels, classes)


class AerialFormer(Segmenter):
    """See `aerialformer`."""

    multiple = 32

    def __init__(self, features: Any, channels: int, classes: int) -> None:
        super().__init__()
        widths = features.feature_info.channels()
        stem_width = widths[0] // 2
        self.encoder: nn.Module = features
        self._channels_last = features.output_fmt == "NHWC"
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths)
        self.stem = nn.Sequential(
            _convolution(channels, stem_width, nn.GELU, stride=2),
            *(_convolution(stem_width, stem_width, nn.GELU) for _ in range(3)),
        )
        self.decoder = Decoder([stem_width, *widths])
        self.segmentation_head = nn.Conv2d(stem_width, classes, 1)

    def logits(self, images: Tensor) -> Tensor:
        """See `Segmenter`."""
        features = [self.stem(images)]
        for norm, feature in zip(self.norms, self.encoder(images), strict=True):
            last = feature if self._channels_last else feature.permute(0, 2, 3, 1)
            features.append(norm(last).permute(0, 3, 1, 2))
        half = self.segmentation_head(self.decoder(features))
        return F.interpolate(half, scale_factor=2.0, mode="bilinear", align_corners=False)


class Decoder(nn.Module):
    """From the coarsest features up: a block, doubled resolution, the next finer features beside it, a block.

    Args:
        widths: channels of the features of strides 2, 4, 8, 16 and 32; a level gives as many as it is given.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        strides = [2, *_STRIDES]
        coarsest = widths[-1]
        self.blocks = nn.ModuleList([MultiDilatedBlock(coarsest, coarsest, _BRANCHES[strides[-1]])])
        self.upsampling = nn.ModuleList()
        for level in reversed(range(len(widths) - 1)):
            width = widths[level]
            self.upsampling.append(_doubling(widths[level + 1], width))
            self.blocks.append(MultiDilatedBlock(2 * width, width, _BRANCHES[strides[level]]))

    def forward(self, features: list[Tensor]) -> Tensor:
        """The features of stride 2, refined, out of all features (finest first)."""
        refined = self.blocks[0](features[-1])
        finer = reversed(features[:-1])
        for doubling, block, skipped in zip(self.upsampling, self.blocks[1:], finer, strict=True):
            refined = block(torch.cat([doubling(refined), skipped], 1))
        return refined


class MultiDilatedBlock(nn.Module):
    """The paper's MDC block: channels are mixed, split in three that see further or less far, mixed again.

    Args:
        branches: kernel size and dilation of each of the three.
    """

    def __init__(self, inputs: int, outputs: int, branches: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.mix = nn.Conv2d(inputs, inputs, 1, bias=False)
        self._split = [inputs // 3 + (number < inputs % 3) for number in range(3)]
        self.branches = nn.ModuleList(
            nn.Conv2d(width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False)
            for width, (kernel, dilation) in zip(self._split, branches, strict=True)
        )
        self.mix_again = _convolution(inputs, outputs, kernel=1)
        self.refine = _convolution(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, outputs, H, W) of features (B, inputs, H, W)."""
        parts = self.mix(x).split(self._split, 1)
        seen = [branch(part) for branch, part in zip(self.branches, parts, strict=True)]
        return self.refine(self.mix_again(torch.cat(seen, 1)))


def _convolution(
    inputs: int, outputs: int, activation: type[nn.Module] = nn.ReLU, *, kernel: int = 3, stride: int = 1
) -> nn.Module:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), activation())


def _doubling(inputs: int, outputs: int) -> nn.Module:
    convolution = nn.ConvTranspose2d(inputs, outputs, 2, stride=2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
