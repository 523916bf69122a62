"""Keeping what a task says of the samples of a split while it is measured, as a dataset."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from PIL import Image

from sightline.data.dataset import Dataset
from sightline.data.predictions import ClassMap, ClassScores, Detections, Prediction, with_predictions
from sightline.errors import SightlineError
from sightline.tasks.vision import VisionTask, fittings
from sightline.transforms.fit import fitting_of

_SURE_ENOUGH = 0.5  # from which on a class is predicted of an image that may have several


class Predictions:
    """Takes the outputs for one batch after the other, in the order of the samples (see `Experiment.eval`).

    Masks are kept as run lengths, so that memory holds no more than one batch of whole maps.
    """

    def __init__(self, task: VisionTask, samples: Dataset) -> None:
        """Take predictions of ``task`` for all of ``samples``."""
        self._task, self._samples = task, samples
        self._parts: list[pl.DataFrame] = []
        self._info = samples.info
        self._taken = 0
        taken = {one.name for one in samples.info.tasks}
        self.name = next(
            name for name in ("predictions", f"{task.ground_truth.name}-predictions") if name not in taken
        )
        """Of the task that holds the predictions."""

    def __call__(self, outputs: Any, batch: Any) -> None:
        """Take what `Task.forward` gave for a batch."""
        found = self._task.predictions(outputs, batch[1])
        part = self._samples[self._taken : self._taken + len(found)]
        self._taken += len(found)
        sizes = part.samples.select("height", "width").rows()
        fitted = [
            at_size(one, read, size)
            for one, read, size in zip(found, _sizes_read(batch), sizes, strict=False)
        ]
        several = getattr(self._task.config, "multi_label", False)
        predicted = with_predictions(
            part, fitted, self._task.classes, self.name, threshold=_SURE_ENOUGH if several else None
        )
        self._parts.append(predicted.samples)
        self._info = predicted.info

    def dataset(self) -> Dataset:
        """The samples with the predictions beside the ground truth, as task `name`.

        Raises:
            SightlineError: there are not as many predictions as samples.
        """
        if self._taken != len(self._samples):
            raise SightlineError(
                f"{self._taken} of {len(self._samples)} samples were predicted, as the others cannot be read "
                "(or other ranks have them), so it is not known which."
            )
        return Dataset(self._info, pl.concat(self._parts))


def at_size(prediction: Prediction, read: tuple[int, int], size: tuple[int, int]) -> Prediction:
    """A prediction for an image that was ``read`` (height, width) as one for the image of ``size``.

    They differ where a pack holds smaller images than the files.
    """
    if read == size or isinstance(prediction, ClassScores):
        return prediction
    if isinstance(prediction, Detections):
        scale = np.array([size[1] / read[1], size[0] / read[0]] * 2, dtype=prediction.boxes.dtype)
        return replace(prediction, boxes=prediction.boxes * scale)
    scores = prediction.scores
    return ClassMap(_nearest(prediction.classes, size), None if scores is None else _nearest(scores, size))


def _nearest(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(values).resize((size[1], size[0]), Image.Resampling.NEAREST))


def _sizes_read(batch: Any) -> list[tuple[int, int]]:
    """Height and width of each image before it was fitted."""
    images, targets = batch
    height, width = images.shape[-2:]
    places = [None if numbers is None else fitting_of(numbers) for numbers in fittings(targets, len(images))]
    return [(height, width) if place is None else (place.height, place.width) for place in places]
