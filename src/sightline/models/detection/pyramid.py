"""From a backbone's features to levels of equal width, each of which sees fine detail and the whole."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from sightline.models.layers import ConvNorm


class FeaturePyramid(nn.Module):
    """Adds coarse features to finer ones from the top down (Lin et al. 2016, arXiv:1612.03144).

    ``extra`` levels follow the coarsest one, each of half its size.
    """

    def __init__(self, channels: Sequence[int], width: int, extra: int = 0) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(ConvNorm(one, width, 1) for one in channels)
        self.smooth = nn.ModuleList(ConvNorm(width, width) for _ in channels)
        self.extra = nn.ModuleList(ConvNorm(width, width, stride=2) for _ in range(extra))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Features, finest first, to levels (B, width, height, width of each), finest first."""
        levels = [lateral(one) for lateral, one in zip(self.lateral, features, strict=True)]
        for fine in range(len(levels) - 2, -1, -1):
            size = levels[fine].shape[-2:]
            levels[fine] = levels[fine] + F.interpolate(levels[fine + 1], size=size, mode="nearest")
        levels = [smooth(one) for smooth, one in zip(self.smooth, levels, strict=True)]
        for halve in self.extra:
            levels.append(halve(levels[-1]))
        return levels
