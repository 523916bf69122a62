"""`benchmark`: how good any model is on a dataset, how fast, and how much memory it needs."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION
from sightline.data.dataset import Dataset
from sightline.data.info import TaskInfo
from sightline.data.predictions import (
    NO_CLASS,
    ClassScores,
    Detections,
    InferenceModel,
    Prediction,
    with_predictions,
)
from sightline.data.primitives import Bbox, Classification, Segmentation
from sightline.data.progress import with_bar
from sightline.data.raster import is_raster
from sightline.data.sample import Sample
from sightline.errors import SightlineError
from sightline.metrics.confusion import classification_numbers, confusion_matrix
from sightline.metrics.datasets import Comparison, labelled, true_task
from sightline.metrics.multi_label import multi_label_numbers
from sightline.reports.judging import judge
from sightline.reports.memory import forget_peak_memory, peak_memory

_WARM_UP = 3  # calls before the clock runs: the first ones allocate, compile and choose algorithms
_PERCENTILES = (50, 90, 99)
_TOP = 5
_PREDICTIONS = "benchmarked predictions"


@dataclass(frozen=True)
class Benchmark:
    """What `benchmark` measured of a model."""

    images: int
    metrics: dict[str, float]
    """By name, of images in their own size; see `sightline.metrics`."""
    headline: list[str]
    """Which of them say most."""
    images_per_second: float
    """Of the model with its preprocessing; reading files is not counted."""
    latency_ms: dict[str, float]
    """Milliseconds that a call with ``batch_size`` images takes, as ``p50``, ``p90`` and ``p99``."""
    batch_size: int
    peak_memory_bytes: int
    """The most the GPU had in use, or the process without one."""
    memory_of: str


def benchmark(
    model: InferenceModel, dataset: Dataset, task: str | None = None, *, batch_size: int = 1
) -> Benchmark:
    """Measure ``model`` on all samples of ``dataset`` that are annotated.

    Args:
        model: what predicts. Its ``classes``, where it has such, are the names of the labels that it gives;
            else they are those of the task, in this order. Where it has a ``preprocessing``, images are read
            as that says; else as 8-bit RGB, but for rasters of other bands or types, of which all are read.
        dataset: with a ground truth.
        task: the name of that; by default the only one of the kind that the model predicts.
        batch_size: images that the model is given at once.

    Raises:
        SightlineError: the predictions do not fit the task, or an image cannot be read.
    """
    if not len(dataset):
        raise SightlineError(f"dataset '{dataset.info.dataset_name}' has no samples to measure on.")
    forget_peak_memory()
    first = _predicted(model, [_image(dataset[0], model)] * batch_size)[0]
    truth = true_task(dataset, _primitive_of(first), task)
    dataset = dataset.replace(samples=dataset.samples.filter(pl.col(truth.primitive.column).is_not_null()))
    if not len(dataset) or not truth.class_names:
        raise SightlineError(f"task '{truth.name}' has no samples or lists no classes to compare by.")
    names = list(getattr(model, "classes", None) or truth.class_names)
    kept = _Scores(dataset, truth, names) if isinstance(first, ClassScores) else _Objects(truth, names)
    for _ in range(_WARM_UP - 1):
        _predicted(model, [_image(dataset[0], model)] * batch_size)
    seconds = []
    for part in with_bar(_parts(dataset, batch_size), -(-len(dataset) // batch_size), "Predicting"):
        images = [_image(sample, model) for sample in part]
        start = time.perf_counter()
        predictions = _predicted(model, images)
        seconds.append(time.perf_counter() - start)
        for prediction in predictions:
            _check_labels(prediction, names)
        kept.add(part, predictions)
    memory = peak_memory()
    metrics, headline = kept.numbers()
    return Benchmark(
        images=len(dataset),
        metrics=metrics,
        headline=[name for name in headline if name in metrics],
        images_per_second=len(dataset) / sum(seconds),
        latency_ms={f"p{share}": float(np.percentile(seconds, share)) * 1e3 for share in _PERCENTILES},
        batch_size=batch_size,
        peak_memory_bytes=memory.size_bytes,
        memory_of=memory.of,
    )


class _Scores:
    """Scores of classes of images, which top-5 and multi-label measures need whole."""

    def __init__(self, dataset: Dataset, truth: TaskInfo, names: Sequence[str]) -> None:
        self._true_names = truth.class_names or []
        missing = [name for name in self._true_names if name not in names]
        if missing:
            raise SightlineError(
                f"the model does not know class '{missing[0]}' of task '{truth.name}'; it knows "
                f"{', '.join(names)}."
            )
        table = labelled(dataset.samples, truth, self._true_names)
        self._truth = np.zeros((len(dataset), len(self._true_names)), dtype=bool)
        self._truth[table[POSITION].to_numpy(), table["label"].to_numpy()] = True
        self._order = [names.index(name) for name in self._true_names]
        self._rows: list[np.ndarray] = []

    def add(self, part: Dataset, predictions: Sequence[Prediction]) -> None:
        """Keep the predictions for ``part``."""
        del part
        self._rows += [one.scores[self._order] for one in predictions if isinstance(one, ClassScores)]

    def numbers(self) -> tuple[dict[str, float], Sequence[str]]:
        """The metrics, and which of them say most."""
        scores, names = np.stack(self._rows), self._true_names
        if (self._truth.sum(axis=1) != 1).any():
            return multi_label_numbers(scores, self._truth, names), ("map", "f1", "precision", "recall")
        labels = self._truth.argmax(axis=1)
        confusion = confusion_matrix(labels, scores.argmax(axis=1), len(names))
        numbers = classification_numbers(confusion[:, : len(names)], names)
        if len(names) > _TOP:
            top = np.argsort(-scores, axis=1, kind="stable")[:, :_TOP]
            numbers[f"accuracy_top{_TOP}"] = float((top == labels[:, None]).any(axis=1).mean())
        return numbers, ("accuracy", "f1", f"accuracy_top{_TOP}")


class _Objects:
    """Boxes or classes of pixels, kept beside the ground truth."""

    def __init__(self, truth: TaskInfo, names: Sequence[str]) -> None:
        self._truth, self._names = truth, names
        self._parts: list[Dataset] = []

    def add(self, part: Dataset, predictions: Sequence[Prediction]) -> None:
        """Keep the predictions for ``part``."""
        self._parts.append(with_predictions(part, predictions, self._names, _PREDICTIONS))

    def numbers(self) -> tuple[dict[str, float], Sequence[str]]:
        """The metrics, and which of them say most."""
        whole = self._parts[0].replace(samples=pl.concat([part.samples for part in self._parts]))
        findings = judge(Comparison.of(whole, _PREDICTIONS, self._truth.name))
        return findings.numbers, findings.headline


def _parts(dataset: Dataset, size: int) -> Iterator[Dataset]:
    for start in range(0, len(dataset), size):
        yield dataset[start : start + size]


def _image(sample: Sample, model: InferenceModel) -> np.ndarray:
    """The image (height, width, bands) as the model is to have it; see `benchmark`."""
    preprocessing = getattr(model, "preprocessing", None)
    if preprocessing is not None:
        return sample.read_image() if preprocessing.reads_rgb else sample.read_bands()
    if sample.file_path is None or not is_raster(Path(sample.file_path)):
        return sample.read_image()
    bands = sample.read_bands()
    plain = bands.dtype == np.uint8 and bands.shape[2] <= 3
    return sample.read_image() if plain else bands


def _predicted(model: InferenceModel, images: Sequence[np.ndarray]) -> Sequence[Prediction]:
    predictions = model.predict(images)
    if len(predictions) != len(images):
        raise SightlineError(
            f"the model gave {len(predictions)} predictions for {len(images)} images; let `predict` give one "
            "for each."
        )
    return predictions


def _primitive_of(prediction: Prediction) -> type[Classification] | type[Bbox] | type[Segmentation]:
    if isinstance(prediction, ClassScores):
        return Classification
    return Bbox if isinstance(prediction, Detections) else Segmentation


def _check_labels(prediction: Prediction, names: Sequence[str]) -> None:
    if isinstance(prediction, ClassScores):
        if len(prediction.scores) != len(names):
            raise SightlineError(
                f"the model gives {len(prediction.scores)} scores for {len(names)} classes "
                f"({', '.join(names)}); let it have `classes`, the names of its own."
            )
        return
    labels = prediction.labels if isinstance(prediction, Detections) else prediction.classes
    if isinstance(prediction, Detections):
        wrong = (labels < 0) | (labels >= len(names))
    else:
        wrong = (labels >= len(names)) & (labels != NO_CLASS)
    if wrong.any():
        raise SightlineError(
            f"the model gives label {labels[wrong][0]} for {len(names)} classes ({', '.join(names)}); labels "
            "count from 0. Let it have `classes`, the names of its own."
        )
