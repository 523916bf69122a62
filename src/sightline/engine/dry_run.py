"""Building everything of a training and trying one batch, before hours are spent."""

import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sightline.engine.batches import parts_of
from sightline.engine.evaluation import evaluate
from sightline.engine.experiment import Experiment
from sightline.engine.ranks import bare
from sightline.engine.seeding import random_state_kept
from sightline.engine.trainer import Trainer
from sightline.errors import SightlineError
from sightline.tasks.task import total_loss

_MOST_SHOWN = 4  # items of a list whose shapes are told


@dataclass(frozen=True)
class DryRun:
    """What a training would do. Shapes are text such as ``float32[32, 3, 224, 224]``."""

    device: str
    items: dict[str, int | None]
    """Items by split; None where the dataset does not know."""
    batch: str
    """Shapes of a batch for training."""
    outputs: str
    predictions: str
    loss: float
    """Of that batch, with the initial weights."""
    metrics: dict[str, float]
    """Of one batch for validation (for training, where there is none), to see that they work."""
    trained_parameters: int
    frozen_parameters: int
    ranks: int
    batches_per_epoch: int
    """Of each rank."""
    updates_per_epoch: int
    updates: int | None
    """In all; None where the spec says for how much time to train."""
    max_duration: str
    peak_memory_bytes: int
    """The most the GPU had in use, or the process without one; one backward, no optimizer state yet."""
    memory_of: str


def dry_run(experiment: Experiment) -> DryRun:
    """Build all of ``experiment``, and take a batch through model, loss, gradient, predictions, metrics.

    Nothing is written, and no weight is updated.

    Raises:
        SightlineError: a part cannot be built, or does not work.
    """
    spec, device = experiment.spec, experiment.ranks.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with random_state_kept(device):
        experiment.check()
        experiment.settle()
        trainer = experiment.trainer()
        task, model, autocast = trainer.task, trainer.model, trainer.updates.autocast
        batch = next(iter(trainer.loader), None)
        if batch is None:
            raise SightlineError("data.train: gives no batch; it is empty.")
        model.train()
        micro = parts_of(batch, trainer.updates.micro_batches)[0]
        with autocast():
            outputs = task.forward(model, micro)
            loss = total_loss(task.compute_loss(outputs, micro))
        loss.backward()
        model.eval()  # some models predict only then
        with autocast(), torch.inference_mode():
            predictions = task.compute_predictions(task.forward(model, micro), micro)
        validation = trainer.validation
        metrics = evaluate(
            task,
            model,
            [batch if validation is None else next(iter(validation), batch)],
            trainer.metrics,
            trainer.ranks,
            part="train" if validation is None else "validation",
            autocast=autocast,
        )
    parameters = list(bare(model).parameters())
    batches, updates_per_epoch, updates = _counts(experiment, trainer)
    on_gpu = device.type == "cuda"
    return DryRun(
        device=str(device),
        items=_items(experiment, trainer),
        batch=shapes(batch),
        outputs=shapes(outputs),
        predictions=shapes(predictions),
        loss=loss.item(),
        metrics=metrics,
        trained_parameters=sum(one.numel() for one in parameters if one.requires_grad),
        frozen_parameters=sum(one.numel() for one in parameters if not one.requires_grad),
        ranks=_ranks(experiment),
        batches_per_epoch=batches,
        updates_per_epoch=updates_per_epoch,
        updates=updates,
        max_duration=str(spec.trainer.max_duration),
        peak_memory_bytes=torch.cuda.max_memory_allocated(device)
        if on_gpu
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        memory_of="GPU" if on_gpu else "process",
    )


def shapes(value: Any) -> str:
    """What a batch or an output is made of: ``[float32[8, 1, 8, 8], int64[8]]``."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {shapes(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        shown = [shapes(inner) for inner in value[:_MOST_SHOWN]]
        more = [f"... {len(value)} in all"] if len(value) > _MOST_SHOWN else []
        return f"[{', '.join(shown + more)}]"
    return type(value).__name__


def _items(experiment: Experiment, trainer: Trainer) -> dict[str, int | None]:
    """Items by split, for the splits that there are."""
    loaders = {"train": trainer.loader, "validation": trainer.validation}
    datasets = {split: _dataset(loader) for split, loader in loaders.items() if loader is not None}
    if (test := experiment.dataset("test")) is not None:
        datasets["test"] = test
    return {
        split: len(dataset) if hasattr(dataset, "__len__") else None for split, dataset in datasets.items()
    }


def _dataset(loader: Any) -> Any:
    return getattr(getattr(loader, "batches", loader), "dataset", None)


def _counts(experiment: Experiment, trainer: Trainer) -> tuple[int, int, int | None]:
    """Batches and updates in an epoch of each rank, and updates in all."""
    # Here is one process, whatever the launcher will start.
    batches = max(1, len(trainer.loader) // (_ranks(experiment) // trainer.ranks.size))
    batches = min(batches, trainer.config.overfit_batches or batches)
    per_epoch = -(-batches // trainer.config.accumulate)
    return batches, per_epoch, trainer.config.max_duration.steps(per_epoch)


def _ranks(experiment: Experiment) -> int:
    launcher = experiment.spec.launcher
    return max(experiment.ranks.size, launcher.ranks * launcher.nodes)
