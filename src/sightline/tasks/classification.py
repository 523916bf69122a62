"""Classes of whole images: one each, or several."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

import polars as pl
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.transforms import v2

from sightline.config import Component
from sightline.data.annotation_tables import annotation_table
from sightline.data.dataset import Dataset
from sightline.data.loading import TorchDataset
from sightline.data.predictions import ClassScores, Prediction
from sightline.data.primitives import Classification as ClassificationPrimitive
from sightline.errors import SightlineError
from sightline.metrics import ClassificationMetrics
from sightline.models import classifier
from sightline.tasks.vision import ModelConfig, VisionConfig, VisionTask

Share = Annotated[float, Field(ge=0, lt=1)]


class ClassificationConfig(VisionConfig):
    """Settings of `Classification`."""

    model: ModelConfig | Component = ModelConfig(name="small_resnet")
    """By name, or a component that takes ``classes`` and ``channels`` and gives scores (batch, classes)."""
    multi_label: bool = False
    """Whether an image may have any number of classes."""
    label_smoothing: Share = 0.0
    """Share of the target that is spread evenly over all classes (Szegedy et al. 2015, arXiv:1512.00567)."""
    mixup: Annotated[float, Field(ge=0)] = 0.0
    """Batches are mixed with themselves by shares of Beta(mixup, mixup) (Zhang et al. 2017,
    arXiv:1710.09412)."""
    cutmix: Annotated[float, Field(ge=0)] = 0.0
    """The same with rectangles in place of shares (Yun et al. 2019, arXiv:1905.04899); with both, either."""
    mix_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the batches that are mixed by ``mixup`` or ``cutmix``."""
    class_weights: Literal["balanced"] | list[Annotated[float, Field(ge=0)]] | None = None
    """How much each class counts; balanced: inversely to how often it is there in training, 1 on average."""

    @model_validator(mode="after")
    def _fits_together(self) -> "ClassificationConfig":
        if self.multi_label and (self.mixup or self.cutmix or self.label_smoothing):
            raise ValueError(
                "'mixup', 'cutmix' and 'label_smoothing' are for one class an image; leave them out"
            )
        if self.mix_share < 1 and not (self.mixup or self.cutmix):
            raise ValueError("'mix_share' has no effect without 'mixup' or 'cutmix'; leave it out")
        return self


class ClassificationOutputs(NamedTuple):
    """What the model said, and (in training, of mixed images) what it was to say, else None."""

    logits: Tensor
    mixed: Tensor | None = None


class Classification(VisionTask[ClassificationConfig]):
    """Learns to tell classes of images; predictions are scores 0..1, (batch, classes)."""

    primitives = (ClassificationPrimitive,)

    def __init__(self, config: ClassificationConfig | None = None) -> None:
        super().__init__(config)
        mixes = [(v2.MixUp, self.config.mixup), (v2.CutMix, self.config.cutmix)]
        self._mixes = [(mix, alpha) for mix, alpha in mixes if alpha]

    def build_model(self) -> nn.Module:
        """See `Task`."""
        return self._build_model(classifier, self.config.model)

    def build_metrics(self) -> dict[str, Any]:
        """See `Task`."""
        return {"": ClassificationMetrics(self.classes, multi_label=self.config.multi_label)}

    def forward(self, model: nn.Module, batch: Any) -> ClassificationOutputs:
        """What the model makes of the images, which are mixed in training where that is wanted."""
        images, mixed = self.normalize(batch[0]), None
        if self._mixes and model.training and torch.rand(()) < self.config.mix_share:
            chosen = 0 if len(self._mixes) == 1 else int(torch.randint(2, ()))
            mix, alpha = self._mixes[chosen]
            images, mixed = mix(alpha=alpha, num_classes=len(self.classes))(images, self.targets(batch))
        return ClassificationOutputs(model(images), mixed)

    def compute_loss(self, outputs: ClassificationOutputs, batch: Any) -> Tensor:
        """The mean over the images of cross-entropy, or of the classes' binary ones."""
        weights = self._weights(outputs.logits.device)
        targets = self.targets(batch) if outputs.mixed is None else outputs.mixed
        if self.config.multi_label:
            return F.binary_cross_entropy_with_logits(outputs.logits, targets, pos_weight=weights)
        smoothing = self.config.label_smoothing
        if weights is None:
            return F.cross_entropy(outputs.logits, targets, label_smoothing=smoothing)
        # Weighted by class, yet a mean over the images: what the classes weigh may differ between batches.
        loss = F.cross_entropy(
            outputs.logits, targets, weight=weights, label_smoothing=smoothing, reduction="none"
        )
        return loss.mean()

    def targets(self, batch: Any) -> Tensor:
        """Class indices (batch,), or with ``multi_label`` 0 and 1 (batch, classes)."""
        targets = batch[1]
        return targets["label"] if isinstance(targets, dict) else targets

    def compute_predictions(self, outputs: ClassificationOutputs, batch: Any) -> Tensor:
        """Scores 0..1, (batch, classes)."""
        del batch
        logits = outputs.logits.float()
        return logits.sigmoid() if self.config.multi_label else logits.softmax(1)

    def predictions(
        self, outputs: Any, targets: Sequence[dict[str, Any]] | dict[str, Any]
    ) -> list[Prediction]:
        """See `VisionTask`."""
        del targets
        return [ClassScores(scores) for scores in self.compute_predictions(outputs, None).cpu().numpy()]

    def _torch_dataset(self, samples: Dataset, *, training: bool, **options: Any) -> TorchDataset:
        return super()._torch_dataset(
            samples, training=training, multi_label=self.config.multi_label, **options
        )

    def _weights(self, device: torch.device) -> Tensor | None:
        weights = self.config.class_weights
        if weights == "balanced":
            weights = self._balanced_weights()
        return None if weights is None else torch.tensor(weights, device=device)

    def _settled_values(self) -> dict[str, Any]:
        weights = self.config.class_weights
        if isinstance(weights, list) and len(weights) != len(self.classes):
            raise SightlineError(
                f"class_weights: there are {len(weights)} for {len(self.classes)} classes; give one for each."
            )
        balanced = {"class_weights": self._balanced_weights()} if weights == "balanced" else {}
        return super()._settled_values() | balanced

    def _balanced_weights(self) -> list[float]:
        """Inverse to each class's number of training images; 1 on average over the classes that are there."""
        training = self.samples("train")
        if training is None:
            raise SightlineError(
                "class_weights: 'balanced' counts the training images; give `data`, or numbers."
            )
        table = annotation_table(training.samples, ClassificationPrimitive.column, self.ground_truth.name)
        counts = Counter(table.filter(pl.col("ground_truth"))["class_name"].to_list())
        inverse = [1 / counts[name] if counts[name] else 0.0 for name in self.classes]
        present = sum(value > 0 for value in inverse)
        return [value * present / sum(inverse) for value in inverse]
