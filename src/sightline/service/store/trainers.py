"""Trainer packages in the database: an author sees their own, an admin all."""

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, selectinload

from sightline.client.wire import Role
from sightline.service.domain.permissions import Actor, may_manage
from sightline.service.domain.references import unknown
from sightline.service.domain.refusals import NotFoundError
from sightline.service.store.objects import Arrived
from sightline.service.store.paging import Paging, fetch
from sightline.service.store.tables import TrainerRow


def create(
    session: Session,
    author: Actor,
    name: str,
    description: str,
    default_command: str,
    package: Arrived,
    file_names: list[str],
    now: datetime,
) -> TrainerRow:
    """A new trainer. Names may repeat: the newest of an author's is the one the name means."""
    row = TrainerRow(
        author_id=author.id,
        name=name,
        description=description,
        default_command=default_command,
        sha256=package.sha256,
        size_bytes=package.size_bytes,
        file_names=file_names,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def find(session: Session, trainer_id: str, actor: Actor) -> TrainerRow:
    """A trainer by id that this user may see."""
    row = session.get(TrainerRow, trainer_id)
    if row is None or not may_manage(actor, row.author_id):
        raise NotFoundError(f"There is no trainer '{trainer_id}' that you may see.")
    return row


def named(session: Session, id_or_name: str, actor: Actor) -> TrainerRow:
    """The trainer a user means: by id, or the newest of their own with that name.

    Raises:
        RefusedError: none; it lists the names there are.
    """
    row = session.get(TrainerRow, id_or_name)
    if row is not None and may_manage(actor, row.author_id):
        return row
    own = select(TrainerRow).where(TrainerRow.author_id == actor.id).order_by(TrainerRow.created_at.desc())
    row = session.scalars(own.where(TrainerRow.name == id_or_name)).first()
    if row is None:
        names = session.scalars(select(TrainerRow.name).where(TrainerRow.author_id == actor.id))
        raise unknown("Trainer", id_or_name, names, "create one with 'sightline trainer create'")
    return row


def page(session: Session, actor: Actor, paging: Paging) -> tuple[int, list[TrainerRow]]:
    """The trainers a user may see, newest first."""
    statement: Select[TrainerRow] = select(TrainerRow).options(selectinload(TrainerRow.author))
    if actor.role is not Role.ADMIN:
        statement = statement.where(TrainerRow.author_id == actor.id)
    return fetch(session, statement.order_by(TrainerRow.created_at.desc(), TrainerRow.id), paging)
