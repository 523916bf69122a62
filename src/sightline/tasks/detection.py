"""Objects as boxes with classes."""

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from sightline.config import Component
from sightline.data.dataset import Dataset
from sightline.data.loading import TorchDataset
from sightline.data.predictions import Detections, Prediction
from sightline.data.primitives import Bbox, Bitmask, Polygon
from sightline.metrics import DetectionMetrics
from sightline.models import detector
from sightline.tasks.vision import ModelConfig, VisionConfig, VisionTask, fittings
from sightline.transforms.fit import fitting_of
from sightline.transforms.mosaic import Mosaic


class DetectionConfig(VisionConfig):
    """Settings of `Detection`."""

    model: ModelConfig | Component = ModelConfig(name="light")
    """By name, or a component that takes ``classes`` and ``channels`` and gives what
    `sightline.models.detector` does."""
    mosaic: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the training's images that are put together of four (Bochkovskiy et al. 2020,
    arXiv:2004.10934)."""


class DetectionOutputs(NamedTuple):
    """The losses by name (None where the model gives none), and what detections are made of (or None)."""

    losses: dict[str, Tensor] | None
    raw: Any
    model: Any
    """The model itself, which knows how to read ``raw``: its ``detections``."""


class Detection(VisionTask[DetectionConfig]):
    """Learns to find objects; predictions are dicts of ``boxes``, ``scores`` and ``labels``, one an image.

    Boxes are left, top, right, bottom in pixels of the image as it is in its file.
    """

    primitives = (Bbox, Bitmask, Polygon)

    _weigh: Any = staticmethod(len)
    """The ``loss_weight`` of the model that was built; the number of images with a model of the caller's."""

    def build_model(self) -> nn.Module:
        """See `Task`."""
        model = self._build_model(detector, self.config.model)
        self._weigh = model.loss_weight
        return model

    def build_metrics(self) -> dict[str, Any]:
        """See `Task`."""
        return {"": DetectionMetrics(self.classes)}

    def forward(self, model: nn.Module, batch: Any) -> DetectionOutputs:
        """The losses and, outside of training, what detections are made of; that alone without true boxes."""
        images = self.normalize(batch[0])
        if "boxes" not in batch[1]:
            return DetectionOutputs(None, model(images), model)
        losses, raw = model(images, self._in_model(batch[1]))
        return DetectionOutputs(losses, raw, model)

    def compute_loss(self, outputs: DetectionOutputs, batch: Any) -> Any:
        """The model's own losses by name."""
        del batch
        return outputs.losses

    def loss_weight(self, batch: Any) -> int:
        """What the losses of the model that was built are a mean over: images, or the boxes in them."""
        return self._weigh(self._in_model(batch[1]))

    def compute_predictions(self, outputs: DetectionOutputs, batch: Any) -> list[dict[str, Tensor]]:
        """Boxes, scores and labels of each image."""
        found = outputs.model.detections(outputs.raw)
        return [
            {**one, "boxes": _back(one["boxes"], numbers)}
            for one, numbers in zip(found, fittings(batch[1], len(found)), strict=True)
        ]

    def targets(self, batch: Any) -> list[dict[str, Tensor]]:
        """Boxes and labels of each image, in its own pixels."""
        targets = self._in_model(batch[1])
        return [
            {**one, "boxes": _back(one["boxes"], numbers)}
            for one, numbers in zip(targets, fittings(batch[1], len(targets)), strict=True)
        ]

    def predictions(
        self, outputs: Any, targets: Sequence[dict[str, Any]] | dict[str, Any]
    ) -> list[Prediction]:
        """See `VisionTask`."""
        found = self.compute_predictions(outputs, (None, targets))
        return [
            Detections(*(one[key].cpu().numpy() for key in ("boxes", "scores", "labels"))) for one in found
        ]

    def _in_model(self, targets: dict[str, Any]) -> list[dict[str, Tensor]]:
        """Boxes and labels of each image where they are for the model."""
        return [
            {"boxes": boxes, "labels": labels}
            for boxes, labels in zip(targets["boxes"], targets["labels"], strict=True)
        ]

    def _torch_dataset(self, samples: Dataset, *, training: bool, **options: Any) -> Any:
        dataset: TorchDataset = super()._torch_dataset(samples, training=training, **options)
        if not training or not self.config.mosaic:
            return dataset
        return Mosaic(dataset, self.config.mosaic)


def _back(boxes: Tensor, numbers: Tensor | None) -> Tensor:
    """Boxes as the model has them, in the image, on their device."""
    if numbers is None:
        return boxes
    place = fitting_of(numbers)
    scale = boxes.new_tensor([place.scale_x, place.scale_y] * 2)
    shift = boxes.new_tensor([place.left, place.top] * 2)
    limit = boxes.new_tensor([place.width, place.height] * 2)
    return torch.minimum(((boxes - shift) / scale).clamp(min=0), limit)
