"""The guide to inference does as it says, and makes the pictures that it shows."""

import re
from pathlib import Path

import pytest
from PIL import Image

from sightline.data import Dataset
from tests.docs.guides import DOCS, run_guide


def test_inference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = run_guide("inference.md", tmp_path, monkeypatch)
    assert counts == {"python": 5, "yaml": 2, "sh": 11}
    predicted = Dataset.from_path(tmp_path / "cells-predicted")
    assert {task.name for task in predicted.info.tasks} == {"object_detection", "predictions"}
    assert (tmp_path / "drawn" / "flight.mp4").is_file()
    pictures = re.findall(r"!\[.+\]\(inference/(.+?)\)", (DOCS / "inference.md").read_text())
    assert len(pictures) == 2
    for name in pictures:
        (made,) = (path for path in (tmp_path / name, tmp_path / "drawn" / name) if path.exists())
        with Image.open(made) as ours, Image.open(DOCS / "inference" / name) as shown:
            assert ours.size == shown.size
