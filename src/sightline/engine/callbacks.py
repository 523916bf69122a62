"""Callbacks: code that a training calls at each of its events."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sightline.engine import events
from sightline.engine.duration import Duration, Every
from sightline.engine.progress import Progress
from sightline.errors import SightlineError


class Callback:
    """Override what is wanted. Callbacks are called in the order of the spec, on every rank.

    What a callback has to remember across an interruption goes through `state_dict`.
    """

    def on_train_start(self, event: events.TrainStart) -> None:
        """See `events.TrainStart`."""

    def on_epoch_start(self, event: events.EpochStart) -> None:
        """See `events.EpochStart`."""

    def on_step_start(self, event: events.StepStart) -> None:
        """See `events.StepStart`."""

    def on_step_end(self, event: events.StepEnd) -> None:
        """See `events.StepEnd`."""

    def on_epoch_end(self, event: events.EpochEnd) -> None:
        """See `events.EpochEnd`."""

    def on_validation_start(self, event: events.ValidationStart) -> None:
        """See `events.ValidationStart`."""

    def on_validation_end(self, event: events.ValidationEnd) -> None:
        """See `events.ValidationEnd`."""

    def on_checkpoint_saved(self, event: events.CheckpointSaved) -> None:
        """See `events.CheckpointSaved`."""

    def on_train_end(self, event: events.TrainEnd) -> None:
        """See `events.TrainEnd`."""

    def on_failure(self, event: events.Failure) -> None:
        """See `events.Failure`."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: tensors, numbers, text, and lists and dicts of them."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""


class Callbacks:
    """Those of a training, each event with the callbacks that listen, so that others cost nothing."""

    _METHODS = {
        events.TrainStart: "on_train_start",
        events.EpochStart: "on_epoch_start",
        events.StepStart: "on_step_start",
        events.StepEnd: "on_step_end",
        events.EpochEnd: "on_epoch_end",
        events.ValidationStart: "on_validation_start",
        events.ValidationEnd: "on_validation_end",
        events.CheckpointSaved: "on_checkpoint_saved",
        events.TrainEnd: "on_train_end",
        events.Failure: "on_failure",
    }

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = list(callbacks)
        for number, callback in enumerate(self.callbacks):
            if not isinstance(callback, Callback):
                kind = type(callback).__name__
                raise SightlineError(f"callbacks.{number}: {kind} is no sightline.engine.callbacks.Callback.")
        self._listeners = {
            kind: [
                getattr(callback, name)
                for callback in self.callbacks
                if getattr(type(callback), name) is not getattr(Callback, name)
            ]
            for kind, name in self._METHODS.items()
        }

    def listen(self, kind: type[events.Event]) -> bool:
        """Whether anybody wants to be told of events of ``kind``."""
        return bool(self._listeners[kind])

    def tell(self, event: events.Event) -> None:
        """Call those that listen, in order."""
        for method in self._listeners[type(event)]:
            method(event)

    def state_dict(self) -> list[dict[str, Any]]:
        """The states, with the classes they belong to."""
        return [{"class": _name(callback), "state": callback.state_dict()} for callback in self.callbacks]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Give each callback the state of its class, in order; new ones begin afresh."""
        left = list(states)
        for callback in self.callbacks:
            for entry in left:
                if entry["class"] == _name(callback):
                    callback.load_state_dict(entry["state"])
                    left.remove(entry)
                    break


class EarlyStopping(Callback):
    """End the training when ``monitor`` has not become better for ``patience``.

    Args:
        patience: in epochs, batches or time.
        monitor: a validation metric; by default the one that chooses the best checkpoint.
        mode: whether lower ("min") or higher ("max") is better; by default the trainer's.
        min_change: by how much it has to be better to count.
    """

    def __init__(
        self, patience: str, monitor: str | None = None, mode: str | None = None, min_change: float = 0.0
    ) -> None:
        self._patience = Duration.parse(patience)
        self._monitor, self._mode, self._min_change = monitor, mode, min_change
        self._best: float | None = None
        self._since = {"epoch": 0, "step": 0, "seconds": 0.0}

    def on_train_start(self, event: events.TrainStart) -> None:
        """Refuse a training that never validates."""
        if event.trainer.validation is None:
            raise SightlineError("EarlyStopping: has no effect without a validation; leave it out.")

    def on_validation_end(self, event: events.ValidationEnd) -> None:
        """Compare with the best so far."""
        trainer = event.trainer
        name = self._monitor or trainer.config.monitor
        if name not in event.metrics:
            known = ", ".join(sorted(event.metrics))
            raise SightlineError(f"EarlyStopping: there is no metric '{name}' to monitor; there are {known}.")
        sign = 1 if (self._mode or trainer.config.mode) == "max" else -1
        value, progress = sign * event.metrics[name], trainer.progress
        if self._best is None or value > self._best + self._min_change:
            self._best = value
            self._since = {key: getattr(progress, key) for key in self._since}
        waited = {key: getattr(progress, key) - since for key, since in self._since.items()}
        if self._patience.reached(Progress(**waited)):
            trainer.stop(f"{name} has not become better for {self._patience}")

    def state_dict(self) -> dict[str, Any]:
        """See `Callback`."""
        return {"best": self._best, "since": self._since}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """See `Callback`."""
        self._best, self._since = state["best"], dict(state["since"])


class SystemStatistics(Callback):
    """Log what the machine is doing: CPU and memory of this process, memory of the GPU, and where
    ``nvidia-ml-py`` is installed the GPU's use.

    Args:
        every: how often.
    """

    def __init__(self, every: str = "10s") -> None:
        self._every = Every(Duration.parse(every))

    def on_train_start(self, event: events.TrainStart) -> None:
        """Begin to count CPU time."""
        del event
        import psutil

        self._process = psutil.Process()
        self._process.cpu_percent()

    def on_step_end(self, event: events.StepEnd) -> None:
        """Log when due."""
        trainer = event.trainer
        if not self._every.due(trainer.progress) or not trainer.ranks.is_main:
            return
        import torch

        step, log = trainer.progress.step, trainer.logger.log_scalar
        log("system/cpu_percent", self._process.cpu_percent(), step)
        log("system/memory_gib", self._process.memory_info().rss / 2**30, step)
        if trainer.ranks.device.type == "cuda":
            with suppress(ModuleNotFoundError, RuntimeError):  # nvidia-ml-py, or a driver without it
                log("system/gpu_percent", torch.cuda.utilization(trainer.ranks.device), step)
            log("system/gpu_memory_gib", torch.cuda.memory_allocated(trainer.ranks.device) / 2**30, step)
            log(
                "system/gpu_memory_peak_gib",
                torch.cuda.max_memory_allocated(trainer.ranks.device) / 2**30,
                step,
            )


class Profiler(Callback):
    """Record what the updates from ``start`` on cost, as a trace for ``chrome://tracing`` and a table.

    Written to ``profile/`` in the run directory: ``trace.json`` and ``operators.txt``.

    Args:
        start: the first update to record; earlier ones are slower, as everything is new to them.
        steps: how many to record.
    """

    def __init__(self, start: int = 10, steps: int = 5) -> None:
        self._start, self._steps = start, steps
        self._profile: Any = None

    def on_train_start(self, event: events.TrainStart) -> None:
        """Refuse a training that is over before there is anything to record."""
        trainer = event.trainer
        updates = trainer.config.max_duration.steps(trainer.steps_per_epoch)
        if updates is not None and self._start >= updates:
            raise SightlineError(
                f"Profiler: start is {self._start}, but the training has {updates} updates; lower it."
            )

    def on_step_start(self, event: events.StepStart) -> None:
        """Begin when due."""
        if event.trainer.progress.step == self._start and self._profile is None:
            import torch

            kinds = [torch.profiler.ProfilerActivity.CPU]
            if event.trainer.ranks.device.type == "cuda":
                kinds.append(torch.profiler.ProfilerActivity.CUDA)
            self._profile = torch.profiler.profile(activities=kinds)
            self._profile.start()

    def on_step_end(self, event: events.StepEnd) -> None:
        """End when enough was recorded."""
        if event.trainer.progress.step >= self._start + self._steps:
            self._write(event)

    def on_train_end(self, event: events.TrainEnd) -> None:
        """End if that has not happened yet."""
        self._write(event)

    def on_failure(self, event: events.Failure) -> None:
        """Let go of the profiler."""
        del event
        if self._profile is not None:
            self._profile.stop()
            self._profile = None

    def _write(self, event: events.Event) -> None:
        if self._profile is None:
            return
        profile, self._profile = self._profile, None
        profile.stop()
        trainer = event.trainer
        if trainer.ranks.is_main and trainer.folder is not None:
            folder = trainer.folder / "profile"
            folder.mkdir(exist_ok=True)
            profile.export_chrome_trace(str(folder / "trace.json"))
            key = "self_cuda_time_total" if trainer.ranks.device.type == "cuda" else "self_cpu_time_total"
            (folder / "operators.txt").write_text(profile.key_averages().table(sort_by=key, row_limit=40))


def _name(callback: Callback) -> str:
    return f"{type(callback).__module__}.{type(callback).__qualname__}"
