"""How good a classifier is."""

import torch

from sightline.data.loading import Loader
from trainer_classification.model import Classifier


@torch.inference_mode()
def accuracy(model: Classifier, loader: Loader) -> float:
    """Share of images, 0 to 1, whose highest score is the right class."""
    model.eval()
    right = torch.zeros((), dtype=torch.int64, device=loader.device)
    count = 0
    for images, targets in loader:
        right += (model(images).argmax(1) == targets["label"]).sum()
        count += len(images)
    return int(right) / count
