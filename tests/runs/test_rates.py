from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import SightlineError
from sightline.runs import RunLogger, read_metrics
from sightline.runs.rates import Rates


def refuse() -> float:
    raise AssertionError("evaluated though not due")


def steps(run: Path) -> list[int]:
    return [point["step"] for point in read_metrics(run / "metrics.jsonl")[0]]


@given(every=st.integers(1, 50), start=st.integers(0, 500), count=st.integers(0, 200))
def test_a_resumed_run_is_due_where_the_uninterrupted_one_is(every: int, start: int, count: int) -> None:
    whole, resumed = Rates({}, ()), Rates({}, ())
    due = [step for step in range(start + count) if whole.due("scalar", "a", step, f"{every}ba")]
    assert [
        step for step in range(start, start + count) if resumed.due("scalar", "a", step, f"{every}ba")
    ] == [step for step in due if step >= start]


def test_by_time_the_first_call_is_due_and_then_none_too_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("sightline.runs.rates.monotonic", lambda: now)
    rates = Rates({}, ())
    assert rates.due("image", "a", 1, "5s")
    assert rates.due("image", "b", 1, "5s")
    assert rates.due("scalar", "a", 1, "5s")
    now = 104.9
    assert not rates.due("image", "a", 2, "5s")
    now = 105.0
    assert rates.due("image", "a", 3, "5s")
    now = 109.0
    assert not rates.due("image", "a", 4, "5s")
    now = 105.0 + 2 * 60
    assert rates.due("image", "a", 4, "2m")


@pytest.mark.parametrize("every", ["", "10", "ba", "0ba", "1.5ba", "-1s", "0s", "10ep", "5 s", 10, None, []])
def test_a_rate_of_another_form_is_refused(every: str) -> None:
    with pytest.raises(SightlineError, match="give steps as '10ba' or time as '5s'"):
        Rates({"image": every}, ("image",))


def test_functions_are_called_only_when_due(tmp_path: Path) -> None:
    with RunLogger(folder=tmp_path) as logger:
        for step in range(7):
            value = (lambda step=step: step / 2) if step % 3 == 0 else refuse
            logger.log_scalar("loss", value, step, every="3ba")
            logger.log_image("x", refuse, 5, every="3ba")
            logger.log_boxes("x", refuse, refuse, refuse, refuse, 5, every="3ba")
    assert steps(tmp_path) == [0, 3, 6]
    assert not (tmp_path / "media").exists()


def test_a_rate_of_a_kind_holds_where_a_call_gives_none(tmp_path: Path) -> None:
    with RunLogger(folder=tmp_path, rates={"scalar": "4ba"}) as logger:
        for step in range(8):
            logger.log_scalar("by kind", step, step)
            logger.log_scalar("by call", step, step, every="7ba")
            logger.log_metric("another kind", step, step)
    points, _ = read_metrics(tmp_path / "metrics.jsonl")
    assert [point["step"] for point in points if point["name"] == "by kind"] == [0, 4]
    assert [point["step"] for point in points if point["name"] == "by call"] == [0, 7]
    assert [point["step"] for point in points if point["name"] == "another kind"] == list(range(8))


def test_an_unknown_kind_and_a_wrong_step_are_sentences(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"rates: 'imgae' is no kind of entry; use scalar, metric"):
        RunLogger(folder=tmp_path, rates={"imgae": "4ba"})
    with (
        RunLogger(folder=tmp_path) as logger,
        pytest.raises(SightlineError, match="log_scalar 'a': the step '3'"),
    ):
        logger.log_scalar("a", 1.0, "3", every="2ba")  # type: ignore[arg-type]
