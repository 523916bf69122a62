"""What the built-in tasks have in common: a `Dataset`, its classes, preprocessing, augmentation, a model."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from sightline.config import Component, Config, build
from sightline.data.dataset import Dataset
from sightline.data.info import TaskInfo
from sightline.data.loading import BatchTransform, Normalize, TorchDataset
from sightline.data.predictions import Prediction
from sightline.data.preprocessing import Preprocessing
from sightline.data.primitives import Primitive
from sightline.errors import SightlineError
from sightline.tasks.source import DatasetConfig, open_dataset
from sightline.tasks.task import Task
from sightline.transforms.fit import FITTING, FitImage


class ModelConfig(Config):
    """A model by name; see `sightline.models`."""

    name: str
    """One of ours, of timm (``resnet18``), of torchvision (``torchvision/resnet18``) and so on."""
    pretrained: bool | Path = False
    """Whether to begin with the weights that its library has for it, or a file of weights."""
    options: dict[str, Any] = {}
    """Further arguments of the model's constructor."""


class VisionConfig(Config):
    """Settings of all built-in tasks."""

    data: DatasetConfig | None = None
    """Where the images are; not needed where the spec has ``data``, or to predict."""
    classes: list[str] | None = None
    """Names of the classes in the order of the model's outputs; by default those of the dataset's task."""
    preprocessing: Preprocessing = Preprocessing()
    """What the model is given of an image."""
    augment: list[Component] = []
    """Transforms of the training's images and targets, in this order, before they are fitted: torchvision's
    v2, those of `sightline.transforms`, or callables that take and give image and target."""


V = TypeVar("V", bound=VisionConfig)


class VisionTask(Task[V]):
    """A task on a `Dataset`; subclasses say of which primitive, and what is learned of it."""

    primitives: tuple[type[Primitive], ...]
    """Annotations of which kinds it can learn."""

    def build_dataset(self, split: str) -> TorchDataset | None:
        """The images of ``split`` with their targets, augmented where it is "train"; None without samples."""
        if split not in self._datasets:  # held, as images may be in memory
            samples = self.samples(split)
            training = split == "train"
            self._datasets[split] = (
                None if samples is None else self._torch_dataset(samples, training=training)
            )
        return self._datasets[split]

    @cached_property
    def _datasets(self) -> dict[str, TorchDataset | None]:
        return {}

    def samples(self, split: str) -> Dataset | None:
        """The samples of a split, or None where there are none."""
        if self.dataset is None or not (self.dataset.samples["split"] == split).any():
            return None
        return self.dataset.create_split_dataset(split)

    @cached_property
    def dataset(self) -> Dataset | None:
        """The whole dataset that ``config.data`` names, with one task alone for each primitive."""
        return None if self.config.data is None else open_dataset(self.config.data)

    @property
    def ground_truth(self) -> TaskInfo:
        """The dataset's task that is learned.

        Raises:
            SightlineError: there is no dataset, or it is not clear which task is meant.
        """
        if self.dataset is None:
            raise SightlineError(
                f"{type(self).__name__}: has no `data`, so its classes are unknown; give it."
            )
        assert self.config.data is not None
        if self.config.data.task is not None:
            return self._suitable(self.dataset.info.task(self.config.data.task))
        tasks = self.dataset.info.tasks
        suitable = [task for task in tasks if task.primitive in self.primitives]
        if len(suitable) == 1:
            return suitable[0]
        if len(tasks) == 1:
            return self._suitable(tasks[0])
        names = ", ".join(f"'{task.name}' ({task.primitive.__name__})" for task in suitable or tasks)
        raise SightlineError(
            f"dataset '{self.dataset.info.dataset_name}' has {'several' if suitable else 'no'} tasks that "
            f"{type(self).__name__} can learn: {names or 'no tasks'}; name one as data.task."
        )

    def _suitable(self, task: TaskInfo) -> TaskInfo:
        if task.primitive not in self.primitives:
            wanted = " or ".join(primitive.__name__ for primitive in self.primitives)
            raise SightlineError(
                f"task '{task.name}' is a {task.primitive.__name__}, and {type(self).__name__} learns "
                f"{wanted}; choose another as data.task, or convert it (`dataset apply ... convert_task`)."
            )
        return task

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the model's outputs."""
        if self.config.classes is not None:
            return self.config.classes
        names = self.ground_truth.class_names
        if not names:
            raise SightlineError(
                f"task '{self.ground_truth.name}' lists no classes; give the dataset's info some, or "
                "the task `classes`."
            )
        return names

    def settled(self) -> V:
        """The settings with what the data decides filled in, so that the model stands without the data."""
        if self.dataset is None:
            return self.config
        return self.config.model_copy(update=self._settled_values())

    def _settled_values(self) -> dict[str, Any]:
        if self.config.classes is not None and self.config.classes != self.ground_truth.class_names:
            raise SightlineError(
                f"classes: task '{self.ground_truth.name}' of the dataset has "
                f"{self.ground_truth.class_names}; leave them out, or change the dataset with map_classes."
            )
        return {"classes": self.classes}

    def forward(self, model: nn.Module, batch: Any) -> Any:
        """What the model makes of the batch's images."""
        return model(self.normalize(batch[0]))

    def normalize(self, images: Tensor) -> Tensor:
        """Images as read (B, bands, height, width) as the model takes them, float32; see `Preprocessing`."""
        preprocessing = self.config.preprocessing
        if images.dtype == torch.uint8 and preprocessing.scale == 255:
            return self._normalizer(images.device)(images)
        scale = preprocessing.scale * torch.tensor(preprocessing.std, device=images.device)
        shift = torch.tensor(preprocessing.mean, device=images.device) / torch.tensor(
            preprocessing.std, device=images.device
        )
        return images.float() / scale.view(-1, 1, 1) - shift.view(-1, 1, 1)

    def _normalizer(self, device: torch.device) -> nn.Module:
        if device not in self._normalizers:
            preprocessing = self.config.preprocessing
            self._normalizers[device] = Normalize(preprocessing.mean, preprocessing.std).to(device)
        return self._normalizers[device]

    @cached_property
    def _normalizers(self) -> dict[torch.device, nn.Module]:
        return {}

    @abstractmethod
    def predictions(
        self, outputs: Any, targets: Sequence[dict[str, Any]] | dict[str, Any]
    ) -> list[Prediction]:
        """What the model says of each image of a batch, in the image's own pixels.

        Args:
            outputs: what `forward` gave.
            targets: the batch's second part; only where the images went (`FITTING`) is looked at.
        """

    def _build_model(
        self, constructor: Callable[..., nn.Module], model: ModelConfig | Component
    ) -> nn.Module:
        channels = len(self.config.preprocessing.bands)
        if isinstance(model, Component):
            return build(model, where="task.model", **self._late(channels))
        return constructor(model.name, pretrained=model.pretrained, **self._late(channels), **model.options)

    def _late(self, channels: int) -> dict[str, Any]:
        return {"classes": self.outputs, "channels": channels}

    @property
    def outputs(self) -> int:
        """The number of the model's outputs (for each pixel, each place)."""
        return len(self.classes)

    def _torch_dataset(self, samples: Dataset, *, training: bool, **options: Any) -> TorchDataset:
        assert self.config.data is not None
        preprocessing = self.config.preprocessing
        return TorchDataset(
            samples,
            self.transforms(samples, training=training),
            self.ground_truth.name,
            storage=self.config.data.storage,
            bands=None if preprocessing.reads_rgb else preprocessing.bands,
            **options,
        )

    def transforms(self, samples: Dataset, *, training: bool) -> Any:
        """What becomes of an image and its target on the way to the model; None for nothing."""
        steps = self._augmentations() if training else []
        preprocessing = self.config.preprocessing
        sizes = samples.samples.select("height", "width").unique().rows()
        alike = all(preprocessing.fitted_size(*size) == size for size in sizes)
        # What changes an image's size leaves it to be fitted after all.
        if alike and (not steps or all(isinstance(step, BatchTransform) for step in steps)):
            if len(steps) > 1:
                raise SightlineError(
                    "task.augment: a transform of whole batches stands alone; leave the others out."
                )
            return steps[0] if steps else None
        if any(isinstance(step, BatchTransform) for step in steps):
            raise SightlineError(
                "task.augment: a transform of whole batches is for images of one size, which they keep; "
                "prepare the dataset with transform_images, or use torchvision's transforms v2."
            )
        return v2.Compose([*steps, FitImage(preprocessing)])

    def _augmentations(self) -> list[Any]:
        return [build(one, where=f"task.augment.{n}") for n, one in enumerate(self.config.augment)]


def fittings(targets: Any, count: int) -> list[Tensor | None]:
    """Where each image of a batch went, from the batch's targets; None: it was left as it is."""
    found = targets.get(FITTING) if isinstance(targets, dict) else None
    return [None] * count if found is None else list(cast(Sequence[Tensor], found))
