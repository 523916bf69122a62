"""A small residual network for images of any size, and its two files on disk."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class ModelConfig:
    """All that is needed to build the network and to feed it: saved beside the weights."""

    class_names: list[str]
    image_size: int  # pixels, both sides
    width: int = 32  # channels of the first stage
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut; halves the resolution when ``stride`` is 2."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.shortcut = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

    def forward(self, x_bchw: Tensor) -> Tensor:
        y_bchw = F.relu(self.norm1(self.conv1(x_bchw)))
        return F.relu(self.norm2(self.conv2(y_bchw)) + self.shortcut(x_bchw))


class Classifier(nn.Module):
    """uint8 images in, class scores out: normalisation is part of the model, so nobody can forget it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.mean_c = nn.Buffer(torch.tensor(config.mean).view(3, 1, 1), persistent=False)
        self.std_c = nn.Buffer(torch.tensor(config.std).view(3, 1, 1), persistent=False)
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.blocks = nn.Sequential(
            Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2)
        )
        self.head = nn.Linear(4 * width, len(config.class_names))

    def forward(self, x_bchw: Tensor) -> Tensor:
        """``x_bchw``: uint8 RGB, ``image_size`` on both sides. Returns logits ``(batch, classes)``."""
        x_bchw = (x_bchw.float() / 255 - self.mean_c) / self.std_c
        return self.head(self.blocks(self.stem(x_bchw)).mean(dim=(2, 3)))


def save(model: Classifier, folder: Path) -> None:
    """Write ``model.safetensors`` and ``model.json``."""
    weights = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(asdict(model.config), indent=2))


def load(folder: Path) -> Classifier:
    """The network that `save` wrote, in evaluation mode."""
    model = Classifier(ModelConfig(**json.loads((folder / "model.json").read_text())))
    model.load_state_dict(load_file(folder / "model.safetensors"))
    return model.eval()
