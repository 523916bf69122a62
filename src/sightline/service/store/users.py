"""Users and keys in the database."""

from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from sightline.client.wire import Role
from sightline.service import keys
from sightline.service.domain.permissions import Actor
from sightline.service.domain.refusals import ConflictError, NotFoundError
from sightline.service.store.paging import Paging, fetch
from sightline.service.store.tables import ApiKeyRow, UserRow

_NO_HASH = "0" * 64


def create(session: Session, name: str, role: Role, now: datetime) -> tuple[UserRow, str]:
    """A new user and the text of their first key, which is stored nowhere.

    Raises:
        ConflictError: the name is taken, or was.
    """
    taken = session.scalar(select(UserRow).where(UserRow.name == name))
    if taken is not None:
        was = "belongs to a user" if taken.removed_at is None else "belonged to a user who was removed"
        raise ConflictError(f"The name '{name}' {was}; choose another.")
    user = UserRow(name=name, role=role, created_at=now)
    session.add(user)
    session.flush()
    return user, add_key(session, user, now)


def add_key(session: Session, user: UserRow, now: datetime) -> str:
    """A further key of a user, as text."""
    key = keys.new_key()
    session.add(ApiKeyRow(prefix=key.prefix, user_id=user.id, hash=key.hash, created_at=now))
    return key.text


def authenticate(session: Session, key: str) -> Actor | None:
    """Who holds this key; None where nobody (any more) does."""
    found = session.execute(
        select(UserRow, ApiKeyRow)
        .join(ApiKeyRow, ApiKeyRow.user_id == UserRow.id)
        .where(ApiKeyRow.prefix == (keys.prefix_of(key) or ""), ApiKeyRow.revoked_at.is_(None))
    ).one_or_none()
    if not keys.matches(key, found[1].hash if found else _NO_HASH) or found is None:
        return None
    user: UserRow = found[0]
    return Actor(user.id, user.name, user.role)


def find(session: Session, id_or_name: str) -> UserRow:
    """A user who was not removed, by id or name."""
    rows = session.scalars(
        select(UserRow).where(
            or_(UserRow.id == id_or_name, UserRow.name == id_or_name), UserRow.removed_at.is_(None)
        )
    ).all()
    for row in sorted(rows, key=lambda row: row.id != id_or_name):
        return row
    raise NotFoundError(f"There is no user '{id_or_name}'.")


def named(session: Session, name: str) -> UserRow | None:
    """The user of exactly this name, removed ones included."""
    return session.scalar(select(UserRow).where(UserRow.name == name))


def page(session: Session, paging: Paging) -> tuple[int, list[UserRow]]:
    """The users who were not removed, by name."""
    return fetch(session, select(UserRow).where(UserRow.removed_at.is_(None)).order_by(UserRow.name), paging)


def remove(session: Session, user: UserRow, now: datetime) -> None:
    """Take a user's keys away; what they made stays."""
    user.removed_at = now
    session.execute(
        update(ApiKeyRow)
        .where(ApiKeyRow.user_id == user.id, ApiKeyRow.revoked_at.is_(None))
        .values(revoked_at=now)
    )
