"""Going on with a run whose spec was changed: what may change, and what would make it another training."""

from collections.abc import Sequence

from sightline.config import Change, difference
from sightline.engine.spec import Spec
from sightline.errors import SightlineError

#: Changes that are obeyed from the update after the checkpoint on.
_APPLIED = (
    "callbacks",
    "data.test",
    "data.validation",
    "launcher",
    "loader.eval_batch_size",
    "loader.max_errors",
    "loader.workers",
    "loggers",
    "metrics",
    "name",
    "optimizer.init_args",
    "scheduler.init_args",
    "trainer.checkpoint_every",
    "trainer.clip_norm",
    "trainer.compile",
    "trainer.device",
    "trainer.keep_best",
    "trainer.keep_last",
    "trainer.log_every",
    "trainer.max_duration",
    "trainer.micro_batches",
    "trainer.mode",
    "trainer.monitor",
    "trainer.nan_policy",
    "trainer.validate_every",
)


def changes_on_resume(before: Spec, now: Spec) -> Sequence[Change]:
    """What differs from the spec that the run was trained with, all of which will be applied.

    Raises:
        SightlineError: a change that cannot be applied to a training that has begun.
    """
    changes = difference(before, now)
    refused = [change for change in changes if not change.path.startswith(_APPLIED)]
    scheduled = now.scheduler is not None and not now.scheduler.class_path.startswith("sightline.")
    if scheduled:
        # A scheduler of torch has the rates in its state; new ones would be overwritten by it.
        refused += [
            change
            for change in changes
            if change.path.startswith(("scheduler.", "optimizer.init_args.lr")) and change not in refused
        ]
    if refused:
        listed = "; ".join(map(str, refused))
        raise SightlineError(
            f"a training that has begun cannot change {listed}; train anew, or leave it as it was."
        )
    return changes
