"""Saving and restoring everything that a training is made of."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.engine import events
from sightline.engine.checkpoints import Checkpoint, CheckpointFolder
from sightline.engine.ranks import (
    set_whole,
    set_whole_optimizer_state,
    set_whole_weights,
    whole,
    whole_optimizer_state,
    whole_weights,
)
from sightline.engine.seeding import random_state, set_random_state
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.engine.trainer import Trainer

_FORMAT = 2


class Snapshots:
    """The checkpoints of a trainer; without a folder there are none. Every rank has to call each method."""

    def __init__(self, trainer: "Trainer", checkpoints: CheckpointFolder | None, spec: str) -> None:
        self._trainer, self.checkpoints, self._spec = trainer, checkpoints, spec
        self._saved_step = -1

    def save(self, metrics: dict[str, float], *, due: bool, pending: bool = False) -> Path | None:
        """Save a checkpoint if it is ``due`` or one of the best by ``metrics``; return where the last one is.

        Args:
            metrics: measured with just these weights.
            pending: whether a validation has to be made up for first when going on from here.
        """
        trainer, checkpoints = self._trainer, self.checkpoints
        if checkpoints is None:
            return None
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        judged = None
        if trainer.ranks.is_main:
            judged = checkpoints.is_best(finite), checkpoints.is_among_best(finite)
        best, wanted = trainer.ranks.from_main(judged)
        step = trainer.progress.step
        saved = step == self._saved_step and not metrics and not pending
        if saved or not (due or wanted):
            newest = checkpoints.latest()
            return newest.folder if newest else None
        weights = whole_weights(trainer.model)
        average = whole(trainer.average.weights) if trainer.average else None
        state = self._state(pending)
        error, folder = None, None
        if trainer.ranks.is_main:
            try:
                saved_checkpoint = checkpoints.save(
                    step=step,
                    epoch=trainer.progress.epoch,
                    metrics=finite,
                    weights=weights,
                    average=average,
                    state=state,
                    spec=self._spec,
                )
                folder = saved_checkpoint.folder
            except SightlineError as reason:
                error = str(reason)
        error, folder = trainer.ranks.from_main((error, folder))
        if error is not None:
            raise SightlineError(error)
        self._saved_step = step
        assert folder is not None
        if trainer.callbacks.listen(events.CheckpointSaved):
            trainer.callbacks.tell(events.CheckpointSaved(trainer, folder, best))
        return folder

    def restore(self, checkpoint: Checkpoint) -> None:
        """Make the trainer what it was at ``checkpoint``, but for what its configuration says anew.

        Raises:
            SightlineError: it does not fit: other weights, data or batch size.
        """
        trainer, state = self._trainer, checkpoint.state()
        if state.get("format") != _FORMAT:
            raise SightlineError(
                f"{checkpoint.folder}: was written by another version of Sightline; resume with that one."
            )
        self._restore_weights(checkpoint, state)
        if trainer.average is not None:
            self._restore_average(checkpoint, state)
        trainer.progress.load_state_dict(state["progress"])
        trainer.updates.load_state_dict(state["updates"])
        trainer.rates.load_state_dict(state["rates"])
        trainer.watch.load_state_dict(state["watch"])
        trainer.callbacks.load_state_dict(state["callbacks"])
        trainer.pending, trainer.validated_step = state["pending"], state["validated_step"]
        trainer.stop_reason, trainer.last_metrics = state["stop_reason"], dict(state["last_metrics"])
        ranks = state["ranks"]
        own = ranks[trainer.ranks.rank] if len(ranks) == trainer.ranks.size else ranks[0]
        trainer.loader.load_state_dict(own["loader"])
        set_random_state(own["random"], trainer.ranks.device)
        if trainer.ranks.is_main and state["log"] is not None:
            trainer.logger.rewind(state["log"])
        self._saved_step = checkpoint.step

    def restore_weights(self) -> bool:
        """Go back to the weights and the optimizer's state of the last checkpoint, if there is one."""
        newest = self.checkpoints.latest() if self.checkpoints else None
        if newest is None:
            return False
        state = newest.state()
        self._restore_weights(newest, state)
        if self._trainer.average is not None:
            self._restore_average(newest, state)
        return True

    def _restore_weights(self, checkpoint: Checkpoint, state: dict[str, Any]) -> None:
        trainer = self._trainer
        # What the optimizer was made with now comes before what it had then: a changed setting holds.
        settings = [
            {key: value for key, value in group.items() if key != "params"}
            for group in trainer.optimizer.param_groups
        ]
        try:
            set_whole_weights(trainer.model, checkpoint.weights(averaged=False))
            set_whole_optimizer_state(trainer.model, trainer.optimizer, state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())[:300]
            raise SightlineError(
                f"{checkpoint.folder}: does not fit the model and optimizer of the spec ({reason})."
            ) from error
        for group, setting in zip(trainer.optimizer.param_groups, settings, strict=True):
            keep = {"lr"} if trainer.rates.has_state else set()
            group.update({key: value for key, value in setting.items() if key not in keep})

    def _restore_average(self, checkpoint: Checkpoint, state: dict[str, Any]) -> None:
        average = self._trainer.average
        weights = checkpoint.average()
        assert average is not None
        if weights is None:
            raise SightlineError(
                f"{checkpoint.folder}: has no average of the weights; leave trainer.ema out."
            )
        set_whole(average.weights, weights)
        average.updates = state["average_updates"]

    def _state(self, pending: bool) -> dict[str, Any]:
        trainer = self._trainer
        own = {"random": random_state(trainer.ranks.device), "loader": trainer.loader.state_dict()}
        return {
            "format": _FORMAT,
            "progress": trainer.progress.state_dict(),
            "pending": pending,
            "validated_step": trainer.validated_step,
            "stop_reason": trainer.stop_reason,
            "last_metrics": dict(trainer.last_metrics),
            "optimizer": whole_optimizer_state(trainer.model, trainer.optimizer),
            "updates": trainer.updates.state_dict(),
            "rates": trainer.rates.state_dict(),
            "watch": trainer.watch.state_dict(),
            "average_updates": trainer.average.updates if trainer.average else 0,
            "callbacks": trainer.callbacks.state_dict(),
            "ranks": trainer.ranks.each(own),
            "log": trainer.logger.position() if trainer.ranks.is_main else None,
        }
