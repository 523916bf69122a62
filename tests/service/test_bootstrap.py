from pathlib import Path

import pytest

from sightline.client.wire import Role
from sightline.errors import SightlineError
from sightline.service.bootstrap import prepare
from sightline.service.core import Core
from sightline.service.settings import Settings
from sightline.service.store import users
from sightline.service.store.environments import offered


def role_of(settings: Settings, key: str) -> Role | None:
    core = Core.open(settings)
    with core.database.read() as session:
        actor = users.authenticate(session, key.strip())
    core.database.close()
    return actor.role if actor else None


def test_the_first_start_makes_users_keys_and_environments(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path / "new" / "service")
    first = prepare(settings)
    assert first.first_start
    assert first.admin_key == first.admin_key_file.read_text().strip()
    for file, role in ((first.admin_key_file, Role.ADMIN), (first.agent_key_file, Role.AGENT)):
        assert file.stat().st_mode & 0o777 == 0o600
        assert role_of(settings, file.read_text()) is role
    core = Core.open(settings)
    with core.database.read() as session:
        assert [row.name for row in offered(session)] == ["local-small", "local-large"]
    core.database.close()


def test_later_starts_keep_what_is_there(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path)
    key = prepare(settings).admin_key_file.read_text()
    again = prepare(settings)
    assert (again.first_start, again.admin_key) == (False, None)
    assert again.admin_key_file.read_text() == key
    assert role_of(settings, key) is Role.ADMIN


def test_a_lost_key_file_is_written_again_with_a_new_key(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path)
    old = prepare(settings).admin_key_file.read_text()
    (tmp_path / "admin.key").unlink()
    again = prepare(settings)
    assert not again.first_start
    new = again.admin_key_file.read_text()
    assert new != old
    assert role_of(settings, new) is role_of(settings, old) is Role.ADMIN


def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "service.db").write_text("this is not a database, but a text that is long enough to be read")
    with pytest.raises(SightlineError, match=r"The database sqlite:///.*service.db cannot be used"):
        prepare(Settings(folder=tmp_path))


def test_it_works_on_postgresql_too(tmp_path: Path, postgresql: str) -> None:
    settings = Settings(folder=tmp_path, database_url=postgresql)
    first = prepare(settings)
    assert role_of(settings, first.admin_key or "") is Role.ADMIN
    assert not prepare(settings).first_start
