"""The head of a detector that says at each place of each level what is there and where its edges are."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_PRIOR = 0.01  # how sure an untrained model is of each class, so that the background does not swamp the rest
_REACH = 2.0  # strides from a place to each edge that an untrained model says


class Tower(nn.Module):
    """A convolution that all levels share, with statistics of each level (RTMDet, arXiv:2212.07784)."""

    def __init__(self, width: int, levels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(levels))

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        """Levels (B, width, height, width of each) to the same."""
        return [F.relu(norm(self.convolution(one))) for norm, one in zip(self.norms, levels, strict=True)]


class DenseHead(nn.Module):
    """Rates each class, and measures the distances to four edges, at each place (FCOS, arXiv:1904.01355).

    The two have towers of ``depth`` convolutions of their own.
    """

    def __init__(self, width: int, classes: int, levels: int, depth: int) -> None:
        super().__init__()
        self.class_towers = nn.Sequential(*(Tower(width, levels) for _ in range(depth)))
        self.edge_towers = nn.Sequential(*(Tower(width, levels) for _ in range(depth)))
        self.classify = nn.Conv2d(width, classes, 1)
        self.edges = nn.Conv2d(width, 4, 1)
        for layer in (self.classify, self.edges):
            nn.init.normal_(layer.weight, std=0.01)
        nn.init.constant_(_bias(self.classify), math.log(_PRIOR / (1 - _PRIOR)))
        nn.init.constant_(_bias(self.edges), math.log(math.expm1(_REACH)))

    def forward(self, levels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Class logits (B, N, classes), and distances to the left, top, right and bottom edge in strides,
        above 0, (B, N, 4); of the levels one after the other, row by row. Both are float32."""
        logits = [self.classify(one).flatten(2) for one in self.class_towers(levels)]
        edges = [self.edges(one).flatten(2) for one in self.edge_towers(levels)]
        distances = F.softplus(torch.cat(edges, dim=2).float())
        return torch.cat(logits, dim=2).float().transpose(1, 2), distances.transpose(1, 2)


def places_of(levels: Sequence[Tensor], strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The centres (x, y) in pixels of all places of the levels, float32 (N, 2), and their strides, (N, 1)."""
    points: list[Tensor] = []
    sizes: list[Tensor] = []
    for level, stride in zip(levels, strides, strict=True):
        height, width = level.shape[-2:]
        down = (torch.arange(height, device=level.device, dtype=torch.float32) + 0.5) * stride
        across = (torch.arange(width, device=level.device, dtype=torch.float32) + 0.5) * stride
        grid = torch.stack([across.expand(height, width), down[:, None].expand(height, width)], dim=2)
        points.append(grid.flatten(0, 1))
        sizes.append(torch.full_like(points[-1][:, :1], stride))
    return torch.cat(points), torch.cat(sizes)


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
