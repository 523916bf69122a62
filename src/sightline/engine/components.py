"""The components that a spec names: held against what they name, and built."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from sightline.config import Component, build, check, import_object
from sightline.data.loading import Loader
from sightline.engine.ranks import Ranks
from sightline.engine.schedules import Schedule
from sightline.engine.spec import LoaderConfig, Spec
from sightline.errors import SightlineError
from sightline.tasks import Task

SPLITS = ("train", "validation", "test")


def check_components(spec: Spec) -> None:
    """Hold every component of ``spec`` against what it names, before any of them is built.

    Raises:
        SightlineError: one cannot be imported, or has arguments that it does not take.
    """
    late: dict[str, int | list[str]] = {"optimizer": 1}
    parts = {"task": spec.task, "model": spec.model, "optimizer": spec.optimizer}
    parts |= {f"data.{split}": getattr(spec.data, split) for split in SPLITS}
    if spec.scheduler is not None:
        parts["scheduler"] = spec.scheduler
        late["scheduler"] = ["optimizer"] if _is_torch_scheduler(spec.scheduler) else 0
    if isinstance(spec.loader, Component):
        parts["loader"], late["loader"] = spec.loader, ["dataset", "training", "ranks"]
    else:
        parts["loader.normalize"] = spec.loader.normalize
    parts |= {f"metrics.{name}": one for name, one in spec.metrics.items()}
    parts |= {f"callbacks.{number}": one for number, one in enumerate(spec.callbacks)}
    parts |= {f"loggers.{number}": one for number, one in enumerate(spec.loggers)}
    for where, part in parts.items():
        if part is not None:
            check(part, late=late.get(where, 0), where=where)


def build_each(components: Sequence[Component], *, where: str) -> list[Any]:
    """What a list of the spec, its field ``where``, stands for."""
    return [build(one, where=f"{where}.{number}") for number, one in enumerate(components)]


def build_loader(spec: Spec, dataset: Any, ranks: Ranks, *, training: bool) -> Any:
    """Batches of ``dataset`` for this rank: shuffled for training, each item once otherwise.

    Raises:
        SightlineError: ranks would get different numbers of batches in training.
    """
    config = spec.loader
    if not isinstance(config, LoaderConfig):
        return build(config, where="loader", dataset=dataset, training=training, ranks=ranks)
    if training and config.last == "keep" and ranks.size > 1:
        raise SightlineError(
            "loader.last: 'keep' may give one rank a batch more than another, for which it would wait; "
            "choose drop or pad."
        )
    size = config.batch_size if training else config.eval_batch_size or config.batch_size
    return Loader(
        dataset,
        size,
        shuffle=training and config.shuffle and not spec.trainer.overfit_batches,
        last=config.last if training else "keep",
        seed=spec.seed,
        workers=config.workers,
        device=ranks.device,
        normalize=None if config.normalize is None else build(config.normalize, where="loader.normalize"),
        channels_last=True if spec.trainer.channels_last else None,
        rank=ranks.rank,
        world_size=ranks.size,
        max_errors=config.max_errors,
    )


def build_schedule(spec: Spec, optimizer: torch.optim.Optimizer) -> Schedule | LRScheduler | None:
    """What changes the learning rates of ``optimizer``, if anything.

    Raises:
        SightlineError: it is neither a `Schedule` nor one of torch's.
    """
    component = spec.scheduler
    if component is None:
        return None
    late = {"optimizer": optimizer} if _is_torch_scheduler(component) else {}
    schedule = build(component, where="scheduler", **late)
    if not isinstance(schedule, Schedule | LRScheduler):
        raise SightlineError(
            f"scheduler: {component.class_path} is neither a sightline.engine.schedules.Schedule nor a "
            "torch.optim.lr_scheduler.LRScheduler."
        )
    return schedule


def build_metrics(spec: Spec, task: Task, device: torch.device) -> dict[str, Any]:
    """The metrics of ``task`` and those of ``spec``, on ``device``."""
    metrics = task.build_metrics()
    metrics |= {name: build(one, where=f"metrics.{name}") for name, one in spec.metrics.items()}
    for metric in metrics.values():
        if isinstance(metric, nn.Module):
            metric.to(device)
    return metrics


def _is_torch_scheduler(component: Component) -> bool:
    kind = import_object(component.class_path)
    return isinstance(kind, type) and issubclass(kind, LRScheduler)
