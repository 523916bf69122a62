"""Experiments in the database, and the one function that changes their state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import Session, joinedload

from sightline.client.wire import ExperimentCreate, Policy, ReleaseState, Role, State, Variant
from sightline.service.domain import release, states
from sightline.service.domain.permissions import Actor, may_see
from sightline.service.domain.refusals import NotFoundError
from sightline.service.domain.release import strictest
from sightline.service.domain.states import Event
from sightline.service.store import artifacts
from sightline.service.store.datasets import policy_of
from sightline.service.store.paging import Paging, fetch
from sightline.service.store.tables import (
    ArtifactRow,
    DatasetRow,
    DatasetVariantRow,
    EnvironmentRow,
    ExperimentRow,
    ExperimentSourceRow,
    ReleaseRow,
    StateChangeRow,
    TrainerRow,
)


@dataclass(frozen=True)
class Data:
    """What a job trains on: its sources (one at least) and, if need be, the recipe that makes it of them."""

    sources: Sequence[tuple[DatasetRow, DatasetVariantRow]]
    recipe: dict[str, Any] | None = None


@dataclass(frozen=True)
class Parts:
    """What an experiment is made of, all looked up and allowed."""

    trainer: TrainerRow
    data: Data
    environment: EnvironmentRow


def submit(
    session: Session, request: ExperimentCreate, parts: Parts, author: Actor, now: datetime
) -> ExperimentRow:
    """A new experiment, in the queue."""
    dataset, archive = parts.data.sources[0]
    hidden = any(source.variant is Variant.HIDDEN for _, source in parts.data.sources)
    row = ExperimentRow(
        name=request.name,
        author_id=author.id,
        trainer_id=parts.trainer.id,
        environment_id=parts.environment.id,
        dataset_id=dataset.id,
        dataset_name=dataset.name,
        dataset_version=archive.version,
        variant=Variant.HIDDEN if hidden else Variant.SAMPLE,
        recipe_id=request.dataset_recipe,
        recipe=parts.data.recipe,
        sources=[
            ExperimentSourceRow(position=position, dataset=source, archive=source_archive)
            for position, (source, source_archive) in enumerate(parts.data.sources)
        ],
        command=request.command,
        state=State.CREATED,
        reason=f"Submitted by {author.name}.",
        attempt=0,
        handed_back=0,
        cancel_requested=False,
        created_at=now,
    )
    session.add(row)
    session.flush()
    nothing = release.NOT_ENDED
    session.add(ReleaseRow(experiment_id=row.id, state=nothing.state, reason=nothing.reason))
    _keep(session, row, now)
    isolated = hidden and not policy_of_sources(row).allow_process_sandbox
    sandbox = " with a docker or namespace sandbox" if isolated else ""
    change(session, row, Event.SUBMIT, State.QUEUED, f"Waiting for a free agent{sandbox}.", now)
    return row


def policy_of_sources(row: ExperimentRow) -> Policy:
    """What all the owners allow: the strictest of the policies of an experiment's datasets."""
    return strictest([policy_of(source.held[0]) for source in row.sources])


def change(
    session: Session, row: ExperimentRow, event: Event, target: State, reason: str, now: datetime
) -> None:
    """Change the state of an experiment: only as the transition table allows, and never without a reason.

    Raises:
        ConflictError: the table has no such transition.
    """
    states.check(row.state, event, target)
    row.state, row.reason = target, reason
    if target is State.QUEUED:
        row.queued_at = now
        row.started_at = row.exit_code = None
    if target is State.RUNNING:
        row.started_at = now
    if event in (Event.AGENT_LOST, Event.HAND_BACK):
        # The agent may have stopped while it was collecting, and half of the artifacts are no artifacts.
        session.execute(delete(ArtifactRow).where(ArtifactRow.experiment_id == row.id))
    if target.ended:
        row.ended_at = now
        _settle_release(session, row)
    _keep(session, row, now)


def explain(session: Session, row: ExperimentRow, reason: str, now: datetime) -> None:
    """Say more about the state that an experiment is in."""
    if reason != row.reason:
        row.reason = reason
        _keep(session, row, now)


def locked(session: Session, experiment_id: str) -> ExperimentRow | None:
    """An experiment for a change: until the transaction ends nobody else changes it or what belongs to it."""
    return session.scalar(
        select(ExperimentRow).where(ExperimentRow.id == experiment_id).with_for_update(of=ExperimentRow)
    )


def visible(session: Session, experiment_id: str, actor: Actor, *, lock: bool = False) -> ExperimentRow:
    """An experiment that this user may see; one that they may not see is not there, in the same words."""
    row = locked(session, experiment_id) if lock else session.get(ExperimentRow, experiment_id)
    if row is None or not may_see(actor, row.parties):
        raise NotFoundError(f"There is no experiment '{experiment_id}' that you may see.")
    return row


def page(session: Session, actor: Actor, paging: Paging) -> tuple[int, list[ExperimentRow]]:
    """The experiments that a user may see, newest first."""
    statement: Select[ExperimentRow] = select(ExperimentRow).options(
        joinedload(ExperimentRow.author),
        joinedload(ExperimentRow.trainer),
        joinedload(ExperimentRow.environment),
        joinedload(ExperimentRow.release),
    )
    if actor.role is not Role.ADMIN:
        owned = select(DatasetRow.id).where(DatasetRow.owner_id == actor.id)
        statement = statement.where(
            or_(ExperimentRow.author_id == actor.id, ExperimentRow.dataset_id.in_(owned))
        )
    return fetch(session, statement.order_by(ExperimentRow.created_at.desc(), ExperimentRow.id), paging)


def history(session: Session, experiment_id: str) -> list[StateChangeRow]:
    """All changes of state, oldest first."""
    return list(
        session.scalars(
            select(StateChangeRow)
            .where(StateChangeRow.experiment_id == experiment_id)
            .order_by(StateChangeRow.number)
        )
    )


def last_change(session: Session, experiment_id: str) -> int:
    """The number of the newest change of state."""
    return (
        session.scalar(
            select(func.max(StateChangeRow.number)).where(StateChangeRow.experiment_id == experiment_id)
        )
        or 0
    )


def was_in(session: Session, row: ExperimentRow, state: State) -> bool:
    """Whether this attempt has been in a state, now or before."""
    return (
        session.scalar(
            select(StateChangeRow.number).where(
                StateChangeRow.experiment_id == row.id,
                StateChangeRow.attempt == row.attempt,
                StateChangeRow.state == state,
            )
        )
        is not None
    )


def _keep(session: Session, row: ExperimentRow, now: datetime) -> None:
    session.flush()
    session.add(
        StateChangeRow(
            experiment_id=row.id,
            number=last_change(session, row.id) + 1,
            at=now,
            state=row.state,
            reason=row.reason,
            attempt=row.attempt,
        )
    )
    session.flush()


def _settle_release(session: Session, row: ExperimentRow) -> None:
    count, size = artifacts.totals(session, row.id)
    verdict = release.on_end(
        release.Ended(row.state, row.dataset_name, row.variant, policy_of_sources(row), count, size)
    )
    row.release.state, row.release.reason = verdict.state, verdict.reason
    if verdict.state is not ReleaseState.APPROVED:
        return
    row.release.decided_at = row.ended_at
