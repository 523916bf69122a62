"""Pieces that several nets are made of."""

from torch import Tensor, nn
from torch.nn import functional as F


class ConvNorm(nn.Module):
    """A convolution without bias, BatchNorm, and ReLU unless ``activation`` is False.

    The parts have names rather than numbers, so that the whole counts as one layer in
    ``trainer.layer_decay``. ReLU because it costs a third of GELU on a CPU.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, activation: bool = True
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.activation = nn.ReLU() if activation else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, outputs, H / stride, W / stride)."""
        return self.activation(self.norm(self.convolution(x)))


class Residual(nn.Module):
    """Two 3 x 3 convolutions and a way around them (ResNet, arXiv:1512.03385)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = ConvNorm(width, width)
        self.second = ConvNorm(width, width, activation=False)

    def forward(self, x: Tensor) -> Tensor:
        """Features of the same shape."""
        return F.relu(x + self.second(self.first(x)))


def replace_first_convolution(model: nn.Module, channels: int) -> None:
    """Make the first convolution of a model for images of three bands one for ``channels`` bands.

    Its weights are new ones.
    """
    place, old = next(
        (place, module) for place, module in model.named_modules() if isinstance(module, nn.Conv2d)
    )
    assert old.in_channels == 3
    assert old.groups == 1
    assert isinstance(old.padding, tuple)
    new = nn.Conv2d(
        channels,
        old.out_channels,
        (old.kernel_size[0], old.kernel_size[1]),
        (old.stride[0], old.stride[1]),
        (old.padding[0], old.padding[1]),
        bias=old.bias is not None,
        padding_mode=old.padding_mode,
    )
    model.set_submodule(place, new)
