"""A task made of a model and a loss that stand in the spec."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from sightline.config import Component, Config, build
from sightline.tasks.task import Task


class SupervisedConfig(Config):
    """Settings of `Supervised`."""

    loss: Component = Component(class_path="torch.nn.CrossEntropyLoss")
    """Called with the model's outputs and the targets; a mean over the items of a batch."""


class Supervised(Task[SupervisedConfig]):
    """Minimises ``loss(model(inputs), targets)``, where a batch is ``(inputs, targets)``."""

    def __init__(self, config: SupervisedConfig | None = None, *, model: nn.Module | None = None) -> None:
        super().__init__(config, model=model)
        self._loss: Callable[[Any, Any], Tensor] = build(self.config.loss, where="task.loss")

    def compute_loss(self, outputs: Any, batch: Any) -> Tensor:
        """See `Task`."""
        return self._loss(outputs, self.targets(batch))
