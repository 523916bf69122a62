"""The class of each pixel."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from pydantic import model_validator
from torch import Tensor, nn

from sightline.config import Component, build
from sightline.data.loading import IGNORE_INDEX
from sightline.data.predictions import NO_CLASS, ClassMap, Prediction
from sightline.data.primitives import Segmentation as SegmentationPrimitive
from sightline.losses import valid_pixels
from sightline.metrics import SegmentationMetrics
from sightline.models import segmenter
from sightline.tasks.vision import ModelConfig, VisionConfig, VisionTask, fittings
from sightline.transforms.fit import fitting_of


class SegmentationModelConfig(ModelConfig):
    """A model by name; see `sightline.models.segmenter`."""

    name: str = "small_unet"
    """An architecture."""
    encoder: str | None = None
    """The network that it looks with, by a name of timm, for architectures that have one apart."""


class SegmentationConfig(VisionConfig):
    """Settings of `Segmentation`."""

    model: SegmentationModelConfig | Component = SegmentationModelConfig()
    """By name, or a component that takes ``classes`` and ``channels`` and gives scores (batch, classes,
    height, width)."""
    loss: Component = Component(
        class_path="sightline.losses.WeightedSum",
        init_args={
            "losses": [
                {"class_path": "sightline.losses.CrossEntropy"},
                {"class_path": "sightline.losses.Dice"},
            ]
        },
    )
    """One of `sightline.losses`, or what is called like them; pixels of no class are left out."""
    binary: bool = False
    """Whether the model has one output for the second of two classes, such as water on land."""

    @model_validator(mode="after")
    def _two_classes(self) -> "SegmentationConfig":
        if self.binary and self.classes is not None and len(self.classes) != 2:
            raise ValueError("'binary' is for two classes: what is not looked for, and what is")
        return self


class Segmentation(VisionTask[SegmentationConfig]):
    """Learns the class of each pixel; predictions are class maps, uint8 (batch, height, width)."""

    primitives = (SegmentationPrimitive,)

    def __init__(self, config: SegmentationConfig | None = None) -> None:
        super().__init__(config)
        self._loss: Callable[[Tensor, Tensor], Tensor] = build(self.config.loss, where="task.loss")

    def build_model(self) -> nn.Module:
        """See `Task`."""
        return self._build_model(segmenter, self.config.model)

    def _late(self, channels: int) -> dict[str, Any]:
        model = self.config.model
        encoder = {"encoder": model.encoder} if isinstance(model, SegmentationModelConfig) else {}
        return super()._late(channels) | encoder

    @property
    def outputs(self) -> int:
        """One for each class, or with ``binary`` one."""
        return 1 if self.config.binary else len(self.classes)

    def build_metrics(self) -> dict[str, Any]:
        """See `Task`."""
        return {"": SegmentationMetrics(self.classes)}

    def compute_loss(self, outputs: Tensor, batch: Any) -> Tensor:
        """The mean over the pixels that have a class."""
        return self._loss(outputs, self.targets(batch))

    def targets(self, batch: Any) -> Tensor:
        """Class indices (batch, height, width), `IGNORE_INDEX` where there is none."""
        targets = batch[1]
        return targets["mask"] if isinstance(targets, dict) else targets

    def loss_weight(self, batch: Any) -> Tensor:
        """The number of pixels that have a class."""
        return valid_pixels(self.targets(batch), IGNORE_INDEX)

    def compute_predictions(self, outputs: Tensor, batch: Any) -> Tensor:
        """The likeliest class of each pixel."""
        del batch
        if self.config.binary:
            return (outputs[:, 0] > 0).to(torch.uint8)
        return outputs.argmax(1).to(torch.uint8)

    def predictions(
        self, outputs: Any, targets: Sequence[dict[str, Any]] | dict[str, Any]
    ) -> list[Prediction]:
        """See `VisionTask`."""
        classes = self.compute_predictions(outputs, None).cpu().numpy()
        scores = self._scores(outputs.float()).cpu().numpy()
        result: list[Prediction] = []
        for one, score, numbers in zip(classes, scores, fittings(targets, len(classes)), strict=True):
            if numbers is None:
                result.append(ClassMap(one, score))
                continue
            place = fitting_of(numbers)
            result.append(ClassMap(place.map_back(one, outside=NO_CLASS), place.map_back(score, outside=0)))
        return result

    def _scores(self, outputs: Tensor) -> Tensor:
        """How sure the likeliest class of each pixel is."""
        if self.config.binary:
            foreground = outputs[:, 0].sigmoid()
            return torch.maximum(foreground, 1 - foreground)
        return outputs.softmax(1).amax(1)
