"""Focal loss."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sightline.data.loading.targets import IGNORE_INDEX
from sightline.errors import SightlineError
from sightline.losses.pixel_loss import PixelLoss


class Focal(PixelLoss):
    """Cross-entropy times ``(1 - p)^gamma``, where p is the probability of the true class: pixels that are
    right already count less (Lin et al. 2017, https://arxiv.org/abs/1708.02002). A mean over the pixels that
    count.

    The paper's alpha are the ``class_weights`` ``[1 - alpha, alpha]``.

    Args:
        gamma: how much less, from 0 (cross-entropy) up.
        class_weights: a factor for the pixels of each class.
        ignore_index: the label of pixels that do not count.

    Raises:
        SightlineError: a negative ``gamma``.
    """

    def __init__(
        self,
        gamma: float = 2.0,
        class_weights: Sequence[float] | None = None,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__(class_weights, ignore_index)
        if not gamma >= 0:
            raise SightlineError(f"Focal: gamma is {gamma}; give a number from 0 up.")
        self.gamma = gamma

    def of_pixels(self, logits: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        """See `PixelLoss.of_pixels`."""
        index = labels[:, None]
        if logits.shape[1] == 1:
            margin = torch.where(index == 1, logits, -logits).squeeze(1)
        else:
            others = logits.scatter(1, index, -torch.inf).logsumexp(1)
            margin = logits.gather(1, index).squeeze(1) - others
        # The true class's probability is the margin's sigmoid. By logarithms, 1 - p is exact also where p is
        # almost 1, and its power has a finite gradient there for every gamma.
        loss = -(self.gamma * F.logsigmoid(-margin)).exp() * F.logsigmoid(margin)
        weights = self.weights_of(max(2, logits.shape[1]), logits)
        if weights is not None:
            loss = loss * weights[labels]
        return (loss * valid).sum() / valid.sum().clamp(min=1)
