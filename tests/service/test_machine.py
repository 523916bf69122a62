import json
import os
from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.service.machine import _gpus, environments
from tests.service.store.scene import environment


def test_by_default_this_machine_is_offered_in_two_tiers(tmp_path: Path) -> None:
    small, large = environments(tmp_path)
    assert (small.name, small.order, large.name, large.order) == ("local-small", 0, "local-large", 1)
    assert small.cpu_count == os.cpu_count()
    assert small.ram < large.ram
    assert small.time_limit_s == 3600


def test_a_file_names_others(tmp_path: Path) -> None:
    listed = [environment("slow", 1), environment("fast", 0)]
    text = json.dumps([one.model_dump() for one in listed])
    (tmp_path / "environments.json").write_text(text)
    assert environments(tmp_path) == listed


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "the file: Invalid JSON"),
        ("[]", "lists no environment"),
        ('[{"id": "x"}]', "0.name: Field required"),
        (json.dumps([environment("x", 0).model_dump()] * 2), "id 'x' occurs twice"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "environments.json").write_text(text)
    with pytest.raises(SightlineError, match=r"environments\.json") as caught:
        environments(tmp_path)
    assert sentence in str(caught.value)


def test_gpus_are_those_that_the_driver_lists(tmp_path: Path) -> None:
    for number in range(2):
        folder = tmp_path / f"0000:0{number}:00.0"
        folder.mkdir()
        (folder / "information").write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:  43\n")
    assert _gpus(tmp_path) == ["NVIDIA H100 80GB HBM3"] * 2
    assert _gpus(tmp_path / "none") == []
