"""How good a classifier is."""

import torch
from torch.utils.data import DataLoader

from trainer_classification.model import Classifier


@torch.inference_mode()
def accuracy(model: Classifier, loader: DataLoader, device: torch.device) -> float:
    """Share of images, 0 to 1, whose highest score is the right class."""
    model.eval()
    right = torch.zeros((), dtype=torch.int64, device=device)
    count = 0
    for images, targets in loader:
        labels = targets["label"].to(device)
        right += (model(images.to(device, non_blocking=True)).argmax(1) == labels).sum()
        count += len(labels)
    return int(right) / count
