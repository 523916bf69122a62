"""Several losses as one."""

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sightline.data.loading.targets import IGNORE_INDEX
from sightline.errors import SightlineError


class WeightedSum(nn.Module):
    """A sum of losses, each times its weight::

        class_path: sightline.losses.WeightedSum
        init_args:
          losses:
            - {class_path: sightline.losses.Focal}
            - {class_path: sightline.losses.Dice, init_args: {smooth: 1.0}}
          weights: [1.0, 0.5]

    Args:
        losses: modules of logits (B, C, H, W) and labels (B, H, W); `PixelLoss` or others.
        weights: one for each; by default 1.

    Raises:
        SightlineError: no losses, not as many weights as losses, or losses that ignore different labels.
    """

    def __init__(self, losses: Sequence[nn.Module], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        if not losses:
            raise SightlineError("WeightedSum: losses is empty; list what is to be added.")
        if weights is not None and len(weights) != len(losses):
            raise SightlineError(
                f"WeightedSum: got {len(weights)} weights for {len(losses)} losses; give one for each."
            )
        ignored: set[int] = {getattr(loss, "ignore_index", IGNORE_INDEX) for loss in losses}
        if len(ignored) > 1:
            raise SightlineError(
                f"WeightedSum: its losses have ignore_index {sorted(ignored)}; give all the same one."
            )
        self.ignore_index = ignored.pop()
        self.losses = nn.ModuleList(losses)
        self.weights = [1.0] * len(losses) if weights is None else list(weights)

    def parts(self, logits: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Each loss times its weight, a scalar, by names such as ``focal`` and ``cross_entropy_2``."""
        names = [re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(loss).__name__).lower() for loss in self.losses]
        if logits.dtype in (torch.float16, torch.bfloat16):
            logits = logits.float()  # once, so that gradients of the parts are added up in float32 too
        parts: dict[str, Tensor] = {}
        for place, (loss, weight) in enumerate(zip(self.losses, self.weights, strict=True)):
            name, number = names[place], names[: place + 1].count(names[place])
            parts[name if number == 1 else f"{name}_{number}"] = weight * loss(logits, target)
        return parts

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The sum, a scalar."""
        return torch.stack(list(self.parts(logits, target).values())).sum()
