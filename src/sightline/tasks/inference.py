"""A trained task as a model that takes images and gives predictions, whatever read them."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sightline.data.images import as_eight_bits
from sightline.data.predictions import Prediction
from sightline.data.preprocessing import Preprocessing
from sightline.tasks.vision import VisionTask
from sightline.transforms.fit import FITTING, fitting_numbers


class TaskModel:
    """An `InferenceModel`: says of images what the task says of them when it is measured.

    Args:
        task: what `model` was trained for.
        model: with its weights; put into eval mode, and on ``device``.
        device: where it computes.
        batch_size: images that it is given at once, at most; those of a batch have one size.
    """

    def __init__(
        self, task: VisionTask, model: nn.Module, device: torch.device | str = "cpu", batch_size: int = 8
    ) -> None:
        self.task, self.device, self.batch_size = task, torch.device(device), batch_size
        self.model = model.to(self.device).eval()

    @property
    def classes(self) -> list[str]:
        """The names of the classes that predictions count."""
        return self.task.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """What the model is given of an image."""
        return self.task.config.preprocessing

    def predict(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """What the model says of each image, in its own pixels.

        Args:
            images: (height, width, bands) as read from their files, of any sizes; grey ones have one band.

        Raises:
            SightlineError: an image lacks a band that the model takes.
        """
        preprocessing = self.preprocessing
        predictions: dict[int, Prediction] = {}
        waiting: dict[tuple[int, ...], list[tuple[int, np.ndarray, Tensor]]] = {}
        for number, image in enumerate(images):
            if preprocessing.reads_rgb:
                image = as_eight_bits(image)
            image = preprocessing.choose_bands(image, f"image {number}")
            fitted = preprocessing.fit_image(image)
            group = waiting.setdefault(fitted.shape, [])
            group.append((number, fitted, fitting_numbers(preprocessing.fitting(*image.shape[:2]))))
            if len(group) == self.batch_size:
                self._predict(waiting.pop(fitted.shape), predictions)
        for group in waiting.values():
            self._predict(group, predictions)
        return [predictions[number] for number in range(len(images))]

    def _predict(
        self, group: Sequence[tuple[int, np.ndarray, Tensor]], predictions: dict[int, Prediction]
    ) -> None:
        """Add the predictions for fitted images of one size, (height, width, bands), by their numbers."""
        # Channels last in memory, as batches are when the task is measured.
        batch = torch.from_numpy(np.stack([image for _, image, _ in group])).permute(0, 3, 1, 2)
        targets = {FITTING: [numbers for _, _, numbers in group]}
        with torch.inference_mode():
            outputs = self.task.forward(self.model, (batch.to(self.device), targets))
            found = self.task.predictions(outputs, targets)
        predictions.update((number, one) for (number, _, _), one in zip(group, found, strict=True))
