"""Logits and labels to call losses on."""

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from sightline.losses import CrossEntropy, Dice, Focal, Jaccard, Lovasz, Tversky, WeightedSum

IGNORED = 255

LOSSES: dict[str, nn.Module] = {
    "cross_entropy": CrossEntropy(),
    "smoothed": CrossEntropy(label_smoothing=0.1),
    "focal": Focal(),
    "focal_below_1": Focal(gamma=0.5),
    "dice": Dice(),
    "dice_smooth": Dice(smooth=1.0),
    "tversky": Tversky(alpha=0.3, beta=0.7),
    "jaccard": Jaccard(),
    "lovasz": Lovasz(),
    "sum": WeightedSum([Focal(), Dice()], [1.0, 0.5]),
}


@st.composite
def batches(draw: st.DrawFn, least: int = 1, most: int = 5, ignored: bool = True) -> tuple[Tensor, Tensor]:
    """Logits (B, C, H, W), C from ``least`` to ``most``, and labels (B, H, W); some classes may be absent,
    some pixels ignored."""
    count = draw(st.integers(least, most))
    size = draw(st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6)))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    scale = draw(st.sampled_from([0.1, 1.0, 8.0]))
    logits = torch.randn((size[0], count, *size[1:]), generator=generator) * scale
    present = draw(st.integers(1, max(2, count)))
    target = torch.randint(0, present, size, generator=generator)
    if ignored and draw(st.booleans()):
        target[torch.rand(size, generator=generator) < draw(st.sampled_from([0.2, 0.8]))] = IGNORED
    return logits, target


def gradient(loss: nn.Module, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The loss, detached, and its gradient."""
    leaf = logits.detach().clone().requires_grad_()
    value = loss(leaf, target)
    value.backward()
    assert leaf.grad is not None
    return value.detach(), leaf.grad
