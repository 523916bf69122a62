"""`export_model`: a trained run as a file."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Subset

from sightline.deploy.card import ExportCheck, ModelCard, Precision
from sightline.deploy.card_files import Format
from sightline.deploy.describing import describe
from sightline.deploy.evaluation import judged
from sightline.deploy.export.checking import METRIC_TOLERANCE, refuse_metric
from sightline.deploy.export.file import Judge, export_module
from sightline.deploy.headline import headline, headline_of
from sightline.deploy.predictor import Predictor
from sightline.engine import Experiment
from sightline.engine.evaluation import evaluate
from sightline.errors import SightlineError
from sightline.tasks.vision import VisionTask
from sightline.version import __version__

SAMPLES = 64
"""Images of the dataset that a file is compared with the model on, unless something else is said."""

_DEFAULT_SIDE = 256  # pixels, of an example where nothing says how large images are
_SPLITS = ("validation", "test", "train")


class Exported(NamedTuple):
    """A file that was made, and the card in it."""

    path: Path
    card: ModelCard


def export_model(
    experiment: Experiment,
    path: Path | None = None,
    *,
    format: Format = "onnx",
    precision: Precision = "fp32",
    name: str | None = None,
    description: str | None = None,
    licence: str | None = None,
    samples: int = SAMPLES,
    tolerance: float | None = None,
) -> Exported:
    """Write the model of a trained experiment as a file that was compared with it.

    Args:
        experiment: with its weights; see `sightline.engine.opening.opened`.
        path: of the file; by default ``<name>_<metric>=<value>.<format>`` here.
        format: of the file.
        precision: fp16 and int8 make the file smaller; int8 is for ONNX alone.
        name: of the model; by default that of the run.
        description: what it is for, and what not.
        licence: under which it may be used.
        samples: images of the dataset, of its first split of validation, test and train, on which outputs and
            metric of file and model are compared. Where the dataset is not at hand it is noise, and only
            outputs are.
        tolerance: by how much the metric may differ; by default `METRIC_TOLERANCE`.

    Raises:
        SightlineError: the model cannot be exported, or the file is not as good; then there is no file.
    """
    task = experiment.task
    card = describe(experiment)
    assert isinstance(task, VisionTask)
    model = experiment.model
    split = _split(experiment)
    batches = [] if split is None else _batches(experiment, split, samples)
    if split is not None and experiment.loaded is None:  # weights from elsewhere, of which nothing is known
        card = card.model_copy(update={"metrics": experiment.eval(split)})
    card = card.model_copy(
        update={
            "name": name or card.name,
            "description": description,
            "licence": licence,
            "precision": precision,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "sightline": __version__,
        }
    )
    images = [batch[0].cpu().numpy().astype(card.dtype) for batch in batches]
    path = path or Path(default_name(card, format))
    judge = None
    if batches:
        allowed = METRIC_TOLERANCE[precision] if tolerance is None else tolerance
        judge = _judge(experiment, task, batches, card, allowed)
    card = export_module(
        model, card, path, format=format, size=_size(card, images), images=images, judge=judge
    )
    return Exported(path, card)


def default_name(card: ModelCard, format: Format) -> str:
    """The name of a file with how good it is: ``water_iou=0.9123.onnx``."""
    found = headline_of(card)
    score = "" if found is None else f"_{found[0]}={found[1]:.4f}"
    precision = "" if card.precision == "fp32" else f"_{card.precision}"
    return f"{card.name}{score}{precision}.{format}"


def _batches(experiment: Experiment, split: str, samples: int) -> list[Any]:
    """Images of a split with their targets, evenly from all of it."""
    dataset = experiment.dataset(split)
    count = min(samples, len(dataset))
    chosen = np.linspace(0, len(dataset) - 1, count).round().astype(int).tolist()
    return list(experiment.loader(split, training=False, dataset=Subset(dataset, chosen)))


def _split(experiment: Experiment) -> str | None:
    """The first split of `_SPLITS` that there is; None where the dataset is not at hand."""
    for split in _SPLITS:
        try:
            dataset = experiment.dataset(split)
        except (SightlineError, OSError):
            return None
        if dataset is not None and len(dataset):
            return split
    return None


def _size(card: ModelCard, images: Sequence[np.ndarray]) -> tuple[int, int]:
    """Height and width of the images that the model is tried with."""
    preprocessing = card.preprocessing
    if preprocessing.size is not None:
        return preprocessing.size
    if images:
        height, width = images[0].shape[2:]
        return height, width
    return preprocessing.fitted_size(_DEFAULT_SIDE, _DEFAULT_SIDE)


def _judge(
    experiment: Experiment, task: VisionTask, batches: list[Any], card: ModelCard, tolerance: float
) -> Judge:
    """Compares the task's metric of the model and of the file."""

    def judge(predictor: Predictor) -> ExportCheck:
        measured = evaluate(task, experiment.model, batches, task.build_metrics(), experiment.ranks, part="")
        metric = headline(measured, card.task)
        count = sum(len(batch[0]) for batch in batches)
        if metric is None:
            return ExportCheck(images="real", count=count, largest_difference=0)
        before = measured[metric]
        after = judged(task, predictor, batches, experiment, "")[metric]
        name = metric.rpartition("/")[2]
        refuse_metric(name, before, after, tolerance)
        return ExportCheck(
            images="real", count=count, largest_difference=0, metric=name, before=before, after=after
        )

    return judge
