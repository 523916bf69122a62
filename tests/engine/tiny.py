"""A task that trains in milliseconds, for the tests of the engine."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from sightline.config import Config, component
from sightline.engine import Spec
from sightline.engine.spec import LoaderConfig, TrainerConfig
from sightline.tasks import Task


class TinyConfig(Config):
    """Settings of `Tiny`."""

    width: int = 8
    items: int = 40
    dropout: float = 0.2


class Tiny(Task[TinyConfig]):
    """Tells apart three blobs of points."""

    def build_model(self) -> nn.Module:
        return nn.Sequential(
            nn.Linear(4, self.config.width),
            nn.BatchNorm1d(self.config.width),
            nn.ReLU(),
            nn.Dropout(self.config.dropout),
            nn.Linear(self.config.width, 3),
        )

    def build_dataset(self, split: str) -> TensorDataset:
        generator = torch.Generator().manual_seed(len(split))
        labels = torch.arange(self.config.items if split == "train" else 17) % 3
        points = torch.randn(len(labels), 4, generator=generator) + labels[:, None]
        return TensorDataset(points, labels)

    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        return F.cross_entropy(outputs, batch[1])


def tiny_spec(
    trainer: dict[str, Any] | None = None, loader: dict[str, Any] | None = None, **parts: Any
) -> Spec:
    """A training of `Tiny`: five batches an epoch, two epochs."""
    return Spec(
        name="tiny",
        task=parts.pop("task", component(Tiny)),
        optimizer=parts.pop("optimizer", component(torch.optim.AdamW, lr=1e-2)),
        loader=LoaderConfig(**{"batch_size": 8, **(loader or {})}),
        trainer=TrainerConfig(**{"max_duration": "2ep", "log_every": "1ba", **(trainer or {})}),
        **parts,
    )
