"""`small_mlp`: two hidden layers on a coarse picture of the image, the baseline that a model has to beat."""

from torch import Tensor, nn


def small_mlp(
    *, classes: int, channels: int = 3, grid: int = 8, width: int = 256, dropout: float = 0.2
) -> nn.Module:
    """A multi-layer perceptron on the image averaged to ``grid`` x ``grid`` cells, for images of any size.

    Args:
        classes: how many logits there are.
        channels: bands of the images.
        grid: cells on each side.
        width: units in each of the two hidden layers.
        dropout: share of the hidden units that training leaves out.
    """
    return SmallMlp(classes, channels, grid, width, dropout)


class SmallMlp(nn.Module):
    """See `small_mlp`."""

    def __init__(self, classes: int, channels: int, grid: int, width: int, dropout: float) -> None:
        super().__init__()
        self.cells = nn.AdaptiveAvgPool2d(grid)
        inputs = (channels * grid * grid, width)
        self.layers = nn.Sequential(*(_layer(number, width, dropout) for number in inputs))
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, channels, H, W)."""
        return self.head(self.layers(self.cells(images).flatten(1)))


def _layer(inputs: int, width: int, dropout: float) -> nn.Module:
    linear = nn.Linear(inputs, width, bias=False)
    return nn.Sequential(linear, nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout))
