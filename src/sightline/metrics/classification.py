"""`ClassificationMetrics`: accuracy, precision, recall, F1, over an epoch and all ranks."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from sightline.errors import SightlineError
from sightline.metrics.confusion import classification_numbers
from sightline.metrics.multi_label import multi_label_numbers


class ClassificationMetrics(Metric):
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

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    scores: list[Tensor]
    labels: list[Tensor]
    counts: Tensor
    hits: Tensor

    def __init__(
        self, classes: Sequence[str], top_k: Sequence[int] = (1, 5), multi_label: bool = False
    ) -> None:
        super().__init__()
        if not classes:
            raise SightlineError("ClassificationMetrics: classes is empty; name the classes.")
        if any(k < 1 for k in top_k):
            raise SightlineError(f"ClassificationMetrics: top_k is {list(top_k)}; give numbers from 1 up.")
        self.classes = list(classes)
        self.multi_label = multi_label
        self._top_k = [k for k in top_k if 1 < k < len(classes)]
        self._confusion: Tensor | None = None
        if multi_label:
            self.add_state("scores", [], dist_reduce_fx="cat")
            self.add_state("labels", [], dist_reduce_fx="cat")
        else:
            # A row more for targets that cannot be.
            size = (len(classes) + 1) * len(classes)
            self.add_state("counts", torch.zeros(size, dtype=torch.int64), dist_reduce_fx="sum")
            self.add_state("hits", torch.zeros(len(self._top_k), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add a batch; on a GPU without waiting for it.

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
            self.scores.append(predictions.to(self.dtype).flatten())
            self.labels.append(targets.to(self.dtype).flatten())
            return
        targets = targets.long()
        rows = torch.where((targets >= 0) & (targets < size), targets, size)
        predicted = predictions.argmax(dim=1)
        self.counts.scatter_add_(0, rows * size + predicted, torch.ones_like(targets))
        if self._top_k:
            places = _places(predictions, rows.clamp(max=size - 1))
            self.hits += torch.stack([(places < k).sum() for k in self._top_k])

    def compute(self) -> dict[str, float]:
        """The numbers by name, over all batches and ranks; see the class.

        Raises:
            SightlineError: targets had a value that is no label.
        """
        if self.multi_label:
            scores = _rows(self.scores, len(self.classes))
            labels = _rows(self.labels, len(self.classes)) != 0
            return multi_label_numbers(scores.numpy(), labels.numpy(), self.classes)
        size = len(self.classes)
        counts = self.counts.reshape(size + 1, size).cpu()
        unknown = int(counts[size].sum())
        if unknown:
            raise SightlineError(
                f"ClassificationMetrics: {unknown} targets are none of the {size} classes; labels count "
                "from 0."
            )
        self._confusion = counts[:size]
        numbers = classification_numbers(self._confusion.numpy(), self.classes)
        total = int(self._confusion.sum())
        for k, hits in zip(self._top_k, self.hits.tolist(), strict=True):
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


def _rows(parts: list[Tensor] | Tensor, columns: int) -> Tensor:
    whole = dim_zero_cat(parts) if len(parts) else torch.zeros(0)
    return whole.reshape(-1, columns).cpu().double()
