from alembic import command

from sightline.client.wire import State
from sightline.service.store.database import Database
from sightline.service.store.migrate import migrating, upgrade
from sightline.service.store.tables import ExperimentRow
from tests.service.store.scene import Scene


def test_experiments_keep_their_archive(empty_database: Database) -> None:
    upgrade(empty_database)
    scene = Scene.create(empty_database)
    experiment = scene.submit()
    with migrating(empty_database) as config:
        command.downgrade(config, "0001")
    upgrade(empty_database)
    with empty_database.read() as session:
        row = session.get(ExperimentRow, experiment)
        assert row is not None
        [source] = row.sources
        assert (source.held[0].name, source.held[1].version) == ("digits", "1.0.0")
        assert (row.state, row.recipe) == (State.QUEUED, None)
    assert scene.lease() is not None
