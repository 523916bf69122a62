"""Trainers, environments, experiments, and what is decided about them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from sightline.client.wire import ReleaseState, State, Variant
from sightline.service.domain.permissions import Parties
from sightline.service.store.tables.accounts import UserRow
from sightline.service.store.tables.base import Table, UtcDateTime, new_id, words
from sightline.service.store.tables.datasets import DatasetRow, DatasetVariantRow


class TrainerRow(Table):
    """A trainer package; ``file_names`` are the members of its zip, which commands are checked against."""

    __tablename__ = "trainers"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text)
    default_command: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    file_names: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    author: Mapped[UserRow] = relationship()


class EnvironmentRow(Table):
    """A tier of compute. One that is not ``offered`` any more stays for the experiments that used it."""

    __tablename__ = "environments"

    id: Mapped[str] = mapped_column(String(100), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    position: Mapped[int]
    instance: Mapped[str] = mapped_column(Text)
    cpu: Mapped[str] = mapped_column(Text)
    cpu_count: Mapped[int]
    ram: Mapped[int] = mapped_column(BigInteger)
    gpu: Mapped[str | None] = mapped_column(Text)
    gpu_count: Mapped[int]
    vram: Mapped[int | None] = mapped_column(BigInteger)
    time_limit_s: Mapped[float]
    output_quota_bytes: Mapped[int] = mapped_column(BigInteger)
    offered: Mapped[bool]


class ExperimentRow(Table):
    """An experiment. It is tied to its archives (``sources``) from the moment it is made.

    ``recipe`` says what is made of them, and is None where the job gets the one archive as it is. The
    first dataset's name and version are copied, because a dataset may be deleted later; ``variant`` is
    hidden where any source is.
    ``attempt`` is 0 until an agent takes it; ``handed_back`` counts the attempts that do not count,
    because their agents were stopped in good order.
    """

    __tablename__ = "experiments"
    __table_args__ = (Index("ix_experiments_state_queued_at", "state", "queued_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(100))
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    trainer_id: Mapped[str] = mapped_column(ForeignKey("trainers.id"))
    environment_id: Mapped[str] = mapped_column(ForeignKey("environments.id"))
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("datasets.id", ondelete="SET NULL"), index=True)
    dataset_name: Mapped[str] = mapped_column(String(100))
    dataset_version: Mapped[str] = mapped_column(String(50))
    variant: Mapped[Variant] = mapped_column(words(Variant))
    recipe_id: Mapped[str | None] = mapped_column(String(32))
    recipe: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    command: Mapped[str] = mapped_column(Text)
    state: Mapped[State] = mapped_column(words(State))
    reason: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int] = mapped_column(default=0)
    handed_back: Mapped[int] = mapped_column(default=0)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    exit_code: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    queued_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    author: Mapped[UserRow] = relationship()
    trainer: Mapped[TrainerRow] = relationship()
    environment: Mapped[EnvironmentRow] = relationship()
    dataset: Mapped[DatasetRow | None] = relationship()
    sources: Mapped[list["ExperimentSourceRow"]] = relationship(order_by="ExperimentSourceRow.position")
    release: Mapped["ReleaseRow"] = relationship(back_populates="experiment")

    @property
    def parties(self) -> Parties:
        """Whom it concerns."""
        return Parties(self.author_id, self.dataset.owner_id if self.dataset else None)


class ExperimentSourceRow(Table):
    """One archive that an experiment's data is made of; ``position`` counts from 0."""

    __tablename__ = "experiment_sources"

    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("datasets.id", ondelete="SET NULL"), index=True)
    variant_id: Mapped[str | None] = mapped_column(ForeignKey("dataset_variants.id", ondelete="SET NULL"))

    dataset: Mapped[DatasetRow | None] = relationship()
    archive: Mapped[DatasetVariantRow | None] = relationship()

    @property
    def held(self) -> tuple[DatasetRow, DatasetVariantRow]:
        """Dataset and archive of an experiment that has not ended."""
        assert self.dataset is not None, "a dataset cannot be deleted while an experiment on it goes on"
        assert self.archive is not None, "an archive goes only with its dataset"
        return self.dataset, self.archive


class StateChangeRow(Table):
    """One change of state, kept for ever; ``number`` counts from 1 within the experiment."""

    __tablename__ = "state_changes"

    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[State] = mapped_column(words(State))
    reason: Mapped[str] = mapped_column(Text)
    attempt: Mapped[int]


class ReleaseRow(Table):
    """What was decided about an experiment's artifacts. ``decided_by`` is a user's name."""

    __tablename__ = "releases"

    experiment_id: Mapped[str] = mapped_column(ForeignKey("experiments.id"), primary_key=True)
    state: Mapped[ReleaseState] = mapped_column(words(ReleaseState))
    reason: Mapped[str] = mapped_column(Text)
    decided_by: Mapped[str | None] = mapped_column(String(100))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    experiment: Mapped[ExperimentRow] = relationship(back_populates="release")
