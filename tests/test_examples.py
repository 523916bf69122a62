"""The specs that stand in ``examples`` hold: every key, every component and its arguments."""

from pathlib import Path

import pytest

from sightline.config import load
from sightline.engine import Experiment, Spec

EXAMPLES = Path(__file__).parents[1] / "examples"
SPECS = sorted(path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.yaml"))


@pytest.mark.parametrize("name", SPECS)
def test_the_spec_holds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES.parent)
    experiment = Experiment(load(Spec, EXAMPLES / name))
    experiment.check()
    assert experiment.task is not None


def test_there_are_some() -> None:
    assert len(SPECS) > 5
