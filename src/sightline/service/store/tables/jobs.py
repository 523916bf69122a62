"""What agents write: leases, logs, metrics and artifacts."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sightline.client.wire import LogStream
from sightline.service.store.tables.base import Table, UtcDateTime, words
from sightline.service.store.tables.experiments import ExperimentRow


class LeaseRow(Table):
    """Who runs an experiment now, or ran it last.

    The experiment is the primary key: a second lease for one experiment is not forbidden, it has no
    place to be. A new attempt overwrites the row, and with it the old token. ``log_seq`` and
    ``metric_seq`` are the last acknowledged ones of this attempt, -1 for none.
    """

    __tablename__ = "leases"
    __table_args__ = (Index("ix_leases_ended_at_expires_at", "ended_at", "expires_at"),)

    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    attempt: Mapped[int]
    agent_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    agent: Mapped[str] = mapped_column(String(100))
    token_hash: Mapped[str] = mapped_column(String(64))
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    log_seq: Mapped[int] = mapped_column(BigInteger, default=-1)
    log_count: Mapped[int] = mapped_column(default=0)
    log_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    logs_cut: Mapped[bool] = mapped_column(default=False)
    metric_seq: Mapped[int] = mapped_column(BigInteger, default=-1)
    metric_count: Mapped[int] = mapped_column(default=0)
    metric_names: Mapped[list[str]] = mapped_column(JSON, default=list)
    metrics_cut: Mapped[bool] = mapped_column(default=False)

    experiment: Mapped[ExperimentRow] = relationship()


class LogLineRow(Table):
    """One line; ``id`` counts from 1 within the experiment, over all attempts and without gaps."""

    __tablename__ = "log_lines"

    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[int]
    seq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    stream: Mapped[LogStream] = mapped_column(words(LogStream))
    text: Mapped[str] = mapped_column(Text)


class MetricPointRow(Table):
    """One point; ``id`` counts as that of `LogLineRow` does."""

    __tablename__ = "metric_points"

    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[int]
    seq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(20))
    value: Mapped[float | None]
    step: Mapped[int] = mapped_column(BigInteger)


class ArtifactRow(Table):
    """One file that a job left; its bytes are the object ``sha256``."""

    __tablename__ = "artifacts"

    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    path: Mapped[str] = mapped_column(String(500), primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
