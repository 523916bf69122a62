"""`ClassificationMetrics`: accuracy, precision, recall, F1, over an epoch and all ranks."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sightline.errors import SightlineError
from sightline.metrics.across_ranks import joined, summed
from sightline.metrics.confusion import classification_numbers
from sightline.metrics.multi_label import multi_label_numbers


class ClassificationMetrics:
    """Of one class an image: `sightline.metrics.confusion.classification_numbers`, and top-k accuracy as
    ``accuracy_top5``. Of several: `sightline.metrics.multi_label.multi_label_numbers`.

    Args:
        classes: their names, by label from 0.
        top_k: how many guesses count; 1 is ``accuracy`` itself, and what reaches the number of classes is
            left out.
        multi_label: whether an image may have any number of the classes. The scores of all images are then
            kept until `compute`.

    Raises:
        SightlineError: no classes, or a ``top_k`` below 1.
    """

    def __init__(
        self, classes: Sequence[str], top_k: Sequence[int] = (1, 5), multi_label: bool = False
    ) -> None:
        if not classes:
            raise SightlineError("ClassificationMetrics: classes is empty; name the classes.")
        if any(k < 1 for k in top_k):
            raise SightlineError(f"ClassificationMetrics: top_k is {list(top_k)}; give numbers from 1 up.")
        self.classes = list(classes)
        self.multi_label = multi_label
        self._top_k = [k for k in top_k if 1 < k < len(classes)]
        self.reset()

    def reset(self) -> None:
        """Forget all batches."""
        size = len(self.classes)
        self._confusion: Tensor | None = None
        self._scores: list[Tensor] = []
        self._labels: list[Tensor] = []
        # A row more for targets that cannot be.
        self._counts = torch.zeros((size + 1) * size, dtype=torch.int64)
        self._hits = torch.zeros(len(self._top_k), dtype=torch.int64)

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add a batch; on a GPU without waiting for it, but for the first one.

        Args:
            predictions: (B, classes): scores, whose order alone counts (logits or probabilities; of equals
                the first class is first); with ``multi_label`` probabilities.
            targets: (B,) labels; with ``multi_label`` (B, classes), 1 for each class that the image has.

        Raises:
            SightlineError: another shape.
        """
        size = len(self.classes)
        expected = (len(predictions), size) if self.multi_label else (len(predictions),)
        if predictions.shape != (len(predictions), size) or targets.shape != expected:
            raise SightlineError(
                f"ClassificationMetrics: got predictions of shape {tuple(predictions.shape)} and targets of "
                f"shape {tuple(targets.shape)} for {size} classes; expected (batch, {size}) and "
                f"{'(batch, ' + str(size) if self.multi_label else '(batch'})."
            )
        if self.multi_label:
            # Flat, as what a rank without any batch contributes is flat too.
            self._scores.append(predictions.float().flatten())
            self._labels.append(targets.float().flatten())
            return
        targets = targets.long()
        rows = torch.where((targets >= 0) & (targets < size), targets, size)
        predicted = predictions.argmax(dim=1)
        self._counts = self._counts.to(targets.device)
        self._counts.scatter_add_(0, rows * size + predicted, torch.ones_like(targets))
        if self._top_k:
            places = _places(predictions, rows.clamp(max=size - 1))
            hits = torch.stack([(places < k).sum() for k in self._top_k])
            self._hits = self._hits.to(hits.device) + hits

    def compute(self) -> dict[str, float]:
        """The numbers by name, over all batches and ranks; see the class.

        Raises:
            SightlineError: targets had a value that is no label.
        """
        if self.multi_label:
            scores = _rows(self._scores, len(self.classes))
            labels = _rows(self._labels, len(self.classes)) != 0
            return multi_label_numbers(scores.numpy(), labels.numpy(), self.classes)
        size = len(self.classes)
        counts = summed(self._counts).reshape(size + 1, size)
        unknown = int(counts[size].sum())
        if unknown:
            raise SightlineError(
                f"ClassificationMetrics: {unknown} targets are none of the {size} classes; labels count "
                "from 0."
            )
        self._confusion = counts[:size]
        numbers = classification_numbers(self._confusion.numpy(), self.classes)
        total = int(self._confusion.sum())
        for k, hits in zip(self._top_k, summed(self._hits).tolist(), strict=True):
            numbers[f"accuracy_top{k}"] = hits / total if total else float("nan")
        return numbers

    @property
    def confusion(self) -> Tensor:
        """What `compute` has seen: counts, int64 (classes, classes), rows the true and columns the predicted
        class, over all ranks.

        Raises:
            SightlineError: there is none yet, or an image may have several classes.
        """
        if self.multi_label:
            raise SightlineError("ClassificationMetrics: several labels an image have no confusion matrix.")
        if self._confusion is None:
            raise SightlineError("ClassificationMetrics: call compute() before asking for the confusion.")
        return self._confusion


def _places(scores: Tensor, targets: Tensor) -> Tensor:
    """(B,): how many classes come before the true one; what is NaN comes before everything."""
    own = scores.gather(1, targets[:, None])
    before = ~(scores <= own)
    before |= (scores == own) & (torch.arange(scores.shape[1], device=scores.device) < targets[:, None])
    return before.sum(dim=1)


def _rows(parts: list[Tensor], columns: int) -> Tensor:
    return joined(parts).reshape(-1, columns).double()
