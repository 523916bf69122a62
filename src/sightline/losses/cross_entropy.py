"""Cross-entropy."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sightline.data.loading.targets import IGNORE_INDEX
from sightline.errors import SightlineError
from sightline.losses.pixel_loss import PixelLoss


class CrossEntropy(PixelLoss):
    """The negative log-likelihood of the labels, a mean over the pixels that count.

    With class weights each pixel counts that much more, but the sum is still divided by the number of
    pixels (torch divides by the sum of weights): so a mean of batches is that of one large batch.

    Args:
        label_smoothing: the share of certainty that is spread evenly over all classes, from 0 to below 1
            (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567, section 7).
        class_weights: a factor for the pixels of each class.
        ignore_index: the label of pixels that do not count.

    Raises:
        SightlineError: ``label_smoothing`` outside of its range.
    """

    def __init__(
        self,
        label_smoothing: float = 0.0,
        class_weights: Sequence[float] | None = None,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__(class_weights, ignore_index)
        if not 0 <= label_smoothing < 1:
            raise SightlineError(
                f"CrossEntropy: label_smoothing is {label_smoothing}; give 0 or more and less than 1."
            )
        self.label_smoothing = label_smoothing

    def of_pixels(self, logits: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        """See `PixelLoss.of_pixels`."""
        if logits.shape[1] == 1:  # of two classes, the background's logit being 0
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        weights = self.weights_of(logits.shape[1], logits)
        # Not torch's cross_entropy, which for images has no deterministic form on GPUs.
        log_p = logits.log_softmax(1)
        loss = -log_p.gather(1, labels[:, None]).squeeze(1)
        if weights is not None:
            loss = loss * weights[labels]
        if self.label_smoothing:
            spread = -(log_p if weights is None else log_p * weights[:, None]).mean(1)
            loss = (1 - self.label_smoothing) * loss + self.label_smoothing * spread
        return (loss * valid).sum() / valid.sum().clamp(min=1)
