"""Leases: which agent runs which experiment, and since when it has not been heard of."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from sightline.client.wire import State, StateReport, Variant
from sightline.service import keys
from sightline.service.domain.permissions import Actor
from sightline.service.domain.refusals import ConflictError, RefusedError
from sightline.service.domain.states import Event, after_agent_lost
from sightline.service.store import experiments
from sightline.service.store.tables import DatasetRow, ExperimentRow, ExperimentSourceRow, LeaseRow

_ISOLATED = {"docker", "namespace"}


@dataclass(frozen=True)
class Terms:
    """How long a lease lasts without a heartbeat, and how often a job is tried."""

    lease_s: float
    max_attempts: int

    def expiry(self, now: datetime) -> datetime:
        """When a lease that is heard of now runs out."""
        return now + timedelta(seconds=self.lease_s)


@dataclass(frozen=True)
class Agent:
    """Who asks for work: its user, its own name, and the sandboxes that it can run jobs in."""

    actor: Actor
    name: str
    sandboxes: Collection[str]


def next_queued(session: Session, sandboxes: Collection[str]) -> ExperimentRow | None:
    """The experiment that waits longest for an agent with one of these sandboxes, locked.

    Hidden data goes only to a sandbox that isolates, unless its owner allows otherwise. On PostgreSQL
    agents that ask at the same time each lock another row (``SKIP LOCKED``); on SQLite a writing
    transaction is alone.
    """
    statement = (
        select(ExperimentRow)
        .where(ExperimentRow.state == State.QUEUED)
        .order_by(ExperimentRow.queued_at, ExperimentRow.created_at, ExperimentRow.id)
        .limit(1)
        .with_for_update(of=ExperimentRow, skip_locked=True)
    )
    if not _ISOLATED.intersection(sandboxes):
        needs_isolation = (
            select(ExperimentSourceRow.experiment_id)
            .join(DatasetRow, DatasetRow.id == ExperimentSourceRow.dataset_id)
            .where(DatasetRow.allow_process_sandbox.is_(False))
        )
        statement = statement.where(
            or_(ExperimentRow.variant != Variant.HIDDEN, ExperimentRow.id.not_in(needs_isolation))
        )
    return session.scalar(statement)


def any_queued(session: Session) -> bool:
    """Whether any experiment waits, for whatever agent."""
    return (
        session.scalar(select(ExperimentRow.id).where(ExperimentRow.state == State.QUEUED).limit(1))
        is not None
    )


def grant(session: Session, agent: Agent, terms: Terms, now: datetime) -> tuple[LeaseRow, str] | None:
    """Lease the next experiment to an agent; returns the lease and its token, or None when none waits."""
    row = next_queued(session, agent.sandboxes)
    if row is None:
        return None
    row.attempt += 1
    token = keys.new_token()
    old = session.get(LeaseRow, row.id)
    assert old is None or old.ended_at is not None, "a queued experiment has no live lease"
    lease = session.merge(
        LeaseRow(
            experiment_id=row.id,
            attempt=row.attempt,
            agent_id=agent.actor.id,
            agent=agent.name,
            token_hash=keys.hash_of(token),
            granted_at=now,
            heartbeat_at=now,
            expires_at=terms.expiry(now),
            ended_at=None,
            log_seq=-1,
            log_count=0,
            log_bytes=0,
            logs_cut=False,
            metric_seq=-1,
            metric_count=0,
            metric_names=[],
            metrics_cut=False,
        )
    )
    reason = f"Taken by agent {agent.name} ({_attempt(row, terms)})."
    experiments.change(session, row, Event.LEASE, State.PREPARING, reason, now)
    return lease, token


def held(
    session: Session, experiment_id: str, token: str, actor: Actor, now: datetime, *, lock: bool = True
) -> LeaseRow:
    """The live lease that a call is made under; its experiment is locked unless the call only reads.

    Raises:
        ConflictError: the token is not that of a live lease of this agent.
    """
    lease = _of_token(session, experiment_id, token, actor, lock=lock)
    if lease.ended_at is not None or lease.expires_at <= now:
        raise _lost()
    return lease


def extend(lease: LeaseRow, terms: Terms, now: datetime) -> None:
    """The agent was heard of."""
    lease.heartbeat_at = now
    lease.expires_at = terms.expiry(now)


def report(
    session: Session,
    experiment_id: str,
    token: str,
    actor: Actor,
    said: StateReport,
    terms: Terms,
    now: datetime,
) -> tuple[LeaseRow, bool]:
    """Take an agent's word for its job's state; returns the lease and whether anything changed.

    A report that was heard already changes nothing, also when it is the last one and ended the lease.
    ``queued`` hands the job back: its agent is being stopped, and the attempt does not count.

    Raises:
        ConflictError: the lease is lost, or the report is not what can follow.
        RefusedError: no agent reports that state.
    """
    if said.state is State.CREATED:
        raise RefusedError(f"Field 'state': an agent does not report '{said.state}'.")
    lease = _of_token(session, experiment_id, token, actor, lock=True)
    row = lease.experiment
    if lease.ended_at is not None and row.state.ended and said.state is row.state:
        return lease, False
    lease = held(session, experiment_id, token, actor, now)
    extend(lease, terms, now)
    if said.state is State.QUEUED:
        row.handed_back += 1
        target = State.CANCELLED if row.cancel_requested else State.QUEUED
        experiments.change(session, row, Event.HAND_BACK, target, said.reason, now)
        lease.ended_at = now
        return lease, True
    if said.exit_code is not None:
        row.exit_code = said.exit_code
    if said.state is row.state:
        experiments.explain(session, row, said.reason, now)
        return lease, True
    if experiments.was_in(session, row, said.state):
        return lease, False
    experiments.change(session, row, Event.REPORT, said.state, said.reason, now)
    if said.state.ended:
        lease.ended_at = now
    return lease, True


def expired(session: Session, now: datetime) -> list[str]:
    """The experiments whose agent has not been heard of for the lease time."""
    return list(
        session.scalars(
            select(LeaseRow.experiment_id).where(LeaseRow.ended_at.is_(None), LeaseRow.expires_at <= now)
        )
    )


def lose(session: Session, experiment_id: str, terms: Terms, now: datetime) -> bool:
    """Give up an expired lease: the experiment is queued again or ends. False where it is not expired."""
    row = experiments.locked(session, experiment_id)
    lease = session.get(LeaseRow, experiment_id)
    if row is None or lease is None or lease.ended_at is not None or lease.expires_at > now:
        return False
    lease.ended_at = now
    silent = (now - lease.heartbeat_at).total_seconds()
    reason = f"agent lost: {lease.agent} was not heard of for {silent:.0f} s ({_attempt(row, terms)})"
    target = after_agent_lost(row.attempt - row.handed_back, terms.max_attempts, row.cancel_requested)
    experiments.change(session, row, Event.AGENT_LOST, target, reason, now)
    return True


def give_grace(session: Session, terms: Terms, now: datetime) -> None:
    """Let every live lease run its full time from now: it was us who could not be reached."""
    session.execute(update(LeaseRow).where(LeaseRow.ended_at.is_(None)).values(expires_at=terms.expiry(now)))


def _attempt(row: ExperimentRow, terms: Terms) -> str:
    return f"attempt {row.attempt} of {terms.max_attempts + row.handed_back}"


def _lost() -> ConflictError:
    return ConflictError(
        "This lease is not yours any more: stop the job, the service has given it up or away."
    )


def _of_token(session: Session, experiment_id: str, token: str, actor: Actor, *, lock: bool) -> LeaseRow:
    if lock:
        experiments.locked(session, experiment_id)
    lease = session.get(LeaseRow, experiment_id)
    if lease is None or lease.agent_id != actor.id or not keys.matches(token, lease.token_hash):
        raise _lost()
    return lease
