"""The guide to vision does as it says."""

from pathlib import Path

import pytest

from sightline.data import Dataset
from sightline.engine import Experiment
from tests.docs.guides import run_guide


def test_vision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = run_guide("vision.md", tmp_path, monkeypatch, ["threshold"])
    assert counts == {"python": 6, "sh": 10, "yaml": 4}
    assert len(Dataset.from_path(tmp_path / "shapes")) == 60
    assert "reports" in {path.name for path in (tmp_path / "runs" / "boxes").iterdir()}
    assert (tmp_path / "guesses" / "report.html").is_file()
    assert (tmp_path / "predictions.html").is_file()
    again = Experiment.load(next(iter(sorted((tmp_path / ".data" / "experiments").glob("*-again")))))
    assert again.task.classes == ["disc", "square"]
