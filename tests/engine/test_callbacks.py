from pathlib import Path
from typing import Any

import pytest
from tests.engine.tiny import tiny_spec

from sightline.config import component
from sightline.engine import Callback, Experiment
from sightline.engine.callbacks import Callbacks, EarlyStopping, Profiler, SystemStatistics
from sightline.errors import SightlineError

TOLD: list[tuple[str, str]] = []


class Scribe(Callback):
    """Writes down all that it is told."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("on_"):
            return super().__getattribute__(name)
        own = super().__getattribute__("_name")
        return lambda event: TOLD.append((own, type(event).__name__))


for _name in [name for name in vars(Callback) if name.startswith("on_")]:
    setattr(Scribe, _name, lambda *_: None)  # so that it counts as overridden


def test_each_event_in_order_to_each_callback_in_order(tmp_path: Path) -> None:
    TOLD.clear()
    callbacks = [component(Scribe, name=name) for name in "ab"]
    Experiment(tiny_spec({"max_duration": "1ep", "accumulate": 3}, callbacks=callbacks), tmp_path).train()
    assert TOLD[::2] == [("a", kind) for _, kind in TOLD[1::2]]
    assert [name for name, _ in TOLD] == ["a", "b"] * (len(TOLD) // 2)
    assert [kind for name, kind in TOLD if name == "a"] == [
        "TrainStart",
        "EpochStart",
        *["StepStart", "StepEnd"] * 2,
        "EpochEnd",
        "ValidationStart",
        "ValidationEnd",
        "CheckpointSaved",
        "TrainEnd",
    ]


def test_what_is_no_callback_is_refused() -> None:
    with pytest.raises(
        SightlineError, match=r"callbacks\.1: dict is no sightline\.engine\.callbacks\.Callback"
    ):
        Callbacks([Callback(), {}])  # type: ignore[list-item]


def test_stopping_early_by_a_metric_that_is_not_there(tmp_path: Path) -> None:
    stopping = component(EarlyStopping, patience="1ep", monitor="validation/accuracy")
    with pytest.raises(SightlineError, match=r"no metric 'validation/accuracy'.*validation/loss"):
        Experiment(tiny_spec(callbacks=[stopping]), tmp_path).train()


def test_statistics_and_profile(tmp_path: Path) -> None:
    callbacks = [component(SystemStatistics, every="2ba"), component(Profiler, start=2, steps=3)]
    Experiment(tiny_spec(callbacks=callbacks), tmp_path).train()
    log = (tmp_path / "metrics.jsonl").read_text()
    assert log.count("system/memory_gib") == 5
    assert (tmp_path / "profile" / "trace.json").stat().st_size > 1000
    assert "addmm" in (tmp_path / "profile" / "operators.txt").read_text()


def test_a_profile_of_what_never_happens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match="start is 10, but the training has 10 updates"):
        Experiment(tiny_spec(callbacks=[component(Profiler)]), tmp_path).train()


def test_states_go_to_the_callbacks_of_their_class() -> None:
    one, other = EarlyStopping("1ep"), EarlyStopping("2ep")
    one._best, other._best = 1.0, 2.0
    states = Callbacks([one, Callback(), other]).state_dict()
    again, second = EarlyStopping("1ep"), EarlyStopping("2ep")
    Callbacks([Callback(), again, second, EarlyStopping("3ep")]).load_state_dict(states)
    assert (again._best, second._best) == (1.0, 2.0)
