"""The learning rates that each update is made with."""

from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from sightline.engine.duration import Duration
from sightline.engine.progress import Progress
from sightline.engine.schedules import Schedule


class LearningRates:
    """Sets the optimizer's rates before each update, by a `Schedule` or one of torch's schedulers.

    With a `Schedule` they follow from the rates that the optimizer was made with and the progress alone.
    Those of torch have a state, and are stepped after each update (`ReduceLROnPlateau` after each
    validation).
    """

    def __init__(self, optimizer: Optimizer, schedule: Schedule | LRScheduler | None = None) -> None:
        self._optimizer = optimizer  # not its groups: it makes new ones when its state is loaded
        self._schedule = schedule if isinstance(schedule, Schedule) else None
        self._torch = schedule if isinstance(schedule, LRScheduler) else None
        self._steps = 0
        self._told: float | None = None
        self._base = [group["lr"] for group in optimizer.param_groups]
        self._duration, self._steps_per_epoch = Duration(1, "ba"), 1

    def begin(self, duration: Duration, steps_per_epoch: int) -> None:
        """Say how long the training is, and how many updates an epoch has."""
        self._duration, self._steps_per_epoch = duration, steps_per_epoch

    def set(self, progress: Progress) -> None:
        """Set the rates for the update that follows ``progress``."""
        if self._schedule is not None:
            factor = self._schedule.factor(progress, self._duration, self._steps_per_epoch)
            for group, base in zip(self._optimizer.param_groups, self._base, strict=True):
                group["lr"] = base * factor
        elif self._torch is not None and not isinstance(self._torch, ReduceLROnPlateau):
            if progress.step > self._steps:
                self._torch.step()
            self._steps = progress.step

    def validated(self, value: float | None) -> None:
        """Tell a `ReduceLROnPlateau` the monitored value of a validation."""
        if isinstance(self._torch, ReduceLROnPlateau) and value is not None:
            self._torch.step(value)

    @property
    def has_state(self) -> bool:
        """Whether the present rates follow from more than the configuration and the progress."""
        return self._torch is not None

    def news(self) -> float | None:
        """`present`, if it is not what the last call gave."""
        rate = self.present()
        if rate == self._told:
            return None
        self._told = rate
        return rate

    def present(self) -> float:
        """The rate of the last group, which with ``layer_decay`` is the highest."""
        return float(self._optimizer.param_groups[-1]["lr"])

    def state_dict(self) -> dict[str, Any]:
        """The state of torch's scheduler."""
        state = self._torch.state_dict() if self._torch else None
        return {"torch": state, "steps": self._steps, "told": self._told}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave; rates themselves come from the optimizer."""
        self._steps, self._told = state["steps"], state["told"]
        if self._torch is not None and state["torch"] is not None:
            self._torch.load_state_dict(state["torch"])
