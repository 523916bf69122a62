import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from sightline.engine.duration import Duration
from sightline.engine.progress import Progress
from sightline.engine.rates import LearningRates
from sightline.engine.schedules import Constant, Cosine, Linear, Polynomial, Schedule, Steps
from sightline.errors import SightlineError

KINDS = [
    lambda warmup: Constant(warmup=warmup),
    lambda warmup: Linear(warmup=warmup),
    lambda warmup: Cosine(warmup=warmup),
    lambda warmup: Polynomial(warmup=warmup),
    lambda warmup: Steps([0.5, 0.8], warmup=warmup),
]


def trace(schedule: Schedule, steps: int) -> list[float]:
    duration = Duration(steps, "ba")
    return [schedule.factor(Progress(step=step), duration, 1) for step in range(steps)]


@given(st.sampled_from(KINDS), st.integers(1, 50), st.integers(0, 60))
def test_rises_then_never_rises_again(kind, steps: int, warmup: int) -> None:
    factors = trace(kind(f"{warmup}ba" if warmup else None), steps)
    assert all(0 <= factor <= 1 for factor in factors)
    assert factors[0] == (1 / warmup if warmup else 1)
    rise = min(warmup, steps)
    assert factors[:rise] == [pytest.approx((step + 1) / warmup) for step in range(rise)]
    assert all(later <= factor for factor, later in zip(factors[rise:], factors[rise + 1 :], strict=False))


@given(st.integers(2, 40), st.integers(1, 7))
def test_epochs_and_batches_are_the_same_thing(epochs: int, steps_per_epoch: int) -> None:
    schedule = Cosine(warmup="1ep")
    for step in range(0, epochs * steps_per_epoch, 3):
        progress = Progress(step=step)
        by_epoch = schedule.factor(progress, Duration(epochs, "ep"), steps_per_epoch)
        by_batch = Cosine(warmup=f"{steps_per_epoch}ba").factor(
            progress, Duration(epochs * steps_per_epoch, "ba"), steps_per_epoch
        )
        assert by_epoch == by_batch


def test_their_shapes() -> None:
    assert trace(Linear(final=0.5), 4) == [1, 0.875, 0.75, 0.625]
    assert trace(Cosine(), 4) == pytest.approx([1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2])
    assert trace(Steps([0.5, 0.75]), 4) == pytest.approx([1, 1, 0.1, 0.01])
    assert trace(Constant(warmup="50%"), 4) == [0.5, 1, 1, 1]
    by_time = Linear(warmup="10s").factor(Progress(seconds=5), Duration.parse("1m"), 1)
    assert by_time == 0.5


@pytest.mark.parametrize("warmup", ["101%", "x%", "-3%", "5"])
def test_a_warmup_that_is_none(warmup: str) -> None:
    with pytest.raises(SightlineError, match=r"is no share|is not a duration"):
        Linear(warmup=warmup)


def test_a_warmup_in_another_unit_is_refused() -> None:
    with pytest.raises(SightlineError, match="a warm-up of 5s does not fit a training of 3ep"):
        Linear(warmup="5s").factor(Progress(), Duration.parse("3ep"), 1)


def test_torchs_schedulers_are_stepped_as_torch_wants(recwarn) -> None:
    def rates(steps: int, state: dict | None = None, start: int = 0) -> tuple[list[float], dict]:
        layer = nn.Linear(1, 1)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
        manager = LearningRates(optimizer, scheduler)
        if state is not None:
            optimizer.load_state_dict(state["optimizer"])
            manager.load_state_dict(state["rates"])
        seen = []
        for step in range(start, steps):
            manager.set(Progress(step=step))
            seen.append(manager.present())
            layer(torch.ones(1, 1)).backward()
            optimizer.step()
        return seen, {"optimizer": optimizer.state_dict(), "rates": manager.state_dict()}

    layer = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    expected = []
    for _ in range(10):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step() if len(expected) < 10 else None
    whole, _ = rates(10)
    assert whole == pytest.approx(expected)
    first, state = rates(4)
    rest, _ = rates(10, state, 4)
    assert first + rest == whole
    assert not recwarn.list
