"""Losses of how predicted and true regions overlap: Tversky's, and Dice and Jaccard, which it includes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sightline.data.loading.targets import IGNORE_INDEX
from sightline.errors import SightlineError
from sightline.losses.pixel_loss import PixelLoss

_LEAST = 1e-7  # instead of dividing by 0


class Tversky(PixelLoss):
    """1 minus Tversky's index ``TP / (TP + alpha FP + beta FN)``, where probabilities count as parts of
    pixels (Salehi et al. 2017, https://arxiv.org/abs/1706.05721).

    The index is that of all pixels of the batch, and the loss its mean over the classes that the batch has;
    of one logit only the foreground is a class. A batch without any of it has the loss 0: combine the loss
    with one of single pixels (`WeightedSum`), as those of an absent class teach nothing here.

    Args:
        alpha: weight of false positives, from 0 up.
        beta: weight of false negatives, from 0 up.
        smooth: pixels that are added above and below the line, from 0 up.
        class_weights: a weight for each class in the mean; not for one logit.
        ignore_index: the label of pixels that do not count.

    Raises:
        SightlineError: a negative number.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        smooth: float = 0.0,
        class_weights: Sequence[float] | None = None,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__(class_weights, ignore_index)
        for name, value in (("alpha", alpha), ("beta", beta), ("smooth", smooth)):
            if not value >= 0:
                raise SightlineError(f"{type(self).__name__}: {name} is {value}; give a number from 0 up.")
        self.alpha, self.beta, self.smooth = alpha, beta, smooth

    def of_pixels(self, logits: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        """See `PixelLoss.of_pixels`."""
        share, is_class = probabilities(self, logits, labels)
        is_class = is_class & valid[:, None]
        predicted = (share * valid[:, None]).sum((0, 2))
        right = (share * is_class).sum((0, 2))
        true = is_class.sum((0, 2))
        below = right + self.alpha * (predicted - right) + self.beta * (true - right)
        index = (right + self.smooth) / (below + self.smooth).clamp(min=_LEAST)
        return mean_over_classes(self, 1 - index, true > 0)


class Dice(Tversky):
    """1 minus Dice's coefficient ``2 TP / (2 TP + FP + FN)`` (Milletari et al. 2016,
    https://arxiv.org/abs/1606.04797); otherwise as `Tversky`, whose index it is for alpha = beta = 1/2."""

    def __init__(
        self,
        smooth: float = 0.0,
        class_weights: Sequence[float] | None = None,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__(0.5, 0.5, smooth, class_weights, ignore_index)


class Jaccard(Tversky):
    """1 minus the intersection over union, ``TP / (TP + FP + FN)`` (Rahman and Wang 2016,
    https://doi.org/10.1007/978-3-319-50835-1_22); otherwise as `Tversky`, whose index it is for
    alpha = beta = 1."""

    def __init__(
        self,
        smooth: float = 0.0,
        class_weights: Sequence[float] | None = None,
        ignore_index: int = IGNORE_INDEX,
    ) -> None:
        super().__init__(1.0, 1.0, smooth, class_weights, ignore_index)


def probabilities(loss: PixelLoss, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Of each class that counts its probabilities, (B, C, N), and where it is the true one, bool (B, C, N).
    Of one logit only the foreground counts.

    Raises:
        SightlineError: class weights for one logit, which would do nothing.
    """
    classes = logits.shape[1]
    if classes == 1:
        if loss.weights_of(2, logits) is not None:
            raise SightlineError(
                f"{type(loss).__name__}: class_weights do nothing with one logit, of which only the "
                "foreground counts; remove them."
            )
        return logits.sigmoid(), (labels == 1)[:, None]
    return logits.softmax(1), labels[:, None] == torch.arange(classes, device=labels.device)[:, None]


def mean_over_classes(loss: PixelLoss, values: Tensor, present: Tensor) -> Tensor:
    """The mean of ``values`` (C,) over the classes that are ``present``, by class weights where there are
    any; 0 where none is."""
    weights = loss.weights_of(len(values), values) if len(values) > 1 else None
    counted = present.to(values.dtype) if weights is None else present * weights
    return (values * counted).sum() / counted.sum().clamp(min=_LEAST)
