"""One update of the weights."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sightline.config import Config
from sightline.engine.ranks import Ranks
from sightline.engine.spec import TrainerConfig
from sightline.engine.updates import Updates
from sightline.tasks import Task


class Settings(Config):
    """None."""


class Sum(Task[Settings]):
    """Gradients of one and the same size at each update."""

    def compute_loss(self, outputs: Any, batch: Any) -> Tensor:
        """The mean output."""
        del batch
        return outputs.mean()


def updates(model: nn.Module, optimizer: torch.optim.Optimizer) -> Updates:
    return Updates(Sum(), model, optimizer, TrainerConfig(), Ranks(), even=True)


@pytest.fixture
def model() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))


def test_no_gradient_is_left_also_of_what_is_trained_later(model: nn.Module) -> None:
    optimizer = torch.optim.SGD(model[0].parameters(), lr=0.0)  # type: ignore[index]
    each = updates(model, optimizer)
    optimizer.add_param_group({"params": model[1].parameters()})  # type: ignore[index]
    each.run([(torch.ones(3, 2), None)])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_optimizer_that_drops_gradients_in_its_own_way_is_asked(model: nn.Module) -> None:
    class Own(torch.optim.SGD):
        asked = 0

        def zero_grad(self, set_to_none: bool = True) -> None:
            self.asked += 1
            super().zero_grad(set_to_none)

    optimizer = Own(model.parameters(), lr=0.0)
    each = updates(model, optimizer)
    for _ in range(3):
        each.run([(torch.ones(3, 2), None)])
    assert optimizer.asked == 3
