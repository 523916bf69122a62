"""Handwritten digits as a task of one's own: ``python examples/digits_task.py trainer.max_duration=3ep``."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from sightline.config import Config, component
from sightline.engine import Spec, launch
from sightline.tasks import Task


class DigitsConfig(Config):
    """Settings of `Digits`."""

    width: int = 32
    """Channels of the first convolution."""
    dropout: float = 0.1
    """Share of the features left out in training."""


class Digits(Task[DigitsConfig]):
    """Tells apart the 8x8 pixel digits that come with scikit-learn."""

    def build_model(self) -> nn.Module:
        width = self.config.width
        return nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(self.config.dropout),
            nn.Linear(2 * width * 2 * 2, 10),
        )

    def build_dataset(self, split: str) -> TensorDataset:
        pixels, classes = load_digits(return_X_y=True)
        images = torch.as_tensor(pixels, dtype=torch.float32).div(16).reshape(-1, 1, 8, 8)
        labels = torch.as_tensor(classes)
        place = torch.arange(len(labels)) % 10
        chosen = {"train": place < 8, "validation": place == 8, "test": place == 9}[split]
        return TensorDataset(images[chosen], labels[chosen])

    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        return F.cross_entropy(outputs, batch[1])

    def log_validation(self, outputs: Tensor, batch: list[Tensor]) -> None:
        guesses = outputs.argmax(1)
        self.log.images(
            "digits",
            lambda: batch[0][:16],
            labels=lambda: [
                f"{label} read as {guess}" for label, guess in zip(batch[1], guesses, strict=True)
            ][:16],
        )


if __name__ == "__main__":
    launch(
        Spec(
            name="digits",
            task=component(Digits),
            optimizer=component(torch.optim.AdamW, lr=3e-3),
            metrics={"accuracy": component(MulticlassAccuracy, num_classes=10, average="micro")},
        )
    )
