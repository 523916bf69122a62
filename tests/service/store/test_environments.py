import pytest

from sightline.service.domain.refusals import RefusedError
from sightline.service.store import environments
from sightline.service.store.database import Database
from tests.service.store.scene import environment


def test_what_is_offered_can_change(database: Database) -> None:
    small, large = environment("small", 0), environment("large", 1)
    with database.write() as session:
        environments.offer(session, [large, small])
        assert [row.name for row in environments.offered(session)] == ["small", "large"]
    with database.write() as session:
        environments.offer(session, [environment("huge", 0), environment("large", 1, ram=2 << 30)])
    with database.read() as session:
        assert [environments.to_wire(row).ram for row in environments.offered(session)] == [1 << 30, 2 << 30]
        assert environments.named(session, None).name == "huge"
        with pytest.raises(RefusedError, match="'small' is unknown; there are: huge, large"):
            environments.named(session, "small")
