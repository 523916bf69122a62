from pathlib import Path

import pytest
from pydantic import ValidationError

from sightline.service.settings import Settings


def test_the_database_lies_in_the_folder_unless_another_is_named(tmp_path: Path) -> None:
    assert Settings(folder=tmp_path).url == f"sqlite:///{tmp_path}/service.db"
    assert (
        Settings(folder=tmp_path, database_url="postgresql+psycopg://x/y").url == "postgresql+psycopg://x/y"
    )


def test_a_heartbeat_must_come_within_the_lease(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="must be shorter than lease_s"):
        Settings(folder=tmp_path, lease_s=3, heartbeat_s=3)


def test_an_unknown_setting_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="lease_seconds"):
        Settings.model_validate({"folder": tmp_path, "lease_seconds": 3})
