"""Small modules that take some images and not others."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PixelNet(nn.Module):
    """Logits of each pixel; ``multiple``: heights and widths have to be multiples of that."""

    def __init__(self, classes: int = 2, channels: int = 3, multiple: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, 8, 3, padding=1, stride=2)
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.Conv2d(8, classes, 1)
        self.multiple = multiple

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        if height % self.multiple or width % self.multiple:
            raise RuntimeError("such images are not taken")
        features = self.last(self.norm(self.first(images)).relu())
        return F.interpolate(features, size=(height, width), mode="bilinear")


class PatchNet(nn.Module):
    """A class of images of 32 x 32 pixels, as it knows 16 places."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, stride=8)
        self.places = nn.Parameter(torch.randn(1, 16, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head((self.patches(images).flatten(2).transpose(1, 2) + self.places).mean(1))


class OneImageNet(nn.Module):
    """A class of one image at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[0] != 1:
            raise RuntimeError("one image only")
        return self.head(images.mean((2, 3)))


class TwoFacedNet(nn.Module):
    """A class; when it is exported, what ``exported`` makes of its logits."""

    def __init__(self, exported: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.head = nn.Linear(3, 3)
        self.exported = exported

    def forward(self, images: Tensor) -> Tensor:
        logits = self.head(images.mean((2, 3)))
        return self.exported(logits) if torch.compiler.is_exporting() else logits


class PooledNet(nn.Module):
    """A class, by way of a pooling that ONNX has for one size of images alone."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.head = nn.Linear(48, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.pool(images).flatten(1))


class GridDetector(nn.Module):
    """Scores and a box for each cell of 8 x 8 pixels."""

    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 8, 8, stride=8)
        self.classify, self.edges = nn.Conv2d(8, classes, 1), nn.Conv2d(8, 4, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(images).relu()
        height, width = features.shape[2:]
        rows, columns = (torch.arange(height) + 0.5) * 8, (torch.arange(width) + 0.5) * 8
        grid = torch.stack([columns.expand(height, width), rows[:, None].expand(height, width)], dim=2)
        points = grid.flatten(0, 1)
        sides = F.softplus(self.edges(features).flatten(2).transpose(1, 2)) * 8
        boxes = torch.cat([points - sides[..., :2], points + sides[..., 2:]], dim=-1)
        return self.classify(features).flatten(2).transpose(1, 2).sigmoid(), boxes
