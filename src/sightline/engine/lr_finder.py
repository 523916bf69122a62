"""Finding a learning rate by raising it until the loss explodes."""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.engine.experiment import Experiment
from sightline.engine.seeding import random_state_kept
from sightline.errors import SightlineError
from sightline.files import written_whole

_KEPT = 0.95  # of the smoothed loss at each update, of which the first few are made up for
_DIVERGED = 4.0  # times the lowest loss
_LEFT_OUT = 0.1  # of the updates at the start, whose slope says more of the initial weights than of the rate
_LEAST = 10  # updates without which a slope is noise


@dataclass(frozen=True)
class RangeTest:
    """The smoothed loss at each learning rate that was tried, ascending.

    ``suggestion`` is the rate at which the loss fell fastest, or None where it never fell. ``diverged``:
    whether the loss exploded before the highest rate.
    """

    rates: list[float]
    losses: list[float]
    suggestion: float | None
    diverged: bool


def find_lr(
    experiment: Experiment, updates: int = 100, lowest: float = 1e-7, highest: float = 10.0
) -> RangeTest:
    """Train for ``updates`` updates, the learning rate rising exponentially from ``lowest`` to ``highest``.

    The learning rate range test of Smith (2015, arXiv:1506.01186). It ends early when the loss has become
    four times its lowest or is not finite. The spec's scheduler is left out. Weights and random generators
    are afterwards what they were; nothing is written.

    Raises:
        SightlineError: the spec cannot be built, or ``updates``, ``lowest`` or ``highest`` make no sense.
    """
    if updates < _LEAST or not 0 < lowest < highest:
        raise SightlineError(
            f"find_lr: {updates} updates from {lowest:g} to {highest:g}; give at least {_LEAST} updates, and "
            "a lowest rate above 0 and below the highest."
        )
    model = experiment.model
    weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    training = model.training
    try:
        with random_state_kept(experiment.ranks.device):
            return _tried(experiment, updates, lowest, highest)
    finally:
        model.load_state_dict(weights)
        model.train(training)


def write_range_test(test: RangeTest, folder: Path) -> tuple[Path, Path]:
    """Write ``learning_rates.png``, the curve, and ``learning_rates.json``, the numbers, into ``folder``."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    from sightline.runs.json_file import write_json

    folder.mkdir(parents=True, exist_ok=True)
    numbers, picture = folder / "learning_rates.json", folder / "learning_rates.png"
    write_json(
        numbers,
        {
            "suggestion": test.suggestion,
            "diverged": test.diverged,
            "learning_rates": test.rates,
            "smoothed_losses": test.losses,
        },
    )
    with mpl.rc_context({"font.size": 10}):
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.subplots()
        axes.plot(test.rates, test.losses, color="#0072B2")
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss, smoothed")
        low, start = min(test.losses), test.losses[0]
        # What comes after the lowest point explodes, and would press the rest flat.
        axes.set_ylim(low - 0.1 * (start - low or 1), max(start, low) + 0.3 * (start - low or 1))
        axes.spines[["top", "right"]].set_visible(False)
        if test.suggestion is not None:
            axes.axvline(test.suggestion, color="#D55E00", linestyle="--")
            axes.set_title(f"the loss falls fastest at {test.suggestion:.2g}", loc="left")
        with written_whole(picture) as temporary:
            figure.savefig(temporary, format="png", dpi=150)
    return picture, numbers


def _tried(experiment: Experiment, updates: int, lowest: float, highest: float) -> RangeTest:
    experiment.check()
    trainer = experiment.trainer()
    groups = trainer.optimizer.param_groups
    fastest = max(group["lr"] for group in groups) or 1.0
    shares = [group["lr"] / fastest for group in groups]  # layer-wise rates keep their proportions
    trainer.train_mode()
    batches = _endless(trainer.loader)
    rates: list[float] = []
    losses: list[float] = []
    mean, diverged = 0.0, False
    for number in range(updates):
        rate = lowest * (highest / lowest) ** (number / (updates - 1))
        for group, share in zip(groups, shares, strict=True):
            group["lr"] = rate * share
        loss, _ = trainer.updates.run(list(itertools.islice(batches, trainer.config.accumulate)))
        value = float(trainer.ranks.sum(loss)) / trainer.ranks.size
        mean = _KEPT * mean + (1 - _KEPT) * value
        smoothed = mean / (1 - _KEPT ** (number + 1))
        if not math.isfinite(smoothed) or (losses and smoothed > _DIVERGED * abs(min(losses))):
            diverged = True
            break
        rates.append(rate)
        losses.append(smoothed)
    return RangeTest(rates, losses, _steepest(rates, losses, int(updates * _LEFT_OUT)), diverged)


def _steepest(rates: list[float], losses: list[float], start: int) -> float | None:
    """The rate from ``start`` to the lowest loss where the loss falls fastest per order of magnitude."""
    if len(losses) < start + 3:
        return None
    end = losses.index(min(losses))
    slopes = {
        number: (losses[number + 1] - losses[number - 1]) / math.log(rates[number + 1] / rates[number - 1])
        for number in range(max(1, start), min(end + 1, len(losses) - 1))
    }
    falling = {number: slope for number, slope in slopes.items() if slope < 0}
    return rates[min(falling, key=lambda number: falling[number])] if falling else None


def _endless(loader: Any) -> Iterator[Any]:
    for epoch in itertools.count():
        loader.set_epoch(epoch)
        empty = True
        for batch in loader:
            empty = False
            yield batch
        if empty:
            raise SightlineError("data.train: gives no batch; it is empty.")
