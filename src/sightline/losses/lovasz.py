"""The Lovasz losses, which stand for intersection over union itself."""

import torch
from torch import Tensor

from sightline.data.loading.targets import IGNORE_INDEX
from sightline.losses.overlap import mean_over_classes, probabilities
from sightline.losses.pixel_loss import PixelLoss


class Lovasz(PixelLoss):
    """The convex closure of 1 minus the intersection over union (Berman et al. 2018,
    https://arxiv.org/abs/1705.08790), of all pixels of the batch.

    Of several logits it is Lovasz-Softmax, the mean over the classes that the batch has; of one the Lovasz
    hinge of the foreground, which also counts in a batch without any.

    Args:
        ignore_index: the label of pixels that do not count.
    """

    def __init__(self, ignore_index: int = IGNORE_INDEX) -> None:
        super().__init__(ignore_index=ignore_index)

    def of_pixels(self, logits: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        """See `PixelLoss.of_pixels`."""
        counts = valid.flatten()
        if logits.shape[1] == 1:
            true = (labels == 1).flatten()
            margins = logits.flatten() * torch.where(true, 1, -1)
            return _extension((1 - margins).clamp(min=0), true, counts)
        share, is_class = probabilities(self, logits, labels)
        losses, present = [], []
        for class_share, class_true in zip(share.unbind(1), is_class.unbind(1), strict=True):
            true = class_true.flatten() & counts
            losses.append(_extension((class_share.flatten() - true.to(share.dtype)).abs(), true, counts))
            present.append(true.any())
        return mean_over_classes(self, torch.stack(losses), torch.stack(present))


def _extension(errors: Tensor, true: Tensor, valid: Tensor) -> Tensor:
    """The sum of ``errors`` (N,) of 0 and more, the largest first, each times what intersection over union
    loses when that pixel is wrong too (algorithm 1 of the paper)."""
    # Ignored pixels go last, where they are multiplied by 0.
    ordered, order = errors.masked_fill(~valid, -1).sort(descending=True, stable=True)
    true, valid = (true & valid)[order], valid[order]
    found = true.cumsum(0)
    wrong = (valid & ~true).cumsum(0)
    total = true.sum()
    # The difference of two indices that are almost alike, put so that nothing cancels out.
    union = (total + wrong).clamp(min=1).to(errors.dtype)
    loss_if_false = (total - found) / (union * (union - 1).clamp(min=1))
    loss_if_false = torch.where(total > 0, loss_if_false, (wrong == 1).to(errors.dtype))
    steps = torch.where(true, 1 / union, loss_if_false) * valid
    return ordered @ steps
