"""The guide to training does as it says, and the reference of the spec is the one of these classes."""

from pathlib import Path

import pytest

from tests.docs.guides import DOCS, run_guide


def test_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = run_guide("training.md", tmp_path, monkeypatch, ["digits"])
    assert counts == {"sh": 8, "python": 5, "yaml": 2}
    assert len((tmp_path / "predictions.jsonl").read_text().splitlines()) == 179
    assert (tmp_path / "elsewhere" / "spec.yaml").is_file()


def test_the_reference_of_the_spec_is_current() -> None:
    from sightline.engine.spec_reference import reference

    assert (DOCS / "spec.md").read_text() == reference(), (
        "python -m sightline.engine.spec_reference > docs/spec.md"
    )
