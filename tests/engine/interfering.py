"""Callbacks that get in the way of a training; apart from tests, so that ranks import little."""

import os
import signal
import time

from sightline.engine import Callback
from sightline.engine.events import StepStart


class Slow(Callback):
    """So slow that there is time to interfere."""

    def on_step_start(self, event: StepStart) -> None:
        time.sleep(0.05)


class Failing(Callback):
    """Fails on the second rank alone, at its third update, in one of several ways."""

    def __init__(self, how: str) -> None:
        self._how = how

    def on_step_start(self, event: StepStart) -> None:
        if event.trainer.ranks.rank != 1 or event.trainer.progress.step != 3:
            return
        if self._how == "raises":
            raise ValueError("no good")
        if self._how == "exits":
            raise SystemExit(3)
        os.kill(os.getpid(), signal.SIGKILL)
