"""The training loop."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sightline.data.loading import Loader
from sightline.engine import events
from sightline.engine.averaging import WeightAverage
from sightline.engine.callbacks import Callback, Callbacks
from sightline.engine.checkpoints import CheckpointFolder
from sightline.engine.duration import Every
from sightline.engine.evaluation import evaluate
from sightline.engine.losses import LossWatch
from sightline.engine.parameters import frozen_in_eval_mode
from sightline.engine.progress import Progress
from sightline.engine.ranks import Ranks
from sightline.engine.rates import LearningRates
from sightline.engine.signals import StoppedError, StopRequest
from sightline.engine.silent import SilentLogger
from sightline.engine.snapshots import Snapshots
from sightline.engine.spec import TrainerConfig
from sightline.engine.updates import NotFiniteError, Updates
from sightline.errors import SightlineError
from sightline.runs import RunLogger
from sightline.tasks import Task
from sightline.tasks.log import StepLog
from sightline.tasks.task import item_count

_TELL_EVERY_S = 0.5  # between two measurements of speed, which are also what a progress bar shows


class Trainer:
    """Trains ``model`` on ``loader``: updates, and at the boundaries between them whatever is due.

    Its state is what `snapshots` saves; between two updates that is everything, so a training that goes on
    from there does what the uninterrupted one would have done, bit for bit.
    """

    def __init__(
        self,
        task: Task,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        loader: Any,
        config: TrainerConfig,
        *,
        rates: LearningRates | None = None,
        validation: Any = None,
        metrics: Mapping[str, Any] | None = None,
        callbacks: Sequence[Callback] = (),
        logger: RunLogger | SilentLogger | None = None,
        ranks: Ranks | None = None,
        folder: Path | None = None,
        checkpoints: CheckpointFolder | None = None,
        spec: str = "",
    ) -> None:
        """Take the parts of a training, all of them where ``ranks`` has its device.

        Args:
            model: as it is called, see `Ranks.place`.
            loader: a `sightline.data.loading.Loader`, or what has its length, state and epochs.
            rates: changes learning rates along the way.
            validation: batches to validate with.
            folder: the run directory, for what callbacks leave behind.
            checkpoints: where to save; without it nothing is saved.
            spec: what the training was made of, saved with each checkpoint.
        """
        self.task, self.model, self.optimizer, self.config = task, model, optimizer, config
        self.loader, self.validation, self.metrics = loader, validation, dict(metrics or {})
        self.ranks = ranks or Ranks()
        self.logger: Any = logger or SilentLogger()
        self.folder = folder
        self.callbacks = Callbacks(callbacks)
        self._tells_step_start = self.callbacks.listen(events.StepStart)
        self._tells_step_end = self.callbacks.listen(events.StepEnd)
        self.rates = rates or LearningRates(optimizer)
        self.progress = Progress()
        self.updates = Updates(task, model, optimizer, config, self.ranks, even=_is_even(loader))
        self.average = WeightAverage(model, config.ema.decay, config.ema.every) if config.ema else None
        self.watch = LossWatch(self.ranks)
        self.stop_reason: str | None = None
        self.last_metrics: dict[str, float] = {}
        self.snapshots = Snapshots(self, checkpoints, spec)
        self.request = StopRequest()
        self._duration = config.max_duration
        self._validate = Every(config.validate_every)
        self._save = Every(config.checkpoint_every)
        self._log = Every(config.log_every)
        self.pending = False
        """Whether a validation was cut off, and is to be made up for."""
        self.validated_step = -1
        self._asked = 0
        self._frozen = frozen_in_eval_mode(model)
        self._restored_times = 0
        self._told = 0.0, 0

    def fit(self) -> None:
        """Train until the end, or until somebody asks to stop.

        Raises:
            StoppedError: a signal asked to stop; the state is saved.
            NotFiniteError: the loss became NaN or infinite, and the policy is to stop.
        """
        self.task.log = StepLog(self.logger)
        self.rates.begin(self._duration, self.steps_per_epoch)
        self._started = time.perf_counter() - self.progress.seconds
        self._told = time.perf_counter(), self.progress.items
        try:
            with self.request.listening():
                self._train()
        except BaseException as error:
            if self.callbacks.listen(events.Failure):
                self.callbacks.tell(events.Failure(self, error))
            raise
        finally:
            for loader in (self.loader, self.validation):
                if isinstance(loader, Loader):  # another may have no workers, or be its owner's to end
                    loader.close()

    def _train(self) -> None:
        try:
            self._tell(events.TrainStart)
            if self.pending:
                self._validate_and_save()
            while not self.finished:
                self._epoch()
            self._finish()
        except _LeaveError:
            self._stop_now(self.request.signal)
        self._tell(events.TrainEnd)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.stop_reason is not None or self._duration.reached(self.progress)

    @property
    def steps_per_epoch(self) -> int:
        """Updates in an epoch."""
        return -(-self.batches_per_epoch // self.config.accumulate)

    @property
    def batches_per_epoch(self) -> int:
        """Batches that one rank has in an epoch."""
        return min(len(self.loader), self.config.overfit_batches or len(self.loader))

    def stop(self, reason: str) -> None:
        """End the training at this boundary, as if it had come to its end."""
        self.stop_reason = reason

    def _epoch(self) -> None:
        """The rest of the present epoch."""
        progress, whole = self.progress, self.batches_per_epoch
        if progress.batch == 0:
            self._tell(events.EpochStart)
        self.train_mode()
        group: list[Any] = []
        for batch in self.loader:
            group.append(batch)
            progress.batch += 1
            if len(group) < self.config.accumulate and progress.batch < whole:
                continue
            self._update(group)
            group = []
            if progress.batch < whole:
                self._boundary()
                if self.finished:
                    return
            elif self.config.overfit_batches:
                break
        if progress.batch == 0:
            raise SightlineError("data.train: gives no batch; it is empty.")
        if group:  # fewer batches than the loader's length says, as when items could not be read
            self._update(group)
        progress.epoch, progress.batch = progress.epoch + 1, 0
        self.loader.set_epoch(0 if self.config.overfit_batches else progress.epoch)
        self._tell(events.EpochEnd)
        self._boundary()

    def _update(self, batches: list[Any]) -> None:
        progress = self.progress
        if self._tells_step_start:
            self.callbacks.tell(events.StepStart(self))
        self.task.log.step = progress.step
        self.rates.set(progress)
        loss, named = self.updates.run(batches)
        progress.step += 1
        progress.items += sum(map(item_count, batches)) * self.ranks.size
        progress.seconds_before = progress.seconds
        self._asked, progress.seconds = self.ranks.agreed(
            self.request.signal, time.perf_counter() - self._started
        )
        self.watch.add(loss, named)
        if self.average is not None:
            self.average.update(self.model, progress.step)
        if self._tells_step_end:
            self.callbacks.tell(events.StepEnd(self, loss))

    def _boundary(self) -> None:
        """Between two updates: log, look after the loss, validate, save, stop, as is due."""
        progress = self.progress
        if self._log.due(progress):
            self._log_training()
        if self.watch.is_bad():
            self._is_not_finite("the loss")
        if self._validate.due(progress) and self.validation is not None:
            self._validate_and_save()
        elif self._save.due(progress):
            self._save_checkpoint({})
        if self._asked:
            self._stop_now(self._asked)

    def _validate_and_save(self) -> None:
        self.pending = True
        self._tell(events.ValidationStart)
        if self.average is not None:
            with self.average.in_place_of(self.model):
                metrics = self._measured()
        else:
            metrics = self._measured()
        self.train_mode()
        if self.config.keep_best and self.config.monitor not in metrics:
            known = ", ".join(sorted(metrics))
            raise SightlineError(
                f"trainer.monitor: there is no metric '{self.config.monitor}' to choose checkpoints by; "
                f"there are {known}."
            )
        self.pending, self.validated_step, self.last_metrics = False, self.progress.step, metrics
        for name, value in metrics.items():
            self.logger.log_metric(name, value, self.progress.step)
        self.rates.validated(metrics.get(self.config.monitor))
        if self.callbacks.listen(events.ValidationEnd):
            self.callbacks.tell(events.ValidationEnd(self, metrics))
        self._save_checkpoint(metrics)

    def _measured(self) -> dict[str, float]:
        def heed() -> None:
            # A validation may take long: it is left, and made up for after resuming. (With several ranks,
            # which cannot agree here on where to leave it, it is finished first.)
            if self.request and self.ranks.size == 1:
                raise _LeaveError

        self.task.log.step = self.progress.step
        return evaluate(
            self.task,
            self.model,
            self.validation,
            self.metrics,
            self.ranks,
            autocast=self.updates.autocast,
            before_batch=heed,
        )

    def _save_checkpoint(self, metrics: dict[str, float]) -> None:
        self._look_closely()
        ending = self.finished and self.config.checkpoint_every is not None
        self.snapshots.save(metrics, due=ending or self._save.due(self.progress))

    def _finish(self) -> None:
        """Validate and save once more, unless that has just happened."""
        wanted = self.validation is not None and self.config.validate_every is not None
        if wanted and self.validated_step != self.progress.step:
            self._validate_and_save()
        elif self.config.checkpoint_every is not None:
            self._save_checkpoint({})

    def _log_training(self) -> None:
        values = {f"train/{name}": value for name, value in self.watch.take().items()}
        rate = self.rates.news()
        if rate is not None:
            values["train/lr"] = rate
        self.logger.log_scalars(values, self.progress.step)
        now, (then, items) = time.perf_counter(), self._told
        if now - then >= _TELL_EVERY_S:
            self._tell_speed((self.progress.items - items) / (now - then))
            self._told = now, self.progress.items

    def _tell_speed(self, speed: float) -> None:
        step = self.progress.step
        self.logger.log_scalar("system/items_per_second", speed, step)
        duration, epoch = self._duration, self.progress.epoch + (self.progress.batch > 0)
        steps = duration.steps(self.steps_per_epoch)
        if steps is None:
            self.logger.log_progress(self.progress.seconds, duration.amount, "s", epoch, speed)
        else:
            self.logger.log_progress(step, steps, "batches", epoch, speed)

    def _look_closely(self) -> None:
        """Before saving: a checkpoint whose weights are not finite would be of no use to anybody."""
        if self.watch.is_bad_for_sure():
            self._is_not_finite("the loss")
        if self.ranks.any(not self.updates.weights_are_finite()):  # by a gradient, of a loss that was finite
            self._is_not_finite("a weight")

    def _is_not_finite(self, what: str) -> None:
        where = f"{what} became NaN or infinite by update {self.progress.step}"
        if self.config.nan_policy == "stop":
            raise NotFiniteError(f"{where}; lower the learning rate, or see trainer.nan_policy.")
        if self.config.nan_policy == "skip" and what == "the loss":
            self.logger.log_text("train/skipped", f"{where}: left the update out", self.progress.step)
            return
        self._restored_times += 1
        if self._restored_times > 3 or not self.snapshots.restore_weights():
            raise NotFiniteError(f"{where}, and going back to a checkpoint did not help; lower the rate.")
        self.logger.log_text(
            "train/rollback", f"{where}: went back to the last checkpoint", self.progress.step
        )

    def _stop_now(self, signal_number: int) -> None:
        self._look_closely()
        folder = self.snapshots.save({}, due=True, pending=self.pending)
        raise StoppedError(signal_number, str(folder or "no checkpoint, as there is no folder for them"))

    def train_mode(self) -> None:
        """Put the model into training mode, but for what is frozen."""
        self.model.train()
        for module in self._frozen:
            module.eval()

    def _tell(self, kind: type[events.Event]) -> None:
        if self.callbacks.listen(kind):
            self.callbacks.tell(kind(self))


class _LeaveError(Exception):
    """Leaves a validation that is under way."""


def _is_even(loader: Any) -> bool:
    """Whether all batches of an epoch have as many items as one another."""
    batches = getattr(loader, "batches", None)
    return getattr(batches, "last", "keep") != "keep" and getattr(loader, "max_errors", 0) == 0
