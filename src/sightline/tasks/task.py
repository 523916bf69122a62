"""`Task`: a model, what it is to minimise, and what it predicts."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from sightline.config import Config, config_type
from sightline.errors import SightlineError
from sightline.tasks.log import NO_LOG, StepLog

C = TypeVar("C", bound=Config)


class Task(Generic[C]):
    """Subclass it as ``class Digits(Task[DigitsConfig])`` and override what differs.

    A first model needs `build_model`, `compute_loss` and `compute_predictions`. Nothing here knows of the
    training loop, so a task serves any loop::

        task = Digits(DigitsConfig(hidden=64))
        model = task.build_model()
        for batch in loader:
            loss = task.compute_loss(task.forward(model, batch), batch)

    Args:
        config: the task's settings; by default those of its config class.
        model: a model that was configured apart from the task, for tasks without a `build_model`.
    """

    def __init__(self, config: C | None = None, *, model: nn.Module | None = None) -> None:
        self.config = cast(C, config_type(type(self), Task)() if config is None else config)
        self._model = model
        self.log: StepLog = NO_LOG
        """Logs values from within the methods below, at the step and in the part (training, validation) at
        hand; in a loop of one's own it does nothing."""

    def build_model(self) -> nn.Module:
        """A new model, its weights drawn from torch's global generator."""
        if self._model is None:
            raise SightlineError(
                f"{type(self).__name__}: has no model; override build_model, or give `model:` in the spec."
            )
        return self._model

    def build_dataset(self, split: str) -> Any:
        """The map-style dataset for ``split`` ("train", "validation", "test"), or None where there is none.

        Datasets of the spec (``data:``) come before this.
        """
        del split
        return None

    def build_metrics(self) -> dict[str, Any]:
        """What predictions are judged by, by name, as ``metrics`` of the spec; that comes on top of these."""
        return {}

    def settled(self) -> C:
        """The settings with what only the data decides (classes, say) filled in: those that a run keeps."""
        return self.config

    def forward(self, model: nn.Module, batch: Any) -> Any:
        """What the model makes of a batch; by default of the batch's first part."""
        return model(batch[0] if isinstance(batch, list | tuple) else batch)

    def compute_loss(self, outputs: Any, batch: Any) -> Tensor | Mapping[str, Tensor]:
        """What is minimised: a scalar, or several by name, which are summed and logged one by one.

        It is the mean over what `loss_weight` counts.
        """
        raise NotImplementedError(f"{type(self).__name__}: override compute_loss.")

    def compute_predictions(self, outputs: Any, batch: Any) -> Any:
        """What metrics compare with `targets`, and what `predict` gives; by default the outputs."""
        del batch
        return outputs

    def targets(self, batch: Any) -> Any:
        """What predictions are compared with: the batch's second part, or the only entry of that."""
        targets = batch[1]
        if isinstance(targets, Mapping) and len(targets) == 1:
            return next(iter(targets.values()))
        return targets

    def loss_weight(self, batch: Any) -> int | Tensor:
        """What the loss of the batch is a mean over: by default the number of its items.

        Batches that are accumulated, or that different ranks have, count in this proportion, so that the
        update is that of one large batch. A loss over pixels, some of them ignored, counts the others.
        """
        return item_count(batch)

    def log_validation(self, outputs: Any, batch: Any) -> None:
        """Called with the first batch of each validation: the place to log pictures with ``self.log``."""


_SEQUENCES = (list, tuple)
_PARTS = (Tensor, *_SEQUENCES, Mapping)
"""What the parts of a batch are, the most frequent first: it is asked at every step."""


def item_count(batch: Any) -> int:
    """The number of items in a batch: the length of the first tensor or list in it."""
    if isinstance(batch, Tensor):
        shape = batch.shape
        return shape[0] if shape else 1
    if isinstance(batch, _SEQUENCES):
        if not batch:
            return 0
        first = batch[0]
    else:
        first = next(iter(batch.values() if isinstance(batch, Mapping) else batch))
    if isinstance(first, _PARTS):
        return item_count(first)
    return len(batch) if isinstance(batch, list) else 1


def total_loss(loss: Tensor | Mapping[str, Tensor]) -> Tensor:
    """The sum of named losses, or the one."""
    return torch.stack(list(loss.values())).sum() if isinstance(loss, Mapping) else loss
