"""`Predictor`: an exported model that takes images and gives predictions, the same ones as in training."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sightline.data.images import as_eight_bits, read_bands
from sightline.data.jpeg import read_pixels
from sightline.data.predictions import NO_CLASS, ClassMap, ClassScores, Detections, Prediction
from sightline.data.preprocessing import Fitting, Preprocessing
from sightline.deploy.card import ModelCard
from sightline.deploy.session import Session
from sightline.errors import SightlineError

BATCH = 8
"""Images that a model is given at once, unless something else is said."""
PARALLEL = 2
"""Batches that it computes at once where it has many: what one thread waits for, the other goes on without.
More would take more memory and no less time."""


class Fitted(NamedTuple):
    """An image as the graph takes it: ``pixels`` (bands, height, width), and where it went."""

    pixels: np.ndarray
    place: Fitting


class Predictor:
    """Predicts with any exported file; implements `sightline.data.predictions.InferenceModel`.

    `predict` is the whole way. Its steps are there one by one for those who do something in between: `read`,
    `fit`, `scores`, `predictions`. All may be used by several threads at once.
    """

    def __init__(self, card: ModelCard, session: Session, batch_size: int = BATCH) -> None:
        self.card = card
        self.session = session
        self.batch_size = card.input.batch or batch_size

    @property
    def classes(self) -> list[str]:
        """The names of the classes that predictions count."""
        return self.card.classes

    @property
    def preprocessing(self) -> Preprocessing:
        """What the model is given of an image."""
        return self.card.preprocessing

    def predict(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """What the model says of each image, in the image's own pixels.

        Args:
            images: (height, width, bands) with all bands of their files, or (height, width) in grey.

        Raises:
            SightlineError: an image has other bands, another type or another size than the model takes.
        """
        names = [f"image {number}" for number in range(len(images))]
        chosen = [self._chosen(image, name) for image, name in zip(images, names, strict=True)]
        fitted = [self.fit(image, name) for image, name in zip(chosen, names, strict=True)]
        return self.predict_fitted(fitted)

    def predict_files(self, paths: Sequence[str | Path]) -> list[Prediction]:
        """The same for image files.

        Raises:
            SightlineError: a file cannot be read, or as `predict`.
        """
        return self.predict_fitted([self.fit(self.read(path), path) for path in paths])

    def predict_fitted(self, fitted: Sequence[Fitted]) -> list[Prediction]:
        """The same for images that `fit` gave; those of one size are computed together."""
        result: list[Prediction | None] = [None] * len(fitted)
        for members in self._batches(fitted):
            outputs = self.scores(np.stack([fitted[member].pixels for member in members]))
            found = self.predictions(outputs, [fitted[member].place for member in members])
            for member, prediction in zip(members, found, strict=True):
                result[member] = prediction
        return [prediction for prediction in result if prediction is not None]

    def read(self, path: str | Path, size: tuple[int, int] | None = None) -> np.ndarray:
        """An image file as training read it: 8-bit RGB, or the bands that the model takes in their own type.

        ``size`` is the (height, width) that a dataset says it has; see `sightline.data.images.read_rgb`.

        Raises:
            SightlineError: it cannot be read, or has no such band.
        """
        if self.preprocessing.reads_rgb:
            return read_pixels(str(path), size)
        return read_bands(path, self.preprocessing.bands, size)

    def fit(self, image: np.ndarray, where: str | Path = "image") -> Fitted:
        """An image (height, width, bands) of the model's bands, as `read` gives it, for the graph.

        Raises:
            SightlineError: it has another type or another size than the model takes.
        """
        preprocessing = self.preprocessing
        assert image.shape[2:] == (self.card.channels,), f"{where}: of shape {image.shape}"
        image = self.typed(image, where)
        place = preprocessing.fitting(image.shape[0], image.shape[1])
        pixels = preprocessing.fit_image(image)
        self._refuse_size(pixels.shape[0], pixels.shape[1], where)
        return Fitted(np.ascontiguousarray(pixels.transpose(2, 0, 1)), place)

    def scores(self, pixels: np.ndarray) -> list[np.ndarray]:
        """What the graph gives for fitted images (batch, bands, height, width); see `ModelCard`."""
        return self.session.run(pixels)

    def predictions(self, outputs: Sequence[np.ndarray], places: Sequence[Fitting]) -> list[Prediction]:
        """The graph's outputs for a batch as predictions, in the pixels of the images that were fitted."""
        if self.card.task == "classification":
            return [ClassScores(scores) for scores in outputs[0]]
        if self.card.task == "segmentation":
            return [_class_map(scores, place) for scores, place in zip(outputs[0], places, strict=True)]
        selection = self.card.selection
        assert selection is not None
        result: list[Prediction] = []
        for scores, boxes, place in zip(*outputs[:2], places, strict=True):
            found = selection.select(scores, boxes)
            result.append(Detections(place.boxes_back(found.boxes), found.scores, found.labels))
        return result

    def _batches(self, fitted: Sequence[Fitted]) -> list[list[int]]:
        """Which images are computed together, by their index."""
        by_size: dict[tuple[int, ...], list[int]] = {}
        for index, one in enumerate(fitted):
            by_size.setdefault(one.pixels.shape, []).append(index)
        size = self.batch_size
        return [
            members[start : start + size]
            for members in by_size.values()
            for start in range(0, len(members), size)
        ]

    def _chosen(self, image: np.ndarray, where: str) -> np.ndarray:
        """The bands that the model takes of an image with all of them."""
        image = image[..., None] if image.ndim == 2 else image
        if image.ndim != 3 or 0 in image.shape:
            raise SightlineError(f"{where}: has the shape {image.shape}; give one of (height, width, bands).")
        image = as_eight_bits(image) if self.preprocessing.reads_rgb else image
        return self.preprocessing.choose_bands(image, where)

    def typed(self, image: np.ndarray, where: str | Path = "image") -> np.ndarray:
        """Pixels in the type that the graph takes.

        Raises:
            SightlineError: that cannot hold them.
        """
        wanted = self.card.dtype
        if image.dtype == wanted:
            return image
        if wanted == np.float32 or np.can_cast(image.dtype, wanted, "safe"):
            return image.astype(wanted)
        raise SightlineError(
            f"{where}: has pixels of type {image.dtype}, and the model was trained on {wanted}; give images "
            "of that type."
        )

    def _refuse_size(self, height: int, width: int, where: str | Path) -> None:
        wanted = self.card.input
        if wanted.size is not None and (height, width) != wanted.size:
            raise SightlineError(
                f"{where}: is {height} x {width} pixels for the model, which takes {wanted.size[0]} x "
                f"{wanted.size[1]} only; train it with preprocessing.size, or give images of that size."
            )
        if height % wanted.multiple or width % wanted.multiple:
            raise SightlineError(
                f"{where}: is {height} x {width} pixels for the model, which takes multiples of "
                f"{wanted.multiple} only; train it with preprocessing.multiple or size."
            )


def _class_map(scores: np.ndarray, place: Fitting) -> ClassMap:
    classes = scores.argmax(axis=0).astype(np.uint8)
    best = scores.max(axis=0).astype(np.float32, copy=False)
    if (place.height, place.width) == classes.shape and place.scale_x == place.scale_y == 1:
        return ClassMap(classes, best)
    return ClassMap(place.map_back(classes, outside=NO_CLASS), place.map_back(best, outside=0))
