"""People, data and experiments in a database, without an API before it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sightline.client.wire import (
    DatasetCreate,
    Environment,
    ExperimentCreate,
    Policy,
    Role,
    StateReport,
    Variant,
)
from sightline.service.domain.permissions import Actor
from sightline.service.store import datasets, environments, experiments, leases, trainers, users
from sightline.service.store.database import Database
from sightline.service.store.experiments import Data, Parts
from sightline.service.store.leases import Agent, Terms
from sightline.service.store.objects import Arrived
from sightline.service.store.tables import DatasetVariantRow, ExperimentRow, LeaseRow

TERMS = Terms(lease_s=30, max_attempts=2)
HASH = "a" * 64


@dataclass
class Scene:
    database: Database
    author: Actor
    agent: Actor
    parts: Parts
    now: datetime = datetime(2030, 1, 1, tzinfo=UTC)

    @classmethod
    def create(cls, database: Database, variant: Variant = Variant.HIDDEN, **policy: Any) -> "Scene":
        now = cls.now
        with database.write() as session:
            author, agent = (
                Actor(row.id, row.name, row.role)
                for row, _ in (
                    users.create(session, "dev", Role.OWNER, now),
                    users.create(session, "local-agent", Role.AGENT, now),
                )
            )
            request = DatasetCreate(name="digits", policy=Policy(**policy))
            dataset = datasets.create(session, request, author, now)
            archive = DatasetVariantRow(
                dataset_id=dataset.id,
                variant=variant,
                version="1.0.0",
                item_count=1,
                size_bytes=1,
                sha256=HASH,
                info={},
                created_at=now,
            )
            session.add(archive)
            package = Arrived(Path("trainer.zip"), HASH, 1)
            trainer = trainers.create(session, author, "t", "", "", package, ["scripts/train.py"], now)
            environments.offer(session, [environment("small", 0)])
            session.flush()
            parts = Parts(trainer, Data([(dataset, archive)]), environments.named(session, None))
        return cls(database, author, agent, parts)

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def submit(self, name: str = "run") -> str:
        request = ExperimentCreate(
            name=name, trainer="t", dataset="digits", command="python scripts/train.py"
        )
        with self.database.write() as session:
            return experiments.submit(session, request, self.parts, self.author, self.now).id

    def lease(self, name: str = "agent-1", *sandboxes: str) -> tuple[str, str] | None:
        """The experiment and the token."""
        agent = Agent(self.agent, name, sandboxes or ("namespace",))
        with self.database.write() as session:
            granted = leases.grant(session, agent, TERMS, self.now)
            return (granted[0].experiment_id, granted[1]) if granted else None

    def report(self, experiment: str, token: str, state: str, reason: str = "so") -> bool:
        said = StateReport.model_validate({"state": state, "reason": reason})
        with self.database.write() as session:
            return leases.report(session, experiment, token, self.agent, said, TERMS, self.now)[1]

    def heartbeat(self, experiment: str, token: str) -> None:
        with self.database.write() as session:
            leases.extend(leases.held(session, experiment, token, self.agent, self.now), TERMS, self.now)

    def sweep(self) -> list[str]:
        with self.database.read() as session:
            expired = leases.expired(session, self.now)
        lost = []
        for experiment in expired:
            with self.database.write() as session:
                if leases.lose(session, experiment, TERMS, self.now):
                    lost.append(experiment)
        return lost

    def grace(self) -> None:
        with self.database.write() as session:
            leases.give_grace(session, TERMS, self.now)

    def row(self, experiment: str) -> ExperimentRow:
        with self.database.read() as session:
            return session.get_one(ExperimentRow, experiment)

    def lease_row(self, experiment: str) -> LeaseRow | None:
        with self.database.read() as session:
            return session.get(LeaseRow, experiment)

    def history(self, experiment: str) -> list[tuple[str, str]]:
        with self.database.read() as session:
            return [(str(change.state), change.reason) for change in experiments.history(session, experiment)]


def environment(name: str, order: int, **changes: Any) -> Environment:
    values: dict[str, Any] = {
        "id": name,
        "name": name,
        "order": order,
        "instance": "here",
        "cpu": "cpu",
        "cpu_count": 2,
        "ram": 1 << 30,
        "time_limit_s": 60,
        "output_quota_bytes": 1 << 20,
    }
    return Environment(**values | changes)
