"""What all losses of pixels have in common: shapes, precision, and the pixels that do not count."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sightline.data.loading.targets import IGNORE_INDEX
from sightline.errors import SightlineError


def valid_pixels(target: Tensor, ignore_index: int = IGNORE_INDEX) -> Tensor:
    """How many pixels of ``target`` are not ``ignore_index``: a scalar, int64, where ``target`` is."""
    return (target != ignore_index).sum()


class PixelLoss(nn.Module):
    """A loss of logits (B, C, H, W) and labels (B, H, W); a subclass says `of_pixels`.

    Args:
        class_weights: a factor for each class (two for C = 1: background and foreground), 0 or more.
        ignore_index: the label of pixels that do not count.

    Raises:
        SightlineError: weights that are negative or not finite.
    """

    def __init__(
        self, class_weights: Sequence[float] | None = None, ignore_index: int = IGNORE_INDEX
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self._class_weights: Tensor | None = None
        if class_weights is not None:
            weights = torch.tensor(list(class_weights), dtype=torch.float32)
            if not ((weights >= 0) & weights.isfinite()).all():
                raise SightlineError(
                    f"{type(self).__name__}: class_weights are {list(class_weights)}; give numbers from 0 up."
                )
            self._class_weights = weights

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss, a scalar; 0 where no pixel counts.

        Args:
            logits: (B, C, H, W), of any floating type.
            target: (B, H, W), integers: labels from 0, and ``ignore_index``.

        Raises:
            SightlineError: another shape, or (looked at on a CPU only) labels that no class has.
        """
        self._check(logits, target)
        with torch.autocast(logits.device.type, enabled=False):
            labels = target.flatten(1).long()
            valid = labels != self.ignore_index
            scores = logits if logits.dtype == torch.float64 else logits.float()
            # An ignored pixel may hold anything, NaN included, which no factor of 0 would take away.
            scores = scores.flatten(2).masked_fill(~valid[:, None], 0)
            return self.of_pixels(scores, labels.masked_fill(~valid, 0), valid)

    def of_pixels(self, logits: Tensor, labels: Tensor, valid: Tensor) -> Tensor:
        """The loss, a scalar.

        Args:
            logits: float32 (B, C, N), 0 where not valid.
            labels: int64 (B, N), 0 where not valid.
            valid: bool (B, N): the pixels that count.
        """
        raise NotImplementedError

    def weights_of(self, classes: int, like: Tensor) -> Tensor | None:
        """The class weights, (classes,), of the type and on the device of ``like``.

        Raises:
            SightlineError: there are not as many as classes.
        """
        weights = self._class_weights
        if weights is None:
            return None
        if len(weights) != classes:
            raise SightlineError(
                f"{type(self).__name__}: got {len(weights)} class_weights for {classes} classes; give one "
                "for each."
            )
        if weights.device != like.device:  # once, as copying to a GPU waits
            self._class_weights = weights = weights.to(like.device)
        return weights.to(like.dtype)

    def _check(self, logits: Tensor, target: Tensor) -> None:
        if logits.ndim != 4 or target.shape != (len(logits), *logits.shape[2:]) or target.is_floating_point():
            raise SightlineError(
                f"{type(self).__name__}: got logits of shape {tuple(logits.shape)} and a {target.dtype} "
                f"target of shape {tuple(target.shape)}; expected (B, C, H, W) and integers (B, H, W)."
            )
        classes = max(2, logits.shape[1])
        if target.device.type == "cpu":
            wrong = target[(target != self.ignore_index) & ((target < 0) | (target >= classes))]
            if len(wrong):
                raise SightlineError(
                    f"{type(self).__name__}: {len(wrong)} target pixels, such as {wrong[0]}, are neither a "
                    f"label of {classes} classes nor ignore_index {self.ignore_index}; correct the masks or "
                    "the number of classes."
                )
