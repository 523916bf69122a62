"""Learning rates over time, as factors of the rate that the optimizer was given.

A schedule is a function of the training's progress and nothing else, so there is no state to save, none
to go stale, and a resumed training that is made longer has the schedule of a longer training.
"""

import math
from abc import ABC, abstractmethod

from sightline.engine.duration import Duration
from sightline.engine.progress import Progress
from sightline.errors import SightlineError


class Schedule(ABC):
    """What a learning rate is multiplied with before each update.

    Args:
        warmup: how long the rate rises linearly to its full value; the first update already has a share
            of it, ``1 / (updates of the warm-up)``. A duration, or a share of the whole such as ``"5%"``.
    """

    def __init__(self, *, warmup: str | None = None) -> None:
        self._share = self._warmup = None
        if warmup is not None and str(warmup).endswith("%"):
            self._share = _share(str(warmup))
        elif warmup is not None:
            self._warmup = Duration.parse(warmup)

    def factor(self, progress: Progress, duration: Duration, steps_per_epoch: int) -> float:
        """The factor for the update that follows ``progress`` in a training of ``duration``."""
        steps = duration.steps(steps_per_epoch)
        done, whole = (progress.seconds, duration.amount) if steps is None else (progress.step, steps)
        rise = self._rise(duration, steps_per_epoch, whole)
        if rise is not None and done < rise:
            return (done + (1 if duration.unit != "s" else 0)) / rise
        begun = rise or 0
        return self.after_warmup(min(1.0, (done - begun) / max(whole - begun, 1)))

    @abstractmethod
    def after_warmup(self, share: float) -> float:
        """The factor when ``share`` (0 to 1) of what follows the warm-up is over."""

    def _rise(self, duration: Duration, steps_per_epoch: int, whole: float) -> float | None:
        if self._share is not None:
            return self._share * whole
        if self._warmup is None:
            return None
        if (self._warmup.unit == "s") != (duration.unit == "s"):
            raise SightlineError(
                f"scheduler: a warm-up of {self._warmup} does not fit a training of {duration}; "
                'give both as time, or both in epochs and batches, or the warm-up as a share such as "5%".'
            )
        steps = self._warmup.steps(steps_per_epoch)
        return self._warmup.amount if steps is None else steps


class Constant(Schedule):
    """The full rate, after the warm-up."""

    def after_warmup(self, share: float) -> float:
        """See `Schedule`."""
        del share
        return 1.0


class Linear(Schedule):
    """Falls on a straight line to ``final`` times the rate."""

    def __init__(self, *, warmup: str | None = None, final: float = 0.0) -> None:
        super().__init__(warmup=warmup)
        self._final = final

    def after_warmup(self, share: float) -> float:
        """See `Schedule`."""
        return 1.0 + share * (self._final - 1.0)


class Cosine(Schedule):
    """Falls along half a cosine to ``final`` times the rate (Loshchilov, Hutter 2016, arXiv:1608.03983)."""

    def __init__(self, *, warmup: str | None = None, final: float = 0.0) -> None:
        super().__init__(warmup=warmup)
        self._final = final

    def after_warmup(self, share: float) -> float:
        """See `Schedule`."""
        return self._final + (1.0 - self._final) * 0.5 * (1.0 + math.cos(math.pi * share))


class Polynomial(Schedule):
    """Falls as ``(1 - share) ** power`` to ``final`` times the rate, as is usual for segmentation."""

    def __init__(self, *, warmup: str | None = None, power: float = 0.9, final: float = 0.0) -> None:
        super().__init__(warmup=warmup)
        self._power, self._final = power, final

    def after_warmup(self, share: float) -> float:
        """See `Schedule`."""
        return self._final + (1.0 - self._final) * (1.0 - share) ** self._power


class Steps(Schedule):
    """Multiplied by ``gamma`` at each of ``at``, shares of the training (after the warm-up) such as 0.6."""

    def __init__(self, at: list[float], *, gamma: float = 0.1, warmup: str | None = None) -> None:
        super().__init__(warmup=warmup)
        self._at, self._gamma = sorted(at), gamma

    def after_warmup(self, share: float) -> float:
        """See `Schedule`."""
        return self._gamma ** sum(share >= at for at in self._at)


def _share(text: str) -> float:
    try:
        share = float(text[:-1]) / 100
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise SightlineError(f'scheduler: a warm-up of "{text}" is no share; give one such as "5%".')
    return share
