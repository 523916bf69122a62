"""`Graph`: what goes into a file. A model between its normalisation and its scores."""

from typing import Any

import torch
from torch import Tensor, nn

from sightline.data.preprocessing import Preprocessing
from sightline.deploy.card import ModelCard
from sightline.errors import SightlineError


class Graph(nn.Module):
    """Images as read, and fitted, to what a `ModelCard` says that the graph gives.

    The normalisation is inside, so that nobody who uses a file can get it wrong. What precedes and follows
    (fitting the image, selecting boxes) is no part of it, as it depends on each image's size.

    Args:
        model: gives logits, or of a detector `sightline.models.detection.detector.Raw`.
        card: its task, classes, preprocessing and precision.
    """

    factor: Tensor
    shift: Tensor

    def __init__(self, model: nn.Module, card: ModelCard) -> None:
        super().__init__()
        # Copied as far as its weights change: the caller's stays fp32.
        self.model = model.half() if card.precision == "fp16" else model
        self.card = card
        factor, shift = _normalisation(card.preprocessing)
        self.register_buffer("factor", factor, persistent=False)
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, images: Tensor) -> Any:
        """Images (batch, bands, height, width) of the card's type to its outputs, float32."""
        normalised = images.float() * self.factor + self.shift
        outputs = self.model(normalised.half() if self.card.precision == "fp16" else normalised)
        if self.card.task == "detection":
            scores, boxes = outputs
            return scores.float(), boxes.float()
        logits = outputs.float()
        if logits.shape[1] == 1 and len(self.card.classes) == 2:
            second = logits.sigmoid()
            return torch.cat([1 - second, second], dim=1)
        return logits.sigmoid() if self.card.multi_label else logits.softmax(1)


def _normalisation(preprocessing: Preprocessing) -> tuple[Tensor, Tensor]:
    """Factor and summand by band, (bands, 1, 1), computed in float64 as in `Preprocessing.normalized`."""
    std = torch.tensor(preprocessing.std, dtype=torch.float64).view(-1, 1, 1)
    mean = torch.tensor(preprocessing.mean, dtype=torch.float64).view(-1, 1, 1)
    return (1 / (preprocessing.scale * std)).float(), (-mean / std).float()


def check_outputs(graph: Graph, images: Tensor) -> None:
    """See that the graph gives what its card says.

    Raises:
        SightlineError: it does not, as a model of one's own may.
    """
    card = graph.card
    with torch.inference_mode():
        outputs = graph(images)
    shapes = [tuple(one.shape) for one in (outputs if isinstance(outputs, tuple) else (outputs,))]
    batch, classes = len(images), len(card.classes)
    if card.task == "classification":
        fits = shapes == [(batch, classes)]
    elif card.task == "segmentation":
        fits = shapes == [(batch, classes, *images.shape[2:])]
    else:
        count = shapes[0][1] if len(shapes) == 2 and len(shapes[0]) == 3 else -1
        fits = shapes in (
            [(batch, count, classes), (batch, count, 4)],
            [(batch, count, classes), (batch, count, classes, 4)],
        )
    if not fits:
        given = ", ".join(str(shape) for shape in shapes)
        raise SightlineError(
            f"the model gives {given} for {batch} images of {classes} classes, which is not what {card.task} "
            "gives; see sightline.deploy.ModelCard."
        )
