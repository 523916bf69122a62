from pathlib import Path

import pytest

from sightline.demo.main_job import run_main_job
from sightline.errors import SightlineError
from sightline.trainer_package import check_folder, example_folder


def test_the_example_is_a_complete_trainer_package() -> None:
    assert check_folder(example_folder("classification")) == []


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(SightlineError, match="not empty"):
        run_main_job(tmp_path, keep=False)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
