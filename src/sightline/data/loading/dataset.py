"""A `Dataset` as a map-style PyTorch dataset, for torchvision's transforms v2 and ``DataLoader``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset as TorchMapDataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from sightline.data.dataset import Dataset
from sightline.data.info import TaskInfo
from sightline.data.loading.augment import BatchTransform
from sightline.data.loading.collate import Fetched, Item, empty_batch
from sightline.data.loading.memory import SharedMemory
from sightline.data.loading.pixels import FILES, pixels_of
from sightline.data.loading.seeding import generators_kept, item_seeds, seed_generators
from sightline.data.loading.targets import Target, TaskTargets
from sightline.data.packed import Pack
from sightline.data.primitives import Classification, Primitive
from sightline.errors import SightlineError

Transform = Callable[[tv_tensors.Image, Target], tuple[Any, Target]]


class TorchDataset(TorchMapDataset[tuple[Any, Target]]):
    """Items are ``(image, target)``.

    ``image`` is a ``tv_tensors.Image``, uint8 of shape (3, height, width), channels last in memory; with
    ``bands`` those of the file in this order, counted from 1, in the file's own type.
    ``target`` depends on the primitive of the task:

    * Classification: ``label``, an int64 scalar; with ``multi_label`` float32 (classes,) of 0 and 1.
    * Bbox: ``boxes``, ``tv_tensors.BoundingBoxes`` XYXY in pixels, float32 (N, 4), clipped to the image;
      ``labels``, int64 (N,).
    * Bitmask, Polygon: ``masks``, ``tv_tensors.Mask`` uint8 (N, height, width) of 0 and 1; ``boxes`` around
      them; ``labels``.
    * Segmentation: ``mask``, ``tv_tensors.Mask`` uint8 (height, width) of class indices, `IGNORE_INDEX`
      where no class is.

    Where several tasks are asked for, the target holds such a dictionary for each, by the task's name.
    ``metadata`` adds ``sample_index`` (int) and ``file_path`` (str). Predictions (``ground_truth`` is
    False) are left out.

    ``transforms`` is called with image and target, or is a `BatchTransform`. What it draws from the global
    generators of torch, numpy or Python follows from (``seed``, epoch, index) alone: it is the same with
    any number of workers and ranks, in any order, and other in each epoch (`set_epoch`).

    ``file_paths`` lists the file of each item; ``storage`` says where pixels come from:

    * "files": each image is read and decoded whenever it is asked for;
    * "ram": all are decoded now, into memory that is shared with the workers;
    * the folder of a pack (`Dataset.pack`): decoded once for all trainings, and shared by all processes.
    """

    def __init__(
        self,
        dataset: Dataset,
        transforms: Transform | BatchTransform | None = None,
        task: str | type[Primitive] | Sequence[str] | None = None,
        *,
        storage: str | Path | Pack = FILES,
        bands: Sequence[int] | None = None,
        multi_label: bool = False,
        metadata: bool = False,
        seed: int = 0,
        progress: bool = True,
    ) -> None:
        """Take ``dataset``'s only task, or the one of that name, or the only one of that primitive.

        Raises:
            SightlineError: it is not clear which task is meant, a sample has no label (or, for a
                classification without ``multi_label``, several), a label is not one of the task's
                classes, the pack is stale, or the images do not fit into RAM.
        """
        if not dataset.info.tasks:
            raise SightlineError(
                f"dataset '{dataset.info.dataset_name}' has no tasks, so there is nothing to learn from it; "
                "annotate it first, or declare its tasks in its DatasetInfo."
            )
        wanted = [task] if task is None or isinstance(task, str | type) else list(task)
        self.tasks: list[TaskInfo] = [dataset.info.task(one) for one in wanted]
        if not self.tasks:
            raise SightlineError(
                f"no task of dataset '{dataset.info.dataset_name}' is asked for; name at least one."
            )
        self.transforms = transforms
        self.seed = seed
        frame = dataset.samples
        if frame["file_path"].null_count():
            raise SightlineError(f"dataset '{dataset.info.dataset_name}' has samples without an image file.")
        if isinstance(transforms, BatchTransform):
            others = [task.name for task in self.tasks if task.primitive is not Classification]
            if others:
                raise SightlineError(
                    f"{type(transforms).__name__} would move the pixels but not the annotations of task "
                    f"'{others[0]}'; use torchvision's transforms v2."
                )
        # To look for something to change in a label takes longer than to crop a small image, and so do
        # the wrappers that tell an image from other tensors.
        self._images_only = _leaves_labels(transforms) and all(
            task.primitive is Classification for task in self.tasks
        )
        self._epoch = SharedMemory(8)  # so that workers that run already hear of a new one
        self.file_paths: list[str] = frame["file_path"].to_list()
        self._pixels = pixels_of(frame, self.file_paths, storage, progress, bands)
        self._dtype = torch.from_numpy(np.zeros(0, self._pixels.dtype)).dtype
        targets = [
            TaskTargets(frame, task, self._pixels.sizes, multi_label=multi_label) for task in self.tasks
        ]
        self._targets = targets[0] if wanted == [task] else {task.task.name: task for task in targets}
        self._sample_indices: list[int] | None = frame["sample_index"].to_list() if metadata else None

    @property
    def class_names(self) -> list[str]:
        """The names of the classes of the (first) task, by label."""
        return self.tasks[0].class_names or []

    @property
    def epoch(self) -> int:
        """The epoch whose augmentation items have, from 0."""
        return int(self._epoch.array.view(np.int64)[0])

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch, here and in workers that run already; `Batches` does so by itself."""
        self._epoch.array.view(np.int64)[0] = epoch

    def __len__(self) -> int:
        return len(self._pixels.sizes)

    def __getitem__(self, index: int) -> Item:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> Sequence[Item]:
        """The items of a batch, as ``DataLoader`` asks for them."""
        positions = np.asarray(indices, dtype=np.int64)
        if len(positions) and not (positions.min() >= 0 and positions.max() < len(self)):
            raise IndexError(f"items {positions.min()} to {positions.max()} of a dataset of {len(self)}")
        targets = [self._target(index) for index in positions.tolist()]
        sizes = self._pixels.sizes[positions]
        if (sizes == sizes[:1]).all():
            shape = (len(sizes), *sizes[0].tolist(), self._pixels.channels)
            batch = empty_batch(shape, self._dtype, sent=self.transforms is None)
            self._pixels.read_alike(positions, batch.numpy())
            images = batch.permute(0, 3, 1, 2)
        else:
            images = [
                torch.from_numpy(self._pixels.read(index)).permute(2, 0, 1) for index in positions.tolist()
            ]
        transforms: Any = self.transforms
        if isinstance(transforms, BatchTransform):
            if isinstance(images, list):
                raise SightlineError(
                    f"{type(transforms).__name__} works on images of one size; pack them with size=(height, "
                    "width), or use torchvision's transforms v2."
                )
            return Fetched(transforms.transform_batch(images, self._seeds(positions)), targets)
        if transforms is None:
            if isinstance(images, list):
                return [
                    (tv_tensors.Image(image), target) for image, target in zip(images, targets, strict=True)
                ]
            return Fetched(images, targets)
        items = []
        with generators_kept():
            for image, target, seed in zip(images, targets, self._seeds(positions).tolist(), strict=True):
                seed_generators(seed)
                if self._images_only:
                    items.append((transforms(image), target))
                else:
                    items.append(transforms(tv_tensors.Image(image), target))
        return items

    def _seeds(self, positions: np.ndarray) -> np.ndarray:
        return item_seeds(self.seed, self.epoch, positions)

    def _target(self, index: int) -> Target:
        if isinstance(self._targets, TaskTargets):
            target: Target = self._targets.of(index)
        else:
            target = {name: task.of(index) for name, task in self._targets.items()}
        if self._sample_indices is not None:
            target["sample_index"], target["file_path"] = self._sample_indices[index], self.file_paths[index]
        return target


def _leaves_labels(transform: Any) -> bool:
    """Whether the transform is one of torchvision's that changes images but no labels."""
    return (
        type(transform).__module__.startswith("torchvision.transforms.v2.")
        and not isinstance(transform, v2.Lambda)
        and all(_leaves_labels(inner) for inner in getattr(transform, "transforms", ()))
    )
