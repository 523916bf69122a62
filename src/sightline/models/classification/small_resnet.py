"""`small_resnet`: a residual net for tiny images (8 to 64 pixels wide) that learns in minutes on a CPU."""

from torch import Tensor, nn
from torch.nn import functional as F

from sightline.models.layers import ConvNorm, Residual


def small_resnet(*, classes: int, channels: int = 3, width: int = 16, dropout: float = 0.0) -> nn.Module:
    """A net of nine layers in the manner of the fast CIFAR-10 nets of the DAWNBench competition ("ResNet-9").

    Three stages double the channels and halve the resolution, two of them with a residual block behind it.
    So most of the work is done where pixels are few, which is where convolutions are fast. The largest
    response of each channel, wherever it is, goes to the last layer. Images need 8 pixels on each side.

    Args:
        classes: how many logits there are.
        channels: bands of the images.
        width: channels of the first layer; the last has eight times as many. Work grows with its square.
        dropout: share of the last layer's inputs that training leaves out.
    """
    return SmallResNet(classes, channels, width, dropout)


class SmallResNet(nn.Module):
    """See `small_resnet`."""

    def __init__(self, classes: int, channels: int, width: int, dropout: float) -> None:
        super().__init__()
        self.stem = ConvNorm(channels, width)
        self.stages = nn.Sequential(
            Stage(width, 2 * width, residual=True),
            Stage(2 * width, 4 * width, residual=False),
            Stage(4 * width, 8 * width, residual=True),
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8 * width, classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, channels, H, W)."""
        features = self.stages(self.stem(images)).amax((2, 3))
        # Small logits at first: the largest of many responses is large, and a sure start is slow to unlearn.
        return self.head(self.dropout(features)) * 0.125


class Stage(nn.Module):
    """A convolution, half the resolution, and a residual block if asked for.

    The largest of each four responses is taken before they are normalised, as in the "airbench" nets
    (arXiv:2404.00498): BatchNorm and ReLU, which cost a CPU as much as a convolution, then see a quarter of
    the pixels.
    """

    def __init__(self, inputs: int, outputs: int, *, residual: bool) -> None:
        super().__init__()
        self.widen = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.norm = nn.BatchNorm2d(outputs)
        self.residual = Residual(outputs) if residual else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, outputs, H / 2, W / 2)."""
        return self.residual(F.relu(self.norm(self.pool(self.widen(x)))))
