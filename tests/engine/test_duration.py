import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.config import Config
from sightline.engine.duration import Duration, Every
from sightline.engine.progress import Progress
from sightline.errors import SightlineError


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [("10ep", 10, "ep"), ("500ba", 500, "ba"), ("90s", 90, "s"), ("1.5m", 90, "s"), ("2h", 7200, "s")],
)
def test_what_is_understood(text: str, amount: float, unit: str) -> None:
    duration = Duration.parse(text)
    assert (duration.amount, duration.unit, str(duration)) == (amount, unit, text)


@pytest.mark.parametrize("text", ["", "10", "ep", "0ep", "1.5ep", "-1ba", "10 epochs", "1e3ba", "infs"])
def test_what_is_not(text: str) -> None:
    with pytest.raises(SightlineError, match="is not a duration such as 10ep"):
        Duration.parse(text)


def test_as_a_setting() -> None:
    class Settings(Config):
        length: Duration = Duration.parse("1ep")

    assert Settings(length="60s") == Settings(length=Duration.parse("1m"))  # type: ignore[arg-type]
    with pytest.raises(SightlineError, match=r"length.*a duration such as 10ep"):
        Settings(length="3 weeks")  # type: ignore[arg-type]
    with pytest.raises(SightlineError, match=r"length.*a duration such as 10ep"):
        Settings(length=3)  # type: ignore[arg-type]


@given(st.integers(1, 7), st.integers(1, 60))
def test_every_so_many_batches_is_due_so_often(amount: int, steps: int) -> None:
    every = Every(Duration.parse(f"{amount}ba"))
    assert sum(every.due(Progress(step=step)) for step in range(1, steps + 1)) == steps // amount


def test_every_so_many_epochs_is_due_between_epochs() -> None:
    every = Every(Duration.parse("2ep"))
    assert every.due(Progress(epoch=2, batch=0))
    assert not every.due(Progress(epoch=2, batch=1))
    assert not every.due(Progress(epoch=3, batch=0))


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=30))
def test_time_is_due_once_for_each_time_that_passes(steps: list[float]) -> None:
    every, now, due = Every(Duration.parse("2s")), 0.0, 0
    for step in steps:
        due += every.due(Progress(seconds=now + step, seconds_before=now))
        now += step
    assert due <= now // 2 <= due * 3


def test_never() -> None:
    assert not Every(None).due(Progress(step=10, epoch=1))
