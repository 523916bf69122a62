"""Measuring a trained experiment on a split, and reporting on it."""

import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import torch

from sightline.config import Component, to_yaml
from sightline.data.dataset import Dataset
from sightline.engine import Experiment
from sightline.errors import SightlineError
from sightline.files import temporary_folder
from sightline.job_contract import in_job
from sightline.reports.collecting import Predictions
from sightline.reports.findings import Chart
from sightline.reports.page import Facts
from sightline.reports.writing import write_report
from sightline.runs.curves import read_curves
from sightline.runs.json_file import read_json
from sightline.runs.listing import find_runs
from sightline.runs.locations import find_locations
from sightline.runs.plotting import plot_runs
from sightline.runs.summaries import Choice
from sightline.tasks.vision import VisionTask

_CURVES = 6  # of the training that are drawn
_SIZES = 3  # of images that are listed


@dataclass(frozen=True, eq=False)
class Measured:
    """What `measure` found: metrics by name, such as ``test/loss``, and the samples with the predictions."""

    split: str
    metrics: dict[str, float]
    dataset: Dataset
    predictions: str
    """The name of the predictions' task."""


def reportable(experiment: Experiment, split: str) -> bool:
    """Whether there can be a report: the task is one on images, and the split comes from its `Dataset`."""
    task = experiment.task
    from_task = getattr(experiment.spec.data, split, None) is None
    return isinstance(task, VisionTask) and from_task and task.samples(split) is not None


def split_to_report(experiment: Experiment) -> str | None:
    """What a finished training is reported on: the test split where it was measured on that, else the
    validation split it was chosen by; None where there can be no report."""
    tested = ("test",) if experiment.spec.trainer.test_at_end else ()
    return next((split for split in (*tested, "validation") if reportable(experiment, split)), None)


def measure(experiment: Experiment, split: str) -> Measured:
    """Measure a `reportable` experiment, and keep what it says of each sample.

    Raises:
        SightlineError: samples cannot be read.
    """
    task = experiment.task
    assert isinstance(task, VisionTask)
    samples = task.samples(split)
    assert samples is not None
    predictions = Predictions(task, samples)
    metrics = experiment.eval(split, observe=predictions)
    return Measured(split, metrics, predictions.dataset(), predictions.name)


def report_run(experiment: Experiment, measured: Measured) -> Path:
    """Write the report to ``reports/<split>`` of the run directory, and return the page.

    The samples with their predictions go to ``data/predictions-<split>``, a dataset folder that links to the
    images. In a job, where images are hidden, there is neither that nor pictures.

    Raises:
        SightlineError: the experiment has no run directory, or an image cannot be read.
    """
    if experiment.folder is None:
        raise SightlineError("a report goes to a run directory; name the run itself.")
    task, hidden = experiment.task, in_job()
    assert isinstance(task, VisionTask)
    prefix = f"{measured.split}/"
    page = write_report(
        measured.dataset,
        experiment.folder / "reports" / measured.split,
        predictions=measured.predictions,
        truth=task.ground_truth.name,
        title=experiment.spec.name,
        measured={name.removeprefix(prefix): value for name, value in measured.metrics.items()},
        charts=_curves(experiment),
        facts=[_of_run(experiment), _of_dataset(task)],
        pictures=not hidden,
    )
    if not hidden:
        target = experiment.folder / "data" / f"predictions-{measured.split}"
        measured.dataset.write(target, how="symlink", overwrite=True)
    return page


def _curves(experiment: Experiment) -> list[Chart]:
    """The training's course, where the run directory still has it."""
    assert experiment.folder is not None
    run = find_runs(experiment.folder)[0]
    try:
        names = read_curves(run.folder, resumed=run.resumed)["name"].unique().to_list()
    except SightlineError:
        return []
    chosen = _chosen_curves(names, experiment.spec.trainer.monitor)
    if not chosen:
        return []
    with temporary_folder() as folder:
        path = folder / "curves.png"
        plot_runs([run], path, [Choice(name, None) for name in chosen])
        return [Chart("curves", "Training", path.read_bytes(), "The training, by update.")]


def _chosen_curves(names: Sequence[str], monitor: str) -> list[str]:
    """Losses, what checkpoints were chosen by, and what else was measured of the whole; no single classes."""
    measured = sorted(name for name in names if name.startswith("validation/") and name.count("/") == 1)
    wanted = dict.fromkeys(["train/loss", "validation/loss", monitor, "train/lr", *measured])
    return [name for name in wanted if name in names][:_CURVES]


def _of_run(experiment: Experiment) -> Facts:
    assert experiment.folder is not None
    run = find_runs(experiment.folder)[0]
    parameters = list(experiment.model.parameters())
    values: dict[str, Any] = {
        "folder": experiment.folder,
        "model": _model_name(experiment),
        "parameters": f"{sum(one.numel() for one in parameters):,}",
        **_of_checkpoint(experiment.folder),
        "measured on": _device_name(experiment.ranks.device),
    }
    if run.record is not None:
        git = run.record.git or {}
        values |= {
            "started": f"{run.record.started.astimezone():%Y-%m-%d %H:%M}",
            "took": None if run.duration_s is None else str(timedelta(seconds=round(run.duration_s))),
            "status": run.status,
            "commit": f"{str(git['commit'])[:10]}{' and changes' if git.get('dirty') else ''}"
            if git.get("commit")
            else None,
            **{name: run.record.versions.get(name) for name in ("sightline", "torch")},
        }
    return Facts("Run", values, ("Spec", to_yaml(experiment.spec)))


def _of_checkpoint(folder: Path) -> dict[str, str]:
    try:
        kept = read_json(find_locations(None, folder).model / "model.json")
    except FileNotFoundError:
        return {}
    return {"checkpoint": f"epoch {kept['epoch']}, update {kept['step']:,}"}


def _model_name(experiment: Experiment) -> str:
    task = experiment.task
    assert isinstance(task, VisionTask)
    model = getattr(task.config, "model", None)
    if isinstance(model, Component):
        return model.class_path
    parts = [getattr(model, name, None) for name in ("name", "encoder")]
    return ", ".join(str(part) for part in parts if part)


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"


def _of_dataset(task: VisionTask) -> Facts:
    dataset = task.dataset
    assert dataset is not None
    frame = dataset.samples
    counts = frame.group_by("split").len().sort("len", descending=True)
    sizes = frame.group_by("height", "width").len().sort("len", descending=True)
    shown = ", ".join(f"{height} x {width}" for height, width, _ in sizes.head(_SIZES).rows())
    values = {
        "name": f"{dataset.info.dataset_name} {dataset.info.version}",
        **{f"samples of {split}": f"{count:,}" for split, count in counts.rows()},
        "task": f"{task.ground_truth.name} ({task.ground_truth.primitive.__name__})",
        "classes": len(task.classes),
        "image sizes (height x width)": shown
        + (f" and {len(sizes) - _SIZES:,} more" if len(sizes) > _SIZES else ""),
    }
    if (megapixels := frame.select((pl.col("height") * pl.col("width")).sum()).item()) is not None:
        values["megapixels in all"] = f"{math.ceil(megapixels / 1e6):,}"
    return Facts("Dataset", values)
