"""The card of a trained experiment."""

import hashlib
from pathlib import Path

import torch
from torch import nn

from sightline.data.box_selection import BoxSelection
from sightline.data.dataset import Dataset
from sightline.data.images import read_bands
from sightline.data.raster import Georeference, is_raster, opened, rasterio_available
from sightline.deploy.card import Architecture, Kind, ModelCard, ModelInput, PixelType, TrainedOn, Training
from sightline.engine import Experiment
from sightline.errors import SightlineError
from sightline.runs.locations import RUN_FILE
from sightline.runs.record import RunRecord, read_record
from sightline.tasks import Task
from sightline.tasks.vision import ModelConfig, VisionTask

_TYPES: dict[str, PixelType] = {"uint8": "uint8", "uint16": "uint16"}


def describe(experiment: Experiment) -> ModelCard:
    """What is known of the model of an experiment, and which files of it need.

    Raises:
        SightlineError: its task is none of those on images.
    """
    task = experiment.task
    kind = kind_of(task)
    assert isinstance(task, VisionTask)
    dataset = _dataset(task)
    loaded = experiment.loaded
    return ModelCard(
        name=experiment.spec.name,
        task=kind,
        classes=task.classes,
        multi_label=getattr(task.config, "multi_label", False),
        preprocessing=task.config.preprocessing,
        input=ModelInput(type=_pixel_type(task, dataset)),
        selection=_selection(experiment.model) if kind == "detection" else None,
        ground_resolution=None if dataset is None else _ground_resolution(dataset),
        metrics={} if loaded is None else loaded.metrics,
        data=None if dataset is None else _trained_on(task, dataset),
        training=_training(experiment),
        architecture=_architecture(task),
    )


def kind_of(task: Task) -> Kind:
    """What kind of task it is.

    Raises:
        SightlineError: none that files can be made of.
    """
    from sightline.tasks import Classification, Detection, Segmentation

    kinds: dict[type, Kind] = {
        Classification: "classification",
        Detection: "detection",
        Segmentation: "segmentation",
    }
    for known, kind in kinds.items():
        if isinstance(task, known):
            return kind
    raise SightlineError(
        f"{type(task).__name__}: files are made of Classification, Detection and Segmentation; derive the "
        "task from one of these, or call sightline.deploy.export_module with a model and a card."
    )


def _dataset(task: VisionTask) -> Dataset | None:
    """The task's dataset; None where it is not at hand, as on another machine."""
    try:
        return task.dataset
    except (SightlineError, OSError):
        return None


def _pixel_type(task: VisionTask, dataset: Dataset | None) -> PixelType:
    """That of the dataset's images where they are read in their own type; float32 holds all."""
    preprocessing = task.config.preprocessing
    if preprocessing.reads_rgb:
        return "uint8"
    if dataset is None or not len(dataset):
        return "float32"
    found = str(read_bands(str(dataset[0].file_path), preprocessing.bands).dtype)
    return _TYPES.get(found, "float32")


def _selection(model: nn.Module) -> BoxSelection:
    found = getattr(model, "selection", None)
    if not isinstance(found, BoxSelection):
        raise SightlineError(
            f"{type(model).__name__}: does not say which boxes are kept; give it an attribute `selection`, a "
            "sightline.data.box_selection.BoxSelection."
        )
    return found


def _ground_resolution(dataset: Dataset) -> float | None:
    """Metres a pixel of the first image, where that is a raster in a projection of metres."""
    path = Path(str(dataset.samples["file_path"][0])) if len(dataset) else Path()
    if not (is_raster(path) and path.is_file() and rasterio_available()):
        return None
    with opened(path) as raster:
        place = Georeference.of(raster)
        if place.transform is None or place.crs is None or not place.crs.is_projected:
            return None
        metres = place.crs.linear_units_factor[1]
        a, b, _, d, e, _ = place.transform[:6]
    return float(abs(a * e - b * d) ** 0.5 * metres)


def _trained_on(task: VisionTask, dataset: Dataset) -> TrainedOn:
    counts = dataset.samples["split"].value_counts().rows()
    return TrainedOn(
        name=dataset.info.dataset_name,
        version=dataset.info.version,
        task=task.ground_truth.name,
        samples=dict(sorted(counts)),
    )


def _training(experiment: Experiment) -> Training:
    record, loaded = _record(experiment), experiment.loaded
    git = (record.git if record else None) or {}
    commit = git.get("commit")
    return Training(
        run=experiment.spec.name,
        step=loaded.step if loaded else None,
        epoch=loaded.epoch if loaded else None,
        started_at=record.started_at if record else None,
        commit=f"{commit}+" if commit and git.get("dirty") else commit,
        weights_sha256=weights_sha256(experiment.model),
    )


def _record(experiment: Experiment) -> RunRecord | None:
    """The record of the run that the weights are from, where they still lie in its folder."""
    if experiment.loaded is None:
        return None
    folder = experiment.loaded.folder
    for run in (folder.parent, folder.parent.parent):  # run/model, run/checkpoints/step-...
        if (run / RUN_FILE).is_file():
            return read_record(run)
    return None


def weights_sha256(model: nn.Module) -> str:
    """A hash of the names, types, shapes and bytes of all weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _architecture(task: VisionTask) -> Architecture | None:
    model = getattr(task.config, "model", None)
    if not isinstance(model, ModelConfig):
        return None
    return Architecture(
        name=model.name,
        encoder=getattr(model, "encoder", None),
        outputs=task.outputs,
        options=model.options,
    )
