"""The two ONNX models of `raster.py`, made once: one that gives its input, and a small U-Net.

The U-Net has 3 levels and 8 to 32 channels, and is trained for some seconds to tell dark, middle and bright
surroundings in aerial images, so that its classes form areas as those of a real model do.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

STEPS, CROP, BATCH = 80, 128, 8
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class Block(nn.Sequential):
    """Two convolutions."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
            nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(),
        )  # fmt: skip


class SmallUNet(nn.Module):
    """A U-Net of three levels."""

    def __init__(self, channels: int = 3, classes: int = 3, width: int = 8) -> None:
        super().__init__()
        self.one, self.two, self.three = (
            Block(channels, width),
            Block(width, 2 * width),
            Block(2 * width, 4 * width),
        )
        self.up_two, self.up_one = Block(6 * width, 2 * width), Block(3 * width, width)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes, height, width); sides must be multiples of 4."""
        one = self.one(images)
        two = self.two(F.max_pool2d(one, 2))
        three = self.three(F.max_pool2d(two, 2))
        two = self.up_two(torch.cat([F.interpolate(three, scale_factor=2.0), two], dim=1))
        one = self.up_one(torch.cat([F.interpolate(two, scale_factor=2.0), one], dim=1))
        return self.head(one)


def make_models(folder: Path, image: np.ndarray) -> dict[str, Path]:
    """The models in ``folder``, the U-Net trained on parts of ``image`` (3, height, width)."""
    paths = {name: folder / f"{name}.onnx" for name in ("identity", "unet")}
    if not all(path.exists() for path in paths.values()):
        folder.mkdir(parents=True, exist_ok=True)
        export(nn.Identity().eval(), paths["identity"])
        export(trained(image), paths["unet"])
    return paths


def trained(image: np.ndarray) -> nn.Module:
    torch.manual_seed(0)
    generator = np.random.default_rng(0)
    pixels = torch.from_numpy(image).float()[None] / 255
    blurred = F.avg_pool2d(pixels.mean(dim=1, keepdim=True), 15, stride=1, padding=7)[0, 0]
    limits = torch.quantile(
        blurred.ravel()[:: max(1, blurred.numel() // 100_000)], torch.tensor([1 / 3, 2 / 3])
    )
    labels = torch.bucketize(blurred, limits)
    normalised = (pixels[0] - MEAN[:, None, None]) / STD[:, None, None]
    model = SmallUNet()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(STEPS):
        tops, lefts = generator.integers(0, np.array(labels.shape)[:, None] - CROP, (2, BATCH))
        crops = [np.s_[top : top + CROP, left : left + CROP] for top, left in zip(tops, lefts, strict=True)]
        images = torch.stack([normalised[:, *crop] for crop in crops])
        loss = F.cross_entropy(model(images), torch.stack([labels[crop] for crop in crops]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def export(model: nn.Module, path: Path) -> None:
    sizes = {
        0: torch.export.Dim("batch"),
        2: 4 * torch.export.Dim("rows"),
        3: 4 * torch.export.Dim("columns"),
    }
    program = torch.onnx.export(
        model, (torch.zeros(2, 3, 64, 64),), input_names=["images"], output_names=["logits"],
        dynamic_shapes=(sizes,), dynamo=True, verbose=False,
    )  # fmt: skip
    assert program is not None
    program.save(path)
