"""A small backbone that learns from scratch in minutes, on a CPU too."""

from collections.abc import Sequence

from torch import Tensor, nn

from sightline.models.layers import ConvNorm, Residual


class PlainBackbone(nn.Module):
    """Full convolutions of few channels, which CPUs and GPUs compute near their peak, unlike depthwise ones.

    Each stage halves the image by a convolution and refines it by residual blocks; 1.4 million parameters
    with all five. ``forward`` gives the features at ``strides``.
    """

    def __init__(
        self,
        channels: int,
        strides: Sequence[int],
        widths: Sequence[int] = (16, 32, 64, 128, 192),
        depths: Sequence[int] = (0, 1, 1, 1, 1),
    ) -> None:
        """Stages up to the coarsest of ``strides``, with ``widths`` channels and ``depths`` blocks each."""
        super().__init__()
        self.strides = tuple(strides)
        self.channels = tuple(widths[stride.bit_length() - 2] for stride in strides)
        inputs = (channels, *widths[:-1])
        stages = [
            nn.Sequential(ConvNorm(before, width, stride=2), *(Residual(width) for _ in range(depth)))
            for before, width, depth in zip(inputs, widths, depths, strict=True)
        ]
        self.stages = nn.ModuleList(stages[: max(strides).bit_length() - 1])

    def forward(self, images: Tensor) -> list[Tensor]:
        """Images (B, channels, height, width) to features, finest first."""
        features: list[Tensor] = []
        value = images
        for number, stage in enumerate(self.stages):
            value = stage(value)
            if 2 << number in self.strides:
                features.append(value)
        return features
