"""What happens in a training, as callbacks are told it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from sightline.engine.trainer import Trainer


@dataclass(slots=True)
class Event:
    """``trainer`` has the rest: its model, optimizer, progress, logger and ranks.

    Not to be changed; it is not frozen because that costs 5 microseconds at each step.
    """

    trainer: "Trainer"


class TrainStart(Event):
    """Before the first update of this process, resumed or not."""


class EpochStart(Event):
    """Before the first batch of an epoch (not when a resumed training goes on within one)."""


class StepStart(Event):
    """Before a batch is computed with."""


@dataclass(slots=True)
class StepEnd(Event):
    """After an update. ``loss``: the mean of this rank's items, where the model is; reading it costs a wait
    for a GPU."""

    loss: Tensor


class EpochEnd(Event):
    """After an epoch's last update."""


class ValidationStart(Event):
    """Before the validation set is gone through."""


@dataclass(slots=True)
class ValidationEnd(Event):
    """``metrics``: by name, such as ``validation/loss``, over all ranks."""

    metrics: Mapping[str, float]


@dataclass(slots=True)
class CheckpointSaved(Event):
    """``folder``: the checkpoint, complete. ``best``: whether it is the best so far."""

    folder: Path
    best: bool


class TrainEnd(Event):
    """After the last validation and checkpoint of a training that came to its end."""


@dataclass(slots=True)
class Failure(Event):
    """An error, an interruption or a request to stop ended the training."""

    error: BaseException
