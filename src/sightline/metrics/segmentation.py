"""`SegmentationMetrics`: IoU, Dice, precision and recall of pixels, over an epoch and all ranks."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sightline.data.loading.targets import IGNORE_INDEX
from sightline.errors import SightlineError
from sightline.metrics.across_ranks import summed
from sightline.metrics.confusion import segmentation_numbers


class SegmentationMetrics:
    """The numbers of `sightline.metrics.confusion.segmentation_numbers`, of all pixels together.

    Args:
        classes: their names, by label from 0; of two the second one is the foreground.
        ignore_index: the value of pixels in the targets that do not count.

    Raises:
        SightlineError: no classes, or an ``ignore_index`` that is the label of a class.
    """

    def __init__(self, classes: Sequence[str], ignore_index: int = IGNORE_INDEX) -> None:
        if not classes:
            raise SightlineError("SegmentationMetrics: classes is empty; name the classes.")
        if 0 <= ignore_index < len(classes):
            raise SightlineError(
                f"SegmentationMetrics: ignore_index {ignore_index} is the label of class "
                f"'{classes[ignore_index]}'; give a number that no class has."
            )
        self.classes = list(classes)
        self.ignore_index = ignore_index
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        self._confusion: Tensor | None = None
        # A row more for targets that cannot be, a column more for pixels predicted as no class; and at the
        # end the ignored pixels, which no mask takes out, as a GPU would have to be asked how many are left.
        side = len(self.classes) + 1
        self._counts = torch.zeros(side * side + 1, dtype=torch.int64)

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add a batch; on a GPU without waiting for it, but for the first one.

        Args:
            predictions: integers (B, H, W): the label of each pixel; what is no label is no class, and wrong.
            targets: integers (B, H, W): labels and ``ignore_index``.

        Raises:
            SightlineError: another shape, or numbers that are not integers.
        """
        if predictions.shape != targets.shape or predictions.is_floating_point():
            raise SightlineError(
                f"SegmentationMetrics: got {predictions.dtype} predictions of shape "
                f"{tuple(predictions.shape)} and targets of shape {tuple(targets.shape)}; give the label of "
                "each pixel, (batch, height, width) both."
            )
        side = len(self.classes) + 1
        places = self._known(targets).mul_(side).add_(self._known(predictions))
        places.masked_fill_(targets.flatten() == self.ignore_index, side * side)
        self._counts = self._counts.to(places.device)
        self._counts.scatter_add_(0, places, torch.ones_like(places[:1]).expand_as(places))

    def _known(self, labels: Tensor) -> Tensor:
        """A flat copy, int64, with the number of classes in place of what is no label."""
        flat = labels.flatten().to(torch.int64, copy=True)
        return flat.masked_fill_((flat < 0) | (flat >= len(self.classes)), len(self.classes))

    def compute(self) -> dict[str, float]:
        """The numbers by name, over all batches and ranks; see the class.

        Raises:
            SightlineError: targets had a value that is neither a label nor ``ignore_index``.
        """
        count = len(self.classes)
        counts = summed(self._counts)[:-1].reshape(count + 1, count + 1)
        unknown = int(counts[count].sum())
        if unknown:
            raise SightlineError(
                f"SegmentationMetrics: {unknown} target pixels are neither a label of {count} classes nor "
                f"ignore_index {self.ignore_index}; correct the masks or the list of classes."
            )
        self._confusion = counts[:count]
        return segmentation_numbers(self._confusion.numpy(), self.classes)

    @property
    def confusion(self) -> Tensor:
        """What `compute` has seen: pixels, int64 (classes, classes + 1), rows the true and columns the
        predicted class, the last column for pixels predicted as no class, over all ranks.

        Raises:
            SightlineError: there is none yet.
        """
        if self._confusion is None:
            raise SightlineError("SegmentationMetrics: call compute() before asking for the confusion.")
        return self._confusion
