"""Measuring a model on a whole dataset, exactly, on any number of ranks."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from sightline.engine.ranks import Ranks, bare
from sightline.engine.seeding import random_state_kept
from sightline.errors import SightlineError
from sightline.tasks import Task
from sightline.tasks.task import total_loss


def evaluate(
    task: Task,
    model: nn.Module,
    batches: Iterable[Any],
    metrics: Mapping[str, Any],
    ranks: Ranks,
    *,
    part: str = "validation",
    autocast: Any = None,
    before_batch: Any = None,
    observe: Callable[[Any, Any], None] | None = None,
) -> dict[str, float]:
    """The loss and each metric over all ``batches`` of all ranks, by names such as ``validation/loss``.

    The loss is the mean over what `Task.loss_weight` counts. Ranks may have different numbers of items;
    each item counts once. The random generators stay as they are.

    Args:
        metrics: what has ``update(predictions, targets)``, ``compute()`` and ``reset()``, and finds the
            other ranks by itself, as torchmetrics do.
        before_batch: called before each batch; what it raises ends the evaluation.
        observe: called with the outputs and the batch of each.

    Raises:
        SightlineError: there is not one batch.
    """
    # The bare model, as a rank may have more batches than another, and must not wait for it.
    inner, was_training = bare(model), model.training
    ranks.share_buffers(inner)
    whole = weight = torch.zeros((), dtype=torch.float64, device=ranks.device)
    count, most = 0, _most_batches(inner, batches, ranks)
    task.log.part, before = part, task.log.part
    model.eval()
    last: Any = None
    try:
        with random_state_kept(ranks.device), torch.inference_mode():
            for metric in metrics.values():
                metric.reset()
            for batch in batches:
                if before_batch is not None:
                    before_batch()
                with autocast() if autocast is not None else torch.autocast("cpu", enabled=False):
                    outputs = task.forward(inner, batch)
                    loss = _loss(task, outputs, batch)
                    predictions = task.compute_predictions(outputs, batch) if metrics else None
                if loss is not None:
                    share = task.loss_weight(batch)
                    whole, weight = whole + loss.double() * share, weight + share
                for metric in metrics.values():
                    metric.update(predictions, task.targets(batch))
                if observe is not None:
                    observe(outputs, batch)
                if not count:
                    task.log_validation(outputs, batch)
                count, last = count + 1, batch
            for _ in range(most - count):
                task.forward(inner, last)
            if not sum(ranks.each(count)):
                raise SightlineError(f"{part}: there is no batch to measure on; its dataset is empty.")
            sums = ranks.sum(torch.stack([whole, weight]))
            result = {}
            if float(sums[1]) > 0:
                result[f"{part}/loss"] = float(sums[0] / sums[1])
            for name, metric in metrics.items():
                result.update(_named(f"{part}/{name}" if name else part, metric.compute()))
    finally:
        task.log.part = before
        model.train(was_training)
    return result


def _most_batches(model: nn.Module, batches: Any, ranks: Ranks) -> int:
    """Of all ranks, where each has to compute as often: a sharded model is gathered by all ranks together."""
    if not isinstance(model, FSDPModule):
        return 0
    counts = ranks.each(len(batches))
    if not min(counts):
        raise SightlineError(
            "with trainer.strategy fsdp each rank needs a batch to measure on; use ddp, as there are fewer "
            "items than ranks."
        )
    return max(counts)


def _loss(task: Task, outputs: Any, batch: Any) -> Tensor | None:
    """The loss, or None for a task (such as torchvision's detectors) that has none outside of training."""
    loss = task.compute_loss(outputs, batch)
    return None if loss is None else total_loss(loss)


def _named(name: str, value: Any) -> dict[str, float]:
    """A metric's value as numbers: one, those of a mapping, or those of a vector by their index."""
    if isinstance(value, Mapping):
        return {
            key: number
            for inner, one in value.items()
            for key, number in _named(f"{name}/{inner}", one).items()
        }
    if isinstance(value, Tensor) and value.ndim == 1 and value.numel() > 1:
        return {f"{name}/{number}": float(one) for number, one in enumerate(value)}
    if isinstance(value, Tensor) and value.numel() > 1:
        return {}  # a matrix, such as of a confusion, is a picture rather than a number
    return {name: float(value)}
