"""On a GPU, no update waits for it: the profile of a training has no synchronisation in its steps."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.engine.tiny import tiny_spec
from tests.needs import needs_gpu

from sightline.config import component
from sightline.engine import Callback, Experiment
from sightline.engine.events import StepEnd
from sightline.engine.schedules import Cosine

_FIRST, _LAST = 5, 35  # updates; the first ones build what is used again


class NoWaiting(Callback):
    """Has torch raise wherever the CPU would wait for the GPU, from one update to a later one."""

    watched = 0

    def on_step_end(self, event: StepEnd) -> None:
        step = event.trainer.progress.step
        NoWaiting.watched += _FIRST < step <= _LAST
        if step == _FIRST:
            torch.cuda.set_sync_debug_mode("error")
        elif step == _LAST:
            torch.cuda.set_sync_debug_mode("default")


VARIANTS = {
    "plain": {},
    "clipped and averaged": {"clip_norm": 1.0, "ema": {"decay": 0.9}},
    "accumulated": {"accumulate": 2},
    "cut": {"micro_batches": 2},
    "half": {"precision": "bf16"},
    "skipping": {"nan_policy": "skip"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_update_waits(tmp_path: Path, variant: str) -> None:
    needs_gpu()
    trainer: dict[str, Any] = {
        "device": "cuda",
        "max_duration": "40ba",
        "validate_every": None,
        "checkpoint_every": None,
    }
    NoWaiting.watched = 0
    spec = tiny_spec(
        trainer | VARIANTS[variant],
        callbacks=[component(NoWaiting)],
        scheduler=component(Cosine, warmup="3ba"),
        optimizer=component(torch.optim.AdamW, lr=1e-2, fused=True),
    )
    try:
        Experiment(spec, tmp_path).train()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert NoWaiting.watched == _LAST - _FIRST
