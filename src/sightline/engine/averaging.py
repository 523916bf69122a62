"""A moving average of the weights."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from sightline.engine.ranks import bare, own_part


class WeightAverage:
    """Averages all floating point weights and buffers; takes the others as they are.

    ``decay`` is lower in the beginning, ``(1 + updates) / (10 + updates)``, so that the first weights are
    soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float, every: int) -> None:
        self._decay, self._every = decay, every
        self.updates = 0
        self.weights = {name: tensor.detach().clone() for name, tensor in self._state(model).items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after update ``step``, when it is due."""
        if step % self._every:
            return
        decay = min(self._decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        averages: list[Tensor] = []
        present: list[Tensor] = []
        for name, tensor in self._state(model).items():
            if tensor.is_floating_point():
                averages.append(own_part(self.weights[name]))
                present.append(own_part(tensor.detach()))
            else:
                self.weights[name].copy_(tensor)
        torch._foreach_lerp_(averages, present, 1 - decay)  # pyright: ignore[reportPrivateImportUsage]

    @contextmanager
    def in_place_of(self, model: nn.Module) -> Iterator[None]:
        """Inside, the model has the average."""
        own = {name: tensor.detach().clone() for name, tensor in self._state(model).items()}
        self._set(model, self.weights)
        try:
            yield
        finally:
            self._set(model, own)

    def _state(self, model: nn.Module) -> dict[str, Tensor]:
        return bare(model).state_dict()

    @torch.no_grad()
    def _set(self, model: nn.Module, weights: dict[str, Tensor]) -> None:
        state = self._state(model)
        for name, tensor in state.items():
            tensor.copy_(weights[name])
