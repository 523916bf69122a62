import argparse
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from sightline.errors import SightlineError
from sightline.runs.configuration import to_settings


class Optimizer(Enum):
    SGD = "sgd"


@dataclass
class Schedule:
    warmup: int = 3
    optimizer: Optimizer = Optimizer.SGD


@dataclass
class Training:
    lr: float = 0.1
    schedule: Schedule = field(default_factory=Schedule)


class Service(BaseModel):
    folder: Path = Path("a/b")
    token: SecretStr = SecretStr("hidden-word")


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({"a": 1, 2: None, "n": {"x": (1, 2)}}, {"a": 1, "2": None, "n": {"x": [1, 2]}}),
        (argparse.Namespace(lr=0.1, data=Path("d")), {"lr": 0.1, "data": "d"}),
        (Training(), {"lr": 0.1, "schedule": {"warmup": 3, "optimizer": "sgd"}}),
        (Service(), {"folder": "a/b", "token": "**********"}),
        ({"t": datetime(2026, 1, 2, tzinfo=UTC)}, {"t": "2026-01-02T00:00:00+00:00"}),
        ({"s": {"b", "a"}, "f": math.nan, "i": -math.inf}, {"s": ["a", "b"], "f": "nan", "i": "-inf"}),
        (
            {"n": np.float32(0.5), "a": np.arange(3), "b": np.zeros((40, 40))},
            {"n": 0.5, "a": [0, 1, 2], "b": "ndarray of shape (40, 40)"},
        ),
    ],
)
def test_settings(configuration: Any, expected: dict[str, Any]) -> None:
    assert to_settings(configuration) == expected


def test_torch_settings() -> None:
    torch = pytest.importorskip("torch")
    found = to_settings(
        {"device": torch.device("cpu"), "dtype": torch.float32, "w": torch.tensor([1.0, 2.0])}
    )
    assert found == {"device": "cpu", "dtype": "torch.float32", "w": [1.0, 2.0]}


@pytest.mark.parametrize("configuration", [3, "text", [1], None, Training])
def test_what_has_no_named_settings_is_refused(configuration: Any) -> None:
    with pytest.raises(SightlineError, match="has no named settings"):
        to_settings(configuration)


def test_a_configuration_that_contains_itself_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["me"] = endless
    with pytest.raises(SightlineError, match="contains itself"):
        to_settings(endless)


VALUES = st.recursive(
    st.none() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(max_size=5) | st.integers(), VALUES, max_size=4))
def test_the_result_is_always_json(configuration: dict[Any, Any]) -> None:
    json.dumps(to_settings(configuration), allow_nan=False)
